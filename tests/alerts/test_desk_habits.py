"""What routes are told beyond each change: updates, repeats, what was missed, and how late it is.

PagerDuty:      trigger ------------------------------- resolve          | missed: told afterwards
Slack, webhook: trigger --- update (5 min, at once when worse) - resolve
Alertmanager:   trigger - again - again - again (1 min) - resolve - again (15 min)
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from alerts.desk import GIVE_UP_MS, Desk, Habits, Remote
from alerts.paging import LATE_MS, SUMMARY_MAX, delayed
from alerts.records import Decision, Delivery, Incident, Page, Severity, State
from tests.alerts.test_desk import incident

KEY = "ch:r:carrier:310-260:all:1700000000"
MINUTE = 60_000
UPDATING = Habits(update_ms=5 * MINUTE)
REPEATING = Habits(repeat_ms=MINUTE, repeat_resolved_ms=15 * MINUTE)
TELLING = Habits(tells_missed=True)


def page(action: str, seq: int, severity: Severity = Severity.WARNING, key: str = KEY) -> Page:
    return Page(key, KEY, action, seq, severity, f"summary {seq}", "s", 1_700_000_010_000, decided_ms=seq)


def desk(habits: Habits) -> Desk:
    return Desk("route", "key-1", random.Random(1), habits)


def told(desk: Desk, now_ms: int) -> list[tuple[str, int]]:
    """Sends and accepts all that is due."""
    due = desk.due(now_ms)
    for one in due:
        desk.accepted(one, now_ms, "C1:100.1")
    return [(one.action, one.seq) for one in due]


def restored(habits: Habits, deliveries: Sequence[Delivery], wanted: Page, state: State = State.OPEN) -> Desk:
    whole = Incident(
        key=KEY,
        seq=wanted.seq,
        rule="r",
        scope="carrier",
        carrier="310-260",
        region="all",
        state=state,
        severity=Severity.WARNING,
        opened_bucket_s=1_700_000_000,
        detected_ms=1_700_000_010_000,
        last_bucket_s=1_700_000_600,
        reason=Decision.SPIKE,
        deliveries=tuple(deliveries),
        resolved_bucket_s=None if state is State.OPEN else 1_700_000_600,
    )
    made = desk(habits)
    made.restore(whole, [wanted], 0, 1_700_000_610_000)
    return made


class TestUpdates:
    def test_a_change_is_sent_after_five_minutes_as_the_newest_that_there_is(self) -> None:
        d = desk(UPDATING)
        d.want([page("trigger", 1)], 0)
        assert told(d, 0) == [("trigger", 1)]
        d.want([page("trigger", 2)], MINUTE)
        d.want([page("trigger", 3)], 2 * MINUTE)
        assert told(d, 5 * MINUTE - 1) == []
        assert d.next_due_ms() == 5 * MINUTE
        assert told(d, 5 * MINUTE) == [("trigger", 3)]
        assert d.next_due_ms() is None

    def test_what_is_worse_is_sent_at_once(self) -> None:
        d = desk(UPDATING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.want([page("trigger", 2, Severity.CRITICAL)], 1)
        assert told(d, 1) == [("trigger", 2)]

    def test_an_update_goes_to_the_message_and_a_reopening_is_a_new_one(self) -> None:
        d = desk(UPDATING)
        d.want([page("trigger", 1)], 0)
        assert d.due(0)[0].ref == ""
        told(d, 0)
        d.want([page("resolve", 2)], 1)
        assert d.due(1)[0].ref == "C1:100.1"
        told(d, 1)
        d.want([page("trigger", 3)], 2)
        assert d.due(2)[0].ref == ""

    def test_a_message_that_can_not_be_edited_any_more_is_posted_anew(self) -> None:
        d = desk(UPDATING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.want([page("resolve", 2)], 1)
        d.refused(d.due(1)[0], 400, None, 1)
        assert d.due(1)[0].ref == ""

    def test_the_message_is_remembered_by_the_next_owner(self) -> None:
        before = [Delivery("route", KEY, "trigger", 1, 0, "", "C1:100.1")]
        d = restored(UPDATING, before, page("trigger", 1))
        assert d.next_due_ms() is None
        d.want([page("resolve", 2)], 1)
        assert d.due(1)[0].ref == "C1:100.1"

    def test_a_refused_update_leaves_the_end_to_be_told(self) -> None:
        d = desk(UPDATING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.want([page("trigger", 2, Severity.CRITICAL)], 1)
        for _ in range(2):
            d.refused(d.due(1)[0], 400, None, 1)
        assert d.next_due_ms() is None
        d.want([page("resolve", 3)], 2)
        assert told(d, 2) == [("resolve", 3)]

    def test_pagerduty_is_never_told_of_a_change_under_the_same_key(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.want([page("trigger", 2, Severity.CRITICAL)], 1)
        assert d.next_due_ms() is None


class TestRepeats:
    def test_it_is_said_again_each_minute_and_recorded_once(self) -> None:
        d = desk(REPEATING)
        d.want([page("trigger", 1)], 0)
        assert d.accepted(d.due(0)[0], 0) is not None
        for minute in range(1, 6):
            assert d.due(minute * MINUTE - 1) == []
            (again,) = d.due(minute * MINUTE)
            assert d.still_wanted(again)
            assert d.accepted(again, minute * MINUTE) is None
        assert d.backlog() == (0, None)

    def test_the_end_is_said_again_for_a_quarter_of_an_hour(self) -> None:
        d = desk(REPEATING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.want([page("resolve", 2)], 1000)
        said = [now for now in range(1000, 30 * MINUTE, 1000) if told(d, now)]
        assert said[0] == 1000 and len(said) == 16 and said[-1] == 15 * MINUTE + 1000
        assert d.next_due_ms() is None

    def test_a_new_owner_says_it_at_once_and_goes_on(self) -> None:
        d = restored(REPEATING, [Delivery("route", KEY, "trigger", 1, 0)], page("trigger", 1))
        assert told(d, 5 * MINUTE) == [("trigger", 1)]
        assert d.next_due_ms() == 6 * MINUTE

    def test_a_refusal_does_not_end_the_repeats(self) -> None:
        """A receiver that mends its configuration must hear of what is open."""
        d = desk(REPEATING)
        d.want([page("trigger", 1)], 0)
        for _ in range(2):
            d.refused(d.due(0)[0], 400, None, 0)
        assert d.next_due_ms() == MINUTE
        assert told(d, MINUTE) == [("trigger", 1)]

    def test_a_repeat_that_fails_backs_off_and_is_not_forgotten(self) -> None:
        d = desk(REPEATING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.refused(d.due(MINUTE)[0], 500, None, MINUTE)
        due_ms = d.next_due_ms()
        assert due_ms is not None and MINUTE <= due_ms <= MINUTE + 1000


class TestMissed:
    def test_what_opened_and_ended_during_an_outage_is_told_but_pages_nobody(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        d.refused(d.due(0)[0], 503, None, 0)
        d.want([page("resolve", 2)], MINUTE)
        (missed,) = d.due(MINUTE)
        assert (missed.action, missed.dedup_key) == ("tell", f"{KEY}:missed")
        assert missed.summary.endswith("summary 1") and "Missed" in missed.summary
        assert d.backlog() == (0, None), "nothing that the other way should take over"
        delivery = d.accepted(missed, MINUTE)
        assert delivery is not None and delivery.action == "tell"
        assert d.next_due_ms() is None

    def test_what_may_have_got_through_is_resolved_and_told_of_as_perhaps_missed(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        d.in_doubt(d.due(0)[0], 0)
        d.want([page("resolve", 2)], MINUTE)
        assert [p.action for p in d.due(MINUTE)] == ["resolve", "tell"]
        assert d.due(MINUTE)[1].summary.startswith("Perhaps missed while the pager could not be reached")

    def test_what_a_former_owner_tried_is_told_of_too(self) -> None:
        d = desk(TELLING)
        d.restore(incident(), [page("trigger", 1)], 0, 0)
        d.refused(d.due(0)[0], 503, None, 0)
        d.want([page("resolve", 2)], MINUTE)
        assert [p.action for p in d.due(MINUTE)] == ["resolve", "tell"]

    def test_what_was_never_tried_was_not_missed(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        d.want([page("resolve", 2)], 1)
        assert d.next_due_ms() is None

    def test_it_goes_after_everything_else(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        d.refused(d.due(0)[0], 503, None, 0)
        d.want([page("resolve", 2)], 1)
        d.want([page("trigger", 1, key="ch:other")], 2)
        assert [p.action for p in d.due(2)] == ["trigger", "tell"]


class TestKeys:
    def test_a_resolve_goes_by_the_key_that_opened(self) -> None:
        d = restored(TELLING, [Delivery("route", KEY, "trigger", 1, 0, "key-0")], page("trigger", 1))
        d.want([page("resolve", 2)], 1)
        (resolve,) = d.due(1)
        assert resolve.routing_key_id == "key-0"
        delivery = d.accepted(resolve, 1)
        assert delivery is not None and delivery.routing_key_id == "key-0"

    def test_a_reopening_goes_by_the_key_in_force(self) -> None:
        before = [
            Delivery("route", KEY, "trigger", 1, 0, "key-0"),
            Delivery("route", KEY, "resolve", 2, 0, "key-0"),
        ]
        d = restored(TELLING, before, page("resolve", 2), State.RESOLVED)
        d.want([page("trigger", 3)], 1)
        (trigger,) = d.due(1)
        assert trigger.routing_key_id == ""
        delivery = d.accepted(trigger, 1)
        assert delivery is not None and delivery.routing_key_id == "key-1"


class TestForgetting:
    def test_a_resolve_is_given_up_after_a_day_and_said_so(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        told(d, 0)
        d.want([page("resolve", 2)], 0)
        assert d.forget(GIVE_UP_MS) == []
        assert [p.seq for p in d.forget(GIVE_UP_MS + 1)] == [2]
        assert (d.rows, d.next_due_ms()) == ({}, None)

    def test_what_is_over_and_told_goes_quietly(self) -> None:
        d = desk(TELLING)
        for seq, action in enumerate(("trigger", "resolve"), 1):
            d.want([page(action, seq)], 0)
            told(d, 0)
        assert d.forget(GIVE_UP_MS + 1) == [] and d.rows == {}

    def test_a_trigger_is_never_given_up(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        assert d.forget(100 * GIVE_UP_MS) == []
        assert told(d, 100 * GIVE_UP_MS) == [("trigger", 1)]


class TestDelay:
    @pytest.mark.parametrize(
        ("delay_ms", "words"),
        [
            (LATE_MS - 1, "summary 1"),
            (LATE_MS, "[delayed 1m] summary 1"),
            (47 * MINUTE + 30_000, "[delayed 47m] summary 1"),
            (125 * MINUTE, "[delayed 2h05m] summary 1"),
        ],
    )
    def test_a_late_page_says_how_late(self, delay_ms: int, words: str) -> None:
        assert delayed(page("trigger", 1), delay_ms).summary == words
        assert delayed(page("trigger", 1), delay_ms).timestamp_ms == 1_700_000_010_000

    def test_it_stays_within_the_limit(self) -> None:
        long = msgspec.structs.replace(page("trigger", 1), summary="x" * SUMMARY_MAX)
        late = delayed(long, 47 * MINUTE).summary
        assert len(late) == SUMMARY_MAX and late.startswith("[delayed 47m] xxx")

    def test_the_delay_counts_from_the_first_decision(self) -> None:
        d = desk(TELLING)
        d.want([page("trigger", 1)], 0)
        d.want([page("trigger", 9)], MINUTE)
        assert (d.due(MINUTE)[0].seq, d.due(MINUTE)[0].decided_ms) == (9, 1)

    def test_a_page_of_which_nobody_has_heard_waits_since_it_was_detected(self) -> None:
        d = restored(TELLING, [], page("trigger", 1))
        assert d.due(0)[0].decided_ms == 1_700_000_010_000

    def test_only_what_is_news_can_be_late(self) -> None:
        d = desk(REPEATING)
        d.want([page("trigger", 1)], 0)
        assert d.late(d.due(0)[0])
        told(d, 0)
        assert not d.late(d.due(MINUTE)[0])
        assert d.rows[KEY].remote is Remote.OPEN
