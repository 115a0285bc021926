"""The week: what is counted, what is left out, and medians that somebody has measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.records import Delivery, Incident, People, Severity
from alerts.review.digest import WEEK_S, Reviewed, digest, percentile
from alerts.review.timeline import timeline
from tests.alerts.review.journal import START_S, incident

TO_S = START_S + WEEK_S


def reviewed(opened: int, verdict: str = "", page_after: int | None = 5, **changes: object) -> Reviewed:
    opened_s, key = START_S + opened, f"ch:r:{opened}"
    sent = Delivery("pagerduty", key, "trigger", 1, (opened_s + 10 + (page_after or 0)) * 1000)
    fields: dict[str, object] = {
        "key": key,
        "opened_bucket_s": opened_s,
        "detected_ms": (opened_s + 10) * 1000,
        "onset_ms": (opened_s - 20) * 1000,
        "resolved_bucket_s": opened_s + 600,
        "deliveries": () if page_after is None else (sent,),
        "people": People(verdict=verdict),
    }
    one: Incident = incident(**(fields | changes))
    return Reviewed(one, timeline(one, ()))


WEEK = [
    reviewed(0, "useful", 5),
    reviewed(100, "false", 15, carrier="311-480"),
    reviewed(200, "", 25, reopened=3),
    reviewed(300, "", None, severity=Severity.INFO, resolved_bucket_s=None),
    reviewed(-10),
    reviewed(WEEK_S),
]


def test_a_week_is_half_open_and_counts_its_own_incidents() -> None:
    week = digest(WEEK, TO_S)
    assert week.incidents == 4 and week.keys == tuple(f"ch:r:{i}" for i in (0, 100, 200, 300))
    assert week.by_severity == {"info": 1, "warning": 0, "critical": 3}
    assert (week.still_open, week.reopened, week.flapping) == (1, 3, ("ch:r:200",))


def test_pages_and_what_they_were_worth() -> None:
    week = digest(WEEK, TO_S)
    assert (week.pages, week.without_verdict) == (3, 1)
    assert week.verdicts == {"useful": 1, "too_late": 0, "false": 1} and week.false_share == 0.5
    assert digest([WEEK[2]], TO_S).false_share is None


def test_times_are_medians_and_p90_over_those_that_have_them() -> None:
    times = digest(WEEK, TO_S).times
    assert (times["page"].incidents, times["page"].median_ms, times["page"].p90_ms) == (3, 45_000, 55_000)
    assert times["detect"].incidents == 4 and times["detect"].median_ms == 30_000
    assert "mitigate" not in times


def test_the_worst_carriers_come_first() -> None:
    first, second = digest(WEEK, TO_S).worst
    assert (first.carrier, first.incidents, first.failed) == ("310-260", 3, 42_000)
    assert first.open_s == 600 + 600 + (WEEK_S - 300)
    assert (second.carrier, second.incidents) == ("311-480", 1)


@given(st.lists(st.integers(0, 10**9), min_size=1), st.sampled_from([0.5, 0.9]))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(v <= found for v in ordered) >= share * len(ordered)
    assert sum(v < found for v in ordered) < share * len(ordered) + 1e-9
