"""The one place where the benchmark touches the detector: its own functions, nothing re-implemented.

`Leaves` runs independent series, each a leaf without scopes above it: for many series-weeks.
`Whole` is everything that decides live.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts import decide, detect
from alerts.charts import Charts
from alerts.counts import Table
from alerts.decide import Decided, DetectorState
from alerts.detect import RuleState
from alerts.learn import Learned
from alerts.policy import Policy
from alerts.scopes import Index, Leaf
from alerts.wobble import Wobble

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
RULE = "twilio_30003"
REGIONS = 15


class Alone(Index):
    """Leaves that are all the scopes there are; for what is expected of a new one, 15 share a carrier."""

    @classmethod
    def of(cls, size: int) -> Alone:
        leaves = tuple((f"c{i // REGIONS}", f"r{i % REGIONS}") for i in range(size))
        return cls(leaves, {leaf: i for i, leaf in enumerate(leaves)})

    @cached_property
    def carrier_of(self) -> Ints:
        return np.arange(len(self.leaves)) // REGIONS

    @cached_property
    def region_of(self) -> Ints:
        return np.arange(len(self.leaves)) % REGIONS

    @property
    def size(self) -> int:
        return len(self.leaves)

    def grown(self, seen: object) -> Alone:
        return self

    def numbers(self, leaves: object) -> Int32s:
        return np.arange(len(self.leaves), dtype=np.int32)

    def sums(self, values: Floats) -> Floats:
        return values

    def least(self, values: Ints) -> Ints:
        return values


class Leaves:
    """State of series [S] that have nothing to do with each other, from `first_s` on; h is that of a
    fleet of up to 500 (16 nats), however many are run here."""

    def __init__(self, policy: Policy, size: int, first_s: int) -> None:
        self.policy = msgspec.structs.replace(policy, series_allowed=1e12)
        index, empty = Alone.of(size), Learned.empty()
        none, ill_s = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.int64)
        base = empty.baseline.grown(index, policy, first_s)
        learned = Learned(base, Wobble.empty(size), (), none, none, ill_s)
        self.state = RuleState(RULE, Charts.empty(len(policy.thetas), size), index, learned)

    def step(self, bucket_s: int, n: Ints, k: Ints) -> tuple[Ints, Ints]:
        """One bucket on. The series that alarm now, and which of them were not flagged before."""
        counts = table(self.state.index.leaves, n, k)
        self.state, said = detect.step(self.state, self.policy, bucket_s, counts)
        return said.alarms.scopes, said.alarms.scopes[said.alarms.fresh]

    def expected(self, bucket_s: int) -> Floats:
        """The failure probability [S] that each series is measured against."""
        return self.state.learned.baseline.expected(self.policy, bucket_s)


def table(
    leaves: tuple[Leaf, ...], n: Ints, k: Ints, repeats: Ints | None = None, sends: Ints | None = None
) -> Table:
    """Counts [L] as `alerts.counts.tables` gives them."""
    zeros = np.zeros(len(leaves), dtype=np.int32)
    finals, failed = n.astype(np.int32), k.astype(np.int32)
    again = zeros if repeats is None else repeats.astype(np.int32)
    sent = zeros if sends is None else sends.astype(np.int32)
    return Table(leaves, finals - again, failed - again, finals, failed, sent, zeros, zeros)


class Whole:
    """Everything that decides, over the leaves of one network."""

    def __init__(self, policy: Policy, leaves: Sequence[Leaf], state: DetectorState | None = None) -> None:
        self.policy, self.leaves = policy, tuple(leaves)
        self.state = state or decide.begin(policy, (RULE,))

    def branch(self) -> Whole:
        """A copy that goes on by itself: the state is a value."""
        return Whole(self.policy, self.leaves, self.state)

    def step(
        self, bucket_s: int, n: Ints, k: Ints, repeats: Ints | None = None, sends: Ints | None = None
    ) -> Decided:
        """One bucket on: outcomes, failures, how many of these are of recipients already counted."""
        counts = table(self.leaves, n, k, repeats, sends)
        self.state, decided = decide.decide(self.state, self.policy, bucket_s, {RULE: counts})
        return decided
