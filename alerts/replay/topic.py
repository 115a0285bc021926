"""The topics that ingest reads, by time range: one stream a partition, side by side.

kafka-python says which offsets a time range is, librdkafka reads them (docs/adr/0001). What Kafka says
of when it was given a record stands for when it was read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as Place
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError as OperationError

from alerts.replay.capture import Progress
from alerts.replay.rows import Clocks, Rows
from streams.batch import Batch, sources_and_stamps
from streams.errors import MonitorError, Unreachable
from streams.kafka_access import kafka_python, librdkafka
from streams.kafka_trouble import unreachable
from streams.settings import Settings
from streams.topics import LARGE_BYTES, OUTCOMES

_TIMEOUT_MS = 10_000
_STALL_S = 30.0
_RECORDS = 5_000
_SLICE_S = 0.2


class Reach(NamedTuple):
    """What is read of one partition: offsets [start, end)."""

    topic: str
    source: str
    """Of a topic that is bound to one source; else ''."""
    partition: int
    start: int
    end: int


def reaches(settings: Settings, from_ms: int | None, to_ms: int | None) -> list[Reach]:
    """The offsets that Kafka was given in [from_ms, to_ms), of every partition of the source topics.

    None is the beginning, or the end as it is now. Raises Unreachable, and MonitorError where a topic is
    missing.
    """
    bound = {s.topic: s.name for s in settings.sources if s.topic}
    try:
        consumer = KafkaConsumer(
            **kafka_python(settings),
            enable_auto_commit=False,
            bootstrap_timeout_ms=_TIMEOUT_MS,
            allow_auto_create_topics=False,
        )
    except OperationError as e:
        raise unreachable(settings, f"connecting: {e}") from None
    try:
        topics = [settings.topic(OUTCOMES), *sorted(bound)]
        found = [reach for topic in topics for reach in _of(consumer, topic, from_ms, to_ms)]
    except OperationError as e:
        raise unreachable(settings, f"asking for offsets by time: {e}") from None
    finally:
        consumer.close()
    return [reach._replace(source=bound.get(reach.topic, "")) for reach in found]


def _of(consumer: Any, topic: str, from_ms: int | None, to_ms: int | None) -> list[Reach]:
    places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    if not places:
        raise MonitorError(f"the topic {topic} does not exist: run `carrier-health topics --apply`")
    last = consumer.end_offsets(places)
    starts = consumer.beginning_offsets(places) if from_ms is None else _at(consumer, from_ms, last)
    ends = last if to_ms is None else _at(consumer, to_ms, last)
    return [Reach(topic, "", p.partition, starts[p], ends[p]) for p in places]


def _at(consumer: Any, at_ms: int, last: dict[Any, int]) -> dict[Any, int]:
    """The first offset of each partition given to Kafka at or after `at_ms`; its `last` without one."""
    found = consumer.offsets_for_times({place: max(at_ms, 0) for place in last})
    return {place: end if found.get(place) is None else found[place].offset for place, end in last.items()}


def read(settings: Settings, reach: Reach, progress: Progress = lambda _: None) -> Iterator[Rows]:
    """The records of one partition. Raises Unreachable when Kafka stops answering."""
    consumer = Consumer(_config(settings))
    consumer.assign([Place(reach.topic, reach.partition, reach.start)])
    clocks, last_s, at = Clocks(), time.monotonic(), reach.start
    try:
        while at < reach.end:
            messages, ended = _batch(consumer, settings)
            own = [m for m in messages if m.offset() < reach.end]
            if own:
                yield _rows(own, reach, clocks)
            if messages:
                at, last_s = messages[-1].offset() + 1, time.monotonic()
                progress(min(1.0, (at - reach.start) / (reach.end - reach.start)))
            if ended:
                return
            if time.monotonic() - last_s > _STALL_S:
                words = f"no records of {reach.topic}-{reach.partition} for {_STALL_S:g} s"
                raise Unreachable("Kafka", settings.kafka.bootstrap_servers, words)
    finally:
        consumer.close()


def _batch(consumer: Consumer, settings: Settings) -> tuple[list[Any], bool]:
    """Messages, and whether the end of the partition was reached."""
    found: list[Any] = consumer.consume(_RECORDS, _SLICE_S)
    messages = [m for m in found if m.error() is None]
    for error in (m.error() for m in found if m.error() is not None):
        if error.code() == KafkaError._PARTITION_EOF:
            return messages, True
        if error.fatal() or error.code() in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET):
            raise Unreachable("Kafka", settings.kafka.bootstrap_servers, f"reading: {error.str()}")
    return messages, False


def _rows(messages: list[Any], reach: Reach, clocks: Clocks) -> Rows:
    """A stamp a little ahead of when Kafka was given the record counts as then, as it does live."""
    n = len(messages)
    partition, offset = np.full(n, reach.partition), np.array([m.offset() for m in messages], np.int64)
    given_ms = np.array([m.timestamp()[1] for m in messages], np.int64)
    headers = [m.headers() or () for m in messages]
    values = [m.value() for m in messages]
    batch = Batch(partition, offset, (), headers, values, lambda _: None, reach.source)
    # Without a time of Kafka's own the stamp is all that is known.
    told_ms = np.where(given_ms > 0, given_ms, sources_and_stamps(batch)[1])
    clock_ms = clocks.risen(partition, told_ms)
    own = (partition, offset, clock_ms, clock_ms)
    return Rows(reach.topic, reach.source, *own, given_ms.tolist(), headers, values)


def _config(settings: Settings) -> dict[str, Any]:
    return {
        **librdkafka(settings),
        "group.id": f"{settings.ingest.group}-replay",  # never joined: partitions are assigned
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": 8_192,
        "receive.message.max.bytes": LARGE_BYTES * 9,
    }
