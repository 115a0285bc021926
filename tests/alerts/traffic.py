"""Seeded traffic of many series, and a driver that runs the deciding stations over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from alerts.counts import Count
from alerts.decide import Decided, DetectorState, begin, decide
from alerts.policy import Policy
from alerts.records import Incident, Transition

RULE = "twilio_30003"
START_S = 1_800_000_000
KNOWN = Policy(prior_failures=1000.0)
"""The expected 2 % is as good as known: no days of history are needed to see 7 %."""
Counts = dict[str, dict[tuple[str, str], Count]]


@dataclass(frozen=True)
class Fault:
    """`ratio` of failures in [start, end) seconds after START_S, where carrier and region fit."""

    start: float
    end: float
    ratio: float
    carrier: str = "all"
    region: str = "all"

    def share(self, at: float) -> float:
        """Share of the bucket that begins at `at` in which the fault lasts."""
        return max(0.0, min(self.end, at + 10) - max(self.start, at)) / 10


@dataclass(frozen=True)
class Network:
    """Poisson outcomes: `rate` messages/s in all, shares and base ratios drawn by seed."""

    seed: int
    carriers: tuple[str, ...]
    regions: tuple[str, ...]
    rate: float
    base: tuple[float, float] = (0.003, 0.02)
    spread: float = 1.0
    faults: tuple[Fault, ...] = ()
    odds_spread: float = 0.25
    own_shares: Callable[[np.random.Generator, int], np.ndarray] | None = None

    def buckets(self, seconds: int) -> Iterator[tuple[int, Counts]]:
        rng = np.random.default_rng(self.seed)
        leaves = [(c, r) for c in self.carriers for r in self.regions]
        size = len(leaves)
        shares = rng.lognormal(0, self.spread, size)
        if self.own_shares:
            shares = self.own_shares(rng, size)
        rates = 10 * self.rate * shares / shares.sum()
        low, high = np.log(self.base)
        base = np.exp(rng.uniform(low, high, size))
        wobble = np.exp(rng.normal(0, self.odds_spread, size))
        for at in range(0, seconds, 10):
            p = base
            for f in self.faults:
                share = f.share(at)
                if share:
                    odds = wobble * f.ratio / (1 - f.ratio)
                    inside = np.array([f.carrier in ("all", c) and f.region in ("all", r) for c, r in leaves])
                    p = np.where(inside, (1 - share) * p + share * odds / (1 + odds), p)
            n = rng.poisson(rates)
            k = rng.binomial(n, p)
            yield (
                START_S + at,
                {
                    RULE: {
                        leaves[i]: Count(int(n[i]), int(k[i]), int(n[i]), int(k[i]))
                        for i in np.flatnonzero(n)
                    }
                },
            )


@dataclass
class Run:
    """What came out of a whole run."""

    state: DetectorState
    incidents: dict[str, Incident] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)

    def what(self, kind: str) -> list[Transition]:
        return [t for t in self.transitions if t.what == kind]


def run(network: Network, seconds: int, policy: Policy | None = None, keep: bool = False) -> Run:
    """Runs the deciding stations over `seconds` of a network's traffic."""
    policy = policy or KNOWN
    out = Run(begin(policy, (RULE,)))
    for bucket_s, counts in network.buckets(seconds):
        out.state, decided = decide(out.state, policy, bucket_s, counts)
        out.incidents |= {i.key: i for i in decided.incidents}
        out.transitions += decided.transitions
        if keep:
            out.decided.append(decided)
    return out


def decide_one(state: DetectorState, bucket_s: int, counts: Counts) -> tuple[DetectorState, Decided]:
    return decide(state, KNOWN, bucket_s, counts)


def decide_all(rules: Sequence[str], buckets: Iterable[tuple[int, Counts]]) -> dict[str, Incident]:
    """The incidents that buckets raise, by key, as they were last."""
    state, incidents = begin(Policy(), rules), dict[str, Incident]()
    for bucket_s, counts in buckets:
        state, decided = decide_one(state, bucket_s, counts)
        incidents |= {i.key: i for i in decided.incidents}
    return incidents


def names(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(count))
