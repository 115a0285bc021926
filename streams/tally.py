"""Adding up cells, row by row: the open buckets and the late counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter

import numpy as np

from streams.fold import TOP_DELIVERED, TOP_SENDERS, failed_recipients, pack, top
from streams.records import (
    DELIVERED,
    LATENCY_BOUNDS_S,
    OPTIONAL_COUNTS,
    TIME_CRITICAL,
    Cells,
    SeriesKey,
)
from streams.traffic_class import MAX_CLASSES, OTHER

COLUMNS = len(LATENCY_BOUNDS_S) + 1


@dataclass(slots=True)
class CellSum:
    """One series in one bucket, summed over partials."""

    finals: int = 0
    sends: int = 0
    signals: int = 0
    own: int = 0
    unsent: int = 0
    expired: int = 0
    answered: int = 0
    old: int = 0
    latency: dict[str, list[int]] | None = None
    """By traffic class, '' for none."""
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
    _add_counts(cells, at)
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


def _add_counts(cells: Cells, at: Mapping[int, CellSum]) -> None:
    for name in OPTIONAL_COUNTS:
        column = getattr(cells, name)
        for i in np.flatnonzero(column).tolist():
            if i in at:
                setattr(at[i], name, getattr(at[i], name) + column[i])


def _add_latency(cells: Cells, at: Mapping[int, CellSum]) -> None:
    classes = map(cells.classes.__getitem__, cells.latency_class) if cells.latency_class else repeat("")
    rows = zip(cells.latency_cell, cells.latency_bin, cells.latency_n, strict=True)
    for (i, column, n), traffic_class in zip(rows, classes, strict=False):
        cell = at.get(i)
        if cell is not None:
            if cell.latency is None:
                cell.latency = {}
            columns = cell.latency.get(traffic_class)
            if columns is None:
                columns = cell.latency[traffic_class] = [0] * COLUMNS
            columns[column] += n


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
    cell_sums: list[CellSum] = []
    for bucket_s in sorted(buckets):
        bucket = buckets[bucket_s]
        order = names if len(buckets) == 1 else sorted(bucket)
        cells.bucket_s += [bucket_s] * len(order)
        for name in order:
            cells.key.append(number[name])
            most = TOP_DELIVERED if name.outcome_class == DELIVERED else TOP_SENDERS
            _append(cells, bucket[name], hashes, most)
            cell_sums.append(bucket[name])
    cells.recipients = pack(hashes)
    for column in OPTIONAL_COUNTS:
        counts = list(map(attrgetter(column), cell_sums))
        setattr(cells, column, counts if any(counts) else [])
    _append_latency(cells, cell_sums)
    return cells


def _append(cells: Cells, cell: CellSum, hashes: list[int], most_senders: int) -> None:
    i = len(cells.finals)
    cells.finals.append(cell.finals)
    cells.sends.append(cell.sends)
    cells.recipients_n.append(len(cell.recipients) if cell.recipients else 0)
    if cell.recipients:
        hashes.extend(sorted(cell.recipients))
    if cell.senders:
        cells.senders[i] = top(cell.senders, most_senders)
    if cell.time_critical:
        cells.time_critical[i] = cell.time_critical


def _append_latency(cells: Cells, cell_sums: Sequence[CellSum]) -> None:
    """By cell, class and column. Of too many classes the largest keep their names."""
    found = {name for cell in cell_sums for name in cell.latency or ()}
    if len(found) >= MAX_CLASSES:
        found = _with_other([cell.latency or {} for cell in cell_sums])
    names, classes = sorted(found), list[int]()
    for i, cell in enumerate(cell_sums):
        for name, columns in sorted(_under(found, cell.latency or {}).items()):
            number = names.index(name)
            for column, n in enumerate(columns):
                if n:
                    cells.latency_cell.append(i)
                    classes.append(number)
                    cells.latency_bin.append(column)
                    cells.latency_n.append(n)
    if found - {""}:
        cells.classes, cells.latency_class = names, classes


def _with_other(latencies: Iterable[Mapping[str, list[int]]]) -> set[str]:
    """The names that stay: none, what is time-critical, the largest, and `other`."""
    volume: Counter[str] = Counter()
    for latency in latencies:
        volume.update({name: sum(columns) for name, columns in latency.items()})
    ranked = sorted(volume, key=lambda name: (name not in ("", TIME_CRITICAL), -volume[name], name))
    return {*ranked[: MAX_CLASSES - 1], OTHER}


def _under(found: set[str], latency: Mapping[str, list[int]]) -> Mapping[str, list[int]]:
    """Columns by the names that stay."""
    if latency.keys() <= found:
        return latency
    kept: dict[str, list[int]] = {}
    for name, columns in latency.items():
        shown = name if name in found else OTHER
        kept[shown] = [a + b for a, b in zip(kept.get(shown, [0] * COLUMNS), columns, strict=True)]
    return kept
