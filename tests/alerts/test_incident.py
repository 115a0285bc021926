"""The life of incidents, as scenarios whose timeline is drawn.

One character is one minute (six buckets) of two carriers in two regions at 20 messages/s:
`.` healthy, `w` 7 %, `C` 40 %, `x` 90 %, `o` no traffic at all.
"""

from __future__ import annotations

import math

import pytest

from alerts.counts import Count
from alerts.decide import Decided, DetectorState, adopt, begin, decide
from alerts.paging import pages, summary
from alerts.policy import Policy
from alerts.records import Incident, Severity, State
from tests.alerts.traffic import RULE, START_S, Counts

RATIO = {".": 0.01, "w": 0.07, "C": 0.40, "x": 0.90}
POLICY = Policy(prior_failures=1000.0)
"""The expected 2 % is as good as known: a 7 % incident needs no days of history."""


def bucket(mark: str, at: int) -> Counts:
    """50 outcomes a leaf; carrier `ill` fails as drawn. Failures spread evenly: no dice."""
    if mark == "o":
        return {RULE: {}}
    ratio = {"ill": RATIO[mark], "well": 0.01}
    counts: dict[tuple[str, str], Count] = {}
    for carrier, p in ratio.items():
        k = math.floor(50 * p * (at + 1)) - math.floor(50 * p * at)
        counts |= {(carrier, region): Count(50, k, 50, k) for region in ("x", "y")}
    return {RULE: counts}


