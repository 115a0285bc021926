"""From a closed bucket to alarms and flags: counts by leaf, charts by scope, an hour kept.

Pure: time is `bucket_s` and nothing else. Buckets come in order, empty ones too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts.charts import Alarms, Charts, Norms
from alerts.learn import Learned, Seen, learn
from alerts.policy import Policy
from alerts.records import Scope, Severity
from alerts.scopes import Index, Leaf, moved
from streams.records import Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER_S = int(np.iinfo(np.int64).max)


class Count(NamedTuple):
    """One leaf in one bucket. `n` and `k` are the evidence: every failed recipient counts once
    an hour. `finals` and `failed` are the outcomes as they came, for people."""

    n: int = 0
    k: int = 0
    finals: int = 0
    failed: int = 0


LeafCounts = Mapping[Leaf, Count]


class Row(NamedTuple):
    """One bucket of one rule: leaf numbers and their counts, parallel; only leaves with outcomes."""

    bucket_s: int
    leaf: Int32s
    n: Int32s
    k: Int32s
    finals: Int32s
    failed: Int32s


class Tally(NamedTuple):
    """Counts of a scope over some time; `m` are the failures to be expected (sum of n pi)."""

    n: int
    k: int
    m: float
    finals: int
    failed: int

    def ratio(self, policy: Policy) -> float:
        """p_hat (detection, 5): drawn to the expected ratio by `prior_events`; 0 without outcomes."""
        if not self.n:
            return 0.0
        return (self.k + policy.prior_events * self.m / self.n) / (self.n + policy.prior_events)


@dataclass(frozen=True)
class RuleState:
    """What is kept of one rule."""

    rule: str
    charts: Charts
    index: Index = field(default_factory=Index)
    learned: Learned = field(default_factory=Learned.empty)
    ring: tuple[Row, ...] = ()
    """The last hour, oldest first."""


class Flag(NamedTuple):
    """A leaf series that is out of its normal now."""

    rule: str
    carrier: str
    region: str
    severity: Severity
    ratio: float
    since_s: int


@dataclass(frozen=True)
class Step:
    """What one bucket said of one rule."""

    alarms: Alarms
    llr: Floats
    """[J, S] of this bucket alone: the mirror tests of incidents read it."""
    pi: Floats
    """[L] expected failure probability."""


def leaves(cells: Cells, book: RuleBook) -> dict[str, dict[Leaf, Count]]:
    """Counts by rule and leaf of one bucket's cells, all parts merged."""
    counts: dict[str, dict[Leaf, Count]] = {rule.name: {} for rule in book.rules}
    asked = [_asked(book, key) for key in cells.keys]
    for at, (number, finals) in enumerate(zip(cells.key, cells.finals, strict=True)):
        if not finals or not asked[number]:
            continue
        key = cells.keys[number]
        n, k = _evidence(cells, at, finals)
        for rule, failing in asked[number]:
            old = counts[rule.name].get((key.carrier, key.region), Count())
            new = (n, k, finals, finals) if failing else (n, 0, finals, 0)
            counts[rule.name][key.carrier, key.region] = Count(*map(sum, zip(old, new, strict=True)))
    return counts


def _asked(book: RuleBook, key: SeriesKey) -> list[tuple[Rule, bool]]:
    return [(rule, book.failing(rule, key)) for rule in book.rules if book.eligible(rule, key)]


def _evidence(cells: Cells, at: int, finals: int) -> tuple[int, int]:
    """(n, k) of cell `at` if it fails. Failures that name no recipient at all (neither new nor
    repeated) are counted as they are, else a source without numbers would never alarm."""
    given = len(cells.distinct) == len(cells.key)
    repeats = cells.repeats[at] if len(cells.repeats) == len(cells.key) else 0
    if not given or (not cells.distinct[at] and not repeats):
        return finals - repeats, finals - repeats
    return finals - repeats, min(cells.distinct[at], finals - repeats)


def fresh(rule: str, policy: Policy) -> RuleState:
    """A rule of which nothing was seen yet."""
    return RuleState(rule, Charts.empty(len(policy.thetas), Index().size))


def step(
    state: RuleState,
    policy: Policy,
    bucket_s: int,
    counts: LeafCounts,
    held: Collection[Scope] = (),
    *,
    whole: bool = True,
) -> tuple[RuleState, Step]:
    """The state after bucket `bucket_s`, and what it said.

    Nothing is learned of the scopes `held` by open incidents, nor from counts that are not `whole`.
    """
    state = _grown(state, policy, bucket_s, counts)
    index, learned = state.index, state.learned
    row = _row(bucket_s, index, counts)
    n, k = (_dense(row, values, index) for values in (row.n, row.k))
    pi = learned.baseline.expected(policy, bucket_s)
    llr = index.sums(bank.likelihoods(policy, k, n, pi))
    m, known = n * pi, learned.baseline.known(policy, bucket_s)
    k_s, n_s, m_s, q_s, known_s = index.sums(np.stack((k, n, m, m * (1 - pi), known)))
    charts = bank.advance(state.charts, llr, k_s, n_s, m_s, bucket_s)
    norms = Norms(
        index,
        bank.thresholds(policy, index),
        learned.wobble.variance(policy),
        known_s,
        learned.baseline.typical(bucket_s),
    )
    hits = bank.alarms(charts, policy, norms, bucket_s)
    charts = bank.latch(charts, policy, llr, hits, bucket_s)
    if whole:
        seen = Seen(bucket_s, k, n, k_s - m_s, q_s, known_s)
        learned = learn(learned, index, policy, charts, seen, _ill(index, charts, hits, held, bucket_s))
    ring = (*_kept(state.ring, bucket_s - policy.ring_s), row)
    return RuleState(state.rule, charts, index, learned, ring), Step(hits, llr, pi)


