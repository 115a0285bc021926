"""Traffic of many independent series, vectorised: what a carrier's failures look like when nothing is wrong.

Arrays are [T, S]: T buckets of 10 s, S series. All that moves here is labelled *not* an incident:
volumes by hour and weekend, bursts, blasts, list drift, wobble, noise, steps and ramps.
The detector's assumptions (binomial scatter, one sigma) hold only on average.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BUCKET_S, MINUTE_S, DAY_S, WEEK_S = 10, 60, 86_400, 604_800
BLOCK = 60
"""Buckets made at a time: ten minutes."""
T0_S = 1_767_571_200
"""2026-01-05T00:00Z, a Monday."""
POOL = 1 << 20


@dataclass(frozen=True)
class Habits:
    """How series behave when nothing is wrong; ranges are drawn from evenly, one value a series."""

    base: tuple[float, float] = (0.005, 0.04)
    """Failure ratio, drawn evenly on a log scale."""
    day_volume: float = 0.8
    weekend: float = 0.6
    burst_shape: float = 4.0
    """Shape of the gamma factor of each minute's volume; 0 for none."""
    day_logit: tuple[float, float] = (0.1, 0.5)
    wobble_sd: tuple[float, float] = (0.03, 0.15)
    wobble_tau_s: tuple[float, float] = (1200, 3600)
    noise_sd: tuple[float, float] = (0.02, 0.10)
    tail: float = 0.0
    """Degrees of freedom of Student's t of wobble shocks, scaled to their sd; 0 for Gaussian ones. With
    5 the odds jump to the fivefold once in hundreds of weeks and stay there for half an hour: an outage
    in all but its label."""
    noise_tail: bool = False
    """Whether the noise of single buckets has such tails too: jumps of ten sd every week, gone 10 s later."""
    drift_sd: float = 0.2
    drift_tau_s: float = 5 * DAY_S
    blasts_a_day: float = 1.0
    blast_size: tuple[float, float] = (5, 30)
    blast_s: tuple[float, float] = (300, 1800)
    blast_logit: tuple[float, float] = (0.15, 0.10)
    """Mean and sd of what a blast's own list adds to the log-odds."""
    steps_a_week: float = 0.0
    step_sd: float = 0.0
    night_logit: float = 0.0
    """Phones that are off at night: added to the log-odds from 23 h to 6 h, at weekends two hours later."""
    ramp: float = 1.0
    ramp_s: float = 3 * DAY_S
    """A slow change of the list: odds times `ramp` over `ramp_s`, from `ramp_from_s` on, to stay."""
    ramp_from_s: float = 0.0


@dataclass
class Block:
    """Ten minutes: outcomes, failures, and the true log-odds without and with what is wrong."""

    bucket_s: Ints
    n: Ints
    k: Ints
    normal: Floats
    logit: Floats