def play(drawn: str) -> tuple[list[str], Incident | None, list[Decided]]:
    """What happened, as words; the last incident; every bucket's decision."""
    state, words, all_decided = begin(POLICY, (RULE,)), [], []
    last: Incident | None = None
    for at in range(6 * len(drawn)):
        state, decided = decide(state, POLICY, START_S + 10 * at, bucket(drawn[at // 6], at))
        words += [t.what for t in decided.transitions]
        all_decided.append(decided)
        last = decided.incidents[-1] if decided.incidents else last
    return words, last, all_decided


SCENARIOS = [
    # drawn                                 what happens
    ("..........", []),
    ("..CCCCC....", ["opened", "resolved"]),
    ("..wwwwwwww.....", ["opened", "resolved"]),
    ("..wwwwCCCC.....", ["opened", "escalated", "resolved"]),
    ("..CC..CC.....", ["opened", "resolved", "reopened", "resolved"]),
    ("..CCCC.....CCCC.....", ["opened", "resolved", "reopened", "resolved"]),
    ("..CCCCwwwwwwwwwwww", ["opened", "stepped_down"]),
    ("..CCCCooooooCC....", ["opened", "resolved"]),
    ("..CCCC" + 35 * "." + "CCCC....", ["opened", "resolved", "opened", "resolved"]),
    ("..C", ["opened"]),
]


@pytest.mark.parametrize(("drawn", "happens"), SCENARIOS, ids=[d for d, _ in SCENARIOS])
def test_an_incident_lives_as_drawn(drawn: str, happens: list[str]) -> None:
    words, _, _ = play(drawn)
    assert [w for w in words if w != "scope_changed"] == happens


def test_the_key_is_made_of_rule_scope_and_first_flagged_bucket() -> None:
    _, incident, _ = play("..CCC")
    assert incident is not None
    assert incident.key == f"ch:{RULE}:carrier:ill:all:{START_S + 120}"
    assert incident.detected_ms == (START_S + 130) * 1000
    assert incident.onset_ms == (START_S + 120) * 1000


@pytest.mark.parametrize(("mark", "severity"), [("w", Severity.WARNING), ("C", Severity.CRITICAL)])
def test_severity_is_that_of_the_ratio(mark: str, severity: Severity) -> None:
    _, incident, _ = play(".." + 6 * mark)
    assert incident is not None and incident.severity is severity


def test_counts_are_of_the_scope_since_onset() -> None:
    _, incident, _ = play("..CCC")
    assert incident is not None
    assert (incident.outcomes, incident.failed) == (18 * 100, 18 * 40)
    assert incident.ratio == pytest.approx(0.4, abs=0.01)


def test_buckets_seen_before_change_nothing() -> None:
    state = begin(POLICY, (RULE,))
    buckets = [(START_S + 10 * at, bucket("..CCC"[at // 6], at)) for at in range(30)]
    for bucket_s, counts in buckets:
        state, _ = decide(state, POLICY, bucket_s, counts)
    for bucket_s, counts in buckets:
        same, decided = decide(state, POLICY, bucket_s, counts)
        assert same is state and not decided.transitions and not decided.flags


def test_flags_name_the_ill_series_and_end_with_the_incident() -> None:
    _, _, decided = play("..CCCC....")
    assert {(f.carrier, f.region) for f in decided[20].flags} == {("ill", "x"), ("ill", "y")}
    assert decided[20].flags[0].severity is Severity.CRITICAL
    assert not decided[-1].flags


def wanted(incident: Incident) -> dict[str, str]:
    return {p.dedup_key.removeprefix(incident.key): f"{p.action} {p.severity}" for p in pages(incident)}


PAGES = [
    # drawn                       plain key ''                 escalation ':critical'
    ("..wwww", {"": "trigger warning"}),
    ("..CCCC", {"": "trigger critical"}),
    ("..wwwwCCC", {":critical": "trigger critical", "": "resolve critical"}),
    ("..wwwwCCC....", {":critical": "resolve critical", "": "resolve critical"}),
    ("..CCCC....", {"": "resolve critical"}),
    ("..CCCCwwwwwwwwwwww", {"": "trigger critical"}),
    ("..wwwwCCC....wwww", {":critical": "resolve warning", "": "trigger warning"}),
]


@pytest.mark.parametrize(("drawn", "keys"), PAGES, ids=[d for d, _ in PAGES])
def test_pages_follow_from_the_incident_alone(drawn: str, keys: dict[str, str]) -> None:
    _, incident, _ = play(drawn)
    assert incident is not None and wanted(incident) == keys


def test_a_reopened_incident_pages_at_once_and_then_at_most_once_in_30_min() -> None:
    _, first, _ = play("..CCCC....CCC")
    _, again, _ = play("..CCCC....CCCC....CCC")
    _, later, _ = play("..CCCC....CCCC...." + 30 * "C")
    assert first and again and later
    assert (first.reopened, wanted(first)) == (1, {"": "trigger critical"})
    assert (again.reopened, wanted(again)) == (2, {"": "resolve critical"})
    assert (later.reopened, wanted(later)) == (2, {"": "trigger critical"})


def test_info_pages_nobody() -> None:
    _, incident, _ = play("..CCCC")
    assert incident is not None
    quiet = Incident(
        **{f: getattr(incident, f) for f in incident.__struct_fields__} | {"plain_key_used": False}
    )
    assert pages(quiet) == ()


def test_the_summary_reads_well_on_a_phone() -> None:
    _, incident, _ = play("..CCC")
    assert incident is not None
    text = summary(incident)
    assert text.startswith(f"Reachability anomaly: {RULE}, carrier ill, all regions: 39")
    assert "720 of 1800 failed" in text and "outage" not in text.lower()
    assert len(text) < 200 and incident.state is State.OPEN


def test_the_summary_names_the_carrier_as_people_do() -> None:
    _, incident, _ = play("..CCC")
    assert incident is not None
    named = {c: f"{c.title()} Mobile ({c})" for c in ("ill",)}
    assert ", carrier Ill Mobile (ill), all regions" in summary(incident, lambda c: named[c])


def test_a_long_name_never_breaks_the_pager_limit() -> None:
    _, incident, _ = play("..CCC")
    assert incident is not None
    fields = {f: getattr(incident, f) for f in incident.__struct_fields__} | {"current_carrier": "x" * 2000}
    assert len(summary(Incident(**fields))) == 1024


def test_a_blip_of_one_bucket_at_tiny_volume_pages_nobody() -> None:
    state: DetectorState = begin(POLICY, (RULE,))
    for at in range(120):
        k = 4 if at == 60 else 0
        counts = {RULE: {("a", "x"): Count(5, k, 5, k)}}
        state, decided = decide(state, POLICY, START_S + 10 * at, counts)
        assert not [p for i in decided.incidents for p in pages(i)]


def test_an_incident_taken_over_without_its_charts_waits_for_outcomes() -> None:
    _, incident, _ = play("..CCC")
    assert incident is not None
    state = adopt(begin(POLICY, (RULE,)), [incident])
    for at in range(30, 36):
        state, decided = decide(state, POLICY, START_S + 10 * at, {RULE: {}})
        assert not decided.transitions and decided.incidents == (incident,)
    state, decided = decide(state, POLICY, START_S + 360, bucket(".", 36))
    assert decided.incidents[0].last_bucket_s == START_S + 360
