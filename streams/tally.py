"""Adding up cells, row by row: the open buckets and the late counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streams.fold import TOP_DELIVERED, TOP_SENDERS, failed_recipients, pack, top
from streams.records import DELIVERED, LATENCY_BOUNDS_S, Cells, SeriesKey

COLUMNS = len(LATENCY_BOUNDS_S) + 1


@dataclass(slots=True)
class CellSum:
    """One series in one bucket, summed over partials."""

    finals: int = 0
    sends: int = 0
    signals: int = 0
    latency: list[int] | None = None
    senders: Counter[str] | None = None
    recipients: set[int] | None = None
    """64-bit hashes of failed recipients."""
    time_critical: int = 0
    """Failed outcomes of that traffic class."""


Bucket = dict[SeriesKey, CellSum]


def add(buckets: dict[int, Bucket], cells: Cells, wanted: Iterable[int] | None = None) -> None:
    """Adds cells to the buckets they belong to; `wanted` limits it to those cell indices."""
    at = _rows(buckets, cells, range(len(cells.key)) if wanted is None else wanted)
    for i, cell in at.items():
        cell.finals += cells.finals[i]
        cell.sends += cells.sends[i]
        if cells.signals:
            cell.signals += cells.signals[i]
    _add_latency(cells, at)
    _add_failed(cells, at)


def _rows(buckets: dict[int, Bucket], cells: Cells, wanted: Iterable[int]) -> dict[int, CellSum]:
    """By cell index: the sum that it adds to, made where there is none yet."""
    keys, key, bucket_s = cells.keys, cells.key, cells.bucket_s
    at: dict[int, CellSum] = {}
    for i in wanted:
        bucket = buckets.get(bucket_s[i])
        if bucket is None:
            bucket = buckets[bucket_s[i]] = {}
        name = keys[key[i]]
        cell = bucket.get(name)
        if cell is None:
            cell = bucket[name] = CellSum()
        at[i] = cell
    return at


def _add_latency(cells: Cells, at: Mapping[int, CellSum]) -> None:
    for i, column, n in zip(cells.latency_cell, cells.latency_bin, cells.latency_n, strict=True):
        cell = at.get(i)
        if cell is not None:
            if cell.latency is None:
                cell.latency = [0] * COLUMNS
            cell.latency[column] += n


def _add_failed(cells: Cells, at: Mapping[int, CellSum]) -> None:
    for i, hashes in failed_recipients(cells):
        if i in at:
            known = at[i].recipients
            if known is None:
                at[i].recipients = set(hashes)
            else:
                known.update(hashes)
    for i, senders in cells.senders.items():
        if i in at:
            _add_senders(at[i], senders)
    for i, n in cells.time_critical.items():
        if i in at:
            at[i].time_critical += n


def _add_senders(cell: CellSum, senders: Mapping[str, int]) -> None:
    known = cell.senders
    if known is None:
        cell.senders = Counter(senders)
        return
    for sender, n in senders.items():
        known[sender] = known.get(sender, 0) + n


def as_cells(buckets: Mapping[int, Bucket]) -> Cells:
    """The sums as cells, in order of bucket and key: equal sums give equal bytes."""
    names = sorted({k for bucket in buckets.values() for k in bucket})
    number = {k: i for i, k in enumerate(names)}
    cells = Cells(keys=names)
    hashes: list[int] = []
    for bucket_s in sorted(buckets):
        bucket = buckets[bucket_s]
        order = names if len(buckets) == 1 else sorted(bucket)
        cells.bucket_s += [bucket_s] * len(order)
        for name in order:
            cells.key.append(number[name])
            _append(
                cells, bucket[name], hashes, TOP_DELIVERED if name.outcome_class == DELIVERED else TOP_SENDERS
            )
    cells.recipients = pack(hashes)
    if not any(cells.signals):
        cells.signals = []
    return cells


def _append(cells: Cells, cell: CellSum, hashes: list[int], most_senders: int) -> None:
    i = len(cells.finals)
    cells.finals.append(cell.finals)
    cells.sends.append(cell.sends)
    cells.signals.append(cell.signals)
    cells.recipients_n.append(len(cell.recipients) if cell.recipients else 0)
    if cell.recipients:
        hashes.extend(sorted(cell.recipients))
    if cell.senders:
        cells.senders[i] = top(cell.senders, most_senders)
    if cell.time_critical:
        cells.time_critical[i] = cell.time_critical
    for column, n in enumerate(cell.latency or ()):
        if n:
            cells.latency_cell.append(i)
            cells.latency_bin.append(column)
            cells.latency_n.append(n)
