"""Why an incident fired when it did: what the detector saw of its scope, bucket by bucket.

Nothing is worked out anew: sums, charts, bars and findings are those by which `decide` decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from alerts import charts as bank
from alerts import receipts
from alerts.decide import Decided, Judged
from alerts.explain import clock
from alerts.localise import Finding
from alerts.records import Scope, ScopeKind
from streams.records import BUCKET_S

BEFORE_S = 3600
"""How long before the decision is looked at: scopes are sought no further back either."""
AFTER_S = 60
_KEY = re.compile(r"ch:(.+):(global|carrier|region|pair):([^:]*):(.*):([0-9]{1,12})")
_BAR = 20
_SHOWN = 30
MOST_ALARMS = 8


class Asked(NamedTuple):
    """What an incident key says."""

    rule: str
    scope: Scope
    bucket_s: int
    """The deciding bucket."""


def asked(key: str) -> Asked | None:
    """None where it is no incident key."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    rule, kind, carrier, region, bucket_s = found.groups()
    return Asked(rule, Scope(ScopeKind(kind), carrier, region), int(bucket_s))


class Chart(msgspec.Struct, frozen=True):
    """One chart of the scope after a bucket: its segment's failures, outcomes and expected failures, its
    evidence (nats) and what the wobble has left of it."""

    odds_ratio: float
    since_s: int
    failures: float
    outcomes: float
    expected: float
    evidence: float
    limited: float


class Alarm(msgspec.Struct, frozen=True):
    """A scope, this one or another, of which some chart has reached its bar in this bucket."""

    scope: str
    carrier: str
    region: str
    since_s: int
    evidence: float


class Choice(msgspec.Struct, frozen=True):
    """A scope that was named in this bucket. `lead` is by how many nats it beats the next one that contains
    it or lies in it; None where there is none."""

    scope: str
    carrier: str
    region: str
    since_s: int
    odds_ratio: float
    evidence: float
    lead: float | None
    overdue: bool


class Moment(msgspec.Struct, frozen=True):
    """One bucket of the scope. Outcomes and failures are evidence: a failed recipient counts once an hour."""

    bucket_s: int
    outcomes: float
    failures: float
    expected: float
    bar: float
    """The evidence (nats) that alarms."""
    best: float
    """The most that any chart has left."""
    alarms: list[Alarm]
    """The MOST_ALARMS with most evidence, all over the rule."""
    overdue: float
    """Evidence (nats) that successes which are due do not come."""
    charts: list[Chart]
    choices: list[Choice]


@dataclass
class Trace:
    """State: the moments around the decision, oldest first."""

    asked: Asked
    moments: list[Moment] = field(default_factory=list)

    def take(self, bucket_s: int, decided: Decided) -> None:
        """One bucket on."""
        if not self.asked.bucket_s - BEFORE_S <= bucket_s <= self.asked.bucket_s + AFTER_S:
            return
        for judged in decided.judged:
            if judged.now.state.rule == self.asked.rule:
                moment = _moment(judged, self.asked.scope, bucket_s)
                self.moments += [] if moment is None else [moment]


def _moment(judged: Judged, scope: Scope, bucket_s: int) -> Moment | None:
    """None where nothing was ever seen of the scope."""
    now, said = judged.now, judged.now.step
    try:
        number = now.state.index.number(scope)
    except KeyError:
        return None
    at = np.array([number])
    limited = bank.evidence(said.charts, now.policy, said.norms, at, bucket_s)[:, 0]
    overdue = receipts.evidence(now.state.receipts, now.policy, at, bucket_s)
    return Moment(
        bucket_s,
        float(said.sums.n[number]),
        float(said.sums.k[number]),
        float(said.sums.m[number]),
        float(said.norms.threshold[number]),
        float(limited.max()),
        _alarmed(judged),
        float(overdue.max()),
        [_chart(judged, j, number, float(left)) for j, left in enumerate(limited)],
        [_choice(finding) for finding in judged.findings],
    )


