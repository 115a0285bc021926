"""What people deploy instead: each turns a series' minutes into a score, and alarms above a threshold.

As their authors publish them; sources in docs/detection-benchmark.md. All look at a failure ratio, once a
minute. Vectorised: arrays are [S].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HOUR, DAY = 60, 1440
"""In minutes."""
TINY = 1e-9


class Ring:
    """The last `size` rows [S]; `back(0)` is the newest."""

    def __init__(self, size: int, width: int) -> None:
        self.rows = np.zeros((size, width), dtype=np.float32)
        self.at = -1

    def push(self, row: Floats) -> None:
        self.at += 1
        self.rows[self.at % len(self.rows)] = row

    def back(self, ago: int) -> Floats:
        return self.rows[(self.at - ago) % len(self.rows)].astype(np.float64)


class Window:
    """Running sum [S] of the last `minutes` values."""

    def __init__(self, minutes: int, width: int) -> None:
        self.minutes, self.ring, self.sum = minutes, Ring(minutes, width), np.zeros(width)

    def push(self, row: Floats) -> None:
        row = row.astype(np.float32).astype(np.float64)
        if self.ring.at + 1 >= self.minutes:
            self.sum = self.sum - self.ring.back(self.minutes - 1)
        self.sum = self.sum + row
        self.ring.push(row)


class Moments:
    """Mean and standard deviation [S] of the last `minutes` values, those that are NaN left out."""

    def __init__(self, minutes: int, width: int) -> None:
        self.n, self.x, self.xx = (Window(minutes, width) for _ in range(3))

    def push(self, row: Floats) -> None:
        there = np.isfinite(row)
        value = np.where(there, row, 0.0)
        self.n.push(there.astype(float))
        self.x.push(value)
        self.xx.push(value * value)

    def now(self) -> tuple[Floats, Floats]:
        n = np.maximum(self.n.sum, 1)
        mean = self.x.sum / n
        return mean, np.sqrt(np.maximum(self.xx.sum / n - mean * mean, 0))


class Rivals:
    """All rivals over S series. `step` takes a minute's outcomes and failures and gives a score each."""

    def __init__(self, width: int) -> None:
        self.width, self.minute = width, 0
        self.spans = {m: (Window(m, width), Window(m, width)) for m in (5, 30, 60, 360)}
        self.z1h, self.z24h = Moments(HOUR, width), Moments(DAY, width)
        self.grafana, self.hesd = Grafana(width), Hesd(width)
        self.ewma, self.mean, self.var = np.zeros(width), np.zeros(width), np.zeros(width)

    def step(self, n: Floats, k: Floats) -> dict[str, Floats]:
        """Scores [S] by rival; above its DEFAULTS it alarms as deployed."""
        for window_n, window_k in self.spans.values():
            window_n.push(n)
            window_k.push(k)
        r5, r30, r60, r360 = (_ratio(a.sum, b.sum) for a, b in self.spans.values())
        minute_ratio = np.where(n > 0, k / np.maximum(n, 1), np.nan)
        scores = {
            "static": r5,
            "static, n >= 50": np.where(self.spans[5][0].sum >= 50, r5, 0.0),
            "two windows": np.minimum(r5, r60),
            "burn rate": np.maximum(np.minimum(r5, r60) / (14.4 * 0.02), np.minimum(r30, r360) / (6 * 0.02)),
            "z, 5 m of 1 h": _z(r5, *self.z1h.now()),
            "z, 5 m of 24 h": _z(r5, *self.z24h.now()),
            "EWMA": self._ewma(minute_ratio),
            "Grafana adaptive": self.grafana.step(r5, self.minute),
            "S-H-ESD": self.hesd.step(r5, self.minute),
        }
        self.z1h.push(minute_ratio)
        self.z24h.push(r5)
        self.minute += 1
        return scores

    def _ewma(self, ratio: Floats, weight: float = 0.2, memory: float = 1 / DAY) -> Floats:
        """EWMA chart of the minute's ratio; its limits from a day's mean and variance."""
        there = np.isfinite(ratio)
        x = np.where(there, ratio, self.mean)
        early = max(memory, 1 / (self.minute + 1))
        score = np.abs(np.sqrt(self.var * weight / (2 - weight)))
        self.ewma = np.where(there, (1 - weight) * self.ewma + weight * x, self.ewma)
        out = (self.ewma - self.mean) / np.maximum(score, TINY)
        off = x - self.mean
        self.mean = self.mean + early * off
        self.var = (1 - early) * (self.var + early * off * off)
        return out if self.minute > DAY else np.zeros(self.width)


