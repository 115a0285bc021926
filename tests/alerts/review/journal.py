"""A simulated `windows` journal of one labelled incident, with the truth that the review must find.

Outcomes fail with the healthy 2 % until `onset_s`, in the ill scope with `ratio` until `end_s`. Failed
messages are tried again, so that recipients fail more than once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from alerts.records import Decision, Incident, Scope, ScopeKind, Severity, State
from streams.fold import pack
from streams.journal import Complete
from streams.records import Cells, ClosedBucket, SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule, Source

START_S = 1_700_000_000
HEALTHY = 0.02
RULE = Rule(name="twilio_30003", profiles=("twilio",), codes=("30003",))
BOOK = RuleBook.of((RULE,), (Source(name="tw", format="canonical", codes="twilio"),))
SCOPE = Scope(ScopeKind.CARRIER, "310-260", "all")
CARRIERS, REGIONS = ("310-260", "311-480"), ("US-CA", "US-NY")


@dataclass
class Simulated:
    """`rate` outcomes a second in each of four series; times are seconds after START_S."""

    seed: int = 1
    rate: float = 20.0
    ratio: float = 0.3
    onset_s: float = 1803.0
    end_s: float = 2997.0
    until_s: int = 3600
    urgent: float = 0.2
    """Share of failures that are time-critical."""
    scope: Scope = SCOPE
    recipients: set[int] = field(default_factory=set)
    """Of the truth: who failed in the scope while the incident lasted."""
    failed: int = 0
    excess: float = 0.0
    attempted: int = 0
    time_critical: int = 0

    def buckets(self) -> Iterator[Complete]:
        rng = np.random.default_rng(self.seed)
        seen: dict[tuple[SeriesKey, int], int] = {}
        people = {c: rng.integers(1, 2**63, 40_000) for c in CARRIERS}
        for at in range(0, self.until_s, 10):
            cells = Cells()
            hashes: list[int] = []
            for carrier in CARRIERS:
                for region in REGIONS:
                    self._series(rng, cells, hashes, seen, at, carrier, region, people[carrier])
            cells.recipients = pack(hashes)
            record = ClosedBucket(START_S + at, "a", 1, 1, 0, 0, {}, [])
            yield Complete(record, cells, Cells(), at)

    def _series(
        self,
        rng: np.random.Generator,
        cells: Cells,
        hashes: list[int],
        seen: dict[tuple[SeriesKey, int], int],
        at: int,
        carrier: str,
        region: str,
        people: np.ndarray,
    ) -> None:
        n = int(rng.poisson(self.rate * 10))
        share = max(0.0, min(self.end_s, at + 10) - max(self.onset_s, at)) / 10
        ill = share if self.scope.covers(carrier, region) else 0.0
        failed = int(rng.binomial(n, HEALTHY + ill * (self.ratio - HEALTHY)))
        who = rng.choice(people, failed).tolist()
        key = SeriesKey("tw", carrier, region, "absent_subscriber", "30003")
        fresh = [h for h in dict.fromkeys(who) if START_S + at - seen.get((key, h), 0) >= 3600]
        seen |= {(key, h): START_S + at for h in fresh}
        urgent = int(rng.binomial(failed, self.urgent))
        self._note(who, n, failed, urgent, share, carrier, region)
        delivered = SeriesKey("tw", carrier, region, "delivered", "")
        other = SeriesKey("tw", carrier, region, "destination", "30005")
        rows = [
            (key, failed, sorted(set(who)), len(fresh), failed - len(fresh)),
            (other, n // 100, [], 0, 0),
            (delivered, n - failed - n // 100, [], 0, 0),
        ]
        for name, finals, own, distinct, repeats in rows:
            cells.keys.append(name)
            cells.key.append(len(cells.keys) - 1)
            cells.bucket_s.append(START_S + at)
            cells.finals.append(finals)
            cells.sends.append(0)
            cells.signals.append(0)
            cells.recipients_n.append(len(own))
            cells.distinct.append(distinct)
            cells.repeats.append(repeats)
            hashes += own
            if name is key and urgent:
                cells.time_critical[cells.key[-1]] = urgent
                cells.senders[cells.key[-1]] = {"+12025550100": failed // 2, "": failed - failed // 2}

    def _note(
        self, who: list[int], n: int, failed: int, urgent: int, share: float, carrier: str, region: str
    ) -> None:
        if share and self.scope.covers(carrier, region):
            self.recipients |= set(who)
            self.failed += failed
            self.attempted += n
            self.excess += share * n * (self.ratio - HEALTHY)
            self.time_critical += urgent


def incident(**changes: object) -> Incident:
    """The incident that the detector made of it, resolved."""
    opened_s = START_S + 1830
    fields: dict[str, object] = {
        "key": f"ch:twilio_30003:carrier:310-260:all:{opened_s}",
        "seq": 3,
        "rule": RULE.name,
        "scope": "carrier",
        "carrier": "310-260",
        "region": "all",
        "state": State.RESOLVED,
        "severity": Severity.CRITICAL,
        "opened_bucket_s": opened_s,
        "detected_ms": (opened_s + 10) * 1000,
        "last_bucket_s": START_S + 3200,
        "reason": Decision.RECOVERED,
        "onset_ms": (START_S + 1810) * 1000,
        "resolved_bucket_s": START_S + 3200,
        "ratio": 0.03,
        "peak_ratio": 0.31,
        "failed": 14_000,
        "outcomes": 48_000,
        "distinct_recipients": 9_000,
        "expected_ratio": 0.02,
        "expected_low": 0.015,
        "expected_high": 0.027,
        "warned": True,
        "plain_key_used": True,
    }
    return Incident(**{**fields, **changes})  # type: ignore[arg-type]
