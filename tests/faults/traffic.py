"""The traffic of the fault test: the simulator's records on eight lanes, each with its own trouble.

    lane (= partition)   what is wrong with it
    0, 1, 2, 4           nothing but what the scenario brings: repeats, garbage, disorder, late ones
    3  STARVED           a record now and then, silence between
    5  BEHIND            its producer stamps receipts five minutes behind
    6  FAST              its producer's clock is 30 s ahead: counted as now
    7  TRANSACTIONAL     written in transactions, some of them aborted, one left to time out

What each record must become is noted in the lane's ledger before it is encoded. A message stays on
its lane, whatever happens to it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum

import msgspec

from streams.simulate.ledger import Ledger, series_of
from streams.simulate.parts import Incident, Scenario, covers
from streams.simulate.traffic import truths
from streams.simulate.truth import SMPP, Kind, Truth

PARTITIONS = 8
BEHIND_MS, FAST_MS = 300_000, 30_000
STARVED_EVERY_S = 25


class Lane(IntEnum):
    STARVED = 3
    BEHIND = 5
    FAST = 6
    TRANSACTIONAL = 7


REGION = {Lane.BEHIND: "lane-behind", Lane.FAST: "lane-fast"}
PLAIN = (0, 1, 2, 4)


class Planned(msgspec.Struct, frozen=True):
    """One record with its lane, before it is stamped and encoded."""

    lane: int
    truth: Truth


class Plan:
    """The scenario's records in order of writing, each on its lane."""

    def __init__(self, scenario: Scenario, seed: int, start_ms: int, records_per_s: float) -> None:
        self._scenario, self._seed, self._start_ms = scenario, seed, start_ms
        self._starved_of = max(1, int(records_per_s * STARVED_EVERY_S))

    def __iter__(self) -> Iterator[Planned]:
        for truth in truths(self._scenario, self._seed, self._start_ms):
            lane = self._lane(truth)
            yield Planned(lane, _on_lane(truth, lane))

    def _lane(self, truth: Truth) -> int:
        number = zlib.crc32(truth.message_id.encode())
        if number % self._starved_of == 0:
            return Lane.STARVED
        share = number // 7 % 1000
        if share < 80 and self._may_be_relabelled(truth):
            return Lane.BEHIND if share < 40 else Lane.FAST
        return Lane.TRANSACTIONAL if share < 200 else PLAIN[share % len(PLAIN)]

    def _may_be_relabelled(self, truth: Truth) -> bool:
        """Lanes with a region of their own must not take part of an incident elsewhere."""
        leaf = truth.leaf
        bare = truth.as_text and leaf.format == SMPP
        struck = any(_strikes(i, truth) for i in self._scenario.incidents)
        return leaf.region_label and leaf.carrier_label and not bare and not struck


def _strikes(incident: Incident, truth: Truth) -> bool:
    return covers(incident, truth.leaf.carrier, truth.leaf.region)


def _on_lane(truth: Truth, lane: int) -> Truth:
    """LATE records are counted here: whether they come too late is what the windows decide."""
    kind = Kind.MESSAGE if truth.kind is Kind.LATE else truth.kind
    if lane not in REGION:
        return msgspec.structs.replace(truth, kind=kind)
    leaf = msgspec.structs.replace(truth.leaf, region=REGION[Lane(lane)])
    shift_ms = 0 if kind is Kind.FUTURE else FAST_MS if lane == Lane.FAST else -BEHIND_MS
    times = {name: getattr(truth, name) + shift_ms for name in ("received_ms", "sent_ms", "provider_ms")}
    return msgspec.structs.replace(truth, kind=kind, leaf=leaf, **times)


class Truths:
    """What was written, lane by lane."""

    def __init__(self, start_ms: int) -> None:
        self.lanes = [Ledger(f"lane {i}", 0, start_ms) for i in range(PARTITIONS)]
        self.failed: Counter[str] = Counter()
        """Message ids of counted failed finals that name a number."""
        self.newest_ms = 0

    def note(self, planned: Planned) -> None:
        truth = planned.truth
        result = self.lanes[planned.lane].note(truth)
        bare = truth.as_text and truth.leaf.format == SMPP
        if result == "counted":
            self.newest_ms = max(self.newest_ms, truth.received_ms)
            if series_of(truth).outcome_class != "delivered" and not bare:
                self.failed[truth.message_id] += 1

    @property
    def records(self) -> int:
        return sum(ledger.records for ledger in self.lanes)

    def sums(self) -> Counter[tuple[str, str, str, int]]:
        """Counted finals per (carrier, region, class, bucket); bucket 0 on the lane that counts as now."""
        sums: Counter[tuple[str, str, str, int]] = Counter()
        for ledger in self.lanes:
            for (carrier, region, outcome_class, bucket_s), n in ledger.by_series().items():
                sums[carrier, region, outcome_class, 0 if region == REGION[Lane.FAST] else bucket_s] += n
        return sums
