"""What the benchmark feeds: evenly spaced outcomes over a grid of series, and the truth about them.

The seed and the start time decide every byte. Whole batches at a time: numpy draws, one template
a record writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.bench.formats import Columns, Form
from streams import settings
from streams.decode import format_of
from streams.records import BUCKET_S

FAILED_SHARE = 0.03
CARRIERS = tuple(f"001-{100 + 10 * i}" for i in range(60))  # of the MCC for tests: nothing rolls up
_STATES = (
    "ALAKAZARCACOCTDEFLGAHIIDILINIAKSKYLAMEMDMAMIMNMSMOMTNENVNHNJNMNYNCNDOHOKORPARISCSDTNTXUTVTVAWAWVWIWY"
)
REGIONS = tuple(f"US-{_STATES[i : i + 2]}" for i in range(0, len(_STATES), 2))
SENDERS = np.array([f"1833555{n:04d}" for n in range(40)])
_BATCH = 20_000
_RECEIPT_DELAY_MS = (500, 20_000)
_NUMBERS = 10_000_000_000
_STRIDE = 7_368_787_661  # odd and not a multiple of 5: every number comes once in _NUMBERS records


class Series(NamedTuple):
    """What the outcomes of one row of the truth must be counted under."""

    carrier: str
    region: str
    outcome_class: str


@dataclass(frozen=True)
class Workload:
    """One stream of records. `per_s` is records a second of receipt time, not of the wall."""

    source: settings.Source
    form: Form
    records: int
    per_s: int = 60_000
    labelled: bool = True
    """Records name carrier and region; else they are the source's, one series."""
    seed: int = 1
    carriers: tuple[str, ...] = CARRIERS
    regions: tuple[str, ...] = REGIONS

    @property
    def duration_ms(self) -> int:
        return -(-self.records * 1000 // self.per_s)

    def start_ms(self, now_ms: int) -> int:
        """Receipt time of the first record, such that all of it lies in the past and its end is the
        end of a minute: there alerts keep their state, so one can see that they are through."""
        end_ms = (now_ms - 2 * BUCKET_S * 1000) // 60_000 * 60_000
        return end_ms - self.duration_ms


@dataclass
class Truth:
    """What was written, for the check of what is counted."""

    records: int = 0
    value_bytes: int = 0
    start_ms: int = 0
    failed: int = 0
    counts: dict[Series, int] = field(default_factory=dict)


class Batch(NamedTuple):
    """Records in the order of their receipt times."""

    keys: list[str]
    values: list[str]
    received_ms: list[int]


def batches(work: Workload, start_ms: int, truth: Truth) -> Iterator[Batch]:
    """All records; `truth` is complete once the last batch was taken."""
    rng = np.random.default_rng(work.seed)
    truth.start_ms = start_ms
    for first in range(0, work.records, _BATCH):
        number = np.arange(first, min(first + _BATCH, work.records))
        columns, carrier, region = _draw(work, start_ms, number, rng)
        values = work.form.write(columns)
        _note(truth, work, columns, carrier, region, values)
        yield Batch(columns.ids, values, columns.received_ms)


def _draw(
    work: Workload, start_ms: int, number: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Columns, NDArray[np.int64], NDArray[np.int64]]:
    n = len(number)
    raw = rng.bytes(16 * n).hex()
    carrier, region = rng.integers(len(work.carriers), size=n), rng.integers(len(work.regions), size=n)
    received_ms = start_ms + number * 1000 // work.per_s
    delay_ms = rng.integers(*_RECEIPT_DELAY_MS, size=n)
    columns = Columns(
        ids=[work.form.id_prefix + raw[i : i + 32] for i in range(0, 32 * n, 32)],
        failed=(rng.random(n) < FAILED_SHARE).tolist(),
        carrier=np.array(work.carriers)[carrier].tolist(),
        region=np.array(work.regions)[region].tolist(),
        to=(_NUMBERS + number * _STRIDE % _NUMBERS).tolist(),
        sender=SENDERS[rng.integers(len(SENDERS), size=n)].tolist(),
        received_ms=received_ms.tolist(),
        provider_ms=(received_ms - 120).tolist(),
        sent_ms=(received_ms - delay_ms).tolist(),
    )
    return columns, carrier, region


def _note(
    truth: Truth,
    work: Workload,
    columns: Columns,
    carrier: NDArray[np.int64],
    region: NDArray[np.int64],
    values: list[str],
) -> None:
    failed = np.array(columns.failed)
    truth.records += len(values)
    truth.value_bytes += sum(map(len, values))
    truth.failed += int(failed.sum())
    flat = (carrier * len(work.regions) + region) * 2 + failed
    for row, n in zip(*(a.tolist() for a in np.unique(flat, return_counts=True)), strict=True):
        series = _series(work, row)
        truth.counts[series] = truth.counts.get(series, 0) + n


def _series(work: Workload, row: int) -> Series:
    pair, failed = divmod(row, 2)
    outcome_class = "absent_subscriber" if failed else "delivered"
    if not work.labelled:
        return Series(work.source.carrier, work.source.region, outcome_class)
    carrier, region = divmod(pair, len(work.regions))
    return Series(work.carriers[carrier], work.regions[region], outcome_class)


def source_of(form: Form, *, labelled: bool = True) -> settings.Source:
    """A source for one form; without labels in the records it is a connector to one carrier."""
    carrier, region = ("", "") if labelled else (CARRIERS[0], REGIONS[0])
    codes = format_of(form.format).codes
    return settings.Source(name=form.format, format=form.format, codes=codes, carrier=carrier, region=region)
