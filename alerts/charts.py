"""The bank of CUSUM charts of every scope and its limited evidence (docs/detection.md, 2 and 3).

Arrays are [J, S]: one chart per odds ratio and scope. A chart's segment began when its sum was
last zero; K, N, M are failures, outcomes and expected failures in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.baseline import HOUR_S, HOURS
from alerts.doubt import NONE, Doubt
from alerts.norms import Norms, is_blast
from alerts.odds import decay
from alerts.policy import Policy
from alerts.scopes import Index, Moves, carry
from alerts.wobble import between_lengths
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Charts:
    """State of the charts [J, S], and of the latch and mirror test of each scope [S]."""

    w: Floats
    k: Floats
    n: Floats
    m: Floats
    v: Floats
    """Sum of M times how little was known of it: the variance of its log-odds, as far as it lasts."""
    v_hour: Floats
    """The same of what single hours err by."""
    v_day: Floats
    """The same of what is not known of the shape of the day."""
    start_s: Ints
    flagged_s: Ints
    """Bucket of the alarm since which the scope is flagged; 0 where it is not."""
    mirror: Floats
    """Evidence (nats) of recovery of a flagged scope."""
    mirror_chart: Ints
    rise: Floats
    """Rise in log-odds of the last bucket alone; infinite where its counts are too few to say."""
    last: Floats
    """The same of the bucket before."""
    jump: Floats
    """The greatest rise of one bucket that was over in the next; what it was fades in `memory_s`."""

    @classmethod
    def empty(cls, charts: int, scopes: int) -> Charts:
        w, k, n, m, v, v_hour, v_day = np.zeros((7, charts, scopes))
        start_s = np.zeros((charts, scopes), dtype=np.int64)
        flagged_s, mirror_chart = np.zeros((2, scopes), dtype=np.int64)
        mirror, jump = np.zeros((2, scopes))
        rise, last = np.full((2, scopes), np.inf)
        return cls(w, k, n, m, v, v_hour, v_day, start_s, flagged_s, mirror, mirror_chart, rise, last, jump)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Charts:
        """The charts of a snapshot; arrays that it does not hold, from a version before, are empty."""
        return cls(**{**vars(cls.empty(*arrays["w"].shape)), **arrays})

    def relaid(self, moves: Moves, scopes: int) -> Charts:
        """The same with its scopes moved to their places among `scopes`; the others are empty."""
        wide = Charts.empty(len(self.w), scopes)
        for name, array in vars(wide).items():
            carry(getattr(self, name), array, moves)
        return wide

    def suspected(self, policy: Policy) -> Bools:
        """Which scopes [S] are flagged, or have some evidence."""
        suspected: Bools = (self.w.max(axis=0) > policy.suspect_evidence) | (self.flagged_s > 0)
        return suspected

    def reset(self, scopes: Bools) -> Charts:
        """The same with the charts and latches of `scopes` [S] empty. How they jump is kept."""
        evidence = {name: array for name, array in vars(self).items() if name not in ("rise", "last", "jump")}
        return replace(self, **{name: np.where(scopes, 0, array) for name, array in evidence.items()})


@dataclass(frozen=True)
class Alarms:
    """Scopes whose evidence has reached the threshold: parallel arrays."""

    scopes: Ints
    charts: Ints
    """The winning chart of each."""
    evidence: Floats
    start_s: Ints
    """Start of the winning segment: the onset."""
    fresh: Bools
    """Which were not flagged before."""


_NOBODY = np.zeros(0, dtype=np.int64)
NO_ALARMS = Alarms(_NOBODY, _NOBODY, np.zeros(0), _NOBODY, _NOBODY > 0)


def thresholds(policy: Policy, index: Index) -> Floats:
    """h [S] for the fleet's budget of false pages: half for the wide scopes, half for the pairs."""
    wide, pairs = index.first_leaf, len(index.leaves)
    return np.repeat([policy.evidence(wide), policy.evidence(pairs)], (wide, pairs))


