"""The desk: what is sent, in which order, and what is never sent."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from alerts.desk import DOUBT_MS, Desk, Remote, minimal
from alerts.records import Decision, Delivery, Incident, Page, Severity, State

KEY = "ch:twilio_30003:carrier:310-260:all:1700000000"
CRITICAL = f"{KEY}:critical"
ID = "abcdef012345"


def page(action: str, seq: int, key: str = KEY, severity: Severity = Severity.WARNING) -> Page:
    return Page(
        dedup_key=key,
        incident_key=KEY,
        action=action,
        seq=seq,
        severity=severity,
        summary=f"{key} {seq}",
        source="310-260",
        timestamp_ms=1_700_000_010_000,
        details={"failed": 12},
        links=(("https://sms.example.org", "the incident"),),
    )


def critical(action: str, seq: int) -> Page:
    return page(action, seq, CRITICAL, Severity.CRITICAL)


def incident(state: State = State.OPEN, deliveries: Sequence[Delivery] = (), **more: object) -> Incident:
    return Incident(
        key=KEY,
        seq=1,
        rule="twilio_30003",
        scope="carrier",
        carrier="310-260",
        region="all",
        state=state,
        severity=Severity.WARNING,
        opened_bucket_s=1_700_000_000,
        detected_ms=1_700_000_010_000,
        last_bucket_s=1_700_000_000,
        reason=Decision.SPIKE,
        deliveries=tuple(deliveries),
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def desk() -> Desk:
    return Desk("pagerduty", ID, random.Random(1))


def keys(pages: Sequence[Page]) -> list[tuple[str, str]]:
    return [(p.action, p.dedup_key) for p in pages]


def test_a_wanted_page_is_due_at_once_and_only_once(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    (due,) = desk.due(0)
    assert desk.accepted(due, 5) == Delivery("pagerduty", KEY, "trigger", 1, 5, ID)
    assert desk.due(10_000_000) == []
    assert desk.next_due_ms() is None


def test_an_update_under_the_same_key_is_not_sent_again(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.accepted(desk.due(0)[0], 0)
    desk.want([page("trigger", 2, severity=Severity.CRITICAL)], 1)
    assert desk.due(1) == []


def test_what_opened_and_resolved_before_it_was_sent_is_never_sent(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.refused(desk.due(0)[0], 500, None, 0)
    desk.want([page("resolve", 2)], 1)
    assert desk.next_due_ms() is None


def test_a_stale_page_never_replaces_a_newer_one(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.accepted(desk.due(0)[0], 0)
    desk.want([page("resolve", 2)], 1)
    desk.accepted(desk.due(1)[0], 1)
    desk.want([page("trigger", 1)], 2)
    assert desk.due(2) == []


def test_a_page_handed_out_is_asked_about_again_before_it_is_sent(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    (due,) = desk.due(0)
    assert desk.still_wanted(due)
    desk.want([page("resolve", 2)], 0)
    assert not desk.still_wanted(due)


def test_a_reopened_incident_pages_again_after_its_resolve(desk: Desk) -> None:
    for seq, action in enumerate(["trigger", "resolve", "trigger"], start=1):
        desk.want([page(action, seq)], seq)
        assert keys(desk.due(seq)) == [(action, KEY)]
        desk.accepted(desk.due(seq)[0], seq)


def test_a_resolve_that_overtakes_its_trigger_on_the_way_is_sent_after_it(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    (under_way,) = desk.due(0)
    desk.want([page("resolve", 2)], 1)
    desk.accepted(under_way, 2)
    assert keys(desk.due(2)) == [("resolve", KEY)]


def test_critical_triggers_go_before_resolves_and_those_before_the_rest(desk: Desk) -> None:
    desk.want([page("trigger", 1, "a")], 0)
    desk.accepted(desk.due(0)[0], 0)
    desk.want([page("trigger", 1, "b")], 1)
    desk.want([page("resolve", 2, "a")], 2)
    desk.want([page("trigger", 1, "d:critical", Severity.CRITICAL)], 4)
    desk.want([page("trigger", 1, "c:critical", Severity.CRITICAL)], 3)
    assert [p.dedup_key for p in desk.due(5)] == ["c:critical", "d:critical", "a", "b"]


def test_the_warning_is_resolved_only_after_the_critical_page_has_its_202(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.accepted(desk.due(0)[0], 0)
    desk.want([critical("trigger", 2), page("resolve", 2)], 1)
    assert keys(desk.due(1)) == [("trigger", CRITICAL)]
    desk.in_doubt(desk.due(1)[0], 1)
    assert ("resolve", KEY) not in keys(desk.due(100_000))
    desk.accepted(desk.due(100_000)[0], 100_000)
    assert keys(desk.due(100_000)) == [("resolve", KEY)]


def test_an_incident_that_is_over_does_not_wait_for_a_critical_page_never_sent(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.accepted(desk.due(0)[0], 0)
    desk.want([critical("trigger", 2), page("resolve", 2)], 1)
    desk.want([critical("resolve", 3), page("resolve", 3)], 2)
    assert keys(desk.due(2)) == [("resolve", KEY)]


def test_a_trigger_without_an_answer_must_be_resolved(desk: Desk) -> None:
    """It may be open over there; a resolve of nothing is dropped silently."""
    desk.want([page("trigger", 1)], 0)
    desk.in_doubt(desk.due(0)[0], 0)
    desk.want([page("resolve", 2)], 1)
    assert keys(desk.due(1)) == [("resolve", KEY)]


def test_a_trigger_is_sent_again_after_a_resolve_without_an_answer(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.accepted(desk.due(0)[0], 0)
    desk.want([page("resolve", 2)], 1)
    desk.in_doubt(desk.due(1)[0], 1)
    desk.want([page("trigger", 3)], 2)
    assert keys(desk.due(2)) == [("trigger", KEY)]


def test_it_backs_off_by_full_jitter_up_to_a_minute(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    waits, now = [], 0
    for _ in range(200):
        desk.refused(page("trigger", 1), 500, None, now)
        due = desk.next_due_ms()
        assert due is not None
        waits.append(due - now)
        now = due
    assert all(0 <= wait <= 1000 * 2**i for i, wait in enumerate(waits[:6]))
    assert 55_000 < max(waits) <= 60_000
    assert min(waits[6:]) < 5_000


def test_retry_after_holds_every_page_of_the_route(desk: Desk) -> None:
    desk.want([page("trigger", 1, "a"), page("trigger", 1, "b")], 0)
    desk.refused(desk.due(0)[0], 429, 30.0, 0)
    assert desk.due(29_999) == []
    assert desk.next_due_ms() == 30_000
    assert len(desk.due(30_000)) == 2


def test_a_retry_after_of_a_day_does_not_silence_it_for_a_day(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.refused(desk.due(0)[0], 503, 86_400.0, 0)
    assert desk.next_due_ms() == 300_000


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
def test_a_page_refused_for_good_is_tried_once_more_without_details(desk: Desk, status: int) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.refused(desk.due(0)[0], status, None, 0)
    (second,) = desk.due(0)
    assert second == minimal(page("trigger", 1))
    assert not second.details and not second.links and second.summary
    desk.refused(second, status, None, 0)
    assert desk.next_due_ms() is None
    assert desk.dead_letters() == [page("trigger", 1)]
    assert desk.backlog().length == 1


def test_a_dead_letter_is_over_when_its_incident_is(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    for _ in range(2):
        desk.refused(desk.due(0)[0], 400, None, 0)
    desk.want([page("resolve", 2)], 1)
    assert (desk.next_due_ms(), desk.dead_letters()) == (None, [])


def test_a_refusal_of_what_is_no_longer_wanted_does_not_hurt_what_is(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 0)
    desk.in_doubt(desk.due(0)[0], 0)
    (again,) = desk.due(60_000)
    desk.want([page("resolve", 2)], 60_000)
    desk.refused(again, 400, None, 60_001)
    assert desk.due(60_001) == [page("resolve", 2)]


@pytest.mark.parametrize("status", [0, 408, 429, 500, 503])
def test_what_may_pass_is_never_a_dead_letter(desk: Desk, status: int) -> None:
    desk.want([page("trigger", 1)], 0)
    for _ in range(5):
        desk.refused(page("trigger", 1), status, None, 0)
    assert desk.next_due_ms() is not None
    assert desk.rows[KEY].page() == page("trigger", 1)


def test_the_backlog_counts_what_waits_for_the_pager_alone(desk: Desk) -> None:
    desk.want([page("trigger", 1)], 100)
    desk.accepted(desk.due(100)[0], 100)
    desk.want([critical("trigger", 2), page("resolve", 2)], 700)
    assert desk.backlog() == (1, 700)


class TestRestart:
    """What the next owner makes of the deliveries that its incident holds."""

    def restored(self, whole: Incident, *pages: Page, event_now_ms: int = 1_700_000_020_000) -> Desk:
        desk = Desk("pagerduty", ID, random.Random(1))
        desk.restore(whole, pages, 0, event_now_ms)
        return desk

    def test_nothing_recorded_is_sent_again(self) -> None:
        told = [Delivery("pagerduty", KEY, "trigger", 1, 0)]
        assert self.restored(incident(deliveries=told), page("trigger", 1)).next_due_ms() is None

    def test_a_resolve_that_was_not_recorded_is_sent(self) -> None:
        told = [Delivery("pagerduty", KEY, "trigger", 1, 0)]
        desk = self.restored(incident(State.RESOLVED, told, resolved_bucket_s=1), page("resolve", 2))
        assert keys(desk.due(0)) == [("resolve", KEY)]

    def test_a_page_that_was_not_recorded_is_sent_whatever_happens_next(self) -> None:
        """The last owner may have died between the 202 and its record."""
        desk = self.restored(incident(), page("trigger", 1))
        assert keys(desk.due(0)) == [("trigger", KEY)]
        desk.want([page("resolve", 2)], 0)
        assert keys(desk.due(0)) == [("resolve", KEY)]

    def test_a_reopening_after_an_unrecorded_resolve_pages(self) -> None:
        told = [Delivery("pagerduty", KEY, "trigger", 1, 0)]
        desk = self.restored(incident(State.RESOLVED, told, resolved_bucket_s=1), page("resolve", 2))
        desk.want([page("trigger", 3)], 0)
        assert keys(desk.due(0)) == [("trigger", KEY)]

    def test_a_reopening_written_before_the_crash_pages_too(self) -> None:
        """The resolve was under way when it re-opened; its 202 died with the owner."""
        told = [Delivery("pagerduty", KEY, "trigger", 1, 0)]
        desk = self.restored(incident(deliveries=told, reopened=1), page("trigger", 3))
        assert keys(desk.due(0)) == [("trigger", KEY)]

    def test_a_reopening_that_was_recorded_is_not_sent_again(self) -> None:
        told = [
            Delivery("pagerduty", KEY, action, seq, 0)
            for seq, action in enumerate(["trigger", "resolve", "trigger"], start=1)
        ]
        desk = self.restored(incident(deliveries=told, reopened=1), page("trigger", 4))
        assert desk.next_due_ms() is None

    def test_old_incidents_that_nobody_was_paged_for_stay_silent(self) -> None:
        """Such as those of a monitor that only observed."""
        end_s = 1_700_000_000
        whole = incident(State.RESOLVED, resolved_bucket_s=end_s)
        desk = self.restored(whole, page("resolve", 2), event_now_ms=end_s * 1000 + DOUBT_MS)
        assert desk.next_due_ms() is None
        assert desk.rows[KEY].remote is Remote.CLOSED

    def test_the_deliveries_of_another_route_say_nothing(self) -> None:
        told = [Delivery("slack", KEY, "trigger", 1, 0)]
        assert self.restored(incident(deliveries=told), page("trigger", 1)).next_due_ms() == 0


def test_a_minimal_page_keeps_what_the_pager_insists_on() -> None:
    small = msgspec.structs.asdict(minimal(page("trigger", 1)))
    kept = " ".join(name for name, value in small.items() if value)
    assert kept == "dedup_key incident_key action seq severity summary source timestamp_ms form"
