"""The bank of CUSUM charts of every scope and its limited evidence (docs/detection.md, 2 and 3).

Arrays are [J, S]: one chart per odds ratio and scope. A chart's segment began when its sum was
last zero; K, N, M are failures, outcomes and expected failures in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alerts.policy import Policy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Charts:
    """State of the charts [J, S], and of the latch and mirror test of each scope [S]."""

    w: Floats
    k: Floats
    n: Floats
    m: Floats
    start_s: Ints
    flagged_s: Ints
    """Bucket of the alarm since which the scope is flagged; 0 where it is not."""
    mirror: Floats
    """Evidence (nats) of recovery of a flagged scope."""
    mirror_chart: Ints

    @classmethod
    def empty(cls, charts: int, scopes: int) -> Charts:
        w, k, n, m = np.zeros((4, charts, scopes))
        start_s = np.zeros((charts, scopes), dtype=np.int64)
        flagged_s, mirror_chart = np.zeros((2, scopes), dtype=np.int64)
        return cls(w, k, n, m, start_s, flagged_s, np.zeros(scopes), mirror_chart)

    def relaid(self, where: Ints, scopes: int) -> Charts:
        """The same with scope i at `where[i]` of `scopes`; the others are empty."""
        wide = Charts.empty(len(self.w), scopes)
        for name, array in vars(wide).items():
            array[..., where] = getattr(self, name)
        return wide

    def reset(self, scopes: Bools) -> Charts:
        """The same with the charts and latches of `scopes` [S] empty."""
        return replace(self, **{name: np.where(scopes, 0, array) for name, array in vars(self).items()})


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


def likelihoods(policy: Policy, k: Floats, n: Floats, pi: Floats) -> Floats:
    """Log-likelihood ratios [J, ...]: l_j = k ln theta_j - n ln(1 + (theta_j - 1) pi) (detection, 2)."""
    theta = np.array(policy.thetas).reshape(-1, *([1] * k.ndim))
    ratios: Floats = k * np.log(theta) - n * np.log1p((theta - 1) * pi)
    return ratios


def advance(charts: Charts, llr: Floats, k: Floats, n: Floats, m: Floats, bucket_s: int) -> Charts:
    """One bucket on: `llr` [J, S] and the bucket's K, N, M by scope [S]."""
    w = np.maximum(0.0, charts.w + llr)
    alive = w > 0
    return replace(
        charts,
        w=w,
        k=(charts.k + k) * alive,
        n=(charts.n + n) * alive,
        m=(charts.m + m) * alive,
        start_s=np.where(charts.w == 0, bucket_s, charts.start_s),
    )


def shift(k: Floats, n: Floats, m: Floats) -> Floats:
    """delta (detection, 3): log-odds of the failures seen, less those of the failures expected."""
    expected = np.clip(m, 1e-9, None)
    rest = np.clip(n - m, 1e-9, None)
    return np.log((k + 0.5) / (n - k + 0.5)) - np.log(expected / rest)


def limited(policy: Policy, w: Floats, delta: Floats, sigma: float) -> Floats:
    """E: evidence `w` limited by the wobble `sigma`, 0 where the odds have not risen enough."""
    enough = (delta >= np.log(policy.min_odds_ratio)) & (w > 0)
    safe_w, safe_delta = np.where(enough, w, 1.0), np.where(enough, delta, 1.0)
    return np.where(enough, 0.5 / (0.5 / safe_w + sigma**2 / safe_delta**2), 0.0)


def alarms(charts: Charts, policy: Policy) -> Alarms:
    """The scopes that alarm. Evidence never exceeds W, so only charts with W >= h are looked at."""
    scopes = np.flatnonzero((charts.w >= policy.threshold).any(axis=0))
    w, k, n, m = (a[:, scopes] for a in (charts.w, charts.k, charts.n, charts.m))
    evidence = limited(policy, w, shift(k, n, m), policy.sigma)
    evidence = np.where(k - m >= policy.min_excess * n, evidence, 0.0)
    winner = evidence.argmax(axis=0) if len(scopes) else np.zeros(0, dtype=np.int64)
    best = evidence[winner, np.arange(len(scopes))]
    hit = best >= policy.threshold
    at, chart = scopes[hit], winner[hit]
    return Alarms(at, chart, best[hit], charts.start_s[chart, at], charts.flagged_s[at] == 0)


def latch(charts: Charts, policy: Policy, llr: Floats, hits: Alarms, bucket_s: int) -> Charts:
    """Flags what alarms; frees, by the mirror test (detection, 5), what has recovered.

    While a scope is still ill its mirror follows the chart that knows it best; from the first
    good bucket on it stays.
    """
    if not len(hits.scopes) and not charts.flagged_s.any():
        return charts
    flagged_s = charts.flagged_s.copy()
    flagged_s[hits.scopes[hits.fresh]] = bucket_s
    on = np.flatnonzero(flagged_s)
    follow = np.array([policy.mirror_chart(t) for t in policy.thetas])[charts.w[:, on].argmax(axis=0)]
    chart, mirror = charts.mirror_chart.copy(), charts.mirror.copy()
    chart[on] = np.where(mirror[on] == 0, follow, chart[on])
    mirror[on] = np.maximum(0.0, mirror[on] - llr[chart[on], on])
    well = (mirror >= policy.resolve_evidence) & (bucket_s - flagged_s >= policy.resolve_min_s)
    latched = replace(charts, flagged_s=flagged_s, mirror=mirror, mirror_chart=chart)
    return latched.reset(well & (flagged_s > 0)) if well.any() else latched