def likelihoods(policy: Policy, k: Floats, n: Floats, pi: Floats) -> Floats:
    """Log-likelihood ratios [J, ...]: l_j = k ln theta_j - n ln(1 + (theta_j - 1) pi) (detection, 2)."""
    return likelihood(np.array(policy.thetas).reshape(-1, *([1] * k.ndim)), k, n, pi)


def likelihood(theta: Floats | float, k: Floats, n: Floats, pi: Floats) -> Floats:
    """The same for given odds ratios."""
    against: Floats = (theta - 1) * pi
    np.log1p(against, out=against)
    ratio: Floats = k * np.log(theta)
    ratio -= n * against
    return ratio


def mirrors(policy: Policy) -> Ints:
    """The chart [J] that tests recovery from each odds ratio."""
    return np.array([policy.mirror_chart(theta) for theta in policy.thetas], dtype=np.int64)


def advance(
    charts: Charts, llr: Floats, k: Floats, n: Floats, m: Floats, doubt: Doubt, bucket_s: int
) -> Charts:
    """One bucket on: `llr` [J, S] and by scope [S] the bucket's K, N, M, and the variance of the
    expected log-odds that stems from how little is known; sums that have no part in it are left alone."""
    w = charts.w + llr
    np.maximum(w, 0.0, out=w)
    alive, begun = w > 0, charts.w != 0
    return replace(
        charts,
        w=w,
        k=_added(charts.k, k, alive),
        n=_added(charts.n, n, alive),
        m=_added(charts.m, m, alive),
        v=_added(charts.v, m * doubt.lasting, alive),
        v_hour=charts.v_hour if doubt.of_hour is NONE else _added(charts.v_hour, m * doubt.of_hour, alive),
        v_day=charts.v_day if doubt.of_day is NONE else _added(charts.v_day, m * doubt.of_day, alive),
        start_s=charts.start_s * begun + bucket_s * ~begun,
    )


def watched(
    charts: Charts, policy: Policy, k: Floats, n: Floats, m: Floats, q: Floats, bucket_s: int
) -> Charts:
    """One bucket on for the jumps of single buckets, by the bucket's K, N, M and Q of each scope [S].

    What comes and goes within one bucket is a habit of the series, whether it alarmed or not.
    """
    at, rise = np.flatnonzero(q >= policy.wobble_least), np.full(len(q), np.inf)
    rise[at] = shift(k[at], n[at], m[at])
    before, doubled = charts.rise, np.log(policy.min_odds_ratio)
    calm = (charts.flagged_s == 0) | (charts.flagged_s == bucket_s - BUCKET_S)
    over = np.isfinite(before) & (before >= doubled) & (rise < before / 2) & calm
    faded = charts.jump * decay(BUCKET_S, policy.memory_s)
    jump = np.where(over, np.maximum(faded, before), faded)
    return replace(charts, rise=rise, last=before, jump=jump)


def _said_twice(charts: Charts, policy: Policy, scopes: Ints) -> Bools:
    """Scopes of which one bucket is not all that speaks: two in a row, or one far beyond its habits."""
    rise, last, jump = (a[scopes] for a in (charts.rise, charts.last, charts.jump))
    alone = np.maximum(np.log(policy.alone_odds_ratio), policy.alone_jumps * jump)
    twice: Bools = np.minimum(rise, last) >= np.log(policy.min_odds_ratio)
    return twice | (rise >= alone)


def _added(sums: Floats, more: Floats, alive: Bools) -> Floats:
    """(sums + more) * alive: multiplied in place, since masks and new arrays cost most of a tick."""
    added = sums + more
    added *= alive
    return added


def shift(k: Floats, n: Floats, m: Floats) -> Floats:
    """delta (detection, 3): log-odds of the failures seen, less those of the failures expected."""
    expected = np.clip(m, 1e-9, None)
    rest = np.clip(n - m, 1e-9, None)
    return np.log((k + 0.5) / (n - k + 0.5)) - np.log(expected / rest)


def limited(w: Floats, delta: Floats, sigma2: Floats | float, least: Floats | float) -> Floats:
    """E: evidence `w` limited by the wobble `sigma2`, 0 where the log-odds rose by less than `least`."""
    enough = (delta >= least) & (w > 0)
    safe_w, safe_delta = np.where(enough, w, 1.0), np.where(enough, delta, 1.0)
    return np.where(enough, 0.5 / (0.5 / safe_w + sigma2 / safe_delta**2), 0.0)