def _grown(state: RuleState, policy: Policy, bucket_s: int, counts: LeafCounts) -> RuleState:
    """The state with room for leaves that were never seen before."""
    index = state.index.grown(counts)
    if index is state.index:
        return state
    charts = state.charts.relaid(moved(state.index, index), index.size)
    learned = state.learned.grown(state.index, index, policy, bucket_s)
    return replace(state, charts=charts, index=index, learned=learned)


def _ill(index: Index, charts: Charts, hits: Alarms, held: Collection[Scope], bucket_s: int) -> Ints:
    """[L] since when a leaf is part of an alarm, a flag or a held scope; 0 where it is of none."""
    since_s = np.where(charts.flagged_s > 0, charts.flagged_s, NEVER_S)
    since_s[hits.scopes] = np.minimum(since_s[hits.scopes], hits.start_s)
    ill_s = index.least(since_s)
    for scope in held:
        ill_s = np.where(index.members(scope), np.minimum(ill_s, bucket_s), ill_s)
    return np.where(ill_s < NEVER_S, ill_s, 0)


def flags(state: RuleState, policy: Policy, pi: Floats, bucket_s: int) -> tuple[Flag, ...]:
    """The leaf series that are flagged after bucket `bucket_s`, with ratio and severity."""
    first = state.index.first_leaf
    flagged = np.flatnonzero(state.charts.flagged_s[first:])
    if not len(flagged):
        return ()
    ratios = _ratios(state, policy, pi, flagged, bucket_s)
    since_s = state.charts.flagged_s[first + flagged]
    return tuple(
        Flag(state.rule, *state.index.leaves[leaf], policy.level(ratio), ratio, since)
        for leaf, ratio, since in zip(flagged.tolist(), ratios.tolist(), since_s.tolist(), strict=True)
    )


def _ratios(state: RuleState, policy: Policy, pi: Floats, flagged: Ints, bucket_s: int) -> Floats:
    """p_hat (detection, 5) over the segment of each leaf's highest chart, or the last 5 min once older."""
    charts, at = state.charts, state.index.first_leaf + flagged
    best = charts.w[:, at].argmax(axis=0)
    from_s = bucket_s - policy.segment_cap_s + 1
    n5, k5 = np.zeros((2, len(state.index.leaves)))
    for row in _since(state.ring, from_s):
        n5[row.leaf] += row.n
        k5[row.leaf] += row.k
    old = (charts.start_s[best, at] < from_s) | (charts.n[best, at] == 0)
    n = np.where(old, n5[flagged], charts.n[best, at])
    k = np.where(old, k5[flagged], charts.k[best, at])
    ratios: Floats = (k + policy.prior_events * pi[flagged]) / (n + policy.prior_events)
    return ratios


def tally(state: RuleState, pi: Floats, scope: Scope, from_s: int) -> Tally:
    """Counts of `scope` in the kept buckets at or after `from_s`."""
    members = state.index.members(scope)
    n = k = finals = failed = 0
    m = 0.0
    for row in _since(state.ring, from_s):
        inside = members[row.leaf]
        n += int(row.n[inside].sum())
        k += int(row.k[inside].sum())
        m += float((row.n[inside] * pi[row.leaf[inside]]).sum())
        finals += int(row.finals[inside].sum())
        failed += int(row.failed[inside].sum())
    return Tally(n, k, m, finals, failed)


def forget(state: RuleState, scope: Scope) -> RuleState:
    """The state without the past of `scope`: a resolved incident is no evidence for the next."""
    members = state.index.members(scope)
    charts = state.charts.reset(state.index.touching(members))
    ring = tuple(_without(row, members) for row in state.ring)
    return replace(state, charts=charts, ring=ring)


def _without(row: Row, members: Bools) -> Row:
    outside = ~members[row.leaf]
    return Row(row.bucket_s, *(column[outside] for column in row[1:]))


def _row(bucket_s: int, index: Index, counts: LeafCounts) -> Row:
    """Sorted by leaf, so that the order in which a bucket names its series decides nothing."""
    ordered = sorted((index.of_leaf[leaf], count) for leaf, count in counts.items())
    columns = np.array([(i, *count) for i, count in ordered], dtype=np.int32).reshape(-1, 5).T
    return Row(bucket_s, *(np.ascontiguousarray(column) for column in columns))


def _dense(row: Row, values: Int32s, index: Index) -> Floats:
    dense = np.zeros(len(index.leaves))
    dense[row.leaf] = values
    return dense


def _since(ring: tuple[Row, ...], from_s: int) -> Iterator[Row]:
    for row in reversed(ring):
        if row.bucket_s < from_s:
            return
        yield row


def _kept(ring: tuple[Row, ...], after_s: int) -> tuple[Row, ...]:
    """The rows later than `after_s`."""
    first = next((i for i, row in enumerate(ring) if row.bucket_s > after_s), len(ring))
    return ring[first:]
