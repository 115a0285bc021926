"""One network that has learned, and many ways in which it goes on: scopes, two causes at once, decoys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from alerts.policy import Policy
from alerts.records import Decision, Incident, State
from tests.bench.detection.adapter import Whole, table
from tests.bench.detection.network import ALL, Decoy, Fault, Shape, Traffic
from tests.bench.detection.series import BLOCK, BUCKET_S

SIZES = (0.12, 0.40)
FAULT_S, TAIL_S = 900, 1500
NAMED_WITHIN_S = 120
LEAST_PAIR_RATE = {0.12: 2.0, 0.40: 0.3}
"""By size: pairs with fewer outcomes a second, now, can not be named within two minutes by anybody."""
Scope = tuple[str, str, str]


class Seen(NamedTuple):
    """What became of one fault, or of two."""

    kind: str
    truth: frozenset[Scope]
    first: Scope | None
    """Scope at the first alarm."""
    delay_s: float
    alerts: int
    soon: frozenset[Scope]
    """Scopes of what is open two minutes after the onset."""
    over: bool
    """Whether all was resolved in the end."""


@dataclass
class Trunk:
    """A network and its detector, advanced together."""

    traffic: Traffic
    whole: Whole
    false: int = 0
    """Incidents although nothing was wrong."""
    known: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, shape: Shape, seed: int, policy: Policy) -> Trunk:
        traffic = Traffic(shape, seed)
        return cls(traffic, Whole(policy, traffic.leaves))

    def branch(self, seed: int, faults: tuple[Fault, ...] = (), decoys: tuple[Decoy, ...] = ()) -> Trunk:
        traffic = self.traffic.branch(seed, faults, decoys)
        return Trunk(traffic, self.whole.branch(), 0, set(self.known))

    def advance(self, seconds: float, tell: Callable[[float], None] = lambda _: None) -> None:
        """On by so many seconds; whatever opens is false. But where receipts are held back it is true that
        they are overdue: only what the flush looks like is false then."""
        end_s = self.traffic.now_s + seconds
        begin_s = self.traffic.now_s
        while self.traffic.now_s < end_s:
            held = any(d.kind == "backlog" for d in self.traffic.decoys)
            for _, opened in self.steps(BLOCK):
                self.false += sum(not (held and one.reason is Decision.OVERDUE) for one in opened)
            tell((self.traffic.now_s - begin_s) / seconds)

    def steps(self, buckets: int) -> Iterator[tuple[tuple[Incident, ...], list[Incident]]]:
        """(all incidents, those that are new) after each bucket."""
        for _ in range(-(-buckets // BLOCK)):
            block = self.traffic.block()
            for t, bucket_s in enumerate(block.bucket_s.tolist()):
                delays = None if block.delays is None else block.delays[t]
                columns = (block.n[t], block.k[t], block.repeats[t], block.sends[t], delays)
                decided = self.whole.step(bucket_s, table(self.whole.leaves, *columns))
                opened = [i for i in decided.incidents if i.key not in self.known]
                self.known |= {i.key for i in opened}
                yield decided.incidents, opened


def draw(rng: np.random.Generator, kind: str, traffic: Traffic, onset_s: float) -> tuple[Fault, ...]:
    """A fault of that kind at a random place; `two` are two whose scopes do not touch by name."""
    if kind == "two":
        kinds = rng.choice(["carrier", "region", "pair"], 2)
        (one,), (other,) = (draw(rng, str(k), traffic, onset_s) for k in kinds)
        if one.carrier in (other.carrier,) and one.carrier != ALL:
            return draw(rng, kind, traffic, onset_s)
        if one.region in (other.region,) and one.region != ALL:
            return draw(rng, kind, traffic, onset_s)
        return one, other
    ratio = float(rng.choice(SIZES))
    now = traffic.series.rates_now()
    busy = np.flatnonzero(now >= min(LEAST_PAIR_RATE[ratio], now.max()))
    carrier, region = traffic.leaves[int(rng.choice(busy))]
    carrier = carrier if kind in ("carrier", "pair") else ALL
    region = region if kind in ("region", "pair") else ALL
    return (Fault(onset_s, onset_s + FAULT_S, ratio, carrier, region),)


def observe(trunk: Trunk, kind: str, faults: tuple[Fault, ...], seed: int) -> Seen:
    """One way to go on, with faults in it."""
    branch = trunk.branch(seed, faults)
    onset_s = branch.traffic.begin_s + min(f.onset_s for f in faults)
    first: Scope | None = None
    delay_s, alerts, soon = float("inf"), 0, frozenset[Scope]()
    incidents: tuple[Incident, ...] = ()
    before = set(trunk.known)
    for incidents, opened in branch.steps((FAULT_S + TAIL_S) // BUCKET_S):
        now_s = branch.whole.state.bucket_s + BUCKET_S
        alerts += len(opened)
        if opened and first is None and now_s > onset_s:
            first, delay_s = (opened[0].scope, opened[0].carrier, opened[0].region), now_s - onset_s
        if now_s == onset_s + NAMED_WITHIN_S:
            soon = frozenset(_current(i) for i in incidents if i.state is State.OPEN and i.key not in before)
    alerts += sum(i.reopened for i in incidents if i.key not in before)
    over = all(i.state is State.RESOLVED for i in incidents if i.key not in before)
    truth = frozenset((f.scope, f.carrier, f.region) for f in faults)
    return Seen(kind, truth, first, delay_s, alerts, soon, over)


def quiet_alarms(trunk: Trunk, decoys: tuple[Decoy, ...], seconds: float, seed: int) -> int:
    """Incidents on the way with decoys in it."""
    branch = trunk.branch(seed, decoys=decoys)
    branch.advance(seconds)
    return branch.false


def _current(i: Incident) -> Scope:
    return (i.current_scope or i.scope, i.current_carrier or i.carrier, i.current_region or i.region)
