"""The feeder on a real Apache Kafka: keys decide the partition, and everything arrives."""

from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.embedded.kafka import EmbeddedKafka
from streams.errors import MonitorError, Unreachable
from streams.simulate.capture import partition_of
from streams.simulate.feed import Feeder, feed
from streams.simulate.scenario import load
from streams.simulate.traffic import records

START_MS = 1_780_000_000_000  # in the past: Kafka refuses timestamps more than an hour ahead
SCENARIO = msgspec.structs.replace(load("soak"), duration_s=20, rate=200.0)
EMISSIONS = list(records(SCENARIO, 3, START_MS))


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    with EmbeddedKafka() as kafka:
        yield kafka.bootstrap_servers


def made(bootstrap: str, topic: str) -> str:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (future,) = admin.create_topics([NewTopic(topic, 12, 1)]).values()
    future.result()
    return topic


def read(bootstrap: str, topic: str) -> list[Message]:
    """All committed records of the topic, as far as it goes now. The markers of a commit come a moment
    after it: until then a partition ends before them, and ends again later."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "test"}
    partitions = [TopicPartition(topic, p, 0) for p in range(12)]
    uncommitted = Consumer(settings | {"isolation.level": "read_uncommitted"})
    ends = {tp.partition: uncommitted.get_watermark_offsets(tp, 10)[1] for tp in partitions}
    uncommitted.close()
    consumer = Consumer(settings | {"enable.partition.eof": True})
    consumer.assign(partitions)
    found, ended = [], set[int]()
    while len(ended) < len(ends):
        for message in consumer.consume(1_000, 5.0):
            if not message.error():
                found.append(message)
            elif message.offset() >= ends[message.partition()]:
                ended.add(message.partition())
    consumer.close()
    return found


@pytest.mark.parametrize("transactional_id", [None, "simulate-1"])
def test_every_record_arrives_in_the_partition_of_its_key(
    bootstrap: str, transactional_id: str | None
) -> None:
    topic = made(bootstrap, f"outcomes-{transactional_id}")
    feed(EMISSIONS, Feeder(bootstrap, topic, transactional_id=transactional_id, commit_every_s=0.05))
    found = read(bootstrap, topic)
    got = {(m.key(), m.value(), tuple(m.headers() or ()), m.timestamp()[1], m.partition()) for m in found}
    want = {(e.key, e.value, tuple(e.headers), e.timestamp_ms, partition_of(e.key)) for e in EMISSIONS}
    assert len(found) == len(EMISSIONS)
    assert got == want


def test_a_record_goes_to_the_partition_that_it_is_sent_to(bootstrap: str) -> None:
    topic = made(bootstrap, "one-partition")
    feed(EMISSIONS[:200], Feeder(bootstrap, topic, partition_of=lambda e: 3))
    found = read(bootstrap, topic)
    assert {m.partition() for m in found} == {3}
    assert [m.key() for m in found] == [e.key for e in EMISSIONS[:200]]


def test_a_topic_that_is_not_there_is_named(bootstrap: str) -> None:
    with pytest.raises(MonitorError, match="refused a record for nowhere"):
        feed(EMISSIONS[:3], Feeder(bootstrap, "nowhere", timeout_s=6.0))


def test_a_broker_that_does_not_answer_is_named() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 "):
        feed(EMISSIONS[:3], Feeder("127.0.0.1:9", "outcomes", timeout_s=2.0))
