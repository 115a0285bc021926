"""How long messages take to arrive, and what validity period that suggests, by source and traffic class.

closed buckets -> latencies by class, expiries by source -> percentiles -> advice within the provider's limits

Pure. What the requirements ask for is 4 h for what is transactional and up to 24 h where time does not
matter (docs/receipts.md); what a provider can do at all is in LIMITS.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.records import CANARY, LATENCY_BOUNDS_S, TIME_CRITICAL, Cells
from streams.source import ABSENT_CLASS

Ints = NDArray[np.int64]

LATE_S = 14_400
"""What came later is told as late: four hours."""
TIME_CRITICAL_S = (60, 600)
"""Least and most for what is time-critical: nobody waits longer for a login code."""
TRANSACTIONAL_S, UNHURRIED_S = 14_400, 86_400
KEPT_RATIO = 0.99
"""Share of the deliveries that a period for what is time-critical must leave room for."""
LEAST_DELIVERIES = 100
"""With fewer latencies nothing is read out of them."""
DELIVERED = "delivered"


class Ends(StrEnum):
    """Which wait a provider's validity period ends."""

    QUEUE = "queue"
    """That in its own queue: once handed over, the network keeps trying by its own rules."""
    NETWORK = "network"
    """That in the network, which is told of it and may cut it."""
    UNKNOWN = "unknown"


class Limit(NamedTuple):
    """What a provider's validity period can be. Sources: docs/receipts.md."""

    parameter: str = ""
    least_s: int = 1
    most_s: int | None = None
    ends: Ends = Ends.UNKNOWN


_TWILIO = Limit("ValidityPeriod", 1, 36_000, Ends.QUEUE)
_SMPP = Limit("validity_period", 1, None, Ends.NETWORK)
LIMITS: Mapping[str, Limit] = {
    "twilio-status-callback": _TWILIO,
    "twilio-event-streams": _TWILIO,
    "smpp-receipt": _SMPP,
    "jasmin-http": _SMPP,
    "jasmin-log": _SMPP,
    "kannel": Limit("validity (minutes)", 60, None, Ends.NETWORK),
    "aws-sms": Limit("TimeToLive", 1, 259_200, Ends.QUEUE),
    "vonage": Limit("ttl", 1_800, 259_200, Ends.NETWORK),
}
"""By format; of others nothing is known here."""


class Why(StrEnum):
    """What decided a suggestion."""

    SEEN = "seen"
    """The latencies of what was delivered."""
    TRAFFIC_CLASS = "traffic_class"
    """What such traffic asks for."""
    PROVIDER_LIMIT = "provider_limit"
    """The provider takes no more, or no less."""


class Suggestion(NamedTuple):
    """A validity period, what decided it, and the share of deliveries that come later, None if not known."""

    period_s: int
    why: Why
    lost_ratio: float | None


@dataclass
class Latencies:
    """Outcomes by column of LATENCY_BOUNDS_S, the last one beyond them."""

    delivered: Ints = field(default_factory=lambda: np.zeros(len(LATENCY_BOUNDS_S) + 1, np.int64))
    failed: Ints = field(default_factory=lambda: np.zeros(len(LATENCY_BOUNDS_S) + 1, np.int64))

    @property
    def all(self) -> Ints:
        return self.delivered + self.failed

    @property
    def late_ratio(self) -> float | None:
        """Share of the outcomes that came after LATE_S; None where there are none."""
        total = int(self.all.sum())
        return int(self.all[LATENCY_BOUNDS_S.index(LATE_S) + 1 :].sum()) / total if total else None


@dataclass
class Expired:
    """How many messages of a source ended, and how many by expiry and where."""

    ended: int = 0
    queue: int = 0
    absent: int = 0
    network: int = 0