def _chart(judged: Judged, j: int, number: int, limited: float) -> Chart:
    charts = judged.now.step.charts
    begun = charts.w[j, number] > 0
    return Chart(
        odds_ratio=judged.now.policy.thetas[j],
        since_s=int(charts.start_s[j, number]) if begun else judged.now.bucket_s + BUCKET_S,
        failures=float(charts.k[j, number]),
        outcomes=float(charts.n[j, number]),
        expected=float(charts.m[j, number]),
        evidence=float(charts.w[j, number]),
        limited=limited,
    )


def _alarmed(judged: Judged) -> list[Alarm]:
    """Those with most evidence first."""
    hits, index = judged.now.step.alarms, judged.now.state.index
    strongest = np.argsort(-hits.evidence, kind="stable")[:MOST_ALARMS].tolist()
    return [
        Alarm(*_words(index.scope(int(hits.scopes[i]))), int(hits.start_s[i]), float(hits.evidence[i]))
        for i in strongest
    ]


def _words(scope: Scope) -> tuple[str, str, str]:
    return scope.kind.value, scope.carrier, scope.region


def _choice(found: Finding) -> Choice:
    lead = None if np.isinf(found.lead) else found.lead
    numbers = (found.start_s, found.theta, found.evidence)
    return Choice(*_words(found.scope), *numbers, lead, found.overdue)


def trace_lines(trace: Trace, onset_s: int) -> Iterator[str]:
    """From a little before the onset to the decision, a line a bucket; then who was named, and the charts."""
    decided_s = trace.asked.bucket_s
    moments = [m for m in trace.moments if onset_s - 3 * BUCKET_S <= m.bucket_s <= decided_s]
    if not moments:
        yield "nothing was seen of that scope around the decision"
        return
    yield "BUCKET    FAILED  OF      EXPECTED  EVIDENCE  BAR"
    if len(moments) > _SHOWN:
        yield f"({len(moments) - _SHOWN} buckets more: see --format json)"
    for moment in moments[-_SHOWN:]:
        yield _line(moment)
    yield from _decision_lines(moments[-1])


def _line(m: Moment) -> str:
    share = min(m.best / m.bar, 1.0) if m.bar else 0.0
    drawn = "█" * round(share * _BAR)
    mark = f"  {len(m.alarms)} scopes alarm" if m.alarms else ""
    return (
        f"{clock(m.bucket_s)}  {m.failures:<6.0f}  {m.outcomes:<6.0f}  {m.expected:<8.1f}  {m.best:<8.1f}  "
        f"{m.bar:<5.1f} {drawn:<{_BAR}}{mark}"
    )


def _decision_lines(last: Moment) -> Iterator[str]:
    yield ""
    yield f"charts after {clock(last.bucket_s)}:"
    yield "ODDS    SINCE     FAILED  OF      EXPECTED  EVIDENCE  LEFT BY THE WOBBLE"
    for c in last.charts:
        yield (
            f"x {c.odds_ratio:<5.1f} {clock(c.since_s)}  {c.failures:<6.0f}  {c.outcomes:<6.0f}  "
            f"{c.expected:<8.1f}  {c.evidence:<8.1f}  {c.limited:.1f}"
        )
    if last.overdue:
        yield f"successes that are due and do not come: {last.overdue:.1f} nats"
    for a in last.alarms:
        yield f"alarms: {a.scope} {a.carrier}/{a.region} since {clock(a.since_s)}, {a.evidence:.1f} nats"
    yield from _choice_lines(last.choices)


def _choice_lines(choices: Sequence[Choice]) -> Iterator[str]:
    for c in choices:
        lead = "nothing else explains it" if c.lead is None else f"{c.lead:.1f} nats before the next"
        why = "successes are missing" if c.overdue else f"odds x {c.odds_ratio:.1f}"
        yield (
            f"named: {c.scope} {c.carrier}/{c.region} since {clock(c.since_s)}, {why}, "
            f"{c.evidence:.1f} nats, {lead}"
        )
