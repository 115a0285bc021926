"""Learning that does not learn the incident: counts wait in 10 min blocks until they are known to be
healthy (docs/detection.md, 1).

bucket -> block under way -> blocks that wait -> baseline
              (dropped while something is wrong, held while something is suspected)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import baseline as normal
from alerts import wobble as wander
from alerts.baseline import BLOCK_S, Baseline
from alerts.charts import Alarms, Charts
from alerts.odds import padded
from alerts.policy import Policy
from alerts.records import Scope
from alerts.scopes import Index, moved
from alerts.wobble import Wobble
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


NEVER_S = int(np.iinfo(np.int64).max)


class Block(NamedTuple):
    """Counts of [start_s, start_s + BLOCK_S) that wait: failures and outcomes [L], 0 once settled."""

    start_s: int
    k: Float32s
    n: Float32s

    @property
    def end_s(self) -> int:
        return self.start_s + BLOCK_S


@dataclass(frozen=True)
class Learned:
    """What is known of normal, and what waits to become known."""

    baseline: Baseline
    wobble: Wobble
    blocks: tuple[Block, ...]
    """Oldest first."""
    k: Float32s
    n: Float32s
    """[L] counts of the block under way."""
    ill_s: Ints
    """[L] since when the leaf is part of something wrong; 0 where it is not."""

    @classmethod
    def empty(cls) -> Learned:
        none = np.zeros(0, dtype=np.float32)
        return cls(Baseline.empty(), Wobble.empty(1), (), none, none, np.zeros(0, dtype=np.int64))

    def grown(self, old: Index, index: Index, policy: Policy, bucket_s: int) -> Learned:
        """The same with the leaves and scopes that are new in `index`."""
        size = len(index.leaves)
        return Learned(
            self.baseline.grown(index, policy, bucket_s),
            self.wobble.relaid(moved(old, index), index.size),
            tuple(Block(b.start_s, padded(b.k, size), padded(b.n, size)) for b in self.blocks),
            padded(self.k, size),
            padded(self.n, size),
            padded(self.ill_s, size),
        )


class Seen(NamedTuple):
    """One bucket: counts by leaf [L], and by scope [S] the residual K - M, its variance Q and the
    failures on which the expectation rests."""

    bucket_s: int
    k: Floats
    n: Floats
    error: Floats
    q: Floats
    known: Floats


def learn(learned: Learned, index: Index, policy: Policy, charts: Charts, seen: Seen, ill: Ints) -> Learned:
    """One bucket on. `ill` [L] is since when a leaf is part of an alarm, 0 where it is of none."""
    known = seen.known >= policy.prior_failures
    learned = replace(
        learned,
        wobble=wander.watch(learned.wobble, policy, seen.error, seen.q, known, seen.bucket_s),
        k=learned.k + seen.k.astype(np.float32),
        n=learned.n + seen.n.astype(np.float32),
        ill_s=earlier(learned.ill_s, ill),
    )
    end_s = seen.bucket_s + BUCKET_S
    return learned if end_s % BLOCK_S else settled(learned, index, policy, charts, ill, end_s)


def ill_since(index: Index, charts: Charts, hits: Alarms, held: Mapping[Scope, int]) -> Ints:
    """[L] since when a leaf is out of its normal or part of a held scope, 0 where it is neither. A wide
    scope that is flagged says nothing of a single leaf of it: an incident will say which they are."""
    first = index.first_leaf
    since_s = np.where(charts.flagged_s[first:] > 0, charts.flagged_s[first:], NEVER_S)
    own = hits.scopes >= first
    at = hits.scopes[own] - first
    since_s[at] = np.minimum(since_s[at], hits.start_s[own])
    for scope, onset_s in held.items():
        since_s = np.where(index.members(scope), np.minimum(since_s, onset_s), since_s)
    return np.where(since_s < NEVER_S, since_s, 0)


def earlier(one: Ints, other: Ints) -> Ints:
    """The earlier of two times where both are known, else the known one."""
    return np.where((one > 0) & (other > 0), np.minimum(one, other), np.maximum(one, other))


def settled(learned: Learned, index: Index, policy: Policy, charts: Charts, ill: Ints, now_s: int) -> Learned:
    """After a block: what is proved healthy is taken in."""
    newest = Block(now_s - BLOCK_S, learned.k, learned.n)
    suspect_s = suspect_since(charts, index, policy, learned.baseline, now_s)
    blast = _blast(learned.baseline, index, policy, newest)
    wobble = wander.settle(
        learned.wobble,
        policy,
        suspect_s < now_s,
        (charts.flagged_s > 0) | blast,
        now_s,
    )
    base, waiting = learned.baseline, list[Block]()
    for block in (*learned.blocks, newest):
        base, block = _offered(base, policy, block, suspect_s[index.first_leaf :], learned, now_s)
        if block.n.any():
            waiting.append(block)
    zeros = np.zeros_like(learned.k)
    base = normal.settled(base, index, policy, now_s)
    return Learned(base, wobble, tuple(waiting), zeros, zeros, ill)


def suspect_since(charts: Charts, index: Index, policy: Policy, base: Baseline, now_s: int) -> Ints:
    """Start [S] of the oldest chart whose evidence is too much to learn from. A scope that is not known
    itself yet is not suspected of being unlike its kin."""
    known = index.sums(base.own(policy, now_s)) >= policy.prior_failures
    much = (charts.w > policy.suspect_evidence) & known
    starts: Ints = np.where(much, charts.start_s, NEVER_S).min(axis=0)
    return starts


def _blast(base: Baseline, index: Index, policy: Policy, block: Block) -> Bools:
    """Scopes [S] with far more volume in the block than is typical of the hour."""
    typical = base.typical(block.start_s)
    n, usual = index.sums(np.stack((block.n, typical)).astype(np.float64))
    blast: Bools = (usual > 0) & (n > policy.blast * usual)
    return blast


def in_blast(learned: Learned, policy: Policy, n: Floats, bucket_s: int) -> Bools:
    """Leaves [L] with far more outcomes in the 10 min under way, this bucket's `n` included, than typical."""
    typical = learned.baseline.typical(bucket_s)
    share = (bucket_s % BLOCK_S + BUCKET_S) / BLOCK_S
    blast: Bools = (typical > 0) & (learned.n + n > policy.blast * share * typical)
    return blast


