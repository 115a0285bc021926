"""What would have been paged, by week."""

from __future__ import annotations

from alerts.counts import Count
from alerts.decide import begin, decide
from alerts.observe import WEEK_S, ends_week, of_week, words
from alerts.records import Incident, ScopeKind, Severity
from tests.alerts.test_incident import RATIO, play
from tests.alerts.traffic import KNOWN, RULE, START_S


def wakes(drawn: str) -> list[tuple[str, str]]:
    _, incident, _ = play(drawn)
    assert incident is not None
    return [(w.severity.value, w.scope.value) for w in incident.wakes]


def test_each_page_that_wakes_somebody_counts_once() -> None:
    assert set(RATIO) >= {"w", "C"}
    assert wakes("..CCCCC....") == [("critical", "carrier")]
    assert wakes("..wwwwwwww.....") == [("warning", "carrier")]
    assert wakes("..wwwwCCCC.....") == [("warning", "carrier"), ("critical", "carrier")]
    assert wakes("..CCCCwwwwwwwwwwww") == [("critical", "carrier")]


def test_a_reopening_counts_when_its_page_is_due() -> None:
    assert wakes("..CCCC.....CCCC.....") == [("critical", "carrier")] * 2
    _, incident, _ = play("..CC..CC..CC..CC.....")
    assert incident is not None and incident.reopened == 3
    assert len(incident.wakes) == 2, "the second re-opening within 30 min pages nobody"


def test_a_week_holds_what_was_wanted_in_it() -> None:
    _, incident, _ = play("..wwwwCCCC.....")
    assert incident is not None
    end_s = START_S + 3600
    assert words(of_week([incident], end_s)) == "2 pages: 1 critical (carrier), 1 warning (carrier)"
    assert words(of_week([incident], end_s + WEEK_S)) == "0 pages"
    assert set(of_week([], 0)) == {(s, k) for s in (Severity.WARNING, Severity.CRITICAL) for k in ScopeKind}


def test_a_spike_below_the_warning_line_pages_nobody() -> None:
    state, incidents = begin(KNOWN, (RULE,)), dict[str, Incident]()
    for i in range(30):
        k = 480 if i > 5 else 100
        counts = {("a", "x"): Count(12_000, k, 12_000, k), ("b", "x"): Count(12_000, 100, 12_000, 100)}
        state, decided = decide(state, KNOWN, START_S + 10 * i, {RULE: counts})
        incidents |= {one.key: one for one in decided.incidents}
    assert all(one.severity is Severity.INFO and not one.wakes for one in incidents.values())


def test_weeks_end_on_mondays_at_midnight() -> None:
    monday_s = 1_800_230_400 - 1_800_230_400 % 86_400
    ends = [day for day in range(14) if ends_week(monday_s + day * 86_400)]
    assert len(ends) == 2 and ends[1] - ends[0] == 7
    assert ends_week(1_767_571_200), "2026-01-05 was a Monday"
