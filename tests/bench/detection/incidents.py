"""Incidents by volume, size and shape: how late the detector is, beside the limit, the oracle and the rivals.

    |-- learning --|== incident ==|--- 1.5 to 2.5 days from onset to onset ---|== incident ==|--

Learning goes on through all of them, so a baseline that learns its incident misses the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from alerts.policy import Policy
from tests.bench.detection.adapter import Leaves
from tests.bench.detection.limit import LN_A, Excursions, divergence, logit, ratio_llr
from tests.bench.detection.quiet import VOLUMES, minutes
from tests.bench.detection.rivals import Rivals
from tests.bench.detection.scored import Scored
from tests.bench.detection.series import BLOCK, BUCKET_S, DAY_S, WEEK_S, Block, Habits, Series

Floats = NDArray[np.float64]
SIZES = (0.06, 0.12, 0.40)
SHAPES = ("step", "linear", "sigmoid", "exponential")
LENGTHS_S = {0.01: DAY_S, 0.1: 4 * 3600}
"""How long an incident lasts by volume; one hour at 1/s and more."""
HABITS = Habits(base=(0.005, 0.02))
NEVER = -1
LEAST_DELTA = 0.4
"""Where a series is nearly as bad anyway, an incident still adds so much to its log-odds."""


@dataclass(frozen=True)
class Ill:
    """One run of many incidents; onsets come as a step in `steps` of them, else slowly."""

    seed: int
    a_volume: int
    warm_weeks: float
    weeks: float
    volumes: tuple[float, ...] = VOLUMES
    steps: float = 0.8
    rivals: bool = True
    policy: Policy = field(default_factory=Policy)
    habits: Habits = HABITS


@dataclass(frozen=True)
class Case:
    """What became of one incident; delays are seconds from its onset to the end of the bucket, or inf."""

    volume: float
    size: float
    shape: str
    odds: float
    length_s: int
    limit_s: float
    oracle_s: float
    delay_s: float
    alarms: int
    rivals: NDArray[np.float64] | None
    """Delays [rivals, G]."""


class Plan:
    """The incident of each series that runs or comes next."""

    def __init__(self, job: Ill, rng: np.random.Generator, start_s: int) -> None:
        self.rng, self.steps = rng, job.steps
        self.volume = np.repeat(job.volumes, job.a_volume)
        size = len(self.volume)
        self.length_s = np.array([LENGTHS_S.get(v, 3600) for v in self.volume])
        self.onset_s = start_s + self._gap(size) - DAY_S
        self.size, self.delta, self.shape = np.zeros(size), np.zeros(size), np.zeros(size, dtype=int)
        self.limit_s, self.oracle_s, self.found_s = np.full((3, size), NEVER)
        self.divergence, self.w = np.zeros((2, size))
        self.alarms = np.zeros(size, dtype=int)
        self._draw(np.arange(size))

    def _gap(self, size: int) -> NDArray[np.int64]:
        return (self.rng.uniform(1.5, 2.5, size) * DAY_S).astype(int) // BUCKET_S * BUCKET_S

    def _draw(self, at: NDArray[np.int64]) -> None:
        self.size[at] = self.rng.choice(SIZES, len(at))
        slow = self.rng.integers(1, len(SHAPES), len(at))
        self.shape[at] = np.where(self.rng.random(len(at)) < self.steps, 0, slow)

    def begin(self, until_s: int, now: Floats, rivals: Scored | None) -> None:
        """Fixes the size, in log-odds over what is normal `now`, of what begins before `until_s`."""
        at = np.flatnonzero((self.onset_s < until_s) & (self.delta == 0))
        self.delta[at] = np.maximum(logit(self.size[at]) - now[at], LEAST_DELTA)
        if rivals is not None and len(at):
            rivals.begin(at)

    def over(self, by_s: int) -> NDArray[np.int64]:
        return np.flatnonzero((self.onset_s + self.length_s <= by_s) & (self.delta > 0))

    def next(self, at: NDArray[np.int64]) -> None:
        self.onset_s[at] += self._gap(len(at))
        self.limit_s[at] = self.oracle_s[at] = self.found_s[at] = NEVER
        self.delta[at] = self.divergence[at] = self.w[at] = self.alarms[at] = 0
        self._draw(at)

    def ill(self, bucket_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which series [T, S] are ill in which buckets."""
        t = bucket_s[:, None]
        return (t >= self.onset_s) & (t < self.onset_s + self.length_s) & (self.delta > 0)

    def shift(self, bucket_s: NDArray[np.int64]) -> Floats:
        """What is added to the log-odds [T, S]."""
        progress = (bucket_s[:, None] + BUCKET_S - self.onset_s) / (self.length_s / 6)
        done = np.clip(progress, 0, 1)
        by_shape = (
            np.ones_like(done),
            done,
            1 / (1 + np.exp(-10 * (done - 0.5))),
            np.expm1(3 * done) / np.expm1(3),
        )
        return self.ill(bucket_s) * self.delta * np.choose(self.shape, by_shape)


