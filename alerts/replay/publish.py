"""What is learned, in `detector-state`: what history taught is written, what was known then is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from alerts import snapshot
from alerts.baseline import HOUR_S
from alerts.charts import Charts
from alerts.decide import DetectorState, Look
from alerts.detect import RuleState
from alerts.replay.opened import ReplayError, opened
from alerts.settings import Settings
from streams.errors import MonitorError, Unreachable
from streams.kafka_access import librdkafka
from streams.log_reader import Record, read_between, read_log
from streams.topics import DETECTOR_STATE

_TIMEOUT_S = 15.0
_RETRY_S = 0.3
_SOON = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)
"""What Kafka answers of a group while it finds out who keeps it."""


class InUse(MonitorError):
    """The alerts role writes `detector-state` itself while it runs."""


def at_rest(state: DetectorState) -> DetectorState:
    """What is normal, and nothing of what went wrong: neither incidents nor evidence of any."""
    rules = tuple(_at_rest(rule, state) for rule in state.rules)
    return replace(state, rules=rules, cases=(), looks=(Look(),) * len(rules))


def _at_rest(rule: RuleState, state: DetectorState) -> RuleState:
    charts = Charts.empty(len(state.policy.thetas), rule.index.size)
    receipts = rule.receipts.restarted(state.policy, rule.index)
    return replace(rule, charts=charts, receipts=receipts, ring=())


def known(settings: Settings, until_ms: int) -> DetectorState:
    """What was known of normal at `until_ms` at the latest, as far as the topic still holds it.

    Raises SnapshotError where it holds nothing so old, and Unreachable.
    """
    hour_ms = HOUR_S * 1000
    try:
        near = asyncio.run(read_between(settings, DETECTOR_STATE, until_ms - 2 * hour_ms, until_ms + hour_ms))
        state = snapshot.restore(_values(near), until_ms / 1000)
    except snapshot.SnapshotError:  # it was written at another time than it is of
        state = snapshot.restore(_values(asyncio.run(read_log(settings, DETECTOR_STATE, 0))), until_ms / 1000)
    return at_rest(state)


def saved(path: Path) -> DetectorState:
    """What a file of records of `detector-state` holds, a value a line. Raises MonitorError."""
    with opened(path) as (file, _):
        lines = [line for line in file if line.strip()]
    try:
        return at_rest(snapshot.restore(lines))
    except msgspec.DecodeError:
        raise ReplayError(f"{path}: no records of detector-state") from None


def save(path: Path, state: DetectorState) -> None:
    """Writes what `saved` reads."""
    path.write_bytes(b"".join(record + b"\n" for record in snapshot.snapshot(state)))


def _values(records: list[Record]) -> Iterator[bytes]:
    return (value for _, _, value in records if value)


def publish(settings: Settings, state: DetectorState) -> int:
    """Writes the snapshot; returns its bytes once Kafka has all of it.

    Raises InUse while an alerts role runs, which would write over it, and Unreachable.
    """
    servers = settings.kafka.bootstrap_servers
    try:
        _refuse_members(settings)
        producer = Producer({**librdkafka(settings), "acks": "all", "message.max.bytes": 1_000_000})
        topic, failed = settings.topic(DETECTOR_STATE), []
        records = snapshot.snapshot(state)
        for record in records:
            key = snapshot.shard_of(record).encode()
            producer.produce(topic, record, key, on_delivery=lambda e, _: failed.append(e) if e else None)
        left = producer.flush(_TIMEOUT_S)
    except KafkaException as e:
        raise Unreachable("Kafka", servers, e.args[0].str()) from None
    if left or failed:
        why = failed[0].str() if failed else f"{left} records are not acknowledged"
        raise Unreachable("Kafka", servers, f"{topic}: {why}")
    return sum(map(len, records))


def _refuse_members(settings: Settings) -> None:
    group = settings.alerts.group
    members = _members(settings, group)
    if members:
        raise InUse(
            f"the alerts role runs ({members} in group {group}) and would write over what is learned: "
            "stop it, learn, start it again"
        )


def _members(settings: Settings, group: str) -> int:
    admin = AdminClient(librdkafka(settings))  # answers come only while it lives
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            described = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)
            return len(described[group].result(_TIMEOUT_S).members)
        except KafkaException as e:
            code = e.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:  # it has never run
                return 0
            if code not in _SOON or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_S)
