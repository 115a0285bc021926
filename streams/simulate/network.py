"""The network: draws, second by second of receipt time, what becomes of its messages.

Every second has its own generator, seeded by scenario seed and second: the stream is the same
whatever the wall clock and the batch size. Times are milliseconds from the start of the stream.
"""

from __future__ import annotations

import math

import numpy as np

from streams.simulate import numbers
from streams.simulate.outcomes import ABSENT, INDEX, Outcomes
from streams.simulate.parts import Feed, Region, Scenario, covers, touches
from streams.simulate.truth import Leaf

ROW = np.dtype(
    [
        ("at", "i8"),  # when it is written
        ("received", "i8"),
        ("serial", "i8"),  # one a message
        ("leaf", "i4"),  # index into Network.leaves
        ("verdict", "i2"),  # index into outcomes.VERDICTS
        ("kind", "i2"),  # index into truth.KINDS
        ("repeat", "?"),
        ("as_text", "?"),
        ("recipient", "i8"),
        ("sender", "i8"),
        ("sent", "i8"),
        ("provider", "i8"),
    ],
    align=True,
)
"""One record as numbers; rows are drawn and moved about as arrays of these."""

MIN_DELAY_MS = 1_200
_OPAQUE = np.dtype(f"V{ROW.itemsize}")
SERIAL_BITS = 22
_SENDERS_FROM = 12025550100
_DAY_S = 86_400
WOBBLE_STEP_S = 120
_WORD = 2**32


