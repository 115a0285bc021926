"""What an incident did: attempted, failed, and how many more than would have failed anyway. Pure.

With N outcomes, F of them failed, and a healthy ratio p whose log-odds are known with variance s2:

    excess = F - N p,    variance = N p (1 - p) + (N p (1 - p))^2 s2

the first term being chance, the second what is not known of p (delta method). p joins what was learned
with what was seen right before the onset, each weighted by its precision in log-odds; a proportion of k
in n has the variance 1/(k + 1/2) + 1/(n - k + 1/2) there (Haldane 1956, Anscombe 1956).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from alerts.explain import NORMAL_RANGE_Z
from alerts.records import Incident
from alerts.review.onset import Normal
from alerts.review.series import EVERYTHING, OWN, Gathering, Series, Span, total

LEAST_VARIANCE = 1e-4
"""No healthy ratio is known better than to 1 % of its odds."""
MOST_SENDERS = 20


class Estimate(msgspec.Struct, frozen=True):
    """A number and where it lies in 95 of 100 cases."""

    value: float
    low: float
    high: float


class Healthy(NamedTuple):
    """The ratio that would have been, in log-odds with its variance."""

    log_odds: float
    variance: float

    @property
    def ratio(self) -> float:
        return _expit(self.log_odds)

    def estimate(self) -> Estimate:
        reach = NORMAL_RANGE_Z * math.sqrt(self.variance)
        return Estimate(self.ratio, _expit(self.log_odds - reach), _expit(self.log_odds + reach))

    def normal(self) -> Normal:
        """The same as outcomes seen before."""
        p = self.ratio
        return Normal(p, 1 / (p * (1 - p) * self.variance))


class OfCode(msgspec.Struct, frozen=True):
    """Outcomes of one code that were not delivered; `counts` where the rule takes them for failures."""

    source: str
    code: str
    outcome_class: str
    counts: bool
    failed: int


class Figures(msgspec.Struct, frozen=True):
    """Outcomes and failures of a span, with what came late for it or without."""

    attempted: int
    failed: int
    excess: Estimate


class Impact(msgspec.Struct, frozen=True):
    """The sum of an incident over [from_s, to_s). `first` is what was known when its buckets closed,
    `final` counts what came late for them as well."""

    from_s: int
    to_s: int
    first: Figures
    final: Figures
    healthy_ratio: Estimate
    distinct_recipients: int
    time_critical: int
    share_of_traffic: float
    """Its outcomes in all outcomes of the rule at the time; 0 where there were none."""
    by_code: tuple[OfCode, ...]
    by_sender: tuple[tuple[str, int], ...]
    """The senders with the most failures; the rest is left out."""
    incomplete: tuple[str, ...] = ()
    """Why the counts may be short."""
    missing_buckets: int = 0
    """Buckets of the span that are not in the journal any more, or never were."""

    @property
    def time_critical_share(self) -> float:
        return self.time_critical / self.first.failed if self.first.failed else 0.0


def healthy(incident: Incident, before: Series) -> Healthy:
    """What was learned, as the incident tells it, with what was seen right `before` its onset."""
    learned = _learned(incident)
    n, k = sum(before.n), sum(before.k)
    seen = _seen(n, k) if n else None
    known = [h for h in (learned, seen) if h is not None]
    if not known:
        return _seen(0, 0)
    weights = [1 / max(h.variance, LEAST_VARIANCE) for h in known]
    middle = sum(w * h.log_odds for w, h in zip(weights, known, strict=True)) / sum(weights)
    return Healthy(middle, 1 / sum(weights))


def impact(gathered: Gathering, span: Span, normal: Healthy) -> Impact:
    """The impact on the scope that was gathered, over `span`."""
    own, everything = gathered.series(OWN, span), gathered.series(EVERYTHING, span)
    attempted, failed = sum(own.outcomes), sum(own.failed)
    late_outcomes, late_failed = total(gathered.late_outcomes, span), total(gathered.late_failed, span)
    whole = sum(everything.outcomes)
    return Impact(
        from_s=span.from_s,
        to_s=span.to_s,
        first=figures(attempted, failed, normal),
        final=figures(attempted + late_outcomes, failed + late_failed, normal),
        healthy_ratio=normal.estimate(),
        distinct_recipients=gathered.distinct(span),
        time_critical=total(gathered.time_critical, span),
        share_of_traffic=attempted / whole if whole else 0.0,
        by_code=tuple(OfCode(*code, n) for code, n in gathered.by_code(span).items()),
        by_sender=tuple((s, n) for s, n in gathered.by_sender(span).most_common() if s)[:MOST_SENDERS],
        incomplete=_incomplete(gathered, span),
        missing_buckets=span.buckets - sum(at in span for at in gathered.seen),
    )


def figures(attempted: int, failed: int, normal: Healthy) -> Figures:
    p = normal.ratio
    chance = attempted * p * (1 - p)
    reach = NORMAL_RANGE_Z * math.sqrt(chance + chance**2 * normal.variance)
    excess = failed - attempted * p
    bounds = (max(0.0, x) for x in (excess, excess - reach, excess + reach))
    return Figures(attempted, failed, Estimate(*bounds))


def _incomplete(gathered: Gathering, span: Span) -> tuple[str, ...]:
    return tuple(sorted({w for at, said in gathered.incomplete.items() if at in span for w in said}))


def _learned(incident: Incident) -> Healthy | None:
    low, p, high = incident.expected_low, incident.expected_ratio, incident.expected_high
    if not 0 < low < high < 1 or not 0 < p < 1:
        return None
    spread = (_logit(high) - _logit(low)) / (2 * NORMAL_RANGE_Z)
    return Healthy(_logit(p), spread**2)


def _seen(n: int, k: int) -> Healthy:
    failed, well = k + 0.5, max(n - k, 0) + 0.5
    return Healthy(math.log(failed / well), 1 / failed + 1 / well)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x))
