"""What the desk does with a person's word at the pager, and what a restart makes of it."""

from __future__ import annotations

from alerts.desk import RESOLVE, TRIGGER, Desk, Remote
from alerts.paging import pages
from alerts.records import Delivery, Incident, State
from streams.commands import Ask
from tests.alerts.test_commands import BUCKET_S, KEY, after, at_pagerduty, incident, later

NOW_MS = (BUCKET_S + 100) * 1000
SENT = Delivery("pagerduty", KEY, TRIGGER, 1, BUCKET_S * 1000)


def closed() -> Incident:
    """Triggered by us, resolved at the pager by a person."""
    return after(incident(deliveries=(SENT,)), at_pagerduty(Ask.RESOLVE))


def restored(one: Incident) -> Desk:
    desk = Desk("pagerduty")
    desk.restore(one, pages(one), NOW_MS, NOW_MS)
    return desk


def test_nothing_is_sent_of_what_a_person_has_resolved() -> None:
    desk = restored(incident(deliveries=(SENT,)))
    desk.heard(KEY, RESOLVE)
    desk.want(pages(closed()), NOW_MS)
    assert desk.due(NOW_MS) == []
    assert desk.rows[KEY].remote is Remote.CLOSED


def test_a_new_owner_triggers_nothing_that_a_person_has_resolved() -> None:
    """It may resolve once more, which the pager drops: it can not know that it never opened it again."""
    assert TRIGGER not in {page.action for page in restored(closed()).due(NOW_MS)}


def test_what_gets_worse_after_a_person_closed_it_is_triggered_again() -> None:
    desk = restored(closed())
    desk.heard(KEY, RESOLVE)
    again = later(closed(), incident(), 5 * 3600).incident
    desk.want(pages(again), NOW_MS)
    assert [(page.dedup_key, page.action) for page in desk.due(NOW_MS)] == [(KEY, TRIGGER)]


def test_what_a_person_opens_again_at_the_pager_is_not_triggered_by_us() -> None:
    desk = restored(closed())
    reopened = after(closed(), at_pagerduty(Ask.REOPEN, id="2"))
    desk.heard(KEY, TRIGGER)
    desk.want(pages(reopened), NOW_MS)
    assert desk.due(NOW_MS) == []


def test_a_word_about_a_key_that_is_not_ours_is_passed_over() -> None:
    desk = Desk("pagerduty")
    desk.heard(KEY, RESOLVE)
    assert desk.rows == {}


def test_a_resolve_by_a_person_does_not_hide_a_trigger_that_was_never_recorded() -> None:
    """Our own resolves tell how often we ended it; a person's resolve is none of them."""
    one = incident(
        state=State.RESOLVED, reopened=1, resolved_bucket_s=BUCKET_S, deliveries=(SENT, *_by_person())
    )
    assert restored(one).rows[KEY].remote is Remote.DOUBT


def _by_person() -> tuple[Delivery, ...]:
    return (
        Delivery("pagerduty", KEY, RESOLVE, 2, BUCKET_S * 1000, by="ann"),
        Delivery("pagerduty", KEY, RESOLVE, 3, BUCKET_S * 1000),
    )
