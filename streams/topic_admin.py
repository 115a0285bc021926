"""What topics should exist, what does, and the difference; made, widened or altered on request.

Operations go through kafka-python, which needs no librdkafka handle and no event loop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from streams.errors import MonitorError
from streams.kafka_access import kafka_python
from streams.kafka_trouble import unreachable
from streams.records import ClosedBucket, Partial, encode
from streams.settings import Settings
from streams.topics import DAY_MS, OUTCOMES, PARTIALS, TOPICS, WINDOWS, Topic

_TIMEOUT_MS = 10_000
_SHOWS_S = 5.0
_JOURNAL_TAIL = 500
_RETENTION, _CLEANUP, _LARGEST = "retention.ms", "cleanup.policy", "max.message.bytes"

BOUND = next(t for t in TOPICS if t.name == OUTCOMES)._replace(writer="users, for one source")
"""A topic that a source is bound to: as `outcomes`, under its own name."""


class Difference(NamedTuple):
    """One topic: what should be and what is. `partitions` is None where the topic is missing.

    More partitions, a longer retention or larger messages than asked for are the operator's choice.
    """

    name: str
    wanted: Topic
    partitions: int | None
    config: Mapping[str, str] = {}
    """What the broker has for the settings of `settings_of`."""
    replicas: int = 0
    rights: frozenset[str] | None = None
    """What this user may do, such as READ; None where the broker does not say."""

    @property
    def verdict(self) -> str:
        """`ok`, `missing`, or what is wrong."""
        if self.partitions is None:
            return "missing"
        return "; ".join(self._faults()) or "ok"

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"

    @property
    def fixable(self) -> bool:
        return not self.ok and not self.too_many

    @property
    def too_many(self) -> bool:
        """Partitions can not be taken away, and the monitor's logs have one order each."""
        return self.wanted.partitions == 1 and (self.partitions or 0) > 1

    @property
    def alterations(self) -> dict[str, str]:
        """Settings that `apply` changes."""
        wanted = settings_of(self.wanted)
        return {k: v for k, v in wanted.items() if k in self.config and _short(k, self.config[k], v)}

    def _faults(self) -> Iterator[str]:
        has = self.partitions or 0
        if self.too_many:
            yield f"has {has} partitions, must have 1"
        if has < self.wanted.partitions:
            yield f"has {has} of {self.wanted.partitions} partitions"
        for key, wanted in self.alterations.items():
            yield f"{key} is {_words(key, self.config[key])}, should be {_words(key, wanted)}"


