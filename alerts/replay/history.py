"""History as whole blocks of 10 min: what the live path would learn of it, in a hundredth of its time.

block -> step (judged as one bucket: who is out of line, and since when)
      -> learn (the rules of the live path: old enough, healthy; slots within the block teach the wobble)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import detect, wobble
from alerts.baseline import BLOCK_S
from alerts.charts import Charts
from alerts.detect import RuleState
from alerts.learn import NEVER_S, earlier, settled, suspect_since
from alerts.policy import Policy
from alerts.receipts import Due
from alerts.receipts import learn as learn_receipts
from alerts.replay.blocks import Block, Blocks, Slots
from alerts.replay.folded import Bucket
from alerts.replay.run import Replay
from alerts.scopes import Index
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class History(Replay):
    """Learns by blocks; opens no incident. `ill` are outcomes by rule that were out of line: not learned."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._blocks = Blocks(self.reader, self._book)
        self.ill = dict.fromkeys(self.looked, 0)

    def take(self, bucket: Bucket) -> None:
        """One bucket on. What is left of a block when history ends is not learned."""
        self._begin(bucket.start_s, bucket.length_s)
        for block in self._blocks.add(bucket):
            self._count({rule: slots.table() for rule, slots in block.rules.items()})
            taught = [_taught(rule, self.policy, block, self.length_s) for rule in self._state.rules]
            for one in taught:
                self.ill[one.rule.rule] += one.ill
            last_s = block.start_s + BLOCK_S - BUCKET_S
            self._state = replace(self._state, bucket_s=last_s, rules=tuple(one.rule for one in taught))


class _Taught(NamedTuple):
    """A rule after a block, and the outcomes in it that were out of line."""

    rule: RuleState
    ill: int


def _taught(rule: RuleState, policy: Policy, block: Block, finest_s: int) -> _Taught:
    """Judges the block in its last bucket, and learns what is healthy of it."""
    slots, last_s, before = block.rules[rule.rule], block.start_s + BLOCK_S - BUCKET_S, rule
    rule, said = detect.step(rule, policy, last_s, slots.table(), whole=False)
    rule = _accepted(_begun(_freed(rule, before), block.start_s), policy, said.pi, last_s)
    where = rule.index.numbers(slots.leaves).astype(np.int64)
    ill = _ill(rule.index, policy, rule.charts)
    rule = _over(rule, policy, ill)
    rule = _learned(rule, policy, block.start_s, slots, where, ill, finest_s)
    rule = _with_receipts(rule, policy, slots, where, ill, last_s)
    return _Taught(rule, int(slots.finals[ill[where] > 0].sum()))


def _begun(rule: RuleState, start_s: int) -> RuleState:
    """Charts and leaves that began in the block's last bucket, where it was judged, began with the block."""
    judged_s, base = start_s + BLOCK_S - BUCKET_S, rule.learned.baseline
    chart_s, born_s = (
        np.where(at_s == judged_s, start_s, at_s) for at_s in (rule.charts.start_s, base.born_s)
    )
    learned = replace(rule.learned, baseline=replace(base, born_s=born_s))
    return replace(rule, charts=replace(rule.charts, start_s=chart_s), learned=learned)


def _freed(rule: RuleState, before: RuleState) -> RuleState:
    """What has ended for a carrier or a region has ended for its leaves, as an incident ends live."""
    if rule.index is not before.index:
        return rule
    index, freed = rule.index, (before.charts.flagged_s > 0) & (rule.charts.flagged_s == 0)
    of_leaf = freed[1 + index.carrier_of] | freed[1 + len(index.carriers) + index.region_of]
    scopes = np.concatenate((np.zeros(index.first_leaf, dtype=bool), of_leaf))
    return replace(rule, charts=rule.charts.reset(scopes)) if of_leaf.any() else rule


def _accepted(rule: RuleState, policy: Policy, pi: Floats, now_s: int) -> RuleState:
    """A leaf that has been out of line for a week is the new normal, as live."""
    first = rule.index.first_leaf
    flagged_s = rule.charts.flagged_s[first:]
    for leaf in np.flatnonzero((flagged_s > 0) & (now_s - flagged_s >= policy.accepted_s)).tolist():
        scope = rule.index.scope(first + leaf)
        rule = detect.forget(detect.accept(rule, policy, pi, scope, now_s), scope)
    return rule


def _ill(index: Index, policy: Policy, charts: Charts) -> Ints:
    """[L] since when a leaf is out of line by itself, or suspect in a wide scope that is; else 0."""
    first, leaf = index.first_leaf, np.arange(len(index.leaves))
    flagged_s, best = charts.flagged_s, charts.w.argmax(axis=0)
    # What begins late in a block may be convincing in the next one only: that block is ill too.
    since_s = np.minimum(flagged_s, charts.start_s[best, np.arange(index.size)]) - BLOCK_S
    ill = np.where(flagged_s > 0, since_s, 0)[first:]
    for wide in (np.zeros_like(leaf), 1 + index.carrier_of, 1 + len(index.carriers) + index.region_of):
        suspect = charts.w[best[wide], first + leaf] > policy.suspect_evidence
        ill = earlier(ill, np.where((flagged_s[wide] > 0) & suspect, since_s[wide], 0))
    return ill


def _over(rule: RuleState, policy: Policy, ill: Ints) -> RuleState:
    """Without what leaves that were ill until now have left in the scopes around them: evidence that is
    no evidence of the next, and residuals that are no wobble."""
    ended = (rule.learned.ill_s > 0) & (ill == 0)
    if not ended.any():
        return rule
    around = rule.index.touching(ended) & (rule.charts.flagged_s == 0)
    base = rule.learned.baseline
    suspect = around & (suspect_since(rule.charts, rule.index, policy, base, base.taken_s.item()) < NEVER_S)
    without = wobble.without_held(rule.learned.wobble, suspect)
    return replace(rule, charts=rule.charts.reset(around), learned=replace(rule.learned, wobble=without))


def _learned(
    rule: RuleState, policy: Policy, start_s: int, slots: Slots, where: Ints, ill: Ints, finest_s: int
) -> RuleState:
    """With the block taken in as the live path takes in one that has just ended."""
    index, learned, middle_s = rule.index, rule.learned, start_s + BLOCK_S // 2
    n, k = np.zeros((2, len(slots.n), len(index.leaves)))
    n[:, where], k[:, where] = slots.n, slots.k
    pi = learned.baseline.expected(policy, middle_s)
    error, q = index.sums(np.stack((k - n * pi, n * pi * (1 - pi))))
    known = index.sums(learned.baseline.known(policy, middle_s)) >= policy.prior_failures
    learned = replace(
        learned,
        wobble=wobble.watch_block(learned.wobble, policy, error, q, known, start_s, finest_s),
        n=n.sum(axis=0).astype(np.float32),
        k=k.sum(axis=0).astype(np.float32),
        ill_s=earlier(learned.ill_s, ill),
    )
    after = settled(learned, index, policy, rule.charts, ill, start_s + BLOCK_S)
    return replace(rule, learned=after)


def _with_receipts(
    rule: RuleState, policy: Policy, slots: Slots, where: Ints, ill: Ints, last_s: int
) -> RuleState:
    """With the share of sends that come back: over 10 min about as many are due as are sent."""
    sends = np.zeros(len(ill))
    sends[where] = slots.sends
    none = np.zeros_like(sends)
    due = Due(sends, none, sends > 0, none, none, none)
    after = learn_receipts(rule.receipts, policy, due, slots.table(), where, ill > 0, last_s)
    return replace(rule, receipts=after)
