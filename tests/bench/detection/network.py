"""A network of carriers and regions: faults with a scope, decoys, receipts that come late.

Each (carrier, region) is a series of its own (series.py); on top of it

    fault        raises the failures of its scope, each leaf a little differently
    mix_shift    moves traffic to the leaves that fail most anyway
    retry_loop   a few handsets fail over and over in one leaf
    backlog      no receipts for a while, then all of them at once
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.counts import DELAY_OF_COLUMN, DELAYS_S
from streams.records import LATENCY_BOUNDS_S
from tests.bench.detection.limit import logit
from tests.bench.detection.series import BLOCK, BUCKET_S, Habits, Series

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALL = "all"
HORIZON = 1500
"""Buckets that a receipt may come late by at most."""
SUCCESS = {0: 0.60, 1: 0.25, 2: 0.05, 6: 0.07, 30: 0.03}
FAILURE = {0: 0.30, 1: 0.15, 2: 0.05, 60: 0.05, 90: 0.08, 120: 0.10, 150: 0.07, 1440: 0.20}
LATE = {120: 0.2, 300: 0.2, 600: 0.2, 1000: 0.2, 1440: 0.2}
"""Share of receipts by delay in buckets: successes, failures, and failures of an outage whose receipts
come 20 min to 4 h late."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ratio` of failures in [onset_s, end_s) within its scope; seconds after the traffic's begin."""

    onset_s: float
    end_s: float
    ratio: float
    carrier: str = ALL
    region: str = ALL
    ramp_s: float = 0.0
    """Reached linearly within so many seconds."""
    late: bool = False

    @property
    def scope(self) -> str:
        kinds = {(True, True): "global", (False, True): "carrier", (True, False): "region"}
        return kinds.get((self.carrier == ALL, self.region == ALL), "pair")


class Decoy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that looks like an incident and is none."""

    kind: str
    begin_s: float
    end_s: float
    carrier: str = ALL
    region: str = ALL
    size: float = 1.0
    """mix_shift: factor of the volume; retry_loop: handsets."""


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How large the network is."""

    carriers: int
    regions: int
    rate: float
    """Outcomes a second, over all."""
    spread: float = 1.0
    """Sd of ln of the leaves' shares."""
    odds_spread: float = 0.25
    delayed: bool = False
    blasts_a_day: float = 0.0

    @property
    def leaves(self) -> tuple[tuple[str, str], ...]:
        return tuple((f"c{c}", f"r{r}") for c in range(self.carriers) for r in range(self.regions))


@dataclass
class NetBlock:
    """Ten minutes [T, L]: receipts, failures among them, those of recipients that had failed, sends."""

    bucket_s: Ints
    n: Ints
    k: Ints
    repeats: Ints
    sends: Ints
    """0 where the source does not tell, as of networks that are not `delayed`."""
    delays: Ints | None = None
    """[T, 2, 5, L] successes and failures by delay, as in alerts.counts.Table."""


