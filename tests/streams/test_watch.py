"""What is known of the ends of partitions when a leader answers, late, or not at all."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from streams import watch
from streams.clock import WallClock
from streams.dedupe import SeenIds
from streams.partition import PartitionIntake
from streams.settings import Clock, Settings
from streams.watch import FRESH_S, EndWatch

KEYS = [("outcomes", 0), ("outcomes", 1)]
Answers = dict[TopicPartition, Future[Any]]


class Admin:
    """Keeps what it was asked for; a test answers."""

    def __init__(self) -> None:
        self.asked: list[Answers] = []
        self.config: dict[str, Any] = {}
        self.timeouts_s: list[float] = []

    def list_offsets(self, wanted: dict[TopicPartition, Any], request_timeout: float, **_: Any) -> Answers:
        self.timeouts_s.append(request_timeout)
        self.asked.append({tp: Future() for tp in wanted})
        return self.asked[-1]

    def answer(self, *ends: int | KafkaException) -> None:
        for future, end in zip(self.asked[-1].values(), ends, strict=True):
            if isinstance(end, int):
                future.set_result(SimpleNamespace(offset=end))
            else:
                future.set_exception(end)


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Admin:
    admin = Admin()

    def make(config: dict[str, Any]) -> Admin:
        admin.config = config
        return admin

    monkeypatch.setattr(watch, "AdminClient", make)
    return admin


def parts(*ends: int) -> dict[tuple[str, int], PartitionIntake]:
    return {
        key: PartitionIntake(key[0], "id", key[1], 0, SeenIds(600, 10), end=end)
        for key, end in zip(KEYS, ends, strict=True)
    }


class Hand:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def begin(hand: Hand | None = None) -> EndWatch:
    return EndWatch(Settings(), WallClock(Clock()), hand or Hand())


def test_a_partition_that_was_read_to_its_end_is_reached_and_one_that_was_not_has_a_lag(
    admin: Admin,
) -> None:
    ends, read = begin(), parts(10, 10)
    ends.ask(read)
    admin.answer(10, 13)
    assert list(ends.reached(read)) == [KEYS[0]]
    assert ends.lag(read) == {KEYS[0]: 0, KEYS[1]: 3}


@pytest.mark.parametrize(
    "nothing",
    [OFFSET_INVALID, KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))],
    ids=["no answer", "refused"],
)
def test_a_leader_that_did_not_answer_lets_its_partition_stand_and_no_other(
    admin: Admin, nothing: int | KafkaException
) -> None:
    ends, read = begin(), parts(10, 10)
    ends.ask(read)
    admin.answer(nothing, 10)
    assert list(ends.reached(read)) == [KEYS[1]]
    assert ends.lag(read) == {KEYS[1]: 0}


def test_an_answer_that_is_not_fresh_says_how_far_it_is_but_not_that_it_was_reached(
    admin: Admin,
) -> None:
    hand = Hand()
    ends, read = begin(hand), parts(10, 8)
    ends.ask(read)
    admin.answer(10, 10)
    hand.now_s += FRESH_S + 0.1
    assert ends.reached(read) == {}
    assert ends.lag(read) == {KEYS[0]: 0, KEYS[1]: 2}


def test_who_has_no_answer_yet_is_not_asked_again_until_it_would_be_too_old(
    admin: Admin,
) -> None:
    hand = Hand()
    ends, read = begin(hand), parts(10, 10)
    for _ in range(3):
        ends.ask(read)
    assert len(admin.asked) == 1
    hand.now_s += FRESH_S + 0.1
    ends.ask(read)
    assert len(admin.asked) == 2


def test_what_is_known_of_leaders_is_forgotten_before_it_keeps_anybody_waiting(
    admin: Admin,
) -> None:
    """With librdkafka's own 15 min a leader that has died would be asked all that time."""
    begin().ask(parts(0, 0))
    assert admin.config["metadata.max.age.ms"] <= 5_000
    assert admin.timeouts_s[0] < FRESH_S / 2
