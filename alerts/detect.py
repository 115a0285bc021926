"""From a closed bucket to alarms and flags: counts by leaf, charts by scope, an hour kept.

Pure: time is `bucket_s` and nothing else. Buckets come in order, empty ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts import list_quality
from alerts.baseline import moved_to
from alerts.charts import Alarms, Charts
from alerts.counts import LeafCounts, Table, Tally
from alerts.doubt import Sums, few_leaves, summed
from alerts.learn import Learned, Seen, ill_since, in_blast, learn
from alerts.list_quality import ListQuality
from alerts.norms import Norms
from alerts.persistent import Persistent, watch
from alerts.policy import Policy
from alerts.receipts import Due, Receipts, missing, released, without_old
from alerts.receipts import learn as learn_receipts
from alerts.records import Scope
from alerts.scopes import Index, moved
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOTHING: Mapping[Scope, int] = MappingProxyType({})


class Row(NamedTuple):
    """One bucket of one rule: leaf numbers, rising, and their counts; only leaves with outcomes."""

    bucket_s: int
    leaf: Int32s
    counts: Int32s
    """[5, leaves] n, k, finals, failed, urgent, as in Count."""

    @property
    def n(self) -> Int32s:
        n: Int32s = self.counts[0]
        return n

    @property
    def k(self) -> Int32s:
        k: Int32s = self.counts[1]
        return k


@dataclass(frozen=True)
class RuleState:
    """What is kept of one rule."""

    rule: str
    charts: Charts
    receipts: Receipts
    quality: ListQuality
    index: Index = field(default_factory=Index)
    learned: Learned = field(default_factory=Learned.empty)
    persistent: Persistent = field(default_factory=Persistent.empty)
    ring: tuple[Row, ...] = ()
    """The last hour, oldest first."""


@dataclass(frozen=True)
class Step:
    """What one bucket said of one rule."""

    alarms: Alarms
    overdue: Alarms
    """Scopes in which successes are missing."""
    llr: Floats
    """[J, S] of this bucket alone: the mirror tests of incidents read it."""
    pi: Floats
    """[L] expected failure probability."""
    norms: Norms
    """What limits the evidence of each scope in this bucket."""
    sums: Sums
    """Of this bucket by scope."""
    charts: Charts
    """As they were judged: before what alarms was flagged, and what has recovered was freed."""


def fresh(rule: str, policy: Policy) -> RuleState:
    """A rule of which nothing was seen yet."""
    charts = Charts.empty(len(policy.thetas), Index().size)
    return RuleState(rule, charts, Receipts.empty(policy), ListQuality.empty(policy))


def step(
    state: RuleState,
    policy: Policy,
    bucket_s: int,
    counts: LeafCounts | Table,
    held: Mapping[Scope, int] = NOTHING,
    *,
    whole: bool = True,
) -> tuple[RuleState, Step]:
    """The state after bucket `bucket_s`, and what it said.

    Nothing is learned of the scopes `held` by open incidents since their onsets (epoch seconds), nor
    from counts that are not `whole`.
    """
    table = counts if isinstance(counts, Table) else Table.of(counts)
    state, where = _located(state, policy, bucket_s, table)
    index, learned = state.index, state.learned
    receipts, table, due = _due(state, policy, table, where)
    row = _row(bucket_s, where, table)
    n, k = (_dense(row, values, index) for values in (row.n, row.k))
    hours = learned.baseline.hours(policy, bucket_s)
    pi = learned.baseline.lifted(policy, hours, due.offset)
    llr = index.sums(bank.likelihoods(policy, k, n, pi))
    said, doubt = summed(index, learned.baseline, policy, hours, k, n, pi, due.echo)
    variance, wide = learned.wobble.variance(policy), index.first_leaf
    blast = in_blast(learned, policy, n, bucket_s)
    spread = variance[2, wide:] + blast * policy.blast_sigma**2
    doubt.lasting[:wide] += few_leaves(index, said.m[wide:], said.m[:wide], spread)
    charts = bank.advance(state.charts, llr, said.k, said.n, said.m, doubt, bucket_s)
    charts = bank.watched(charts, policy, said.k, said.n, said.m, said.q, bucket_s)
    norms = Norms(
        index,
        bank.thresholds(policy, index),
        variance,
        doubt.all,
        learned.baseline.volume,
        learned.baseline.familiar(bucket_s),
    )
    hits, judged = bank.alarms(charts, policy, norms, bucket_s), charts
    charts = bank.latch(charts, policy, llr, hits, bucket_s, bank.mirrors(policy))
    usual = learned.baseline.lifted(policy, hours) if due.offset.any() else pi
    born_s = learned.baseline.born_s
    receipts, overdue = missing(receipts, policy, index, due, usual, n - k, born_s, norms.threshold, bucket_s)
    if whole:
        ill = ill_since(index, charts, hits, held)
        seen = Seen(bucket_s, k, n, said.k - said.m, said.q, said.known)
        learned = learn(learned, index, policy, charts, seen, ill)
        receipts = learn_receipts(receipts, policy, due, table, where, ill > 0, bucket_s)
    ring = (*_kept(state.ring, bucket_s - policy.ring_s), row)
    quality = state.quality
    if list_quality.is_due(bucket_s):
        quality = list_quality.hourly(quality, index, policy, learned, bucket_s + BUCKET_S)
    after = replace(state, charts=charts, receipts=receipts, quality=quality, learned=learned, ring=ring)
    watched = watch(state.persistent, policy, learned.baseline, partial(_late, after), bucket_s)
    after = after if watched is state.persistent else replace(after, persistent=watched)
    return after, Step(hits, overdue, llr, pi, norms, said, judged)


def _due(state: RuleState, policy: Policy, table: Table, where: Ints) -> tuple[Receipts, Table, Due]:
    """What is due of receipts, and the counts without a backlog that is flushed."""
    sends, old_n = np.zeros((2, len(state.index.leaves)))
    sends[where], old_n[where] = table.sends, table.old_n
    receipts, due = released(state.receipts, policy, state.index, sends)
    receipts, past = without_old(receipts, policy, state.index, old_n)
    return receipts, table.without_old(past[where]), due


def _located(state: RuleState, policy: Policy, bucket_s: int, table: Table) -> tuple[RuleState, Ints]:
    """The numbers of the table's leaves, and the state with room for those never seen before."""
    try:
        return state, state.index.numbers(table.leaves)
    except KeyError:
        grown = _grown(state, policy, bucket_s, state.index.grown(table.leaves))
        return grown, grown.index.numbers(table.leaves)


