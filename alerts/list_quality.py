"""A slow rise is a matter of list quality: the charts once more, by the hour (docs/detection.md, 8).

Hourly counts against a baseline of 28 days, odds ratios of 1.25 and 1.5, evidence limited by how far
the scope wanders from day to day. What the guard against blasts leaves unsaid ends here too. Decided
once an hour, from the blocks that wait to be learned, so that a tick costs nothing. Pages nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts.baseline import DAY_S, HOUR_S
from alerts.charts import Charts
from alerts.doubt import Doubt
from alerts.learn import Learned
from alerts.odds import decay, expit, logit, padded
from alerts.policy import Policy
from alerts.scopes import Index, carry, moved
from alerts.wobble import estimated, moments
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ListQuality:
    """What is kept of one rule for its tickets."""

    charts: Charts
    """[2, S] one chart per odds ratio."""
    total: Floats
    """[2, L] failures and outcomes, weighted and discounted (half-life 28 days)."""
    taken_s: Ints
    """[1] until when `total` is discounted."""
    wander: Floats
    """[2, S] squared residuals of days beyond chance, and their weight."""
    day: Floats
    """[2, S] K - M and Q of the day under way."""

    @classmethod
    def empty(cls, policy: Policy, scopes: int = 1) -> ListQuality:
        charts, none = Charts.empty(len(policy.ticket_thetas), scopes), np.zeros((2, scopes))
        return cls(charts, np.zeros((2, 0)), np.zeros(1, dtype=np.int64), none, none)

    @classmethod
    def begun(cls, policy: Policy, index: Index) -> ListQuality:
        """Of an index of which nothing is known."""
        return cls.empty(policy).grown(Index(), index)

    def restarted(self, policy: Policy, index: Index) -> ListQuality:
        """The same with charts of other odds ratios, begun anew."""
        return replace(self, charts=Charts.empty(len(policy.ticket_thetas), index.size))

    def grown(self, old: Index, index: Index) -> ListQuality:
        """The same with the leaves and scopes that are new in `index`."""
        moves, wander, day = moved(old, index), np.zeros((2, index.size)), np.zeros((2, index.size))
        carry(self.wander, wander, moves)
        carry(self.day, day, moves)
        charts = self.charts.relaid(moves, index.size)
        return replace(
            self, charts=charts, total=padded(self.total, len(index.leaves)), wander=wander, day=day
        )

    def moved_to(self, leaves: Bools, index: Index, policy: Policy, ratio: Floats, now_s: int) -> ListQuality:
        """The same with `ratio` [L] as what is normal of some `leaves`, as sure as a prior."""
        failed = np.full(len(ratio), policy.prior_failures)
        normal = np.stack((failed, failed / np.clip(ratio, 1e-6, 1)))
        left = self.total * decay(now_s - int(self.taken_s[0]), policy.ticket_memory_s)
        return replace(
            self,
            charts=self.charts.reset(index.touching(leaves)),
            total=np.where(leaves, normal, left),
            taken_s=np.array([now_s], dtype=np.int64),
        )


class Ticket(NamedTuple):
    """A scope, by number, whose ratio has risen slowly; counts since the rise began."""

    scope: int
    failed: float
    outcomes: float
    expected: float
    """The ratio that was normal before."""
    variance: float
    """Of the log-odds of that: what the scope wanders from day to day, and what is not known."""
    evidence: float
    since_s: int
    flagged_s: int


def hourly(quality: ListQuality, index: Index, policy: Policy, learned: Learned, end_s: int) -> ListQuality:
    """After the hour that ends at `end_s`: its counts judged, then learned.

    Blocks wait for an hour at least, so those of the hour are all there; leaves that were part of
    an incident are not in them.
    """
    blocks = [b for b in learned.blocks if b.start_s >= end_s - HOUR_S]
    if not blocks:
        return quality
    counts: Floats = np.array([(b.k, b.n) for b in blocks], dtype=np.float64).sum(axis=0)
    k, n = counts[0], counts[1]
    pi, known = _normal(quality, learned, policy, end_s)
    m: Floats = n * pi
    theta = np.array(policy.ticket_thetas).reshape(-1, 1)
    llr = index.sums(bank.likelihood(theta, k, n, pi))
    k_s, n_s, m_s, q_s, known_s = index.sums(np.stack((k, n, m, m * (1 - pi), known)))
    hour_s = end_s - HOUR_S
    unknown = 1 / (known_s + policy.prior_failures)
    charts = bank.advance(quality.charts, llr, k_s, n_s, m_s, Doubt(unknown), hour_s)
    scopes = np.arange(index.size)
    limits = np.full(index.size, policy.ticket_threshold)
    hits = bank.winners(charts, scopes, evidence(replace(quality, charts=charts), policy, scopes), limits)
    patient = msgspec.structs.replace(policy, resolve_min_s=policy.ticket_least_s)
    charts = bank.latch(charts, patient, llr, hits, hour_s, np.zeros(len(theta), dtype=np.int64))
    quality = replace(quality, charts=charts, day=quality.day + np.stack((k_s - m_s, q_s)))
    quality = _learned(quality, index, policy, k, n, m * (1 - pi), end_s)
    return quality if end_s % DAY_S else _day_over(quality, policy)


def _normal(quality: ListQuality, learned: Learned, policy: Policy, end_s: int) -> tuple[Floats, Floats]:
    """Expected failure probability [L] of the hour, and the failures on which it rests: the ratio of
    28 days, in the shape that the hours of the day have."""
    base = learned.baseline
    failed, seen = quality.total * decay(end_s - int(quality.taken_s[0]), policy.ticket_memory_s)
    ratio = (failed + policy.prior_failures) / (seen + policy.prior_failures / base.prior)
    shape = logit(base.by_hour(policy, end_s - HOUR_S // 2)) - logit(base.mean)
    return expit(logit(ratio) + shape), failed


def evidence(quality: ListQuality, policy: Policy, scopes: Ints) -> Floats:
    """E [2, scopes], limited by the wobble from day to day."""
    c = quality.charts
    w, k, n, m, v = (a[:, scopes] for a in (c.w, c.k, c.n, c.m, c.v))
    sigma2 = np.maximum(_variance(quality, policy)[scopes], v / np.where(m > 0, m, 1.0))
    reached = bank.limited(w, bank.shift(k, n, m), sigma2, np.log(policy.ticket_thetas[0]))
    return np.where(k - m >= policy.min_excess * n, reached, 0.0)


def _variance(quality: ListQuality, policy: Policy) -> Floats:
    """sigma squared [S] of days."""
    return estimated(quality.wander[0], quality.wander[1], policy)


def _learned(
    quality: ListQuality, index: Index, policy: Policy, k: Floats, n: Floats, q: Floats, now_s: int
) -> ListQuality:
    """The hour taken in, except by leaves with a ticket younger than a week: then it is the new normal."""
    first, flagged_s = index.first_leaf, quality.charts.flagged_s
    fresh = (flagged_s > 0) & (now_s - flagged_s < policy.accepted_s)
    frozen = fresh[first:].copy()
    for scope in np.flatnonzero(fresh[:first]).tolist():
        frozen |= index.members(index.scope(scope))
    weight: Floats = np.where(frozen, 0, 1 / (1 + q * _variance(quality, policy)[first:]))
    left = quality.total * decay(now_s - int(quality.taken_s[0]), policy.ticket_memory_s)
    return replace(
        quality,
        total=left + weight * np.stack((k, n)),
        taken_s=np.array([now_s], dtype=np.int64),
    )


def _day_over(quality: ListQuality, policy: Policy) -> ListQuality:
    """How far the day was off teaches how far days are off, unless something is suspected."""
    error, q = quality.day
    healthy = (q >= policy.wobble_least) & (quality.charts.w.max(axis=0) <= policy.suspect_evidence)
    more = np.stack(moments(error, q, _variance(quality, policy))) * healthy
    left = decay(DAY_S, policy.ticket_memory_s)
    return replace(quality, wander=quality.wander * left + more, day=np.zeros_like(quality.day))


def tickets(quality: ListQuality, index: Index, policy: Policy) -> tuple[Ticket, ...]:
    """The fewest flagged scopes that stand for all: a wide one where most of it has risen, else its
    pairs, and a wide one again where none of them says it alone."""
    flagged = np.flatnonzero((quality.charts.flagged_s > 0) & index.named)
    if not len(flagged):
        return ()
    reached = evidence(quality, policy, np.arange(index.first_leaf, index.size)).max(axis=0)
    up: Bools = reached >= policy.ticket_threshold / 2
    pairs = flagged >= index.first_leaf
    broad = _risen(quality, index, up)[flagged] >= policy.ticket_share
    ranked = [*flagged[broad & ~pairs], *flagged[pairs], *flagged[~broad & ~pairs]]
    kept, covered = list[int](), np.zeros_like(up)
    for number in map(int, ranked):
        inside = index.members(index.scope(number))
        told = inside & up if (inside & up).any() else inside
        if (told & ~covered).any():
            kept.append(number)
            covered |= inside
    return tuple(_ticket(quality, policy, number) for number in kept)


def _risen(quality: ListQuality, index: Index, up: Bools) -> Floats:
    """Share [S] of a scope's usual failures that come from leaves which have risen."""
    own, whole = index.sums(np.stack((quality.total[0] * up, quality.total[0])))
    share: Floats = own / np.where(whole > 0, whole, 1.0)
    return share


def _ticket(quality: ListQuality, policy: Policy, scope: int) -> Ticket:
    c, best = quality.charts, int(quality.charts.w[:, scope].argmax())
    k, n, m, v = (float(a[best, scope]) for a in (c.k, c.n, c.m, c.v))
    variance = max(float(_variance(quality, policy)[scope]), v / m if m else 0.0)
    reached = float(evidence(quality, policy, np.array([scope])).max())
    since_s, flagged_s = int(c.start_s[best, scope]), int(c.flagged_s[scope])
    return Ticket(scope, k, n, m / n if n else 0.0, variance, reached, since_s, flagged_s)


def is_due(bucket_s: int) -> bool:
    """Whether an hour ends with this bucket."""
    return (bucket_s + BUCKET_S) % HOUR_S == 0