class TopicAdmin:
    """Raises Unreachable with the address when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with self._told("connecting"):
            self._admin = KafkaAdminClient(
                **kafka_python(self._settings),
                request_timeout_ms=_TIMEOUT_MS,
                bootstrap_timeout_ms=_TIMEOUT_MS,
            )

    def close(self) -> None:
        self._admin.close()

    def __enter__(self) -> TopicAdmin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def brokers(self) -> int:
        with self._told("describing the cluster"):
            return len(self._admin.describe_cluster()["brokers"])

    @property
    def version(self) -> tuple[int, ...]:
        """Version of Kafka, from the requests that a broker knows: (4, 1)."""
        with self._told("asking for the version"):
            broker = self._admin.describe_cluster()["brokers"][0]["broker_id"]
            return tuple(self._admin.get_broker_version_data(broker).broker_version)

    def wanted(self) -> dict[str, Topic]:
        """Full name -> topic: the table, and the topics that sources are bound to."""
        table = {self._settings.topic(t.name): t for t in TOPICS}
        bound = {s.topic: BOUND._replace(name=s.topic) for s in self._settings.sources if s.topic}
        return table | {name: topic for name, topic in bound.items() if name not in table}

    def differences(self, partitions: Mapping[str, int] | None = None) -> list[Difference]:
        """Every topic of the monitor in the order of the table, then those bound to a source.

        `partitions` overrides the counts of the table by short name.
        """
        counts = partitions or {}
        with self._told("describing topics"):
            described = {t["name"]: t for t in self._admin.describe_topics() if not t["error_code"]}
            wanted = self.wanted()
            configs = self._configs([name for name in wanted if name in described])
        topics = {n: t._replace(partitions=counts.get(t.name, t.partitions)) for n, t in wanted.items()}
        return [self._difference(n, t, described.get(n), configs.get(n, {})) for n, t in topics.items()]

    def _difference(
        self, name: str, topic: Topic, found: dict[str, Any] | None, config: Mapping[str, str]
    ) -> Difference:
        if found is None:
            return Difference(name, topic, None)
        has = len(found["partitions"])
        if topic.writer == BOUND.writer:  # how many partitions it has is up to its owner
            topic = topic._replace(partitions=has)
        replicas = min((len(p["replica_nodes"]) for p in found["partitions"]), default=0)
        rights = found.get("authorized_operations")
        return Difference(
            name, topic, has, config, replicas, None if rights is None else frozenset(map(str, rights))
        )

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        answers = self._admin.describe_configs(asked, config_filter="all")["topic"]
        keys = (_CLEANUP, _RETENTION, _LARGEST)
        return {name: {k: found[k]["value"] for k in keys if k in found} for name, found in answers.items()}

    def apply(self, partitions: Mapping[str, int] | None = None) -> list[Difference]:
        """Creates what is missing, adds partitions, alters settings; returns what was different.

        `partitions`: see `differences`. New partitions of what sources write to are announced in
        `partials` first, so that readers hold for them; topics that no source is bound to any more
        are retired there, so that nobody holds for them any longer.
        """
        done = [d for d in self.differences(partitions) if d.fixable]
        for d in done:
            with self._told(f"changing {d.name}"):
                self._fix(d)
        self._wait_for({d.name for d in done}, partitions)
        if retired := self.retired():
            self._announce({}, retired)
        return done

    def _wait_for(self, names: set[str], partitions: Mapping[str, int] | None) -> None:
        """Brokers learn of a change one after the other: until it shows, or for some seconds."""
        deadline = time.monotonic() + _SHOWS_S
        while names and time.monotonic() < deadline:
            names &= {d.name for d in self.differences(partitions) if d.fixable}
            time.sleep(0.1 if names else 0)

    def retired(self) -> list[str]:
        """Source topics that the newest closed bucket still counts on, configured no more."""
        name = self._settings.topic(WINDOWS)
        with self._told(f"reading {name}"):
            newest = self._newest_bucket(TopicPartition(name, 0))
        if newest is None:
            return []
        return sorted(set(newest.sources) - set(self.wanted()))

    def _newest_bucket(self, tp: TopicPartition) -> ClosedBucket | None:
        consumer = KafkaConsumer(
            **kafka_python(self._settings),
            enable_auto_commit=False,
            consumer_timeout_ms=_TIMEOUT_MS,
        )
        try:
            if not consumer.partitions_for_topic(tp.topic):
                return None
            consumer.assign([tp])
            low, end = (consumer.beginning_offsets([tp])[tp], consumer.end_offsets([tp])[tp])
            if low == end:
                return None
            consumer.seek(tp, max(low, end - _JOURNAL_TAIL))
            last = None
            for record in consumer:
                last = record.value
                if record.offset + 1 >= end:
                    break
            return msgspec.json.decode(last, type=ClosedBucket) if last else None
        finally:
            consumer.close()

    def _fix(self, d: Difference) -> None:
        if d.partitions is None:
            self._create(d)
            return
        if d.partitions < d.wanted.partitions:
            if d.wanted.name == OUTCOMES:
                self._announce({d.name: d.wanted.partitions})
            self._admin.create_partitions({d.name: d.wanted.partitions})
        if d.alterations:
            altered = ConfigResource(ConfigResourceType.TOPIC, d.name, dict(d.alterations))
            self._admin.alter_configs([altered])

    def _create(self, d: Difference) -> None:
        replicas = self._settings.kafka.replication_factor
        spec = {
            "num_partitions": d.wanted.partitions,
            "replication_factor": replicas,
            "configs": settings_of(d.wanted),
        }
        try:
            self._admin.create_topics({d.name: spec}, timeout_ms=_TIMEOUT_MS)
        except TopicAlreadyExistsError:
            pass  # another one was faster
        except InvalidReplicationFactorError:
            raise MonitorError(
                f"{d.name} can not be made: kafka.replication_factor = {replicas}, "
                f"but there are {self.brokers} brokers; set a factor that they can hold"
            ) from None

    def _announce(self, sources: dict[str, int], retired: list[str] | None = None) -> None:
        partial = Partial("topics", int(time.time() * 1000), sources, retired=retired or [])
        producer = KafkaProducer(**kafka_python(self._settings), acks="all")
        try:
            producer.send(self._settings.topic(PARTIALS), encode(partial)).get(30)
        finally:
            producer.close()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except KafkaError as e:
            raise unreachable(self._settings, f"{what}: {e}") from e


def settings_of(topic: Topic) -> dict[str, str]:
    """The topic's settings as Kafka spells them."""
    settings = {_CLEANUP: topic.cleanup, _LARGEST: str(topic.max_message_bytes)}
    if topic.retention_ms is not None:
        settings[_RETENTION] = str(topic.retention_ms)
    return settings


def _short(key: str, found: str, wanted: str) -> bool:
    """Whether a setting falls short of what is wanted; -1 is without limit."""
    if key == _CLEANUP:
        return found != wanted
    return 0 <= int(found) < int(wanted)


def _words(key: str, value: str) -> str:
    if key != _RETENTION:
        return value
    ms = int(value)
    return f"{ms / DAY_MS:g} d" if ms >= DAY_MS else f"{ms / 3_600_000:g} h"