def alarms(charts: Charts, policy: Policy, norms: Norms, bucket_s: int) -> Alarms:
    """The scopes that alarm. Evidence never exceeds W, so only charts with W >= h are looked at."""
    scopes = np.flatnonzero((charts.w >= norms.threshold).any(axis=0))
    if not len(scopes):
        return NO_ALARMS
    return winners(charts, scopes, evidence(charts, policy, norms, scopes, bucket_s), norms.threshold)


def winners(charts: Charts, scopes: Ints, reached: Floats, threshold: Floats) -> Alarms:
    """The alarms of some `scopes` whose charts have `reached` [J, scopes] evidence."""
    winner = reached.argmax(axis=0)
    best = reached[winner, np.arange(len(scopes))]
    hit = best >= threshold[scopes]
    at, chart = scopes[hit], winner[hit]
    return Alarms(at, chart, best[hit], charts.start_s[chart, at], charts.flagged_s[at] == 0)


def evidence(charts: Charts, policy: Policy, norms: Norms, scopes: Ints, bucket_s: int) -> Floats:
    """E [J, scopes] of the charts of some scopes, each with its own wobble and floors."""
    w, k, n, m = (a[:, scopes] for a in (charts.w, charts.k, charts.n, charts.m))
    start_s = charts.start_s[:, scopes]
    length_s = np.maximum(bucket_s + BUCKET_S - start_s, BUCKET_S)
    sigma2 = np.maximum(
        between_lengths(norms.variance[:, scopes], length_s),
        _unsure(charts, scopes, length_s) / np.where(m > 0, m, 1.0),
    )
    blast = is_blast(norms, policy, scopes, n, start_s, bucket_s)
    sigma2 = sigma2 + blast * policy.blast_sigma**2
    least = np.log(np.where(blast, policy.blast_odds_ratio, policy.min_odds_ratio))
    reached = limited(w, shift(k, n, m), sigma2, least)
    enough = (length_s > policy.alone_s) | _said_twice(charts, policy, scopes)
    return np.where(enough & (k - m >= policy.min_excess * n), reached, 0.0)


def _unsure(charts: Charts, scopes: Ints, length_s: Ints) -> Floats:
    """M times the variance of what is expected of whole segments [J, scopes]: errors of single hours cancel
    out over many, those of the shape of the day over a day."""
    hours = np.clip(length_s / HOUR_S, 1, HOURS)
    lasting, of_hour, of_day = (a[:, scopes] for a in (charts.v, charts.v_hour, charts.v_day))
    unsure: Floats = lasting + of_hour / hours + of_day * (HOURS - hours) / (HOURS - 1)
    return unsure


def latch(charts: Charts, policy: Policy, llr: Floats, hits: Alarms, bucket_s: int, mirrors: Ints) -> Charts:
    """Flags what alarms; frees, by the mirror test (detection, 5), what has recovered. `mirrors` [J]
    is the chart that tests recovery from each.

    While a scope is still ill its mirror follows the chart that knows it best; from the first
    good bucket on it stays.
    """
    if not len(hits.scopes) and not charts.flagged_s.any():
        return charts
    flagged_s = charts.flagged_s.copy()
    flagged_s[hits.scopes[hits.fresh]] = bucket_s
    on = np.flatnonzero(flagged_s)
    follow = mirrors[charts.w[:, on].argmax(axis=0)]
    chart, mirror = charts.mirror_chart.copy(), charts.mirror.copy()
    chart[on] = np.where(mirror[on] == 0, follow, chart[on])
    mirror[on] = np.maximum(0.0, mirror[on] - llr[chart[on], on])
    well = (mirror >= policy.resolve_evidence) & (bucket_s - flagged_s >= policy.resolve_min_s)
    latched = replace(charts, flagged_s=flagged_s, mirror=mirror, mirror_chart=chart)
    return latched.reset(well & (flagged_s > 0)) if well.any() else latched
