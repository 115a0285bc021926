"""The one place where the benchmark touches the detector: its own functions, nothing re-implemented.

`Leaves` runs independent series, each a leaf without scopes above it: for many series-weeks.
`Whole` is everything that decides live.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts import decide
from alerts.charts import Charts, Norms
from alerts.decide import Decided, DetectorState
from alerts.detect import Count, Leaf, _ill
from alerts.learn import Learned, Seen, learn
from alerts.policy import Policy
from alerts.scopes import Index

Floats = NDArray[np.float64]
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

    def sums(self, values: Floats) -> Floats:
        return values

    def least(self, values: Ints) -> Ints:
        return values


class Leaves:
    """State of series [S] that have nothing to do with each other, from `first_s` on."""

    def __init__(self, policy: Policy, size: int, first_s: int) -> None:
        self.policy, self.index = policy, Alone.of(size)
        self.charts = Charts.empty(len(policy.thetas), size)
        empty = Learned.empty()
        base = empty.baseline.grown(self.index, policy, first_s)
        none = np.zeros(size, dtype=np.float32)
        ill_s = np.zeros(size, dtype=np.int64)
        self.learned = Learned(base, type(empty.wobble).empty(size), (), none, none, ill_s)
        self.threshold = np.full(size, policy.evidence(1))

    def step(self, bucket_s: int, n: Ints, k: Ints) -> tuple[Ints, Ints]:
        """One bucket on, as `detect.step` goes. The series that alarm now, and which of them were not
        flagged before."""
        policy, base = self.policy, self.learned.baseline
        k_, n_ = k.astype(float), n.astype(float)
        pi = base.expected(policy, bucket_s)
        m, known = n_ * pi, base.known(policy, bucket_s)
        llr = bank.likelihoods(policy, k_, n_, pi)
        charts = bank.advance(self.charts, llr, k_, n_, m, bucket_s)
        norms = Norms(
            self.index, self.threshold, self.learned.wobble.variance(policy), known, base.typical(bucket_s)
        )
        hits = bank.alarms(charts, policy, norms, bucket_s)
        self.charts = bank.latch(charts, policy, llr, hits, bucket_s)
        seen = Seen(bucket_s, k_, n_, k_ - m, m * (1 - pi), known)
        ill = _ill(self.index, self.charts, hits, (), bucket_s)
        self.learned = learn(self.learned, self.index, policy, self.charts, seen, ill)
        return hits.scopes, hits.scopes[hits.fresh]

    def expected(self, bucket_s: int) -> Floats:
        """The failure probability [S] that each series is measured against."""
        return self.learned.baseline.expected(self.policy, bucket_s)


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
        counts = self.counts(n, k, repeats, sends)
        self.state, decided = decide.decide(self.state, self.policy, bucket_s, {RULE: counts})
        return decided

    def counts(
        self, n: Ints, k: Ints, repeats: Ints | None = None, sends: Ints | None = None
    ) -> dict[Leaf, Count]:
        """As `detect.leaves` gives them. This detector does not look at `sends`."""
        again = np.zeros_like(k) if repeats is None else repeats
        seen = np.flatnonzero(n).tolist()
        columns = (n - again, k - again, n, k)
        rows = zip(*(column[seen].tolist() for column in columns), strict=True)
        return {self.leaves[i]: Count(*row) for i, row in zip(seen, rows, strict=True)}
