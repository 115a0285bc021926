"""The limit that ingest is held against: confluent-kafka alone, each value touched and nothing else.

Run as `python -m alerts.bench.raw CONFIG TOPIC PARTITIONS RECORDS`; imports nothing of the product.
Prints the records and bytes it has read, then waits to be ended, so that it is measured like a role.
"""

from __future__ import annotations

import json
import signal
import sys

from confluent_kafka import Consumer, TopicPartition

_CONSUME = 10_000


def read(consumer: Consumer, records: int) -> int:
    """Reads until `records` were read; returns the bytes of their values."""
    done = size = 0
    while done < records:
        values = [message.value() for message in consumer.consume(_CONSUME, 0.1)]
        size += sum(map(len, values))  # type: ignore[arg-type]  # None would be an error: it must not pass
        done += len(values)
    return size


def main() -> None:
    config, topic, partitions, records = sys.argv[1:]
    consumer = Consumer(json.loads(config))
    consumer.assign([TopicPartition(topic, p, 0) for p in range(int(partitions))])
    print(read(consumer, int(records)), flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
