"""Topic ids and partition counts of the topics that a role needs, and waiting until they are there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streams.errors import MonitorError, Unreachable
from streams.settings import Settings

log = logging.getLogger("streams.topic_facts")

Key = tuple[str, int]
_TIMEOUT_S = 5.0
_MOST_BACKOFF_S = 30.0


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
