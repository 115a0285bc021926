"""Milestones: where each comes from, and that time never runs backwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.commands import apply
from alerts.records import Delivery, Incident, People, Transition
from alerts.review.onset import ChangePoint
from alerts.review.timeline import FOLLOWS, By, Milestone, Name, backwards, timeline
from streams.commands import Ask, Command, ToldTime, Via
from tests.alerts.review.journal import START_S, incident

KEY = incident().key
BEGUN = ChangePoint(START_S + 1800, START_S + 1790, START_S + 1820, 0.02, 0.3, 120.0)
ENDED = ChangePoint(START_S + 3000, START_S + 2990, START_S + 3010, 0.3, 0.02, 90.0)


def at(seconds: float) -> int:
    return int((START_S + seconds) * 1000)


def event(what: str, seconds: float, detail: str = "", by: str = "", via: str = "") -> Transition:
    return Transition(KEY, 1, at(seconds), what, "why", detail, by, via)


def paged(**changes: object) -> Incident:
    told = (
        Delivery("slack", KEY, "trigger", 1, at(1841)),
        Delivery("pagerduty", KEY, "trigger", 1, at(1842)),
        Delivery("pagerduty", KEY, "resolve", 3, at(3215)),
    )
    return incident(deliveries=told, **changes)


EVENTS = (
    event("opened", 1840),
    event("page_sent", 1842, "pagerduty"),
    event("linked", 1844, "PD1", via="pagerduty", by="PagerDuty"),
    event("acknowledged", 1900, "on it", by="ann", via="pagerduty"),
    event("scope_changed", 2000, "pair 310-260/US-CA -> carrier 310-260/all"),
    event("note", 2100, "called", by="bob", via="cli"),
    event("resolved", 3210),
)


def test_each_milestone_has_its_source() -> None:
    told = (ToldTime("mitigated", at(2900), "bob", "route changed", at(4000)),)
    one = paged()
    people = People(times=told)
    found = timeline(incident(deliveries=one.deliveries, people=people), EVENTS, BEGUN, ENDED)
    assert [(m.name.value, (m.at_ms - at(0)) // 1000, m.by.value) for m in found.milestones] == [
        ("onset", 1800, "automatic"),
        ("first_flag", 1840, "automatic"),
        ("page_sent", 1842, "automatic"),
        ("delivered", 1844, "PagerDuty"),
        ("acknowledged", 1900, "PagerDuty"),
        ("widened", 2000, "automatic"),
        ("mitigated", 2900, "person"),
        ("recovered", 3000, "automatic"),
        ("resolved", 3210, "automatic"),
    ]
    d = found.durations
    assert (d.to_detect_ms, d.to_page_ms, d.to_acknowledge_ms) == (40_000, 42_000, 58_000)
    assert (d.to_mitigate_ms, d.to_resolve_ms) == (1_100_000, 1_410_000)
    onset = found.milestones[0]
    assert (onset.early_ms, onset.late_ms) == (at(1790), at(1820)) and "120 nats" in onset.evidence
    assert [e.by for e in found.log] == [
        *(By.AUTOMATIC, By.AUTOMATIC, By.PAGERDUTY, By.PAGERDUTY, By.AUTOMATIC, By.PERSON, By.AUTOMATIC)
    ]


def test_a_narrower_scope_is_no_widening() -> None:
    narrowed = (event("scope_changed", 2000, "carrier 310-260/all -> pair 310-260/US-CA"),)
    assert timeline(paged(), narrowed).at_ms(Name.WIDENED) is None


def test_without_a_search_the_detector_says_when_it_began() -> None:
    found = timeline(paged(), ())
    assert found.at_ms(Name.ONSET) == at(1810)
    assert found.at_ms(Name.RECOVERED) is None
    assert [e.what for e in found.log] == ["page_sent", "page_sent", "page_resolved"]


def test_what_nobody_did_has_no_time() -> None:
    d = timeline(incident(resolved_bucket_s=None), ()).durations
    assert (d.to_page_ms, d.to_acknowledge_ms, d.to_mitigate_ms, d.to_resolve_ms) == (None,) * 4


def test_the_last_word_of_a_person_replaces_what_was_searched() -> None:
    command = Command(
        "1",
        Ask.SET_TIME,
        at(4000),
        "ann",
        Via.CLI,
        KEY,
        text="carrier says",
        time=ToldTime("onset", at(1700)),
    )
    change = apply(paged(), command, START_S)
    assert change is not None
    found = timeline(change.incident, change.transitions, BEGUN)
    onset = found.milestones[0]
    assert (onset.at_ms, onset.by, onset.author, onset.evidence) == (
        at(1700),
        By.PERSON,
        "ann",
        "carrier says",
    )
    assert onset.replaces_ms == at(1800)
    assert found.log[-1].what == "time_set" and found.log[-1].author == "ann"
    taken_back = Command("2", Ask.SET_TIME, at(4001), "ann", Via.CLI, KEY, time=ToldTime("onset", 0))
    undone = apply(change.incident, taken_back, START_S)
    assert undone is not None and undone.incident.people.times == ()


def test_a_time_that_would_run_backwards_is_refused_with_the_reason() -> None:
    known = timeline(paged(), EVENTS, BEGUN, ENDED).milestones
    assert backwards(known, Name.ONSET, at(1850)) == "onset would be after first flag"
    assert backwards(known, Name.MITIGATED, at(1700)) == "mitigated would be before onset"
    assert backwards(known, Name.MITIGATED, at(2500)) == ""


def test_a_page_of_a_lagging_clock_is_shown_at_the_flag_and_said_to_be_moved() -> None:
    early = incident(deliveries=(Delivery("pagerduty", KEY, "trigger", 1, at(100)),))
    (page,) = (m for m in timeline(early, ()).milestones if m.name is Name.PAGE_SENT)
    assert (page.at_ms, page.moved_from_ms) == (early.detected_ms, at(100))


TIMES = st.integers(0, 10_000)


@given(
    detected=TIMES,
    sent=TIMES,
    acknowledged=TIMES,
    told=st.dictionaries(
        st.sampled_from(["onset", "mitigated", "recovered", "acknowledged", "no such"]), TIMES
    ),
    begun=st.none() | TIMES,
    ended=st.none() | TIMES,
)
def test_time_never_runs_backwards_whatever_is_recorded(
    detected: int, sent: int, acknowledged: int, told: dict[str, int], begun: int | None, ended: int | None
) -> None:
    times = tuple(ToldTime(name, at(s)) for name, s in told.items())
    one = incident(
        detected_ms=at(detected),
        deliveries=(Delivery("pagerduty", KEY, "trigger", 1, at(sent)),),
        people=People(times=times),
    )
    events = (event("acknowledged", acknowledged, by="ann"),)
    points = [
        ChangePoint(START_S + s, 0, 1, 0.1, 0.2, 5.0) if s is not None else None for s in (begun, ended)
    ]
    found = timeline(one, events, points[0], points[1])
    held: dict[Name, Milestone] = {m.name: m for m in found.milestones}
    for name, before in FOLLOWS.items():
        assert all(held[b].at_ms <= held[name].at_ms for b in before if b in held and name in held)
    moments = [m.at_ms for m in found.milestones]
    assert moments == sorted(moments)
    spans = [getattr(found.durations, f) for f in found.durations.__struct_fields__]
    assert all(span is None or span >= 0 for span in spans)
    log = [e.at_ms for e in found.log]
    assert log == sorted(log)
