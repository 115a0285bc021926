"""Counts with their uncertainty, and quantiles of delays in which a miss is infinite."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

SURE = 0.975
"""Two-sided 95 %."""


def poisson_interval(count: int, exposure: float) -> tuple[float, float]:
    """Exact 95 % interval of a rate from `count` events in `exposure` (Garwood 1936)."""
    low = 0.0 if not count else _root(lambda mean: 1 - _cdf(count - 1, mean), 1 - SURE)
    high = _root(lambda mean: 1 - _cdf(count, mean), SURE)
    return low / exposure, high / exposure


def _cdf(count: int, mean: float) -> float:
    """P(X <= count) of a Poisson variable."""
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(count + 1))


def _root(rising: object, level: float) -> float:
    assert callable(rising)
    low, high = 0.0, 10.0
    while rising(high) < level:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < level else (low, middle)
    return high


def quantile(values: Iterable[float], q: float) -> float:
    """Of values that may be inf: one of them, never a mean of two; nan of none."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else math.nan


def median(values: Iterable[float]) -> float:
    return quantile(values, 0.5)


def caught(delays: Iterable[float]) -> float:
    """Share of finite ones; nan of none."""
    all_of_them = np.array(list(delays))
    return float(np.isfinite(all_of_them).mean()) if len(all_of_them) else math.nan


def seconds(s: float) -> str:
    """Three figures at most, in the unit that fits."""
    if not math.isfinite(s):
        return "missed" if s > 0 else "–"
    for limit, unit, name in ((300, 1, "s"), (3 * 3600, 60, "min"), (math.inf, 3600, "h")):
        if s < limit:
            return f"{s / unit:.3g} {name}"
    return "–"
