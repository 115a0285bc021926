"""What was advised, counted for people: of an incident, and by sender."""

from __future__ import annotations

import msgspec

from alerts.advice.habits import Habit, habits
from alerts.advice.records import Advice, Reason
from alerts.advice.tally import Retries, tallied
from streams.label_values import Advised

ONE = Advice(
    *("SM1", "west", "0" * 16, "k", Advised.RETRY, Reason.ISOLATED, 1, 3, 5_000, None, 1_000),
    *("absent_subscriber", "30003", "310-260", "US", "+1202•••0100", False, False),
)


def like(message_id: str, **changes: object) -> Advice:
    return msgspec.structs.replace(ONE, message_id=message_id, **changes)


def test_a_message_counts_once_and_the_earliest_retry_is_named() -> None:
    held = {"decision": Advised.HOLD, "reason": Reason.INCIDENT, "not_before_ms": 3_000}
    stop = {"decision": Advised.STOP, "reason": Reason.PERMANENT, "not_before_ms": None}
    found = [like("1"), like("1"), like("2", not_before_ms=4_000), like("3", **held), like("4", **stop)]
    assert tallied(found) == Retries(2, 1, 1, 0, 4_000)
    assert tallied(found).words == "2 retry, 1 hold, 1 stop" and tallied(found).messages == 4
    assert tallied([], whole=False) == Retries(whole=False)
    assert tallied([like("1", source="east"), like("1")]).retry == 2, "ids are the provider's own"


def test_the_worst_senders_come_first_and_who_sends_well_is_not_named() -> None:
    found = [
        like("1"),
        like("2", sender="+1202•••0101", too_soon=True),
        like("3", sender="+1202•••0101", too_soon=True, too_often=True),
        like("4", sender="+1202•••0101"),
        like("5", sender="", too_often=True),
    ]
    worst = [Habit("west", "+1202•••0101", 3, 2, 1), Habit("west", "", 1, 0, 1)]
    assert habits(found) == worst and habits(found, 1) == worst[:1]
