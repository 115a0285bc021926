"""How far an incident pulls the baseline: 2 to 3 h after one of 12 h at 12 %, against series without.

Twins share everything but the incident and the dice of the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.policy import Policy
from tests.bench.detection.adapter import Leaves
from tests.bench.detection.limit import logit
from tests.bench.detection.quiet import VOLUMES
from tests.bench.detection.series import BLOCK, BUCKET_S, WEEK_S, Habits, Series

Floats = NDArray[np.float64]
HOUR_S = 3600
SIZE = 0.12
HABITS = Habits(base=(0.005, 0.02))


@dataclass(frozen=True)
class Twins:
    seed: int
    a_volume: int
    warm_weeks: float
    length_s: int = 12 * HOUR_S
    volumes: tuple[float, ...] = VOLUMES
    policy: Policy = field(default_factory=Policy)


def run(job: Twins, tell: Callable[[float], None] = lambda _: None) -> dict[float, float]:
    """Mean difference of the expected log-odds by volume."""
    ill = _expected(job, SIZE, lambda x: tell(x / 2))
    well = _expected(job, None, lambda x: tell(0.5 + x / 2))
    by_volume = (ill - well).reshape(len(job.volumes), -1).mean(axis=1)
    return dict(zip(job.volumes, by_volume.tolist(), strict=True))


def _expected(job: Twins, size: float | None, tell: Callable[[float], None]) -> Floats:
    """Expected log-odds [S], averaged over the third hour after the incident's end."""
    series = Series(np.random.default_rng(job.seed), np.repeat(job.volumes, job.a_volume), HABITS)
    leaves = Leaves(job.policy, len(series.rates))
    begin_s = series.at_s
    onset_s = begin_s + int(job.warm_weeks * WEEK_S)
    end_s = onset_s + job.length_s
    found: list[Floats] = []
    while series.at_s < end_s + 3 * HOUR_S:
        shift = None
        if size is not None and onset_s <= series.at_s < end_s:
            shift = np.tile(np.maximum(logit(size) - series.quiet_logit(), 0), (BLOCK, 1))
        block = series.block(shift)
        for bucket_s, n, k in zip(block.bucket_s.tolist(), block.n, block.k, strict=True):
            leaves.step(bucket_s, n, k)
        if series.at_s > end_s + 2 * HOUR_S:
            found.append(logit(leaves.expected(series.at_s - BUCKET_S)))
        tell((series.at_s - begin_s) / (end_s + 3 * HOUR_S - begin_s))
    return np.mean(found, axis=0)
