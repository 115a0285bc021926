"""What is kept of an incident for those who ask later: frozen at its opening, its peak and its end. Pure.

`windows` is deleted after 30 days, baselines move on and policies change; a frozen record holds what was
seen, what was taken for normal and what decided, as it was. It lies in `incident-events` as a transition
with more in it, so that a reader who knows nothing of evidence sees one line of the log.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from alerts.advice.tally import Retries
from alerts.records import Incident, Silenced, State, StatusNote, Transition
from alerts.review.impact import Healthy, Impact, OfCode, healthy, impact
from alerts.review.onset import ChangePoint, Normal, onset, recovery
from alerts.review.series import GROUPS, OWN, Gathering, Series, Span
from streams.records import BUCKET_S

BEFORE_S = 1800
"""So long before the onset the evidence begins."""
AFTER_S = 600
"""So long after the end it goes on, as far as it is known by then."""
AROUND_PEAK_S = 600
MOST_BACK_S = 86_400
"""Of a longer incident the last day is kept in full; the sum in the incident's record is of all of it."""
MOST_STEPS = 360
STEPS_S = (BUCKET_S, 60, 600, 3600)
MOST_LEAVES = 100
FINE_S = 4 * 3600
KNOWN_EVENTS = 500.0
"""What was learned is worth at most so many outcomes where an onset is searched: the level moves."""
PEAK_S = 60
"""The peak is the worst minute."""


class Moment(StrEnum):
    OPEN = "open"
    PEAK = "peak"
    CLOSE = "close"
    NOW = "now"
    """Of an incident that is looked at while it lasts, or again; never frozen."""


class Leaf(NamedTuple):
    """One carrier in one region, while the incident lasted."""

    carrier: str
    region: str
    outcomes: int
    failed: int


class Context(NamedTuple):
    """What the counts do not tell: who looked, when, and by which rules it decided."""

    made_ms: int
    """Wall time."""
    lag_ms: int = 0
    """How far behind the wall clock the deciding bucket was."""
    policy: dict[str, Any] = {}  # noqa: RUF012 - read only
    code_version: str = ""
    samples: tuple[str, ...] = ()
    """Hashes of ids of some failed messages."""
    retries: Retries | None = None


class Evidence(msgspec.Struct, frozen=True):
    """One frozen record. Bucket times are epoch seconds, `made_ms` wall milliseconds."""

    moment: Moment
    at_s: int
    """The bucket it is about: the deciding one, the worst, the last."""
    made_ms: int
    series: dict[str, Series]
    """By group of `alerts.review.series`."""
    impact: Impact
    before: tuple[OfCode, ...]
    """The failures right before the onset, by code."""
    leaves: tuple[Leaf, ...]
    """Carrier by region, the largest."""
    begun: ChangePoint | None
    ended: ChangePoint | None
    ratio: float
    expected_ratio: float
    expected_low: float
    expected_high: float
    severity: str
    explanation: str
    lag_ms: int = 0
    policy: dict[str, Any] = {}
    code_version: str = ""
    status_notes: tuple[StatusNote, ...] = ()
    silence: Silenced | None = None
    samples: tuple[str, ...] = ()
    retries: Retries | None = None
    """What was advised on what failed so far; None where that could not be read."""


class Frozen(Transition, frozen=True):
    """A transition of `incident-events` that may carry evidence."""

    evidence: Evidence | None = None

    @property
    def plain(self) -> Transition:
        """The line of the log alone."""
        return Transition(*(getattr(self, name) for name in Transition.__struct_fields__))


def needed(incident: Incident, until_s: int) -> Span:
    """The buckets that an evidence until `until_s` is made of."""
    end_s = until_s
    if incident.state is State.RESOLVED and incident.resolved_bucket_s is not None:
        end_s = min(until_s, incident.resolved_bucket_s + BUCKET_S + AFTER_S)
    return Span(max(first_onset_s(incident) - BEFORE_S, end_s - MOST_BACK_S), end_s)


def first_onset_s(incident: Incident) -> int:
    """The detector's estimate; after a re-opening it is of that, and the first one is not known."""
    onset_s = incident.onset_ms // 1000 // BUCKET_S * BUCKET_S
    return onset_s if 0 < onset_s <= incident.opened_bucket_s else incident.opened_bucket_s


def leaf_step_s(span: Span) -> int:
    """How fine the heat map is gathered: a long incident has room for less."""
    return 60 if span.to_s - span.from_s <= FINE_S else 600


def freeze(moment: Moment, incident: Incident, gathered: Gathering, span: Span, context: Context) -> Evidence:
    """The evidence of buckets in `span`, all of which were gathered as far as they exist."""
    begun, ended = searched(incident, gathered, span)
    normal = normal_of(incident, gathered, begun, span)
    ill = _ill(incident, begun, ended, span)
    at_s = _at(moment, incident, gathered, ill, span)
    shown = Span(at_s - AROUND_PEAK_S, at_s + AROUND_PEAK_S + BUCKET_S) if moment is Moment.PEAK else span
    before = gathered.by_code(Span(ill.from_s - BEFORE_S, ill.from_s))
    return Evidence(
        moment=moment,
        at_s=at_s,
        made_ms=context.made_ms,
        series={group: _fitting(gathered.series(group, _within(shown, span))) for group in GROUPS},
        impact=impact(gathered, ill, normal),
        before=tuple(OfCode(*code, n) for code, n in before.items()),
        leaves=_leaves(gathered, ill),
        begun=begun,
        ended=ended,
        ratio=incident.peak_ratio if moment is Moment.PEAK else incident.ratio,
        expected_ratio=incident.expected_ratio,
        expected_low=incident.expected_low,
        expected_high=incident.expected_high,
        severity=incident.severity.value,
        explanation=incident.explanation,
        lag_ms=context.lag_ms,
        policy=context.policy,
        code_version=context.code_version,
        status_notes=incident.status_notes,
        silence=incident.people.silence,
        samples=context.samples,
        retries=context.retries,
    )


