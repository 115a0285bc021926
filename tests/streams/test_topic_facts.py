"""What a role asks about its topics and groups while a broker, or the coordinator, is away."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams import topic_facts
from streams.errors import Unreachable
from streams.rights import Rights
from streams.settings import Settings
from streams.topic_facts import TopicFacts

HOUR_S = 3600.0
RIGHTS = Rights("windows", reads=("partials",), groups=("g",))


class Admin:
    """Answers at once about topics, and about groups when a test does; `timeouts_s` of those questions.
    While `down` no broker answers at all."""

    def __init__(self) -> None:
        self.timeouts_s: list[float] = []
        self.answers: list[Future[Any]] = []
        self.described = 0
        self.down = False

    def list_topics(self, topic: str, timeout: float) -> None:
        if self.down:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def poll(self, timeout_s: float) -> int:
        return 0

    def describe_topics(self, topics: Any, **_: Any) -> dict[str, Future[Any]]:
        self.described += 1
        described = SimpleNamespace(
            authorized_operations=None, topic_id="id", partitions=[SimpleNamespace(id=0)]
        )
        answer: Future[Any] = Future()
        answer.set_result(described)
        return {"partials": answer}

    def describe_consumer_groups(self, groups: list[str], request_timeout: float) -> dict[str, Future[Any]]:
        assert groups == ["g"]
        self.timeouts_s.append(request_timeout)
        self.answers.append(Future())
        return {"g": self.answers[-1]}


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Admin:
    admin = Admin()
    monkeypatch.setattr(topic_facts, "AdminClient", lambda _: admin)
    monkeypatch.setattr(topic_facts, "_TIMEOUT_S", -0.9)
    return admin


def test_a_coordinator_that_does_not_answer_keeps_no_role_from_starting(admin: Admin) -> None:
    facts = TopicFacts(Settings(), ("partials",), RIGHTS)
    facts.load()
    assert facts.partitions == [("partials", 0)]


def test_a_question_to_a_coordinator_outlives_our_patience_and_is_not_asked_again_before(
    admin: Admin,
) -> None:
    """An answer to one that has timed out would end the process, in librdkafka."""
    facts = TopicFacts(Settings(), ("partials",), RIGHTS)
    for _ in range(3):
        facts.load()
    assert admin.timeouts_s == [HOUR_S]
    admin.answers[0].set_result(None)
    facts.load()
    assert admin.timeouts_s == [HOUR_S, HOUR_S]


def test_whoever_looks_again_asks_for_no_group(admin: Admin) -> None:
    facts = TopicFacts(Settings(), ("partials",), RIGHTS)
    facts.load()
    facts.look_again()
    assert len(admin.timeouts_s) == 1


def test_while_no_broker_answers_none_is_asked_by_its_id(admin: Admin) -> None:
    """librdkafka would connect to it as fast as it can."""
    facts = TopicFacts(Settings(), ("partials",), RIGHTS)
    facts.load()
    admin.down = True
    with pytest.raises(Unreachable, match="asking for brokers"):
        facts.look_again()
    assert admin.described == 1
