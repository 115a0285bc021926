"""What ingest must know of the broker beside the records: topic ids, partition counts, ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from streams.clock import WallClock
from streams.errors import MonitorError, Unreachable
from streams.partition import PartitionIntake
from streams.settings import Settings

log = logging.getLogger("streams.watch")

Key = tuple[str, int]
_TIMEOUT_S = 5.0
_MOST_BACKOFF_S = 30.0
FRESH_S = 2.0
"""An answer older than this says nothing about now."""


class TopicFacts:
    """Topic ids and partition counts of the source topics, as the broker tells them."""

    def __init__(self, settings: Settings, topics: list[str]) -> None:
        self._address = settings.kafka.bootstrap_servers
        self._topics = topics
        self._admin = AdminClient({"bootstrap.servers": self._address})
        self._ids: dict[str, str] = {}
        self.partitions: list[Key] = []

    @property
    def source_set(self) -> dict[str, int]:
        """topic -> number of partitions."""
        counts: dict[str, int] = {}
        for topic, _ in self.partitions:
            counts[topic] = counts.get(topic, 0) + 1
        return counts

    def topic_id(self, topic: str) -> str:
        return self._ids[topic]

    def load(self) -> None:
        """Asks the broker. Raises Unreachable, or MonitorError when a topic is missing."""
        try:
            futures = self._admin.describe_topics(TopicCollection(self._topics), request_timeout=_TIMEOUT_S)
            described = {name: future.result(_TIMEOUT_S + 1) for name, future in futures.items()}
        except KafkaException as e:
            code = e.args[0].name()
            if code == "UNKNOWN_TOPIC_OR_PART":
                missing = f"one of {self._topics} does not exist: run `carrier-health topics --apply`"
                raise MonitorError(missing) from None
            raise Unreachable("Kafka", self._address, f"describing topics: {e.args[0].str()}") from None
        except TimeoutError:
            raise Unreachable("Kafka", self._address, f"no answer in {_TIMEOUT_S} s") from None
        self._ids = {name: str(d.topic_id) for name, d in described.items()}
        self.partitions = [(name, p.id) for name, d in described.items() for p in d.partitions]

    def wait_until_reached(self, readiness: Any, stopping: Callable[[], bool]) -> None:
        """Keeps asking, with backoff, and says why it waits; returns at once when told to stop."""
        backoff_s = 0.5
        while not stopping():
            try:
                self.load()
                readiness.set("kafka", True, "")
                return
            except MonitorError as e:
                log.warning("%s; trying again in %.1f s", e, backoff_s)
                readiness.set("kafka", False, str(e))
                time.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _MOST_BACKOFF_S)


def _latest() -> OffsetSpec:
    return cast(OffsetSpec, OffsetSpec.latest())  # type: ignore[no-untyped-call]


class EndWatch:
    """Until when a partition is known to have been read to its end.

    Ends are asked for in one go and compared at the next flush: whoever has read everything below
    an end that the leader named for time t has read everything that was there at t. The end is the
    high watermark, not the last stable offset, so an open transaction of a producer holds the clock.
    """

    def __init__(self, settings: Settings, clock: WallClock) -> None:
        self._admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
        self._clock = clock
        self._asked: dict[Key, tuple[int, float, Future[Any]]] = {}
        self._ends: dict[Key, int] = {}

    def ask(self, parts: Iterable[Key]) -> None:
        """Asks for the ends of `parts`; answers arrive while the loop goes on reading."""
        wanted = {TopicPartition(t, p): _latest() for t, p in parts}
        if not wanted:
            return
        at_ms, sent = self._clock.now_ms(), time.monotonic()
        futures = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=FRESH_S
        )
        self._asked = {(tp.topic, tp.partition): (at_ms, sent, f) for tp, f in futures.items()}

    def reached(self, parts: Mapping[Key, PartitionIntake]) -> dict[Key, int]:
        """Partitions whose end, as it was when asked for, has been read: and that time, epoch ms."""
        out = {}
        for key, (at_ms, sent, future) in self._asked.items():
            part = parts.get(key)
            if part is None or not future.done() or future.exception() is not None:
                continue
            self._ends[key] = int(future.result().offset)
            if part.end >= self._ends[key] and time.monotonic() - sent <= FRESH_S:
                out[key] = at_ms
        return out

    def lag(self, parts: Mapping[Key, PartitionIntake]) -> dict[Key, int]:
        """Records between the position and the last known end."""
        return {k: max(0, self._ends[k] - p.end) for k, p in parts.items() if k in self._ends}
