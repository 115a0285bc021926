"""How fast anything could be: the limit ln(ARL)/KL, and the CUSUM that knows everything.

The oracle knows the true probability with all wobble, and the true one after the change. Its threshold
is calibrated to the same rate of false alarms on the weeks before the incidents.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.bench.detection.series import BUCKET_S, WEEK_S

Floats = NDArray[np.float64]
PER_WEEK = WEEK_S // BUCKET_S
LN_A = float(np.log(1000 * PER_WEEK))
"""ln of the mean number of buckets between false alarms, at one in 1,000 series-weeks: 17.9 nats."""
ALLOWED_PER_WEEK = 1e-3
LOW = 6.0
"""Excursions above so many nats are counted; above, their number falls by e a nat."""


def expit(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def logit(p: Floats | float) -> Floats:
    p = np.asarray(p, float)
    return np.log(p / (1 - p))


def divergence(normal: Floats, wrong: Floats) -> Floats:
    """KL(p1 || p0) in nats an outcome, from log-odds."""
    p0, p1 = expit(normal), expit(wrong)
    return p1 * np.log(p1 / p0) + (1 - p1) * np.log((1 - p1) / (1 - p0))


def ratio_llr(n: Floats, k: Floats, normal: Floats, wrong: Floats) -> Floats:
    """Log-likelihood ratio of the counts, wrong against normal."""
    p0, p1 = expit(normal), expit(wrong)
    return k * np.log(p1 / p0) + (n - k) * np.log((1 - p1) / (1 - p0))


class Excursions:
    """Counts how often a CUSUM [S] of normal traffic rises above LOW between two visits to zero."""

    def __init__(self, size: int) -> None:
        self.w, self.above = np.zeros(size), np.zeros(size, dtype=bool)
        self.count, self.buckets = np.zeros(size), 0

    def add(self, llr: Floats) -> None:
        """A block [T, S] of log-likelihood ratios."""
        for row in llr:
            self.w = np.maximum(0.0, self.w + row)
            risen = (self.w >= LOW) & ~self.above
            self.count += risen
            self.above = (self.above | risen) & (self.w > 0)
        self.buckets += len(llr)

    def threshold(self, of: NDArray[np.bool_]) -> float:
        """Nats at which the series `of` would alarm falsely once in 1,000 weeks."""
        weeks = self.buckets / PER_WEEK * of.sum()
        rate = max(self.count[of].sum(), 0.5) / weeks
        return float(LOW + np.log(rate / ALLOWED_PER_WEEK))