def _grown(state: RuleState, policy: Policy, bucket_s: int, index: Index) -> RuleState:
    charts = state.charts.relaid(moved(state.index, index), index.size)
    learned = state.learned.grown(state.index, index, policy, bucket_s)
    grown = replace(state, charts=charts, index=index, learned=learned)
    return replace(
        grown,
        receipts=state.receipts.grown(state.index, index),
        quality=state.quality.grown(state.index, index),
        persistent=state.persistent.grown(len(index.leaves)),
    )


def _late(state: RuleState, from_s: int, leaves: Ints) -> tuple[Floats, Floats]:
    late = recent(state, from_s, leaves)
    return late.n, late.k


class Recent(NamedTuple):
    """Sums of some leaves over the kept buckets since some moment."""

    n: Floats
    k: Floats
    finals: Floats
    failed: Floats
    urgent: Floats


def recent(state: RuleState, from_s: int, leaves: Ints) -> Recent:
    """Sums of some `leaves`, rising, over the kept buckets at or after `from_s`."""
    sums, numbers = np.zeros((len(Recent._fields), len(leaves))), leaves.astype(np.int32)
    for row in _since(state.ring, from_s):
        at, held = _positions(row, numbers)
        if len(at) == len(leaves):
            sums += row.counts[:, at]
        else:
            sums[:, held] += row.counts[:, at]
    return Recent(*sums)


def everything(state: RuleState, from_s: int) -> tuple[int, int]:
    """Outcomes and failures of all leaves in the kept buckets at or after `from_s`."""
    n, k = sum((row.counts[:2].sum(axis=1) for row in _since(state.ring, from_s)), np.zeros(2, dtype=int))
    return int(n), int(k)


def _positions(row: Row, leaves: Int32s) -> tuple[Ints, Bools]:
    """Where in a row some `leaves` are, and which of them it holds. Rows are sorted by leaf."""
    at = np.searchsorted(row.leaf, leaves)
    held: Bools = at < len(row.leaf)
    held[held] = row.leaf[at[held]] == leaves[held]
    return at[held], held


def tally(state: RuleState, pi: Floats, scope: Scope, from_s: int) -> Tally:
    """Counts of `scope` in the kept buckets at or after `from_s`."""
    members = np.flatnonzero(state.index.members(scope))
    if len(members) < len(pi):
        sums = recent(state, from_s, members)
        n, k, finals, failed, urgent = (int(one.sum()) for one in sums)
        return Tally(n, k, float((sums.n * pi[members]).sum()), finals, failed, urgent)
    whole, m = np.zeros(len(Recent._fields), dtype=np.int64), 0.0
    for row in _since(state.ring, from_s):
        whole += row.counts.sum(axis=1)
        m += float((row.n * pi[row.leaf]).sum())
    n, k, finals, failed, urgent = whole.tolist()
    return Tally(n, k, m, finals, failed, urgent)


def accept(state: RuleState, policy: Policy, pi: Floats, scope: Scope, bucket_s: int) -> RuleState:
    """The state with the ratio of the kept hour as what is normal in `scope`."""
    late = recent(state, 0, np.arange(len(pi)))
    ratio = (late.k + policy.prior_events * pi) / (late.n + policy.prior_events)
    members = state.index.members(scope)
    base = moved_to(state.learned.baseline, policy, members, ratio, bucket_s)
    quality = state.quality.moved_to(members, state.index, policy, ratio, bucket_s)
    return replace(state, learned=replace(state.learned, baseline=base), quality=quality)


def forget(state: RuleState, scope: Scope) -> RuleState:
    """The state without the past of `scope`: a resolved incident is no evidence for the next."""
    members = state.index.members(scope)
    charts = state.charts.reset(state.index.touching(members))
    ring = tuple(_without(row, members) for row in state.ring)
    return replace(state, charts=charts, ring=ring)


def _without(row: Row, members: Bools) -> Row:
    outside = ~members[row.leaf]
    return Row(row.bucket_s, row.leaf[outside], row.counts[:, outside])


def _row(bucket_s: int, where: Ints, table: Table) -> Row:
    """Sorted by leaf, so that the order in which a bucket names its series decides nothing."""
    leaf = where.astype(np.int32)
    order = np.argsort(leaf, kind="stable")
    urgent = np.broadcast_to(table.urgent, len(leaf))
    own = np.stack((table.n, table.k, table.finals, table.failed, urgent))
    return Row(bucket_s, leaf[order], np.take(own, order, axis=1))


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