DEFAULTS = {
    "static": 0.05,
    "static, n >= 50": 0.05,
    "two windows": 0.05,
    "burn rate": 1.0,
    "z, 5 m of 1 h": 3.0,
    "z, 5 m of 24 h": 3.0,
    "EWMA": 3.0,
    "Grafana adaptive": 1.0,
    "S-H-ESD": 5.0,
}
"""The threshold of each as published."""
RATIOS = ("static", "static, n >= 50", "two windows")
"""Their score is a ratio: no threshold above 1 makes sense."""


class Grafana:
    """promql-anomaly-detection, rules/adaptive.yml at 738e34e: the score is how far the level lies towards
    the upper band, at its least over `for: 5m`; a level of 0 is no sample."""

    LONG = 5

    def __init__(self, width: int) -> None:
        self.hour, self.day = Moments(HOUR, width), Moments(26 * HOUR, width)
        self.bands = Ring(168 * HOUR // self.LONG, width)
        self.scores = Ring(5, width)
        self.long = np.zeros(width)

    def step(self, level: Floats, minute: int) -> Floats:
        there = level > 0
        self.hour.push(np.where(there, level, np.nan))
        mean, sd = self.hour.now()
        self.day.push(np.where(sd > 0.5 * mean, sd, np.nan))
        if minute % self.LONG == 0:
            self.bands.push(mean + 2 * sd)
            at = [round(h * HOUR / self.LONG) for h in (23.5, 167.5)]
            known = [self.bands.back(a) for a in at if a <= self.bands.at]
            self.long = np.max(known, axis=0) if known else np.zeros_like(mean)
        upper = np.maximum.reduce([mean + 2 * self.day.now()[0], 1.5 * mean, self.long])
        self.scores.push(np.where(there, (level - mean) / np.maximum(upper - mean, TINY), 0.0))
        held = self.scores.rows.min(axis=0).astype(np.float64)
        return held if minute > 26 * HOUR else np.zeros_like(held)


class Hesd:
    """The core of S-H-ESD: what is left of the median of that hour of day over 14 days, in median absolute
    deviations of what was left over then; both made anew each day."""

    EVERY, DAYS = 10, 14

    def __init__(self, width: int) -> None:
        self.ring = Ring(self.DAYS * DAY // self.EVERY, width)
        self.median, self.mad = np.zeros((24, width)), np.full(width, np.inf)

    def step(self, level: Floats, minute: int) -> Floats:
        if minute % self.EVERY == 0:
            self.ring.push(level)
        if minute and minute % DAY == 0:
            self._learn(min(minute // DAY, self.DAYS))
        return (level - self.median[minute // HOUR % 24]) / np.maximum(1.4826 * self.mad, TINY)

    def _learn(self, days: int) -> None:
        past = np.stack([self.ring.back(a) for a in range(days * DAY // self.EVERY - 1, -1, -1)])
        by_hour = past.reshape(days, 24, HOUR // self.EVERY, -1)
        self.median = np.median(by_hour, axis=(0, 2))
        rest = by_hour - self.median[None, :, None, :]
        mad = np.median(np.abs(rest), axis=(0, 1, 2))
        self.mad = np.where(mad > 0, mad, np.inf)


def _ratio(n: Floats, k: Floats) -> Floats:
    return np.where(n > 0.5, k / np.maximum(n, 1), 0.0)


def _z(x: Floats, mean: Floats, sd: Floats) -> Floats:
    return np.where(x > mean, (x - mean) / np.maximum(sd, 1e-6), 0.0)
