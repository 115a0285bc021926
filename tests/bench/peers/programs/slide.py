"""Our closed buckets as the rows that the peers write: the last step of our pipeline in the race.

The product itself keeps these sums in memory, for /metrics and for the detector. Arguments: bootstrap
servers, topic of closed buckets, topic of counts.
"""

import sys
from collections import deque

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.journal import Assembler
from streams.records import BUCKET_S, Cells

SERVERS, WINDOWS, COUNTS = sys.argv[1:]
IN_WINDOW = 300 // BUCKET_S
ROOM = 4_096
"""Pairs of carrier and region, at most."""


class Sliding:
    """Sums of the newest 30 buckets: [pair, (outcomes, 30003, absent)]."""

    def __init__(self):
        self.pairs, self.buckets = {}, deque()
        self.sums = np.zeros((ROOM, 3), np.int64)

    def add(self, cells: Cells):
        fresh = np.zeros_like(self.sums)
        for k, n in zip(cells.key, cells.finals, strict=True):
            key = cells.keys[k]
            row = fresh[self.pairs.setdefault((key.carrier, key.region), len(self.pairs))]
            row[0] += n
            row[1] += n if key.code == "30003" else 0
            row[2] += n if key.outcome_class == "absent_subscriber" else 0
        self.buckets.append(fresh)
        self.sums += fresh
        if len(self.buckets) > IN_WINDOW:
            self.sums -= self.buckets.popleft()

    def rows(self, end_s: int):
        for (carrier, region), (total, n30003, absent) in zip(self.pairs, self.sums.tolist(), strict=False):
            if total:
                yield (
                    f'{{"carrier":"{carrier}","region":"{region}","end_ms":{end_s}000,'
                    f'"total":{total},"n30003":{n30003},"absent":{absent}}}'
                )


def main():
    consumer = Consumer({"bootstrap.servers": SERVERS, "group.id": COUNTS, "enable.auto.commit": False})
    consumer.assign([TopicPartition(WINDOWS, 0, 0)])
    producer = Producer(
        {"bootstrap.servers": SERVERS, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    assembler, sliding, next_s = Assembler(), Sliding(), None
    while True:
        for message in consumer.consume(100, 0.2):
            complete = None if message.error() else assembler.feed(message.offset(), message.value())
            if complete is None:
                continue
            at_s = complete.record.bucket_s
            for empty_s in range(at_s if next_s is None else next_s, at_s, BUCKET_S):
                step(sliding, producer, Cells(), empty_s)
            step(sliding, producer, complete.cells, at_s)
            next_s = at_s + BUCKET_S


def step(sliding: Sliding, producer: Producer, cells: Cells, bucket_s: int):
    sliding.add(cells)
    for row in sliding.rows(bucket_s + BUCKET_S):
        producer.produce(COUNTS, row)
    producer.poll(0)


if __name__ == "__main__":
    main()
