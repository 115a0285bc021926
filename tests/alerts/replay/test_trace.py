"""Why an incident fired then: the numbers are those of the decision itself.

bucket  0 ........ 30 ========= fault ========= 60
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alerts import decide
from alerts.decide import Decided
from alerts.policy import Policy
from alerts.records import Scope, ScopeKind
from alerts.replay.trace import Asked, Moment, Trace, asked, trace_lines
from tests.alerts.replay.lines import lines, write
from tests.alerts.replay.test_replay import command, incidents
from tests.alerts.test_station import NETWORK
from tests.alerts.traffic import RULE

SECONDS = 420


@pytest.fixture(scope="module")
def told() -> tuple[dict[int, Decided], str, int]:
    """What was decided by bucket, and the key and onset of the incident that opened."""
    state, policy, by_bucket = decide.begin(Policy(), (RULE,)), Policy(), {}
    for bucket_s, counts in NETWORK.buckets(SECONDS):
        state, by_bucket[bucket_s] = decide.decide(state, policy, bucket_s, counts)
    (case,) = state.cases
    return by_bucket, case.incident.key, case.incident.onset_ms // 1000


def traced(told: tuple[dict[int, Decided], str, int]) -> Trace:
    of_key = asked(told[1])
    assert of_key is not None
    trace = Trace(of_key)
    for bucket_s, decided in told[0].items():
        trace.take(bucket_s, decided)
    return trace


def deciding(trace: Trace) -> Moment:
    return next(m for m in trace.moments if m.bucket_s == trace.asked.bucket_s)


def test_a_key_says_rule_scope_and_bucket() -> None:
    key = "ch:twilio_30003:pair:310-260:US-CA:1784289600"
    scope = Scope(ScopeKind.PAIR, "310-260", "US-CA")
    assert asked(key) == Asked("twilio_30003", scope, 1_784_289_600)
    assert asked("ch:no") is asked("") is None


def test_the_evidence_and_the_bar_are_those_that_alarmed(told: tuple[dict[int, Decided], str, int]) -> None:
    moment = deciding(traced(told))
    (judged,) = told[0][moment.bucket_s].judged
    hits, index = judged.now.step.alarms, judged.now.state.index
    scope = asked(told[1]).scope
    at = int(np.flatnonzero(hits.scopes == index.number(scope))[0])
    assert moment.best == max(c.limited for c in moment.charts) == hits.evidence[at]
    chart = moment.charts[int(hits.charts[at])]
    assert (chart.limited, chart.since_s) == (hits.evidence[at], hits.start_s[at])
    assert moment.bar == judged.now.step.norms.threshold[index.number(scope)] <= moment.best
    strongest = moment.alarms[0]
    assert strongest.evidence == hits.evidence.max() >= moment.best


def test_the_scope_that_was_named_is_that_of_the_incident(told: tuple[dict[int, Decided], str, int]) -> None:
    _, key, onset_s = told
    (choice,) = deciding(traced(told)).choices
    scope = asked(key).scope
    assert (choice.scope, choice.carrier, choice.region) == (scope.kind, scope.carrier, scope.region)
    assert choice.since_s == onset_s


def test_counts_by_bucket_are_those_of_the_traffic(told: tuple[dict[int, Decided], str, int]) -> None:
    trace = traced(told)
    carrier = trace.asked.scope.carrier
    truth = dict(NETWORK.buckets(SECONDS))
    for moment in trace.moments:
        own = [c for (c_, _), c in truth[moment.bucket_s][RULE].items() if c_ == carrier]
        assert (moment.outcomes, moment.failures) == (sum(c.n for c in own), sum(c.k for c in own))
        assert 0 < moment.expected < moment.outcomes


def test_a_scope_that_was_never_seen_has_no_moments(told: tuple[dict[int, Decided], str, int]) -> None:
    trace = Trace(Asked(RULE, Scope(ScopeKind.CARRIER, "none", "all"), max(told[0])))
    trace.take(max(told[0]), told[0][max(told[0])])
    assert trace.moments == []
    assert list(trace_lines(trace, 0)) == ["nothing was seen of that scope around the decision"]


def test_the_command_tells_it_bucket_by_bucket(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", lines(NETWORK, SECONDS))
    (one,) = incidents(command("--folded", path, "--format", "json"))
    (whole,) = incidents(command("--folded", path, "--format", "json", "--explain", one["key"]))
    decided_s = one["detected_ms"] // 1000 - 10
    last = next(m for m in whole["buckets"] if m["bucket_s"] == decided_s)
    assert last["best"] >= last["bar"] and len(last["charts"]) == len(Policy().thetas)
    text = command("--folded", path, "--explain", one["key"]).stdout
    assert "scopes alarm" in text and "named: carrier c1/all since" in text and "█" in text
