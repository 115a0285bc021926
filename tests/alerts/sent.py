"""A network whose receipts come hours late or never, read by ingest itself, and what is really missing.

Times of the simulator are stretched: 17 minutes of it are 17 hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import msgspec
import numpy as np

from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import BUCKET_S, Cells
from streams.simulate import encode
from streams.simulate.parts import Scenario
from streams.simulate.scenario import parse, sources_of
from streams.simulate.traffic import truths
from streams.simulate.truth import Truth
from streams.source import Source

START_S = 1_784_332_800
STRETCH = 60
HORIZON_S = 600
ENDS = ("delivered", "undelivered", "failed", "expired", "cancelled")
SCENARIO = parse(
    """
name = "late-or-never"
duration_s = 1020
rate = 15.0
wobble = 0.5
[delays]
median_s = 1.0
sigma = 1.9
cap_s = 600.0
[disturbances]
duplicates = 0.01
sent_after_final = 0.002
own_side = 0.004
[[feeds]]
source = "timed"
format = "canonical"
profile = "twilio"
share = 0.5
carrier_label = true
region_label = true
in_flight = true
carriers = ["310-410"]
[[feeds]]
source = "untimed"
format = "twilio-status-callback"
profile = "twilio"
share = 0.5
carrier_label = true
region_label = true
in_flight = true
carriers = ["310-260"]
[[carriers]]
id = "310-410"
weight = 1
base_rate = 0.02
regions = ["US-CA"]
[[carriers]]
id = "310-260"
weight = 1
base_rate = 0.02
regions = ["US-CA"]
[[regions]]
id = "US-CA"
weight = 1
"""
)


def stretched(seed: int, scenario: Scenario = SCENARIO) -> Iterator[Truth]:
    """The scenario's records, times from its start on STRETCH times as long."""
    start_ms = START_S * 1000
    for t in truths(scenario, seed, start_ms):
        times = {
            n: start_ms + (getattr(t, n) - start_ms) * STRETCH for n in ("at_ms", "received_ms", "sent_ms")
        }
        yield msgspec.structs.replace(t, provider_ms=times["received_ms"], **times)


def lossy(records: Iterator[Truth], lost: Callable[[Truth], bool]) -> Iterator[Truth]:
    """Without the ends of messages that `lost` names."""
    return (t for t in records if t.verdict.status not in ENDS or not lost(t))


def buckets(
    records: Iterator[Truth], scenario: Scenario = SCENARIO, span_s: int = 60
) -> Iterator[tuple[int, Cells, list[Truth]]]:
    """Each `span_s` of time of writing: its last bucket, its cells as ingest folds them, and what they are
    made of."""
    sources = {s.name: Source.of(s) for s in sources_of(scenario)}
    intake = Intake(sources, RecipientHasher(DEMO_KEY), 1_000_000)
    part, offset = PartitionIntake("outcomes", "id", 0, 0, SeenIds(HORIZON_S, 10**6)), 0
    at_s = START_S
    for of_span, group in groupby(records, lambda t: t.at_ms // 1000 // span_s):
        end_s, some = (of_span + 1) * span_s, list(group)
        for empty_s in range(at_s + span_s, end_s, span_s):
            yield empty_s - BUCKET_S, Cells(), []
        intake.take(_batch(some, offset), [part], end_s * 1000)
        offset += len(some)
        yield end_s - BUCKET_S, intake.fold.cells(intake.keys), some
        at_s = end_s


def _batch(some: Sequence[Truth], offset: int) -> Batch:
    return Batch(
        np.zeros(len(some), np.int64),
        np.arange(offset, offset + len(some)),
        [t.at_ms for t in some],
        [encode.headers(t) for t in some],
        [encode.value(t) for t in some],
        lambda i: None,
    )


class Really:
    """Every message by itself: when it was sent, and which have no end yet."""

    def __init__(self) -> None:
        self.sent_ms: dict[str, int] = {}
        self._ended: set[str] = set()
        self._of: dict[str, str] = {}

    def take(self, some: Sequence[Truth]) -> None:
        for t in some:
            if t.verdict.status in ENDS:
                self._ended.add(t.message_id)
                self.sent_ms.pop(t.message_id, None)
            elif t.message_id not in self._ended:
                self.sent_ms.setdefault(t.message_id, t.received_ms)
                self._of[t.message_id] = t.leaf.carrier

    def missing(self, now_s: int, age_s: int, most_s: int = 86_400) -> Counter[str]:
        """By carrier: sent at least `age_s` and less than `most_s` before `now_s`, without an end."""
        ages_s = ((m, now_s - sent_ms / 1000) for m, sent_ms in self.sent_ms.items())
        return Counter(self._of[m] for m, own_s in ages_s if age_s <= own_s < most_s)
