"""The one place where the benchmark touches the detector: its own functions, nothing re-implemented.

`Leaves` runs independent series, each a leaf without scopes above it: for many series-weeks.
`Whole` is everything that decides live.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts import decide, detect
from alerts.counts import DELAYS_S, OLD_S, Table
from alerts.decide import Decided, DetectorState
from alerts.policy import Policy
from alerts.scopes import Index, Leaf

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
RULE = "twilio_30003"
REGIONS = 15
OLD = next(i for i, s in enumerate(DELAYS_S) if s > OLD_S)
"""The row of `delays` with receipts that are too old to be evidence."""


class Alone(Index):
    """Leaves that are all the scopes there are; for what is expected of a new one, 15 share a carrier."""

    def grown(self, seen: Iterable[Leaf]) -> Alone:
        if self.leaves:
            return self
        leaves = tuple(seen)
        return Alone(leaves, {leaf: i for i, leaf in enumerate(leaves)})

    @cached_property
    def carrier_of(self) -> Ints:
        return np.arange(len(self.leaves)) // REGIONS

    @cached_property
    def region_of(self) -> Ints:
        return np.arange(len(self.leaves)) % REGIONS

    @property
    def size(self) -> int:
        return max(len(self.leaves), 1)

    @property
    def first_leaf(self) -> int:
        return 0

    def wide(self, values: Floats) -> Floats:
        return values[..., :0]


class Leaves:
    """State of `size` series [S] that have nothing to do with each other; h is that of a fleet of up to
    500 (16.4 nats), however many are run here."""

    def __init__(self, policy: Policy, size: int) -> None:
        self.policy = msgspec.structs.replace(policy, series_allowed=1e12)
        self.leaves = tuple((f"c{i // REGIONS}", f"r{i % REGIONS}") for i in range(size))
        self.state = replace(detect.fresh(RULE, self.policy), index=Alone())

    def step(self, bucket_s: int, n: Ints, k: Ints) -> tuple[Ints, Ints]:
        """One bucket on. The series that alarm now, and which of them were not flagged before."""
        counts = table(self.state.index.leaves or self.leaves, n, k)
        self.state, said = detect.step(self.state, self.policy, bucket_s, counts)
        return said.alarms.scopes, said.alarms.scopes[said.alarms.fresh]

    def expected(self, bucket_s: int) -> Floats:
        """The failure probability [S] that each series is measured against."""
        return self.state.learned.baseline.expected(self.policy, bucket_s)


def table(
    leaves: tuple[Leaf, ...],
    n: Ints,
    k: Ints,
    repeats: Ints | None = None,
    sends: Ints | None = None,
    delays: Ints | None = None,
) -> Table:
    """Counts [L] as `alerts.counts.tables` gives them; `delays` [2, 5, L] as in Table."""
    zeros = np.zeros(len(leaves), dtype=np.int32)
    finals, failed = n.astype(np.int32), k.astype(np.int32)
    again = zeros if repeats is None else repeats.astype(np.int32)
    sent = zeros if sends is None else sends.astype(np.int32)
    if delays is None:
        return Table(leaves, finals - again, failed - again, finals, failed, sent, zeros, zeros)
    late = delays.astype(np.int32)
    old_n, old_k = late[:, OLD].sum(axis=0, dtype=np.int32), late[1, OLD]
    return Table(leaves, finals - again, failed - again, finals, failed, sent, old_n, old_k, late)


class Whole:
    """Everything that decides, over the leaves of one network."""

    def __init__(self, policy: Policy, leaves: Sequence[Leaf], state: DetectorState | None = None) -> None:
        self.policy, self.leaves = policy, tuple(leaves)
        self.state = state or decide.begin(policy, (RULE,))

    def branch(self) -> Whole:
        """A copy that goes on by itself: the state is a value."""
        return Whole(self.policy, self.leaves, self.state)

    def step(self, bucket_s: int, counts: Table) -> Decided:
        """One bucket on."""
        self.state, decided = decide.decide(self.state, self.policy, bucket_s, {RULE: counts})
        return decided
