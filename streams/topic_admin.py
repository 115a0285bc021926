"""What topics should exist, what does, and the difference; made or widened on request.

Operations go through kafka-python, which needs no librdkafka handle and no event loop.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import msgspec
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewPartitions, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.errors import Unreachable
from streams.records import Partial
from streams.settings import Settings
from streams.topics import OUTCOMES, PARTIALS, TOPICS, Topic

_TIMEOUT_MS = 10_000


class Difference(NamedTuple):
    """One topic: what should be and what is. `partitions` is None where the topic is missing."""

    name: str
    wanted: Topic
    partitions: int | None

    @property
    def verdict(self) -> str:
        if self.partitions is None:
            return "missing"
        if self.partitions < self.wanted.partitions:
            return f"has {self.partitions} of {self.wanted.partitions} partitions"
        if self.partitions > self.wanted.partitions and self.wanted.partitions == 1:
            return f"has {self.partitions} partitions, must have 1"
        return "ok"

    @property
    def fixable(self) -> bool:
        return self.partitions is None or self.partitions < self.wanted.partitions


class TopicAdmin:
    """Raises Unreachable with the address when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = settings.kafka.bootstrap_servers
        try:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._address.split(","), request_timeout_ms=_TIMEOUT_MS
            )
        except KafkaError as e:
            raise Unreachable("Kafka", self._address, f"connecting: {e}") from e

    def close(self) -> None:
        self._admin.close()

    def differences(self) -> list[Difference]:
        """Every topic of the monitor, in the order of the table."""
        described = {t["name"]: t for t in self._admin.describe_topics()}
        return [self._difference(t, described) for t in TOPICS]

    def _difference(self, topic: Topic, described: dict[str, dict[str, object]]) -> Difference:
        name = self._settings.topic(topic.name)
        found = described.get(name)
        partitions = found["partitions"] if found else None
        return Difference(name, topic, len(partitions) if isinstance(partitions, list) else None)

    def apply(self, partitions: dict[str, int] | None = None) -> list[Difference]:
        """Creates what is missing and adds partitions; `partitions` overrides counts by short name.

        New partitions of `outcomes` are announced in `partials` first, so that readers hold for them.
        """
        overrides = partitions or {}
        done = []
        for d in self.differences():
            wanted = d.wanted._replace(partitions=overrides.get(d.wanted.name, d.wanted.partitions))
            d = d._replace(wanted=wanted)
            if d.fixable:
                self._fix(d)
                done.append(d)
        return done

    def _fix(self, d: Difference) -> None:
        if d.partitions is None:
            self._create(d)
            return
        if d.wanted.name == OUTCOMES:
            self._announce({d.name: d.wanted.partitions})
        self._admin.create_partitions({d.name: NewPartitions(d.wanted.partitions)})

    def _create(self, d: Difference) -> None:
        config = {"cleanup.policy": d.wanted.cleanup, "max.message.bytes": str(d.wanted.max_message_bytes)}
        if d.wanted.retention_ms is not None:
            config["retention.ms"] = str(d.wanted.retention_ms)
        replicas = self._settings.kafka.replication_factor
        topic = NewTopic(d.name, d.wanted.partitions, replicas, topic_configs=config)
        try:
            self._admin.create_topics([topic], timeout_ms=_TIMEOUT_MS)
        except TopicAlreadyExistsError:
            pass  # another one was faster

    def _announce(self, sources: dict[str, int]) -> None:
        partial = Partial("topics", int(time.time() * 1000), sources)
        producer = KafkaProducer(bootstrap_servers=self._address.split(","), acks="all")
        try:
            producer.send(self._settings.topic(PARTIALS), msgspec.json.encode(partial)).get(30)
        finally:
            producer.close()