def as_event(incident: Incident, evidence: Evidence) -> Frozen:
    """The record of `incident-events` that keeps it."""
    detail = f"{evidence.impact.first.failed} of {evidence.impact.first.attempted} failed"
    if evidence.retries is not None and evidence.retries.messages:
        detail += f"; advised: {evidence.retries.words}"
    what = f"evidence_{evidence.moment.value}"
    return Frozen(incident.key, incident.seq, evidence.made_ms, what, "frozen", detail, evidence=evidence)


def searched(
    incident: Incident, gathered: Gathering, span: Span
) -> tuple[ChangePoint | None, ChangePoint | None]:
    """The onset up to the deciding bucket, and the recovery from the worst minute on."""
    opened_s = incident.opened_bucket_s
    first_s = max(span.from_s, first_onset_s(incident) - BEFORE_S)
    known = healthy(incident, Series(0, BUCKET_S, (), ())).normal()
    normal = Normal(known.ratio, min(known.events, KNOWN_EVENTS))
    own = gathered.series(OWN, Span(first_s, opened_s + BUCKET_S))
    begun = onset(own.start_s, own.n, own.k, normal) if opened_s >= span.from_s else None
    resolved_s = incident.resolved_bucket_s
    if incident.state is not State.RESOLVED or resolved_s is None:
        return begun, None
    ill = Span(max(span.from_s, opened_s), min(span.to_s, resolved_s + BUCKET_S))
    own = gathered.series(OWN, Span(peak_s(gathered.series(OWN, ill)), ill.to_s))
    return begun, recovery(own.start_s, own.n, own.k, normal)


def normal_of(incident: Incident, gathered: Gathering, begun: ChangePoint | None, span: Span) -> Healthy:
    """What was healthy, from what was learned and the half hour before the onset, as far as it is sure."""
    end_s = begun.early_s if begun else first_onset_s(incident)
    before = Span(max(span.from_s, end_s - BEFORE_S), end_s)
    return healthy(incident, gathered.series(OWN, before))


def peak_s(own: Series) -> int:
    """Start of the minute with the highest ratio, among those with at least half the usual outcomes."""
    width = max(1, PEAK_S // own.step_s)
    n, k = own.n or own.outcomes, own.k or own.failed
    sums = [(sum(n[i : i + width]), sum(k[i : i + width])) for i in range(max(1, len(n) - width + 1))]
    least = sum(a for a, _ in sums) / len(sums) / 2
    ratios = [b / a if a and a >= least else 0.0 for a, b in sums]
    return own.start_s + ratios.index(max(ratios)) * own.step_s


def _ill(incident: Incident, begun: ChangePoint | None, ended: ChangePoint | None, span: Span) -> Span:
    """From the onset to the recovery, the resolution or as far as is known."""
    from_s = max(span.from_s, begun.at_s if begun else first_onset_s(incident))
    to_s = span.to_s
    if ended is not None:
        to_s = min(to_s, ended.at_s)
    elif incident.state is State.RESOLVED and incident.resolved_bucket_s is not None:
        to_s = min(to_s, incident.resolved_bucket_s + BUCKET_S)
    return Span(from_s, max(from_s, to_s))


def _at(moment: Moment, incident: Incident, gathered: Gathering, ill: Span, span: Span) -> int:
    if moment is Moment.OPEN:
        return incident.opened_bucket_s
    if moment is Moment.PEAK:
        return peak_s(gathered.series(OWN, ill))
    ended_s = incident.resolved_bucket_s
    return ended_s if ended_s is not None and moment is Moment.CLOSE else span.to_s - BUCKET_S


def _within(part: Span, whole: Span) -> Span:
    from_s = max(part.from_s, whole.from_s)
    return Span(from_s, max(from_s, min(part.to_s, whole.to_s)))


def _fitting(series: Series) -> Series:
    """In the finest steps of which there are not too many."""
    length_s = len(series.outcomes) * series.step_s
    step_s = next((s for s in STEPS_S if length_s / s <= MOST_STEPS), STEPS_S[-1])
    return series if step_s == series.step_s else series.coarser(step_s)


def _leaves(gathered: Gathering, ill: Span) -> tuple[Leaf, ...]:
    """The largest series, with what happened in the steps that lie in `ill`, at least in the first."""
    step_s = gathered.leaf_step_s
    first_s = -(-ill.from_s // step_s) * step_s
    touching = Span(first_s, max(first_s + step_s, ill.to_s // step_s * step_s))
    found = [Leaf(*name, *counts) for name, counts in gathered.by_leaf(touching).items()]
    return tuple(sorted(found, key=lambda f: (-f.outcomes, f))[:MOST_LEAVES])