def _offered(
    base: Baseline, policy: Policy, block: Block, suspect_s: Ints, learned: Learned, now_s: int
) -> tuple[Baseline, Block]:
    """The baseline with what of a block is old enough and healthy, and the rest of the block."""
    dropped = (learned.ill_s > 0) & (learned.ill_s < block.end_s)
    old = now_s - block.end_s >= policy.quarantine_s
    just_old = old and now_s - block.end_s < policy.quarantine_s + BLOCK_S
    expired = now_s - block.end_s >= policy.quarantine_most_s
    if just_old:
        base = normal.learn_volume(base, policy, block.start_s, block.n, ~dropped)
    take = (block.n > 0) & ~dropped & (expired | (suspect_s >= block.end_s))
    if old and take.any():
        weight = take * _weight(base, policy, learned.wobble, block)
        base = normal.learn(base, policy, block.start_s, block.k, block.n, weight, now_s)
    keep = ~dropped & ~take if old else ~dropped
    if keep.all():
        return base, block  # nearly all that wait, nearly always
    return base, Block(block.start_s, block.k * keep, block.n * keep)


def _weight(base: Baseline, policy: Policy, wobble: Wobble, block: Block) -> Floats:
    """w [L] = 1 / (1 + Q sigma squared): a blast of a million messages is one observation of the rate."""
    pi = base.expected(policy, block.start_s + BLOCK_S // 2)
    leaves = len(block.n)
    sigma2 = wobble.variance(policy)[2, -leaves:]
    weight: Floats = 1 / (1 + block.n * pi * (1 - pi) * sigma2)
    return weight
