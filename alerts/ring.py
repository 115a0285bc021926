"""The last hour of one rule: what each bucket counted by leaf, row after row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.counts import Table
from alerts.scopes import Index

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Row(NamedTuple):
    """One bucket of one rule: leaf numbers, rising, and their counts; only leaves with outcomes."""

    bucket_s: int
    leaf: Int32s
    counts: Int32s
    """[5, leaves] n, k, finals, failed, urgent, as in Count."""

    @property
    def n(self) -> Int32s:
        n: Int32s = self.counts[0]
        return n

    @property
    def k(self) -> Int32s:
        k: Int32s = self.counts[1]
        return k


def row_of(bucket_s: int, where: Ints, table: Table) -> Row:
    """Sorted by leaf, so that the order in which a bucket names its series decides nothing."""
    leaf = where.astype(np.int32)
    order = np.argsort(leaf, kind="stable")
    urgent = np.broadcast_to(table.urgent, len(leaf))
    own = np.stack((table.n, table.k, table.finals, table.failed, urgent))
    return Row(bucket_s, leaf[order], np.take(own, order, axis=1))


def without(row: Row, members: Bools) -> Row:
    """The row without the leaves that are `members` [L]."""
    outside = ~members[row.leaf]
    return Row(row.bucket_s, row.leaf[outside], row.counts[:, outside])


def positions(row: Row, leaves: Int32s) -> tuple[Ints, Bools]:
    """Where in a row some `leaves` are, and which of them it holds. Rows are sorted by leaf."""
    at = np.searchsorted(row.leaf, leaves)
    held: Bools = at < len(row.leaf)
    held[held] = row.leaf[at[held]] == leaves[held]
    return at[held], held


def since(ring: tuple[Row, ...], from_s: int) -> Iterator[Row]:
    """The rows at or after `from_s`, newest first."""
    for row in reversed(ring):
        if row.bucket_s < from_s:
            return
        yield row


def kept(ring: tuple[Row, ...], after_s: int) -> tuple[Row, ...]:
    """The rows later than `after_s`."""
    first = next((i for i, row in enumerate(ring) if row.bucket_s > after_s), len(ring))
    return ring[first:]


def dense(row: Row, values: Int32s, index: Index) -> Floats:
    """One of the row's counts as [L], 0 where the row has no outcomes."""
    of_all = np.zeros(len(index.leaves))
    of_all[row.leaf] = values
    return of_all