class Traffic:
    """The traffic of one network; `branch` lets it go on in another way."""

    def __init__(self, shape: Shape, seed: int) -> None:
        rng = np.random.default_rng((seed, 2))
        shares = rng.lognormal(0, shape.spread, len(shape.leaves))
        habits = Habits(base=(0.005, 0.02), blasts_a_day=shape.blasts_a_day)
        self.shape, self.leaves = shape, shape.leaves
        self.series = Series(rng, shape.rate * shares / shares.sum(), habits)
        self.begin_s = self.series.at_s
        self.odds = rng.normal(0, shape.odds_spread, len(self.leaves))
        self.faults: tuple[Fault, ...] = ()
        self.decoys: tuple[Decoy, ...] = ()
        self.coming: Ints | None = None
        if shape.delayed:
            self.coming = np.zeros((HORIZON, 2, len(DELAYS_S), len(self.leaves)), dtype=np.int64)
        self.held = np.zeros((2, len(self.leaves)), dtype=np.int64)
        self.clock = 0

    @property
    def now_s(self) -> float:
        """Seconds since the traffic began."""
        return float(self.series.at_s - self.begin_s)

    def branch(self, seed: int, faults: tuple[Fault, ...] = (), decoys: tuple[Decoy, ...] = ()) -> Traffic:
        other = copy.copy(self)
        other.series = self.series.branch(seed)
        other.odds = other.series.rng.normal(0, self.shape.odds_spread, len(self.leaves))
        other.faults, other.decoys = faults, decoys
        other.held = self.held.copy()
        if self.coming is not None:
            other.coming = self.coming.copy()
        return other

    def inside(self, carrier: str, region: str) -> NDArray[np.bool_]:
        """Which leaves [L] lie in a scope."""
        return np.array([carrier in (ALL, c) and region in (ALL, r) for c, r in self.leaves])

    def block(self) -> NetBlock:
        """The next ten minutes."""
        at = self.now_s + BUCKET_S * np.arange(BLOCK)
        quiet = self.series.quiet_logit()
        made = self.series.block(self._shift(at, quiet), self._busier(at, quiet))
        block = NetBlock(made.bucket_s, made.n, made.k, *np.zeros((2, *made.k.shape), dtype=np.int64))
        if self.coming is not None:
            block = self._received(block, at, made.normal, made.logit)
        self._retries(block, at)
        return block

    def _shift(self, at: Floats, quiet: Floats) -> Floats | None:
        shift = None
        for fault in self.faults:
            share = np.clip(
                (np.minimum(fault.end_s, at + BUCKET_S) - np.maximum(fault.onset_s, at)) / 10, 0, 1
            )
            if not share.any():
                continue
            if fault.ramp_s:
                share = share * np.clip((at + BUCKET_S - fault.onset_s) / fault.ramp_s, 0, 1)
            more = np.maximum(logit(fault.ratio) + self.odds - quiet, 0) * self.inside(
                fault.carrier, fault.region
            )
            both = share[:, None] * more
            shift = both if shift is None else np.maximum(shift, both)
        return shift

    def _busier(self, at: Floats, quiet: Floats) -> Floats | None:
        factor = None
        for decoy in self.decoys:
            if decoy.kind == "mix_shift":
                on = (at >= decoy.begin_s) & (at < decoy.end_s)
                worst = quiet >= np.quantile(quiet, 0.8)
                factor = np.where(on[:, None] & worst, decoy.size, 1.0)
        return factor

    def _retries(self, block: NetBlock, at: Floats) -> None:
        """0.6 failures a second, all of the same handsets: each counts once an hour."""
        for decoy in self.decoys:
            if decoy.kind == "retry_loop":
                leaf = int(np.flatnonzero(self.inside(decoy.carrier, decoy.region))[0])
                for t in np.flatnonzero((at >= decoy.begin_s) & (at < decoy.end_s)).tolist():
                    again = int(self.series.dice.poisson(6.0))
                    new = min(again, int(decoy.size)) if at[t] - decoy.begin_s < BUCKET_S else 0
                    block.n[t, leaf] += again
                    block.k[t, leaf] += again
                    block.repeats[t, leaf] += again - new

    def _received(self, sent: NetBlock, at: Floats, normal: Floats, wrong: Floats) -> NetBlock:
        """The same by time of receipt."""
        assert self.coming is not None
        dice, delays = self.series.dice, np.zeros((BLOCK, *self.coming.shape[1:]), dtype=np.int64)
        late_share = 1 - np.exp(normal - wrong)  # of the failures, those of the outage
        is_late = self._late(at)
        for t in range(BLOCK):
            late = dice.binomial(sent.k[t], late_share[t] * is_late[t])
            self._sent(0, sent.n[t] - sent.k[t], SUCCESS)
            self._sent(1, sent.k[t] - late, FAILURE)
            self._sent(1, late, LATE)
            arrived = self.coming[self.clock % HORIZON].copy()
            self.coming[self.clock % HORIZON] = 0
            delays[t] = self._let_through(arrived, float(at[t]))
            self.clock += 1
        good, bad = delays.sum(axis=2).swapaxes(0, 1)
        return NetBlock(sent.bucket_s, good + bad, bad, sent.repeats, sent.n, delays)

    def _sent(self, kind: int, counts: Ints, delays: Mapping[int, float]) -> None:
        """Receipts of `counts` [L] that will come after their delays."""
        assert self.coming is not None
        drawn = self.series.dice.multinomial(counts, list(delays.values()))
        for delay, column in zip(delays, drawn.T, strict=True):
            self.coming[(self.clock + delay) % HORIZON, kind, _class_of(delay)] += column

    def _late(self, at: Floats) -> Floats:
        late = np.zeros((len(at), len(self.leaves)))
        for fault in self.faults:
            if fault.late:
                on = (at >= fault.onset_s) & (at < fault.end_s)
                late = np.maximum(late, on[:, None] * self.inside(fault.carrier, fault.region))
        return late

    def _let_through(self, arrived: Ints, at: float) -> Ints:
        """Holds receipts while a backlog builds up; then lets half of what is left through a bucket."""
        for decoy in self.decoys:
            if decoy.kind == "backlog" and decoy.begin_s <= at:
                inside = self.inside(decoy.carrier, decoy.region)
                self.held = self.held + arrived.sum(axis=1) * inside
                flow = (self.held + 1) // 2 if at >= decoy.end_s else np.zeros_like(self.held)
                self.held = self.held - flow
                arrived = np.where(inside, 0, arrived)
                arrived[:, _class_of(int(decoy.end_s - decoy.begin_s) // BUCKET_S // 2)] += flow
        return arrived


def _class_of(delay: int) -> int:
    """The row of `delays` for a delay in buckets; half a bucket passes on average before."""
    column = bisect_left(LATENCY_BOUNDS_S, delay * BUCKET_S + BUCKET_S / 2)
    return int(DELAY_OF_COLUMN[column])