@dataclass
class Gathering:
    """Adds up closed buckets, in any order."""

    by_class: dict[tuple[str, str], Latencies] = field(default_factory=lambda: defaultdict(Latencies))
    """By source and traffic class, '' for none."""
    expired: dict[str, Expired] = field(default_factory=lambda: defaultdict(Expired))

    def take(self, cells: Cells) -> None:
        for i, key in enumerate(cells.keys[k] for k in cells.key):
            own = cells.own[i] if cells.own else 0
            if key.source == CANARY or not cells.finals[i] + own:
                continue
            of_source = self.expired[key.source]
            of_source.ended += cells.finals[i] + own
            of_source.queue += cells.unsent[i] if cells.unsent else 0
            in_network = cells.expired[i] if cells.expired else 0
            if key.outcome_class == ABSENT_CLASS:
                of_source.absent += in_network
            else:
                of_source.network += in_network
        for source, name, delivered, column, n in _rows(cells):
            latencies = self.by_class[source, name]
            (latencies.delivered if delivered else latencies.failed)[column] += n


def _rows(cells: Cells) -> Iterator[tuple[str, str, bool, int, int]]:
    for j, (i, column, n) in enumerate(
        zip(cells.latency_cell, cells.latency_bin, cells.latency_n, strict=True)
    ):
        key = cells.keys[cells.key[i]]
        name = cells.classes[cells.latency_class[j]] if cells.latency_class else ""
        yield key.source, name, key.outcome_class == DELIVERED, column, n


def quantile(counts: Ints, q: float) -> float | None:
    """The latency (s) within which a share `q` lies, on a line between two bounds; infinite beyond the last
    bound, None where there are none."""
    total = int(counts.sum())
    if not total:
        return None
    upto = np.cumsum(counts)
    column = int(np.searchsorted(upto, q * total))
    if column >= len(LATENCY_BOUNDS_S):
        return float("inf")
    low_s = LATENCY_BOUNDS_S[column - 1] if column else 0
    before = int(upto[column] - counts[column])
    part = (q * total - before) / int(counts[column])
    return low_s + part * (LATENCY_BOUNDS_S[column] - low_s)


def suggest(
    latencies: Latencies, traffic_class: str, limit: Limit, unhurried: Collection[str] = ()
) -> Suggestion:
    """A validity period for traffic of that class; `unhurried` are the classes whose time does not matter."""
    wanted_s, why = _wanted(latencies, traffic_class, unhurried)
    period_s = max(limit.least_s, min(wanted_s, limit.most_s or wanted_s))
    if period_s != wanted_s:
        why = Why.PROVIDER_LIMIT
    return Suggestion(period_s, why, _later(latencies.delivered, period_s))


def _wanted(latencies: Latencies, traffic_class: str, unhurried: Collection[str]) -> tuple[int, Why]:
    if traffic_class in unhurried:
        return UNHURRIED_S, Why.TRAFFIC_CLASS
    if traffic_class != TIME_CRITICAL:
        return TRANSACTIONAL_S, Why.TRAFFIC_CLASS
    least_s, most_s = TIME_CRITICAL_S
    if latencies.delivered.sum() < LEAST_DELIVERIES:
        return most_s, Why.TRAFFIC_CLASS
    upto = np.cumsum(latencies.delivered)
    column = int(np.searchsorted(upto, KEPT_RATIO * upto[-1]))
    needed_s = LATENCY_BOUNDS_S[column] if column < len(LATENCY_BOUNDS_S) else most_s + 1
    within = least_s <= needed_s <= most_s
    return min(max(needed_s, least_s), most_s), Why.SEEN if within else Why.TRAFFIC_CLASS


def _later(delivered: Ints, period_s: int) -> float | None:
    """The share of deliveries beyond the last bound within the period: no more come later than it."""
    total = int(delivered.sum())
    if total < LEAST_DELIVERIES:
        return None
    column = int(np.searchsorted(LATENCY_BOUNDS_S, period_s, side="right"))
    return int(delivered[column:].sum()) / total
