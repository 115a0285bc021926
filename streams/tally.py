"""Adding up cells, row by row: the open buckets and the late counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.fold import merge_failed, pack, top
from streams.records import LATENCY_BOUNDS_S, Cells, SeriesKey

COLUMNS = len(LATENCY_BOUNDS_S) + 1


@dataclass(slots=True)
class CellSum:
    """One series in one bucket, summed over partials."""

    finals: int = 0
    sends: int = 0
    latency: list[int] | None = None
    senders: Counter[str] | None = None
    recipients: list[NDArray[np.uint64]] = field(default_factory=list)

    def hashes(self) -> NDArray[np.uint64]:
        """Distinct recipients, sorted."""
        if not self.recipients:
            return np.empty(0, np.uint64)
        return np.unique(np.concatenate(self.recipients))


Bucket = dict[SeriesKey, CellSum]


def add(buckets: dict[int, Bucket], cells: Cells, wanted: Iterable[int] | None = None) -> None:
    """Adds cells to the buckets they belong to; `wanted` limits it to those cell indices."""
    indices = range(len(cells.key)) if wanted is None else wanted
    keys, key, bucket_s = cells.keys, cells.key, cells.bucket_s
    at: dict[int, CellSum] = {}
    for i in indices:
        bucket = buckets.get(bucket_s[i])
        if bucket is None:
            bucket = buckets[bucket_s[i]] = {}
        name = keys[key[i]]
        cell = bucket.get(name)
        if cell is None:
            cell = bucket[name] = CellSum()
        cell.finals += cells.finals[i]
        cell.sends += cells.sends[i]
        at[i] = cell
    _add_latency(cells, at)
    _add_failed(cells, at)


def _add_latency(cells: Cells, at: Mapping[int, CellSum]) -> None:
    for i, column, n in zip(cells.latency_cell, cells.latency_bin, cells.latency_n, strict=True):
        cell = at.get(i)
        if cell is not None:
            if cell.latency is None:
                cell.latency = [0] * COLUMNS
            cell.latency[column] += n


def _add_failed(cells: Cells, at: Mapping[int, CellSum]) -> None:
    for i, hashes in merge_failed(cells).items():
        if i in at:
            at[i].recipients.append(hashes)
    for i, senders in cells.senders.items():
        if i in at:
            at[i].senders = (at[i].senders or Counter()) + Counter(senders)


def as_cells(buckets: Mapping[int, Bucket]) -> Cells:
    """The sums as cells, in order of bucket and key: equal sums give equal bytes."""
    rows = [(b, k, c) for b, bucket in sorted(buckets.items()) for k, c in sorted(bucket.items())]
    names = sorted({k for _, k, _ in rows})
    index = {k: i for i, k in enumerate(names)}
    cells = Cells(
        keys=names,
        key=[index[k] for _, k, _ in rows],
        bucket_s=[b for b, _, _ in rows],
        finals=[c.finals for _, _, c in rows],
        sends=[c.sends for _, _, c in rows],
    )
    hashes: list[int] = []
    for i, (_, _, cell) in enumerate(rows):
        distinct = cell.hashes().tolist()
        cells.recipients_n.append(len(distinct))
        hashes.extend(distinct)
        if cell.senders:
            cells.senders[i] = top(cell.senders)
        for column, n in enumerate(cell.latency or ()):
            if n:
                cells.latency_cell.append(i)
                cells.latency_bin.append(column)
                cells.latency_n.append(n)
    cells.recipients = pack(hashes)
    return cells
