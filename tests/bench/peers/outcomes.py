"""The topic that every peer reads: JSON outcomes from a seed, and the counts that must come out.

The seed and the start time decide every byte. Records come evenly in the order of the topic, each up to
30 s older than its place says, spread over the partitions by message id as Kafka's clients do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.bench.traffic import CARRIERS, REGIONS, SENDERS

STEP_S, SIZE_S = 10, 300
DISORDER_MS = 30_000
PARTITIONS = 4
KINDS = ('"delivered","code":null', *(f'"undelivered","code":"{c}"' for c in ("30003", "63036", "30006")))
SHARES = (0.95, 0.03, 0.01, 0.01)
ABSENT = (1, 2)
"""Kinds that say that the subscriber is absent; kind 1 is 30003."""
TICKS = 64
LONGEST_GRACE_S = 7_200
_BATCH = 20_000


class Job(NamedTuple):
    """One topic. `per_s` is outcomes a second of event time, not of the wall."""

    name: str
    outcomes: int
    per_s: float
    seed: int = 1

    @property
    def duration_ms(self) -> int:
        return int(self.outcomes * 1000 / self.per_s)

    def start_ms(self, now_ms: int) -> int:
        """Such that all of it lies in the past, and the ticks for a grace of 30 s. The start of a minute."""
        tail_ms = (SIZE_S + DISORDER_MS // 1000 + 2 * TICKS) * 1000
        return (now_ms - self.duration_ms - tail_ms) // 60_000 * 60_000


class Batch(NamedTuple):
    """Records in the order of the topic."""

    keys: list[str]
    values: list[str]
    at_ms: list[int]


@dataclass
class Buckets:
    """What was written: outcomes, 30003, absent, by bucket of 10 s, carrier and region."""

    first_s: int
    counts: NDArray[np.int64]
    """[bucket, carrier x region, (outcomes, 30003, absent)]"""
    value_bytes: int = 0

    @classmethod
    def of(cls, job: Job, start_ms: int) -> Buckets:
        first_s = (start_ms - DISORDER_MS) // 1000
        n = (job.duration_ms + DISORDER_MS) // (STEP_S * 1000) + 1
        return cls(first_s, np.zeros((n, len(CARRIERS) * len(REGIONS), 3), np.int64))

    def add(self, at_ms: NDArray[np.int64], pair: NDArray[np.int64], kind: NDArray[np.int64]) -> None:
        bucket = (at_ms // 1000 - self.first_s) // STEP_S
        for column, which in enumerate((kind >= 0, kind == 1, np.isin(kind, ABSENT))):
            np.add.at(self.counts[:, :, column], (bucket[which], pair[which]), 1)


def batches(job: Job, start_ms: int, buckets: Buckets) -> Iterator[Batch]:
    """All outcomes; `buckets` is complete once the last batch was taken."""
    rng = np.random.default_rng(job.seed)
    likely = _shares(len(CARRIERS)), _shares(len(REGIONS))
    for first in range(0, job.outcomes, _BATCH):
        n = min(_BATCH, job.outcomes - first)
        carrier, region = (rng.choice(len(p), n, p=p) for p in likely)
        kind = rng.choice(len(KINDS), n, p=SHARES)
        place_ms = start_ms + (np.arange(first, first + n) * 1000 / job.per_s).astype(np.int64)
        at_ms = place_ms - rng.integers(0, DISORDER_MS, n)
        batch = _write(carrier, region, kind, at_ms, rng)
        buckets.add(at_ms, carrier * len(REGIONS) + region, kind)
        buckets.value_bytes += sum(map(len, batch.values))
        yield batch


def ticks(job: Job, start_ms: int, grace_s: int) -> list[tuple[str, str, int]]:
    """(key, value, time) of records that go into every partition after the last outcome: by their times
    every window of the job is over, its grace too. So many keys reach every task of whoever deals by key."""
    out = []
    for i in range(TICKS):
        at_ms = start_ms + job.duration_ms + (SIZE_S + grace_s + i + 1) * 1000
        value = (
            f'{{"message_id":"tick-{i}","status":"delivered","code":null,"carrier":"tick-{i}","region":"ZZ",'
            f'"to":null,"sender":null,"sent_time_ms":{at_ms},"received_ms":{at_ms}}}'
        )
        out.append((f"tick-{i}", value, at_ms))
    return out


def _shares(n: int) -> NDArray[np.float64]:
    """Few large ones and many small ones: the k-th has a share of about 1 / sqrt(k)."""
    weights = np.arange(1, n + 1) ** -0.5
    return weights / weights.sum()


def _write(
    carrier: NDArray[np.int64],
    region: NDArray[np.int64],
    kind: NDArray[np.int64],
    at_ms: NDArray[np.int64],
    rng: np.random.Generator,
) -> Batch:
    n = len(at_ms)
    raw = rng.bytes(16 * n).hex()
    keys = [raw[i : i + 32] for i in range(0, 32 * n, 32)]
    to = rng.integers(0, 10_000, n)
    columns = (
        keys,
        [KINDS[k] for k in kind.tolist()],
        np.array(CARRIERS)[carrier].tolist(),
        np.array(REGIONS)[region].tolist(),
        to.tolist(),
        SENDERS[rng.integers(len(SENDERS), size=n)].tolist(),
        (at_ms - rng.integers(500, 20_000, n)).tolist(),
        at_ms.tolist(),
    )
    values = [
        f'{{"message_id":"{i}","status":{said},"carrier":"{c}","region":"{r}","to":"+1202555{number:04}",'
        f'"sender":"+{sender}","sent_time_ms":{sent},"received_ms":{at}}}'
        for i, said, c, r, number, sender, sent, at in zip(*columns, strict=True)
    ]
    return Batch(keys, values, columns[-1])
