"""What a flag is a sign of, and why; when nobody is to be woken any more."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from alerts.baseline import moved_to
from alerts.counts import Count
from alerts.decide import Decided, DetectorState, begin, decide
from alerts.explain import why_isolated
from alerts.flags import Nature
from alerts.incident import Case
from alerts.paging import pages
from alerts.policy import Policy
from alerts.records import Decision, Incident, Severity, State
from tests.alerts.traffic import KNOWN, RULE, START_S

Counts = dict[tuple[str, str], Count]


def play(policy: Policy, *minutes: Counts) -> tuple[DetectorState, list[Decided]]:
    """Six buckets of each."""
    state, out = begin(policy, (RULE,)), []
    for i, counts in enumerate(c for c in minutes for _ in range(6)):
        state, decided = decide(state, policy, START_S + 10 * i, {RULE: counts})
        out.append(decided)
    return state, out


def counts(k: int, failed: int | None = None, n: int = 100) -> Counts:
    failed = k if failed is None else failed
    return {
        ("a", "x"): Count(n, k, n + failed - k, failed),
        ("b", "x"): Count(100, 1, 100, 1),
        ("b", "y"): Count(100, 1, 100, 1),
    }


def test_many_recipients_are_an_outage() -> None:
    _, decided = play(KNOWN, counts(1), counts(40), counts(40))
    (flag,) = decided[-1].flags
    assert (flag.nature, flag.severity, flag.why) == (Nature.SYSTEMIC, Severity.CRITICAL, "")
    assert decided[-1].incidents
    assert "(40.0%) failed from 08:01:00 to 08:03:00 UTC, 480 recipients" in flag.explanation
    assert "normal here and now is 2.0% (" in flag.explanation and "16 decide" in flag.explanation
    assert "Elsewhere 1.0% of 3600 failed." in flag.explanation


def test_a_few_handsets_are_flagged_as_isolated_and_open_nothing() -> None:
    state, flagged = begin(KNOWN, (RULE,)), []
    for i in range(3):
        loop = {("a", "x"): Count(9, 3, 27, 21)}
        state, decided = decide(state, KNOWN, START_S + 10 * i, {RULE: loop})
        flagged += decided.flags
        assert not decided.incidents
    assert {(f.nature, f.severity) for f in flagged} == {(Nature.ISOLATED, Severity.INFO)}
    assert "9 recipients fail 7.0 times each" in flagged[-1].explanation


def test_a_loop_that_alarms_by_its_first_bucket_reaches_nobody_new_and_opens_nothing() -> None:
    state, first, again = begin(KNOWN, (RULE,)), Count(12, 9, 12, 9), Count(3, 0, 9, 6)
    for i, count in enumerate([first] + [again] * 12):
        state, decided = decide(state, KNOWN, START_S + 10 * i, {RULE: {("a", "x"): count}})
        assert decided.flags and not decided.incidents


@pytest.mark.parametrize(
    ("people", "repeats", "isolated"), [(4, 1, True), (5, 1, False), (49, 3.4, True), (50, 30, False)]
)
def test_an_outage_has_many_recipients(people: int, repeats: float, isolated: bool) -> None:
    assert bool(why_isolated(KNOWN, people, repeats)) is isolated


def test_an_outage_with_retries_is_an_outage() -> None:
    _, decided = play(KNOWN, counts(1), counts(40, 400), counts(40, 400))
    assert decided[-1].flags[0].nature is Nature.SYSTEMIC and decided[-1].incidents


def test_a_series_that_is_always_bad_is_a_matter_of_list_quality() -> None:
    policy = Policy()
    busy = {("a", "x"): Count(200, 18, 200, 18), ("b", "x"): Count(200, 4, 200, 4)}
    state, _ = decide(begin(policy, (RULE,)), policy, START_S, {RULE: busy})
    rule = state.rules[0]
    ratio = np.array([0.09, 0.02])
    base = moved_to(rule.learned.baseline, policy, np.array([True, True]), ratio, START_S)
    state = replace(state, rules=(replace(rule, learned=replace(rule.learned, baseline=base)),))
    for i in range(1, 13):
        state, decided = decide(state, policy, START_S + 10 * i, {RULE: busy})
    (flag,) = decided.flags
    assert (flag.carrier, flag.nature, flag.severity) == ("a", Nature.PERSISTENT, Severity.INFO)
    assert "9.0% is normal here" in flag.explanation and "nats" not in flag.explanation
    assert not decided.incidents


def case_of(state: DetectorState) -> Case:
    (case,) = state.cases
    return case


def actions(incident: Incident) -> set[str]:
    return {p.action for p in pages(incident)}


def test_after_a_day_nobody_is_woken_and_after_a_week_it_is_the_new_normal() -> None:
    policy = msgspec.structs.replace(KNOWN, persistent_s=600, accepted_s=1800)
    state, decided = play(policy, counts(1), *[counts(20)] * 9)
    assert actions(case_of(state).incident) == {"trigger"}
    state, decided = play(policy, counts(1), *[counts(20)] * 20)
    incident = case_of(state).incident
    assert (incident.state, incident.severity, incident.reason) == (
        State.OPEN,
        Severity.INFO,
        Decision.PERSISTENT,
    )
    assert actions(incident) == {"resolve"}
    state, decided = play(policy, counts(1), *[counts(20)] * 60)
    what = [t.what for d in decided for t in d.transitions]
    assert what == ["opened", "persistent", "accepted"]
    expected = state.rules[0].learned.baseline.expected(policy, state.bucket_s)
    assert expected[0] == pytest.approx(0.2, rel=0.05)


def test_an_incident_carries_the_numbers_that_decided_it_in_words() -> None:
    state, _ = play(KNOWN, counts(1), counts(40), counts(40))
    incident = case_of(state).incident
    text = incident.explanation
    assert text.startswith("40 of 100 outcomes (40.0%) failed from 08:01:00 to 08:01:10 UTC, 40 recipients")
    assert "normal here and now is 2.0%" in text and "16 decide" in text
    assert "Elsewhere 1.0% of" in text
    assert pages(incident)[0].details["explanation"] == text


def test_another_policy_takes_effect_with_a_bucket_and_is_part_of_the_state() -> None:
    strict = msgspec.structs.replace(KNOWN, critical=0.5)
    state, _ = play(KNOWN, counts(1))
    assert (state.policy, state.policy_from_s) == (KNOWN, -1)
    at = state.bucket_s + 10
    state, _ = decide(state, strict, at, {RULE: counts(40)})
    assert (state.policy, state.policy_from_s) == (strict, at)
    state, decided = decide(state, strict, at + 10, {RULE: counts(40)})
    assert decided.flags[0].severity is Severity.WARNING


def test_other_odds_ratios_begin_their_charts_anew_and_keep_what_is_normal() -> None:
    state, _ = play(KNOWN, counts(1), counts(40))
    fewer = msgspec.structs.replace(KNOWN, thetas=(2.0, 8.0))
    after, _ = decide(state, fewer, state.bucket_s + 10, {RULE: counts(1)})
    assert after.rules[0].charts.w.shape == (2, state.rules[0].index.size)
    assert after.rules[0].learned.baseline.born_s.tolist() == [START_S] * 3