def run(job: Ill, tell: Callable[[float], None] = lambda _: None) -> tuple[list[Case], float]:
    """All incidents that ended, and the seconds that it took."""
    began, rng = perf_counter(), np.random.default_rng((job.seed, 1))
    series = Series(np.random.default_rng(job.seed), np.repeat(job.volumes, job.a_volume), job.habits)
    size = len(series.rates)
    leaves, all_of_them = Leaves(job.policy, size), np.arange(size)
    rivals, scored = (Rivals(size), Scored(size)) if job.rivals else (None, None)
    oracle = {p1: Excursions(size) for p1 in SIZES}
    start_s, block_s = series.at_s, BLOCK * BUCKET_S
    warm_s = start_s + round(job.warm_weeks * WEEK_S / block_s) * block_s
    end_s = warm_s + int(job.weeks * WEEK_S)
    plan, cases = Plan(job, rng, warm_s), []
    levels: Floats = np.zeros(size)
    while series.at_s < end_s:
        at_s = series.at_s
        if at_s == warm_s:
            levels = _calibrated(oracle, plan)
        plan.begin(at_s + block_s, series.quiet_logit(), scored)
        times = at_s + BUCKET_S * np.arange(BLOCK)
        ill = plan.ill(times)
        block = series.block(plan.shift(times) if ill.any() else None)
        if at_s < warm_s:
            _calibrate(oracle, block)
        _known(plan, block, ill, _level_of(levels, plan))
        _detected(leaves, block, plan, ill)
        if rivals is not None and scored is not None:
            for i, (n, k) in enumerate(zip(*minutes(block, all_of_them), strict=True)):
                scored.add(rivals.step(n, k), (at_s - start_s) // 60 + i + 1, ~ill[6 * i])
        over = plan.over(at_s + block_s)
        cases += [_case(plan, s, scored, start_s) for s in over.tolist()]
        plan.next(over)
        tell((series.at_s - start_s) / (end_s - start_s))
    return cases, perf_counter() - began


def _calibrate(oracle: dict[float, Excursions], block: Block) -> None:
    for p1, excursions in oracle.items():
        excursions.add(ratio_llr(block.n, block.k, block.normal, np.full_like(block.normal, logit(p1))))


def _calibrated(oracle: dict[float, Excursions], plan: Plan) -> Floats:
    """Threshold of the oracle [sizes, S]: one a volume and size."""
    levels = np.zeros((len(SIZES), len(plan.volume)))
    for i, excursions in enumerate(oracle.values()):
        for volume in np.unique(plan.volume):
            of = plan.volume == volume
            levels[i, of] = excursions.threshold(of) if excursions.buckets else LN_A
    return levels


def _level_of(levels: Floats, plan: Plan) -> Floats:
    if levels.ndim == 1:
        return levels
    which = np.searchsorted(SIZES, plan.size)
    return levels[which, np.arange(len(plan.size))]


def _known(plan: Plan, block: Block, ill: NDArray[np.bool_], level: Floats) -> None:
    """When the limit is reached, and when the oracle alarms."""
    at = np.flatnonzero(ill.any(axis=0))
    if not len(at):
        return
    n, k = block.n[:, at], block.k[:, at]
    normal, wrong, now = block.normal[:, at], block.logit[:, at], ill[:, at]
    nats = np.where(now, n * divergence(normal, wrong), 0.0)
    llr = np.where(now, ratio_llr(n, k, normal, wrong), 0.0)
    for t, bucket_s in enumerate(block.bucket_s.tolist()):
        plan.divergence[at] += nats[t]
        plan.w[at] = np.maximum(0.0, plan.w[at] + llr[t])
        _stamp(plan.limit_s, at[now[t] & (plan.divergence[at] >= LN_A)], bucket_s)
        _stamp(plan.oracle_s, at[now[t] & (plan.w[at] >= level[at])], bucket_s)


def _detected(leaves: Leaves, block: Block, plan: Plan, ill: NDArray[np.bool_]) -> None:
    for t, bucket_s in enumerate(block.bucket_s.tolist()):
        alarming, fresh = leaves.step(bucket_s, block.n[t], block.k[t])
        _stamp(plan.found_s, alarming[ill[t, alarming]], bucket_s)
        plan.alarms[fresh[ill[t, fresh]]] += 1


def _stamp(times: NDArray[np.int64], at: NDArray[np.int64], bucket_s: int) -> None:
    times[at] = np.where(times[at] == NEVER, bucket_s, times[at])


def _case(plan: Plan, s: int, scored: Scored | None, start_s: int) -> Case:
    onset_s = int(plan.onset_s[s])

    def delay(stamp_s: int) -> float:
        return stamp_s + BUCKET_S - onset_s if stamp_s != NEVER else float("inf")

    rivals = None
    if scored is not None:
        first = scored.first[:, :, s]
        rivals = np.where(first >= 0, first * 60.0 + start_s - onset_s, np.inf)
        rivals = np.where(rivals <= plan.length_s[s], rivals, np.inf)
    return Case(
        volume=float(plan.volume[s]),
        size=float(plan.size[s]),
        shape=SHAPES[int(plan.shape[s])],
        odds=float(np.exp(plan.delta[s])),
        length_s=int(plan.length_s[s]),
        limit_s=delay(int(plan.limit_s[s])),
        oracle_s=delay(int(plan.oracle_s[s])),
        delay_s=delay(int(plan.found_s[s])),
        alarms=int(plan.alarms[s]),
        rivals=rivals,
    )