class Network:
    """A scenario's network. Draw its seconds in order: recipients walk on from second to second."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario, self.seed = scenario, seed
        self.leaves, self.share = _leaves(scenario)
        feeds = {f.source: i for i, f in enumerate(scenario.feeds)}
        self.feed = np.array([feeds[leaf.source] for leaf in self.leaves])
        self.text_share = np.array([f.text_share for f in scenario.feeds])[self.feed]
        self._senders = np.array([f.senders for f in scenario.feeds])[self.feed]
        carriers = {c.id: i for i, c in enumerate(scenario.carriers)}
        self._carrier = np.array([carriers[leaf.carrier] for leaf in self.leaves])
        base = np.array([c.base_rate for c in scenario.carriers])[self._carrier]
        self._base_logit = np.log(np.maximum(base, 1e-9) / (1 - base))
        regions = {r.id: i for i, r in enumerate(scenario.regions)}
        self._region = np.array([regions[leaf.region] for leaf in self.leaves])
        self._offset_s = np.array([r.utc_offset_h * 3600 for r in scenario.regions])[self._region]
        dead = [numbers.numbers_of(r.id)[-1] for r in scenario.regions if scenario.disturbances.dead]
        self.dead = np.array(dead, dtype=np.int64)
        """The dead number of each region, where there are any."""
        self._absent = np.array([INDEX[ABSENT[leaf.profile]] for leaf in self.leaves])
        self._handsets = Handsets(scenario.regions, seed)
        self._outcomes = Outcomes(scenario, self.leaves)
        scopes = [[self._in_scope(i, leaf) for leaf in self.leaves] for i in range(len(scenario.incidents))]
        self._scopes = np.array(scopes, dtype=bool).reshape(len(scopes), len(self.leaves))

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each (second, purpose)."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *stream])))

    def volumes(self, second: float) -> np.ndarray:
        """Expected finals a second per leaf, day curve and wobble included."""
        hour = (self._local_s(second) / 3600) % 24
        day = 1 + 0.6 * np.cos((hour - 15) / 24 * math.tau)
        wobble = np.exp(0.08 * self._wobble(second, 1))[self._carrier]
        return np.asarray(self.scenario.rate * self.share * day * wobble)

    def failing(self, second: float) -> np.ndarray:
        """Probability per leaf that a final fails, incidents left out; a little higher at night."""
        hour = (self._local_s(second) / 3600) % 24
        night = 0.2 * np.cos((hour - 3) / 24 * math.tau)
        logit = self._base_logit + night + 0.05 * self._wobble(second, 2)[self._carrier]
        return np.asarray(1 / (1 + np.exp(-logit)))

    def draw(self, second: int) -> np.ndarray:
        """The finals whose receipt time lies in that second, as ROWs; `at` equals `received`."""
        rng = self.rng(0, second)
        counts = rng.poisson(self.volumes(second))
        leaf = np.repeat(np.arange(len(self.leaves)), counts)
        rows = np.zeros(len(leaf), dtype=ROW)
        rows["leaf"] = leaf
        rows["serial"] = (second << SERIAL_BITS) + np.arange(len(leaf))
        rows["received"] = rows["at"] = second * 1000 + rng.integers(0, 1000, len(leaf))
        failed = rng.random(len(leaf)) < self.failing(second)[leaf]
        failed = self._outcomes.judge(rows, failed, self._scopes, rng)
        rows["as_text"] = rng.random(len(leaf)) < self.text_share[leaf]
        rows["sender"] = _SENDERS_FROM + (self.feed[leaf] * 10 + rng.integers(0, self._senders[leaf])) % 100
        rows["recipient"] = self._handsets.pick(self._region[leaf], failed, rng)
        self._time(rows, self._to_dead_numbers(rows, failed, second), rng)
        return rows

    def _to_dead_numbers(self, rows: np.ndarray, failed: np.ndarray, second: int) -> np.ndarray:
        """Sends some to dead numbers, where all fails; returns which rows failed."""
        if not len(self.dead):
            return failed
        chosen = self.rng(4, second).random(len(rows)) < self.scenario.disturbances.dead
        rows["recipient"][chosen] = self.dead[self._region[rows["leaf"][chosen]]]
        dead = np.isin(rows["recipient"], self.dead)
        rows["verdict"][dead] = self._absent[rows["leaf"][dead]]
        return np.asarray(failed | dead)

    def _time(self, rows: np.ndarray, failed: np.ndarray, rng: np.random.Generator) -> None:
        d = self.scenario.delays
        median_ms = np.where(failed, d.failed_factor, 1.0) * d.median_s * 1000
        delay = median_ms * np.exp(d.sigma * rng.standard_normal(len(rows)))
        rows["sent"] = rows["received"] - np.clip(delay, MIN_DELAY_MS, d.cap_s * 1000).astype(np.int64)
        rows["provider"] = rows["received"] - rng.integers(50, 800, len(rows))

    def _local_s(self, second: float) -> np.ndarray:
        return np.asarray(self._offset_s + self.scenario.start_of_day_s + second)

    def _wobble(self, second: float, purpose: int) -> np.ndarray:
        """Standard normal per carrier, drawn every two minutes and joined by straight lines."""
        step, part = divmod(second / WOBBLE_STEP_S, 1)
        n = len(self.scenario.carriers)
        # Steps before the stream begins have numbers of their own too.
        a, b = (self.rng(purpose, (int(step) + i) % _WORD).standard_normal(n) for i in (0, 1))
        return np.asarray(self.scenario.wobble * (a * (1 - part) + b * part))

    def _in_scope(self, i: int, leaf: Leaf) -> bool:
        incident = self.scenario.incidents[i]
        feed = next(f for f in self.scenario.feeds if f.source == leaf.source)
        return covers(incident, leaf.carrier, leaf.region) and touches(incident, feed)


def joined(*parts: np.ndarray) -> np.ndarray:
    """Arrays of ROWs, one after the other. As opaque bytes, twenty times faster than by field."""
    return np.concatenate([p.view(_OPAQUE) for p in parts]).view(ROW)


class Handsets:
    """Who receives. Failed messages walk through a region's numbers, so that they rarely meet."""

    def __init__(self, regions: tuple[Region, ...], seed: int) -> None:
        lists = [numbers.numbers_of(r.id) for r in regions]
        self._all = np.concatenate(lists)
        self._size = np.array([len(x) for x in lists])
        self._first = np.concatenate(([0], np.cumsum(self._size)[:-1]))
        self._stride = np.array([_coprime_stride(n) for n in self._size.tolist()])
        self._next = np.full(len(lists), seed % 97, dtype=np.int64)

    def pick(self, region: np.ndarray, failed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A number for each message, given the index of its region."""
        index = rng.integers(0, self._size[region])
        where = np.flatnonzero(failed)
        steps = self._steps(region[where])
        index[where] = steps * self._stride[region[where]] % self._size[region[where]]
        return np.asarray(self._all[self._first[region] + index])

    def _steps(self, region: np.ndarray) -> np.ndarray:
        """The next steps of each region's walk, in the order of the messages."""
        order = np.argsort(region, kind="stable")
        counts = np.bincount(region, minlength=len(self._next))
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        steps = np.empty(len(region), dtype=np.int64)
        steps[order] = np.arange(len(region)) - starts[region[order]]
        steps += self._next[region]
        self._next += counts
        return steps


def _coprime_stride(size: int) -> int:
    stride = max(1, int(size * 0.618))
    while math.gcd(stride, size) > 1:
        stride += 1
    return stride


def _leaves(scenario: Scenario) -> tuple[tuple[Leaf, ...], np.ndarray]:
    """Every strand of traffic with its share of the whole; the shares add up to 1."""
    leaves, shares = [], []
    total = sum(f.share for f in scenario.feeds)
    for feed in scenario.feeds:
        for leaf, share in _leaves_of(scenario, feed):
            leaves.append(leaf)
            shares.append(feed.share / total * share)
    return tuple(leaves), np.array(shares)


def _leaves_of(scenario: Scenario, feed: Feed) -> list[tuple[Leaf, float]]:
    carriers = [c for c in scenario.carriers if not feed.carriers or c.id in feed.carriers]
    weight_of = {r.id: r.weight for r in scenario.regions}
    total = sum(c.weight for c in carriers)
    found = []
    for carrier in carriers:
        inner = sum(weight_of[r] for r in carrier.regions)
        for region in carrier.regions:
            share = carrier.weight / total * weight_of[region] / inner
            found.append((_leaf(feed, carrier.id, region), share))
    return found


def _leaf(feed: Feed, carrier: str, region: str) -> Leaf:
    return Leaf(
        source=feed.source,
        format=feed.format,
        profile=feed.profile,
        carrier=carrier,
        region=region,
        country=numbers.country_of(region),
        carrier_label=feed.carrier_label,
        region_label=feed.region_label,
    )