class Series:
    """S independent series with `rates` outcomes a second; makes their traffic block after block."""

    def __init__(self, rng: np.random.Generator, rates: Floats, habits: Habits) -> None:
        self.rng, self.rates, self.habits = rng, np.asarray(rates, float), habits
        self.dice = np.random.default_rng(int(rng.integers(2**63)))
        """For the counts alone: what the log-odds do is the same whatever is wrong."""
        size = len(self.rates)
        self.at_s = T0_S
        low, high = np.log(habits.base)
        ratio = np.exp(rng.uniform(low, high, size))
        self.base = np.log(ratio / (1 - ratio))
        self.day_logit = rng.uniform(*habits.day_logit, size)
        self.day_phase = rng.uniform(0, 24, size)
        self.peak_h = rng.normal(14, 2, size)
        self.wobble_sd = rng.uniform(*habits.wobble_sd, size)
        self.keep = np.exp(-MINUTE_S / rng.uniform(*habits.wobble_tau_s, size))
        self.noise_sd = rng.uniform(*habits.noise_sd, size)
        self.wobble = self.wobble_sd * rng.standard_normal(size)
        self.drift = habits.drift_sd * rng.standard_normal(size)
        self.steps = np.zeros(size)
        self.blast_until_s = np.zeros(size)
        self.blast_size, self.blast_logit = np.ones(size), np.zeros(size)
        self.pool = np.zeros(0, dtype=np.float32)
        if habits.tail:
            pool = rng.standard_t(habits.tail, POOL) / np.sqrt(habits.tail / (habits.tail - 2))
            self.pool = pool.astype(np.float32)

    def branch(self, seed: int) -> Series:
        """A copy that goes on by its own chance."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and name != "pool":
                setattr(other, name, value.copy())
        other.rng, other.dice = (np.random.default_rng((seed, i)) for i in range(2))
        return other

    def block(self, shift: Floats | None = None, busier: Floats | None = None) -> Block:
        """The next ten minutes. `shift` [T, S] is added to the log-odds, `busier` [T, S] scales volume."""
        means, logit = self.expected()
        raised = logit if shift is None else logit + shift
        if busier is not None:
            means = means * busier
        ratio = 1 / (1 + np.exp(-raised))
        failed = self.dice.poisson(means * ratio)
        n = failed + self.dice.poisson(means * (1 - ratio))
        block = Block(self.at_s + BUCKET_S * np.arange(BLOCK), n, failed, logit, raised)
        self.at_s += BLOCK * BUCKET_S
        return block

    def expected(self) -> tuple[Floats, Floats]:
        """Outcomes to be expected [T, S] and true log-odds [T, S] of the next ten minutes."""
        minutes = BLOCK * BUCKET_S // MINUTE_S
        size = len(self.rates)
        volume, slow = np.empty((minutes, size)), np.empty((minutes, size))
        self._drifted()
        day_volume, day_logit = self._of_day()
        for i in range(minutes):
            self._minute(self.at_s + i * MINUTE_S)
            volume[i] = day_volume * self.blast_size
            slow[i] = day_logit + self.wobble + self.blast_logit
        if self.habits.burst_shape:
            shape = self.habits.burst_shape
            volume *= self.rng.standard_gamma(shape, volume.shape) / shape
        each = BLOCK // minutes
        noise = self._noise() * self.noise_sd
        return np.repeat(volume, each, axis=0), np.repeat(slow, each, axis=0) + noise

    def quiet_logit(self) -> Floats:
        """Log-odds [S] now without wobble, noise and blasts: what a baseline should say."""
        return self._of_day()[1]

    def rates_now(self) -> Floats:
        """Outcomes a second [S] to be expected at this time of day, without blasts."""
        return self._of_day()[0] / BUCKET_S

    def _of_day(self) -> tuple[Floats, Floats]:
        h, habits = self.at_s % DAY_S / 3600, self.habits
        weekend = (self.at_s - T0_S) % WEEK_S >= 5 * DAY_S
        volume = 1 + habits.day_volume * np.cos((h - self.peak_h) * (2 * np.pi / 24))
        volume = BUCKET_S * self.rates * volume * (habits.weekend if weekend else 1.0)
        logit = self.base + self.day_logit * np.cos((h - self.day_phase) * (2 * np.pi / 24))
        logit = logit + self.drift + self.steps + self._ramp() + self._night(h, weekend)
        return volume, logit

    def _night(self, h: float, weekend: bool) -> float:
        h = (h - 2 if weekend else h) % 24
        return self.habits.night_logit * (h >= 23 or h < 6)

    def _ramp(self) -> float:
        done = (self.at_s - T0_S - self.habits.ramp_from_s) / self.habits.ramp_s
        return float(np.log(self.habits.ramp) * np.clip(done, 0, 1))

    def _drifted(self) -> None:
        habits, size = self.habits, len(self.rates)
        keep = np.exp(-BLOCK * BUCKET_S / habits.drift_tau_s)
        shock = habits.drift_sd * np.sqrt(1 - keep**2)
        self.drift = keep * self.drift + shock * self.rng.standard_normal(size)
        if habits.steps_a_week:
            now = self.rng.random(size) < habits.steps_a_week * BLOCK * BUCKET_S / WEEK_S
            self.steps = self.steps + now * habits.step_sd * self.rng.standard_normal(size)
            self.steps = np.clip(self.steps, -1, 1)

    def _minute(self, at_s: int) -> None:
        shock = self.wobble_sd * np.sqrt(1 - self.keep**2)
        size = len(self.rates)
        drawn = self._heavy(1)[0] if self.habits.tail else self.rng.standard_normal(size)
        self.wobble = self.keep * self.wobble + shock * drawn
        if self.habits.blasts_a_day:
            self._blasts(at_s)

    def _blasts(self, at_s: int) -> None:
        """A blast ends, or one begins: its own size, length and list."""
        habits, rng = self.habits, self.rng
        over = (self.blast_until_s <= at_s) & (self.blast_size > 1)
        if over.any():
            self.blast_size = np.where(over, 1.0, self.blast_size)
            self.blast_logit = np.where(over, 0.0, self.blast_logit)
        begins = rng.random(len(self.rates)) < habits.blasts_a_day * MINUTE_S / DAY_S
        at = np.flatnonzero(begins & (self.blast_size == 1))
        if len(at):
            low, high = np.log(habits.blast_size)
            self.blast_size[at] = np.exp(rng.uniform(low, high, len(at)))
            self.blast_until_s[at] = at_s + rng.uniform(*habits.blast_s, len(at))
            self.blast_logit[at] = rng.normal(*habits.blast_logit, len(at))

    def _noise(self) -> Floats:
        """Shocks [BLOCK, S] of unit variance from bucket to bucket."""
        if self.habits.noise_tail:
            return self._heavy(BLOCK)
        return self.rng.standard_normal((BLOCK, len(self.rates)), dtype=np.float32).astype(np.float64)

    def _heavy(self, rows: int) -> Floats:
        """Heavy-tailed shocks [rows, S] of unit variance, from a pool read at a random place."""
        size = rows * len(self.rates)
        if size > POOL // 2:
            size_rows = [self._heavy(1) for _ in range(rows)]
            return np.concatenate(size_rows)
        start = int(self.rng.integers(0, POOL - size))
        return self.pool[start : start + size].reshape(rows, -1).astype(np.float64)
