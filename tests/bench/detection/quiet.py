"""Series-weeks in which nothing is wrong: every alarm is a false one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from alerts.policy import Policy
from tests.bench.detection.adapter import Leaves
from tests.bench.detection.rivals import Rivals
from tests.bench.detection.scored import Scored
from tests.bench.detection.series import BLOCK, BUCKET_S, WEEK_S, Block, Habits, Series

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
VOLUMES = (0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
MERGE_S = 3600
"""Alarms less than an hour apart are one episode."""
NORMAL = Habits()
NOTHING = -(10**9)


@dataclass(frozen=True)
class Quiet:
    """One run: series a volume, weeks to learn, weeks that count."""

    seed: int
    a_volume: int
    warm_weeks: float
    weeks: float
    habits: Habits = NORMAL
    volumes: tuple[float, ...] = VOLUMES
    rivals: int = 0
    """So many of each volume's series are looked at by the rivals too."""
    policy: Policy = field(default_factory=Policy)
    shapes: tuple[tuple[float, ...], ...] = ()
    """Volumes by five minutes, relative to their mean, that series take in turn instead of habits'."""

    @property
    def size(self) -> int:
        return self.a_volume * len(self.volumes)

    @property
    def series_weeks(self) -> float:
        return self.size * self.weeks


@dataclass
class QuietResult:
    """False alarms by volume, in `weeks` series-weeks each."""

    volumes: tuple[float, ...]
    weeks: float
    alarms: list[int]
    rivals: NDArray[np.int32] | None
    """Episodes [rivals, G, volumes]."""
    rival_weeks: float
    seconds: float


class Episodes:
    """False alarms [S], those within an hour of the last one merged."""

    def __init__(self, size: int) -> None:
        self.last_s = np.full(size, NOTHING)
        self.count = np.zeros(size, dtype=np.int64)

    def add(self, series: Ints, bucket_s: int, counts: bool) -> None:
        if len(series):
            self.count[series] += counts * (bucket_s - self.last_s[series] > MERGE_S)
            self.last_s[series] = bucket_s


def run(job: Quiet, tell: Callable[[float], None] = lambda _: None) -> QuietResult:
    """Learns for `warm_weeks`, then counts. `tell` hears how far it is, 0 to 1."""
    began = perf_counter()
    series = Series(np.random.default_rng(job.seed), np.repeat(job.volumes, job.a_volume), job.habits)
    leaves, found = Leaves(job.policy, job.size), Episodes(job.size)
    watched = np.concatenate([v * job.a_volume + np.arange(job.rivals) for v in range(len(job.volumes))])
    watched = watched.astype(int)
    rivals, scored = Rivals(len(watched)), Scored(len(watched))
    calm = np.ones(len(watched), dtype=bool)
    start_s, warm_s = series.at_s, series.at_s + job.warm_weeks * WEEK_S
    end_s = warm_s + job.weeks * WEEK_S
    while series.at_s < end_s:
        block = series.block(busier=_shaped(job, series.at_s - start_s))
        counts = series.at_s > warm_s
        for bucket_s, n, k in zip(block.bucket_s.tolist(), block.n, block.k, strict=True):
            alarming, _ = leaves.step(bucket_s, n, k)
            found.add(alarming, bucket_s, counts)
        if job.rivals:
            _by_minute(block, watched, rivals, scored, calm, counts)
        tell((series.at_s - start_s) / (end_s - start_s))
    by_volume = found.count.reshape(len(job.volumes), -1).sum(axis=1)
    shape = (*scored.episodes.shape[:2], len(job.volumes), -1)
    return QuietResult(
        volumes=job.volumes,
        weeks=job.a_volume * job.weeks,
        alarms=by_volume.tolist(),
        rivals=scored.episodes.reshape(shape).sum(axis=3) if job.rivals else None,
        rival_weeks=job.rivals * job.weeks,
        seconds=perf_counter() - began,
    )


def minutes(block: Block, of: Ints) -> tuple[Floats, Floats]:
    """Outcomes and failures [10, S'] by minute of the series `of`."""
    each = 60 // BUCKET_S
    n, k = (a[:, of].reshape(BLOCK // each, each, -1).sum(axis=1).astype(float) for a in (block.n, block.k))
    return n, k


def _by_minute(
    block: Block, watched: Ints, rivals: Rivals, scored: Scored, calm: NDArray[np.bool_], counts: bool
) -> None:
    for n, k in zip(*minutes(block, watched), strict=True):
        scores = rivals.step(n, k)
        if counts:
            scored.add(scores, rivals.minute, calm)


def _shaped(job: Quiet, elapsed_s: float) -> Floats | None:
    """Factors [T, S] of the volume by the given shapes; each series starts at another place of its own."""
    if not job.shapes:
        return None
    at = int(elapsed_s // 300) + 311 * np.arange(job.size)
    two = np.empty((2, job.size))
    for s in range(job.size):
        shape = job.shapes[s % len(job.shapes)]
        two[0, s], two[1, s] = shape[at[s] % len(shape)], shape[(at[s] + 1) % len(shape)]
    return np.repeat(two, BLOCK // 2, axis=0)
