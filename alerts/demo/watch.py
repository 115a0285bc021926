"""Looks at the running monitor from outside, as anybody could: topics, metrics, health, the pager.

Nothing here waits: each look returns what is new since the last.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from alerts.advice.records import Advice, Hold, Record, Release, decoder
from alerts.case import RANK
from alerts.demo.receiver import Entry, Receiver
from alerts.records import Incident, State
from streams.exposition import PREFIX
from streams.kafka_access import librdkafka
from streams.settings import Settings
from streams.topics import INCIDENTS, RETRY_ADVICE, TOPICS

HTTP_TIMEOUT_S = 10.0
FLAG = f"{PREFIX}flag_active"
CLEARED_AFTER_MS = 15_000
"""A flag that is not shown for less than this (a role that starts again) was never away."""


class Flag(NamedTuple):
    rule: str
    carrier: str
    region: str
    severity: str


class IncidentWatch:
    """The topic `incidents` from its beginning: what happened to each incident, state by state."""

    def __init__(self, settings: Settings) -> None:
        self._known: dict[str, Incident] = {}
        self._consumer = _reader(settings)
        self._consumer.assign([TopicPartition(settings.topic(INCIDENTS), 0, OFFSET_BEGINNING)])

    def look(self) -> list[tuple[str, Incident]]:
        """(action, incident) in the order of the topic; '' where only numbers or deliveries changed."""
        seen = []
        for message in self._consumer.consume(100, 0):
            value = message.value()
            if message.error() is None and value:
                now = msgspec.json.decode(value, type=Incident)
                seen += [(action, now) for action in changes(self._known.get(now.key), now) or [""]]
                self._known[now.key] = now
        return seen

    def close(self) -> None:
        self._consumer.close()


def changes(before: Incident | None, now: Incident) -> list[str]:
    """What happened between two states of one incident."""
    if before is None:
        return ["opened", "resolved"] if now.state is State.RESOLVED else ["opened"]
    if before.state is not now.state:
        return ["resolved" if now.state is State.RESOLVED else "reopened"]
    found = []
    if _scope(before) != _scope(now):
        found.append("scope_changed")
    if before.severity is not now.severity:
        found.append("escalated" if RANK[now.severity] > RANK[before.severity] else "stepped_down")
    return found


def _scope(incident: Incident) -> tuple[str, str, str]:
    return incident.current_scope, incident.current_carrier, incident.current_region


class AdviceWatch:
    """The topic `retry-advice` from its beginning, what is on every partition once."""

    def __init__(self, settings: Settings) -> None:
        self._seen: set[Hold | Release] = set()
        self._consumer = _reader(settings)
        partitions = next(topic.partitions for topic in TOPICS if topic.name == RETRY_ADVICE)
        name = settings.topic(RETRY_ADVICE)
        self._consumer.assign(
            [TopicPartition(name, number, OFFSET_BEGINNING) for number in range(partitions)]
        )

    def look(self) -> list[Record]:
        """What is new, in the order of each partition."""
        new: list[Record] = []
        for message in self._consumer.consume(1000, 0):
            value = message.value()
            if message.error() is None and value:
                record = decoder.decode(value)
                if isinstance(record, Advice):
                    new.append(record)
                elif record not in self._seen:
                    self._seen.add(record)
                    new.append(record)
        return new

    def close(self) -> None:
        self._consumer.close()


def _reader(settings: Settings) -> Consumer:
    """Of no group's: it begins where it is told to."""
    return Consumer(
        {
            **librdkafka(settings),
            "group.id": "carrier-health-demo",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
        }
    )


class FlagWatch:
    """The gauge `flag_active` of the alerts role."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seen_ms: dict[Flag, int] = {}

    def look(self, now_ms: int) -> list[tuple[str, Flag]]:
        """(`raised` or `cleared`, flag). While the role does not answer nothing is known, nothing changes."""
        answer = get(f"{self._url}/metrics")
        if answer is None or answer[0] != 200:
            return []
        shown = flags_in(answer[1])
        raised = [("raised", flag) for flag in sorted(shown - self._seen_ms.keys())]
        self._seen_ms |= dict.fromkeys(shown, now_ms)
        gone = sorted(f for f, at_ms in self._seen_ms.items() if now_ms - at_ms >= CLEARED_AFTER_MS)
        for flag in gone:
            del self._seen_ms[flag]
        return raised + [("cleared", flag) for flag in gone]


def flags_in(exposition: str) -> set[Flag]:
    """The series of `flag_active` that are 1."""
    lines = [line for line in exposition.splitlines() if line.startswith(FLAG)]
    families = text_string_to_metric_families("\n".join([f"# TYPE {FLAG} gauge", *lines, ""]))
    samples = [sample for family in families for sample in family.samples if sample.value]
    return {Flag(*(sample.labels[name] for name in Flag._fields)) for sample in samples}


class ReadyWatch:
    """`/readyz` of the roles."""

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls
        self._was: dict[str, bool] = dict.fromkeys(urls, False)

    @property
    def waiting(self) -> list[str]:
        """Roles that do not take part, as of the last look."""
        return [role for role, ready in self._was.items() if not ready]

    def look(self) -> list[str]:
        """Roles that have become ready."""
        now = {role: is_ready(url) for role, url in self._urls.items()}
        new = [role for role, ready in now.items() if ready and not self._was[role]]
        self._was = now
        return new


class PageWatch:
    """The log of the receiver, which belongs to another thread and only grows."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver, self._seen = receiver, 0

    def look(self) -> Iterable[Entry]:
        new = self._receiver.log[self._seen :]
        self._seen += len(new)
        return new


def is_ready(url: str) -> bool:
    answer = get(f"{url}/readyz")
    return answer is not None and answer[0] == 200


def get(url: str) -> tuple[int, str] | None:
    """Status and body, None when nobody answers. Proxies of the environment are not asked."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=HTTP_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
