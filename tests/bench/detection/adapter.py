"""The one place where the benchmark touches the detector: its own functions, nothing re-implemented.

`Leaves` runs independent series, each as a leaf of its own, without scopes: for many series-weeks.
`Whole` is everything that decides live.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts import decide
from alerts.baseline import Baseline
from alerts.charts import Charts
from alerts.decide import Decided, DetectorState
from alerts.detect import Count, Leaf
from alerts.policy import Policy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RULE = "twilio_30003"


class Leaves:
    """Charts and baselines [S] of series that have nothing to do with each other."""

    def __init__(self, policy: Policy, size: int) -> None:
        self.policy = policy
        self.charts = Charts.empty(len(policy.thetas), size)
        self.baseline = Baseline().grown(size, policy.prior)
        self.pi = np.full(size, policy.prior)

    def step(self, bucket_s: int, n: Ints, k: Ints) -> tuple[Ints, Ints]:
        """One bucket on. The series that alarm now, and those of them that were not flagged before."""
        self.pi = self.baseline.expected(bucket_s)
        k_, n_ = k.astype(float), n.astype(float)
        llr = bank.likelihoods(self.policy, k_, n_, self.pi)
        charts = bank.advance(self.charts, llr, k_, n_, n_ * self.pi, bucket_s)
        hits = bank.alarms(charts, self.policy)
        self.charts = bank.latch(charts, self.policy, llr, hits, bucket_s)
        return hits.scopes, hits.scopes[hits.fresh]


class Whole:
    """Everything that decides, over the leaves of one network."""

    def __init__(self, policy: Policy, leaves: Sequence[Leaf], state: DetectorState | None = None) -> None:
        self.policy, self.leaves = policy, tuple(leaves)
        self.state = state or decide.begin(policy, (RULE,))

    def branch(self) -> Whole:
        """A copy that goes on by itself: the state is a value."""
        return Whole(self.policy, self.leaves, self.state)

    def step(
        self,
        bucket_s: int,
        n: Ints,
        k: Ints,
        repeats: Ints | None = None,
        sends: Ints | None = None,
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

    def expected(self) -> Floats:
        """The failure probability that each leaf is measured against."""
        return self.state.rules[0].baseline.expected(self.state.bucket_s)
