"""What a role must know of its topics before it begins: that they are there, that it may use them, how many
partitions they have; and waiting until all of it is so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streams.errors import MonitorError, NoTopic, Unreachable
from streams.kafka_access import librdkafka
from streams.kafka_trouble import Heard, not_allowed
from streams.rights import Rights
from streams.settings import Settings

log = logging.getLogger("streams.topic_facts")

Key = tuple[str, int]
_TIMEOUT_S = 5.0
_LOOK_S = 1.0
"""For a look in passing, by a client that is connected. A question that waits for a broker which is down is
dear, see `_knock`: it may not wait long where it is asked again soon."""
_COORDINATOR_S = 3600.0
"""librdkafka's most. When it finds the coordinator of a group after the question has timed out it ends the
process, by an assertion in rd_kafka_enq_once_del_source_return (2.16): so the question does not time out."""
_MOST_BACKOFF_S = 30.0
_REFUSED = ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED")
_TOLD = (*_REFUSED, "UNKNOWN_TOPIC_OR_PART")


class TopicFacts:
    """Topic ids and partition counts of `topics`, as the broker tells them, for a role with these rights."""

    def __init__(self, settings: Settings, topics: Iterable[str], rights: Rights) -> None:
        self._kafka, self._topics, self._rights = settings.kafka, tuple(topics), rights
        self._heard = Heard(settings)
        self._admin = AdminClient(librdkafka(settings) | {"error_cb": self._heard.hear})
        self._ids: dict[str, str] = {}
        self._groups: Mapping[str, Future[Any]] = {}
        """Answers to come, by group."""
        self.partitions: list[Key] = []
        self.missed = False
        """Whether a topic was not there while it was waited for."""

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
        """Asks the broker. Raises Unreachable, or MonitorError when a topic or a right is missing."""
        self._look_at_topics(_TIMEOUT_S)
        self._look_at_groups()

    def _look_at_topics(self, timeout_s: float) -> None:
        described = self._described(timeout_s)
        if lacking := self._rights.lacking({name: _operations(d) for name, d in described.items()}):
            raise self._not_allowed(lacking)
        ours = {name: described[name] for name in self._topics}
        self._ids = {name: str(d.topic_id) for name, d in ours.items()}
        self.partitions = [(name, p.id) for name, d in ours.items() for p in d.partitions]

    def look_again(self) -> None:
        """Asks for the topics once more. Raises NoTopic when one is gone, or is not the one of the last
        time, and whatever `load` raises."""
        before = dict(self._ids)
        self._look_at_topics(_LOOK_S)
        anew = sorted(name for name, id in self._ids.items() if before.get(name, id) != id)
        if anew:
            raise NoTopic(f"{', '.join(anew)} was deleted and made anew", anew=True)

    def _described(self, timeout_s: float) -> dict[str, Any]:
        names = list(dict.fromkeys((*self._topics, *self._rights.topics)))
        self._knock(names[0], timeout_s)
        futures = self._admin.describe_topics(
            TopicCollection(names), include_authorized_operations=True, request_timeout=timeout_s
        )
        found, refused = self._answers(futures, "describing topics", timeout_s)
        if missing := sorted(n for n, code in refused.items() if code == "UNKNOWN_TOPIC_OR_PART"):
            raise NoTopic(f"no topic {', '.join(missing)}: run `carrier-health topics --apply`")
        if refused:
            raise self._not_allowed([f"DESCRIBE on topic {name}" for name in refused])
        return found

    def _knock(self, topic: str, timeout_s: float) -> None:
        """Raises Unreachable when no broker answers. While a question to a broker by its id waits for one
        that is down, librdkafka (2.16) connects to it thousands of times a second, on a core of its own; a
        question to any broker backs off, and its answer says which of them there are."""
        try:
            self._admin.list_topics(topic, timeout=timeout_s)
        except KafkaException as e:
            raise self._unreachable(f"asking for brokers: {e.args[0].str()}") from None

    def _look_at_groups(self) -> None:
        """A group that nobody is in yet tells no rights, but a refusal to describe it tells enough. No answer
        in time tells nothing: its coordinator is away, and who can not join says so."""
        if all(future.done() for future in self._groups.values()):
            names = list(self._rights.groups)
            ask = self._admin.describe_consumer_groups
            self._groups = ask(names, request_timeout=_COORDINATOR_S) if names else {}
        wait(self._groups.values(), _TIMEOUT_S + 1)
        codes = {group: _code(f.exception()) for group, f in self._groups.items() if f.done()}
        if lacking := [f"READ on group {group}" for group, code in codes.items() if code in _REFUSED]:
            raise self._not_allowed(lacking)

    def _answers(
        self, futures: Mapping[str, Any], what: str, timeout_s: float
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """What was told by name, and the code of each refusal. Raises Unreachable for anything else."""
        found, refused = {}, {}
        for name, future in futures.items():
            try:
                found[name] = future.result(timeout_s + 1)
            except KafkaException as e:
                if e.args[0].name() not in _TOLD:
                    raise self._unreachable(f"{what}: {e.args[0].str()}") from None
                refused[name] = e.args[0].name()
            except TimeoutError:
                raise self._unreachable(f"no answer in {timeout_s} s") from None
        return found, refused

    def _unreachable(self, what: str) -> Unreachable:
        self._admin.poll(0)  # hears why
        return Unreachable("Kafka", self._kafka.bootstrap_servers, self._heard.beside(what))

    def _not_allowed(self, lacking: list[str]) -> MonitorError:
        return not_allowed(self._kafka, self._rights.role, lacking)

    def wait_until_reached(self, readiness: Any, stopping: Callable[[], bool]) -> None:
        """Keeps asking, with backoff, and says why it waits; returns at once when told to stop."""
        backoff_s = 0.5
        while not stopping():
            try:
                self.load()
                readiness.set("kafka", True, "")
                return
            except MonitorError as e:
                self.missed |= isinstance(e, NoTopic)
                log.warning("%s; trying again in %.1f s", e, backoff_s)
                readiness.set("kafka", False, str(e))
                time.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _MOST_BACKOFF_S)


def _operations(described: Any) -> list[str] | None:
    """What we may do with a topic, such as READ; None where the broker does not say."""
    told = described.authorized_operations
    return None if told is None else [operation.name for operation in told]


def _code(error: BaseException | None) -> str:
    """Kafka's name of an error, '' for none of Kafka's."""
    return str(error.args[0].name()) if isinstance(error, KafkaException) else ""
