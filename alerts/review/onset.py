"""When an incident began and when it ended: the likeliest change point of its own series. Pure.

The model is a series of binomial counts with one change: bucket i has k_i failures of n_i, with
probability p0 before the change and p1 from bucket t on. Both are estimated, so what is maximised is

    L(t) = l(K0, N0) + l(K1, N1),    l(K, N) = K ln(K/N) + (N - K) ln(1 - K/N)

over t, where K0, N0 are the sums before t and K1, N1 those from t on (Hinkley & Hinkley, Inference about
the change-point in a sequence of binomial variables, Biometrika 57, 1970). What was learned to be normal
counts as outcomes seen before. The interval holds every t whose L lies less than DROP_NATS under the
greatest (likelihood-based confidence sets: Siegmund, Confidence sets in change-point problems, Int.
Statistical Review 56, 1988). Real counts scatter more than binomial ones; DROP_NATS is stretched by the
dispersion that they show (Pearson's chi-squared a degree of freedom, McCullagh & Nelder, Generalized
Linear Models, 1989, 4.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.records import BUCKET_S

Floats = NDArray[np.float64]

DROP_NATS = 3.0
"""Holds the truth in 95 of 100 simulated incidents and more (tests/alerts/review/test_onset.py)."""
LEAST_NATS = 3.0
"""With less evidence than this no change is worth a name."""


class Normal(NamedTuple):
    """What is known of the healthy ratio: `ratio`, as good as if `events` outcomes had been seen."""

    ratio: float
    events: float


class ChangePoint(NamedTuple):
    """Where a series changes. Epoch seconds; the truth lies in [early_s, late_s] in 95 of 100 cases."""

    at_s: int
    early_s: int
    late_s: int
    before: float
    after: float
    """The ratios on both sides."""
    evidence: float
    """Nats by which one change explains the counts better than none."""

    @property
    def uncertainty_s(self) -> int:
        """The larger of the distances to the bounds."""
        return max(self.at_s - self.early_s, self.late_s - self.at_s)


def onset(start_s: int, n: Sequence[int], k: Sequence[int], normal: Normal) -> ChangePoint | None:
    """The first bucket that left the baseline, None where nothing has risen.

    `n` and `k` are outcomes and failures of consecutive buckets, the first of which begins at `start_s`;
    the last should be the one that was flagged.
    """
    found = _risen(np.asarray(n, np.float64), np.asarray(k, np.float64), normal)
    if found is None:
        return None
    at, early, late, before, after, evidence = found
    # The change lies somewhere within a bucket: the first ill one, or the one before it, hardly touched.
    return ChangePoint(
        start_s + at * BUCKET_S,
        start_s + (early - 1) * BUCKET_S,
        start_s + (late + 1) * BUCKET_S,
        before,
        after,
        evidence,
    )


def recovery(start_s: int, n: Sequence[int], k: Sequence[int], normal: Normal) -> ChangePoint | None:
    """The end of the last ill bucket, None where nothing has fallen. The first bucket should be an ill one;
    `before` is the ill ratio."""
    end_s = start_s + len(n) * BUCKET_S
    back = onset(0, n[::-1], k[::-1], normal)
    if back is None:
        return None
    return ChangePoint(
        end_s - back.at_s, end_s - back.late_s, end_s - back.early_s, back.after, back.before, back.evidence
    )


def _risen(n: Floats, k: Floats, normal: Normal) -> tuple[int, int, int, float, float, float] | None:
    """Bucket of the change, first and last that may be it, ratios before and after, evidence."""
    if not n.sum():
        return None
    k_before = np.concatenate(([0.0], np.cumsum(k)[:-1])) + normal.ratio * normal.events
    n_before = np.concatenate(([0.0], np.cumsum(n)[:-1])) + normal.events
    k_after, n_after = np.cumsum(k[::-1])[::-1], np.cumsum(n[::-1])[::-1]
    p_before, p_after = _ratio(k_before, n_before), _ratio(k_after, n_after)
    risen = p_after > p_before
    if not risen.any():
        return None
    likelihood = np.where(risen, _log(k_before, n_before) + _log(k_after, n_after), -np.inf)
    best = int(likelihood.argmax())
    none = float(_log(np.array([k_before[0] + k_after[0]]), np.array([n_before[0] + n_after[0]]))[0])
    evidence = float(likelihood[best]) - none
    if evidence < LEAST_NATS:
        return None
    before, after = float(p_before[best]), float(p_after[best])
    drop = DROP_NATS * _dispersion(n, k, best, before, after)
    able = np.flatnonzero(likelihood >= likelihood[best] - drop)
    return best, int(able[0]), int(able[-1]), before, after, evidence


def _dispersion(n: Floats, k: Floats, best: int, before: float, after: float) -> float:
    """Pearson's chi-squared a degree of freedom; at least 1."""
    p = np.where(np.arange(len(n)) < best, before, after)
    variance = np.maximum(n * p * (1 - p), 1e-9)
    seen = n > 0
    chi2 = float(((k - n * p)[seen] ** 2 / variance[seen]).sum())
    return max(1.0, chi2 / max(int(seen.sum()) - 2, 1))


def _ratio(k: Floats, n: Floats) -> Floats:
    ratio: Floats = k / np.maximum(n, 1e-9)
    return ratio


def _log(k: Floats, n: Floats) -> Floats:
    """l(K, N), greatest over the probability."""
    p = np.clip(_ratio(k, n), 1e-12, 1 - 1e-12)
    likelihood: Floats = k * np.log(p) + (n - k) * np.log(1 - p)
    return likelihood
