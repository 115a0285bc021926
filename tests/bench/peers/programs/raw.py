"""The limits of Python: confluent-kafka alone, and with msgspec decoding the five fields that count.

Arguments: bootstrap servers, topic, partitions, records, and `bytes` or `typed`. Says so once all is read,
then waits to be ended, so that it is measured like the others.
"""

import signal
import sys

import msgspec
from confluent_kafka import Consumer, TopicPartition

SERVERS, OUTCOMES, PARTITIONS, RECORDS, WHAT = sys.argv[1:]


class Outcome(msgspec.Struct, gc=False):
    """What the job needs of a record."""

    status: str
    carrier: str
    region: str
    code: str | None
    received_ms: int


def main():
    consumer = Consumer(
        {
            "bootstrap.servers": SERVERS,
            "group.id": "raw",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 100_000,
            "queued.max.messages.kbytes": 32_768,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
        }
    )
    consumer.assign([TopicPartition(OUTCOMES, p, 0) for p in range(int(PARTITIONS))])
    touch = msgspec.json.Decoder(Outcome).decode if WHAT == "typed" else len
    done = 0
    while done < int(RECORDS):
        values = [m.value() for m in consumer.consume(10_000, 0.1)]
        for value in values:
            touch(value)
        done += len(values)
    print(done, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
