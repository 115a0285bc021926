"""The ledger of the truth: what the monitor should make of each record, written before encoding.

Imports nothing of the product, and no product code imports it. Classes and sides are the ledger's
own short table; a test compares it with the published ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from streams.simulate.runs import Runs
from streams.simulate.truth import GARBAGE, SMPP, UNKNOWN, Kind, Label, Truth

BUCKET_MS = 10_000

CLASSES: Mapping[str, Mapping[str, str]] = {
    "twilio": {
        "30003": "absent_subscriber",
        "30005": "destination",
        "30006": "destination",
        "30007": "spam",
        "30008": "unknown",
        "30034": "policy",
    },
    "twilio-smpp": {
        "000": "unknown",  # the code says nothing bad, the status decides
        "001": "absent_subscriber",
        "007": "absent_subscriber",
        "015": "absent_subscriber",
        "059": "absent_subscriber",
        "002": "memory_full",
        "047": "network_failure",
        "052": "expired",
        "054": "destination",
        "058": "throttled",
        "255": "unknown",
    },
}
"""Profile -> code -> class of a final that was not delivered."""

OWN_SIDE = {("twilio", "30034"), ("twilio-smpp", "058")}
"""Profile and code whose fault is ours: out of the carrier rate."""

RULES: Mapping[str, tuple[str, frozenset[str]]] = {
    "twilio_30003": ("twilio", frozenset({"30003"})),
    "smpp_absent_subscriber": ("twilio-smpp", frozenset({"001", "007", "015", "059"})),
}
"""The rules that are monitored: profile and failing codes."""

_GARBAGE = frozenset(GARBAGE)

K = TypeVar("K", bound=Hashable)


class Series(NamedTuple):
    """What a counted final belongs to. `code` is '' where the record holds none
    that matters."""

    source: str
    carrier: str
    region: str
    outcome_class: str
    code: str


class Ledger:
    """Counts of what was meant. Times are epoch seconds (buckets) and milliseconds (incidents)."""

    def __init__(
        self, name: str = "", seed: int = 0, start_ms: int = 0, incidents: tuple[Label, ...] = ()
    ) -> None:
        self.name, self.seed, self.start_ms, self.incidents = name, seed, start_ms, incidents
        self.results: Counter[tuple[str, str]] = Counter()
        """(source, result) -> records. A record of no known source stands under `unknown`."""
        self.counts: Counter[tuple[Series, int]] = Counter()
        """(series, start of its 10 s bucket of receipt time) -> counted finals, late ones left out."""
        self.failed: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
        """(carrier, region, outcome class) -> recipients of counted failed finals."""
        self.runs = Runs()
        self.newest_s = 0
        """Receipt time of the newest record."""

    def note(self, truth: Truth) -> str:
        """Writes one record down and returns its result, in the words of the contract."""
        result = fate(truth)
        source = UNKNOWN if truth.kind is Kind.UNKNOWN_SOURCE else truth.leaf.source
        self.results[source, result] += 1
        self.newest_s = max(self.newest_s, truth.received_ms // 1000)
        if result in ("counted", "late", "conflict") and not _bare(truth):
            self._note_run(truth, result)
        if result == "counted":
            series = series_of(truth)
            self.counts[series, truth.received_ms // BUCKET_MS * 10] += 1
            if series.outcome_class != "delivered" and not _bare(truth):
                self.failed[series[1:4]].add(truth.recipient)
        return result

    def _note_run(self, truth: Truth, result: str) -> None:
        """A second final counts only when it says that the message has arrived after all."""
        outcome_class, at_s = series_of(truth).outcome_class, truth.received_ms // 1000
        if outcome_class == "delivered":
            self.runs.reach(truth.recipient, at_s)
        elif outcome_class == "absent_subscriber" and result != "conflict":
            self.runs.fail(truth.recipient, truth.message_id, at_s)

    @property
    def listed(self) -> list[str]:
        """Numbers that must be on the list of recipients after the newest record, E.164, sorted."""
        return [f"+{number}" for number in sorted(self.runs.listed(self.newest_s))]

    @property
    def records(self) -> int:
        return sum(self.results.values())

    def by_result(self) -> dict[str, int]:
        """Records per result over all sources."""
        return _summed((result, n) for (_, result), n in self.results.items())

    def by_series(self) -> dict[tuple[str, str, str, int], int]:
        """Counted finals per (carrier, region, outcome class, bucket)."""
        return _summed(((*s[1:4], bucket_s), n) for (s, bucket_s), n in self.counts.items())

    def distinct_failed(self) -> dict[tuple[str, str, str], int]:
        """Distinct recipients of failed finals per (carrier, region, outcome class)."""
        return {key: len(recipients) for key, recipients in self.failed.items()}

    def to_json(self) -> bytes:
        return msgspec.json.encode(
            {
                "name": self.name,
                "seed": self.seed,
                "start_ms": self.start_ms,
                "incidents": self.incidents,
                "results": [[*key, n] for key, n in sorted(self.results.items())],
                "counts": [[*series, bucket_s, n] for (series, bucket_s), n in sorted(self.counts.items())],
                "listed": self.listed,
                "failed": [[*key, sorted(numbers)] for key, numbers in sorted(self.failed.items())],
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> Ledger:
        raw = msgspec.json.decode(text)
        ledger = cls(
            raw["name"], raw["seed"], raw["start_ms"], msgspec.convert(raw["incidents"], tuple[Label, ...])
        )
        ledger.results.update({(source, result): n for source, result, n in raw["results"]})
        ledger.counts.update({(Series(*row[:5]), row[5]): row[6] for row in raw["counts"]})
        ledger.failed.update({(row[0], row[1], row[2]): set(row[3]) for row in raw["failed"]})
        return ledger


def fate(truth: Truth) -> str:
    """The result that the record must get; the first that fits, in the contract's order."""
    if truth.kind in _GARBAGE:
        return "malformed"
    if truth.kind is Kind.INBOUND:
        return "inbound"
    if truth.repeat:
        return "duplicate"
    if truth.kind is Kind.CONFLICT:
        return "conflict"
    verdict = truth.verdict
    if verdict.status == "cancelled":
        return "own_side"
    if verdict.status in ("in_flight", "unknown"):
        return "in_flight"
    if verdict.status != "delivered" and (truth.leaf.profile, verdict.code) in OWN_SIDE:
        return "own_side"
    return "late" if truth.kind is Kind.LATE else "counted"


def series_of(truth: Truth) -> Series:
    """Where a counted final belongs: only what its record tells, or the number's prefix."""
    leaf, verdict = truth.leaf, truth.verdict
    outcome_class, code = "delivered", ""  # by status alone, whatever the code
    if verdict.status != "delivered":
        outcome_class, code = CLASSES[leaf.profile].get(verdict.code, UNKNOWN), verdict.code
    if _bare(truth):
        return Series(leaf.source, UNKNOWN, UNKNOWN, outcome_class, code)
    carrier = leaf.carrier if leaf.carrier_label else UNKNOWN
    region = leaf.region if leaf.region_label else leaf.country
    return Series(leaf.source, carrier, region, outcome_class, code)


def _bare(truth: Truth) -> bool:
    """A bare receipt text names neither carrier, region nor recipient."""
    return truth.as_text and truth.leaf.format == SMPP


def _summed(pairs: Iterable[tuple[K, int]]) -> dict[K, int]:
    sums: Counter[K] = Counter()
    for key, n in pairs:
        sums[key] += n
    return dict(sums)
