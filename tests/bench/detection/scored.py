"""Rivals over a grid of thresholds: false alarms of each, and the first minute of each incident."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tests.bench.detection.limit import ALLOWED_PER_WEEK
from tests.bench.detection.rivals import DEFAULTS, RATIOS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MERGE_MIN = 60
"""Alarms less than an hour apart are one episode."""
FACTORS = np.concatenate(([1.0], np.geomspace(1.15, 60.0, 29)))
"""Thresholds that are tried, as multiples of the default."""


def thresholds(rival: str) -> Floats:
    """Rising, the default first."""
    grid = DEFAULTS[rival] * FACTORS
    return np.minimum(grid, 0.999) if rival in RATIOS else grid


class Scored:
    """Episodes [rivals, G, S] outside of incidents, and first alarm minutes [rivals, G, S] within them."""

    def __init__(self, size: int) -> None:
        shape = (len(DEFAULTS), len(FACTORS), size)
        self.grid = np.stack([thresholds(rival) for rival in DEFAULTS])
        self.last = np.full(shape, -MERGE_MIN - 1, dtype=np.int32)
        self.episodes = np.zeros(shape, dtype=np.int32)
        self.first = np.full(shape, -1, dtype=np.int32)

    def add(self, scores: Mapping[str, Floats], minute: int, quiet: NDArray[np.bool_]) -> None:
        """One minute; `quiet` [S] says which series have no incident now, nor lately."""
        for i, rival in enumerate(DEFAULTS):
            score = scores[rival]
            at = np.flatnonzero(score > self.grid[i, 0])
            if not len(at):
                continue
            above = score[at] > self.grid[i][:, None]
            last = self.last[i][:, at]
            self.episodes[i][:, at] += above & (minute - last > MERGE_MIN) & quiet[at]
            self.last[i][:, at] = np.where(above, minute, last)
            first = self.first[i][:, at]
            self.first[i][:, at] = np.where(above & (first < 0) & ~quiet[at], minute, first)

    def begin(self, series: Ints) -> None:
        """An incident begins in these series: their first alarm is sought anew."""
        self.first[:, :, series] = -1


def best(episodes: Floats, weeks: float) -> int | None:
    """The least threshold (its place in the grid) with at most one false alarm in 1,000 series-weeks, from
    episodes [G] in so many weeks; None where none does."""
    good = np.flatnonzero(episodes <= max(ALLOWED_PER_WEEK * weeks, 0))
    return int(good[0]) if len(good) else None
