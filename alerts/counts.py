"""The counts of one closed bucket by rule and leaf: what all deciding begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.scopes import Leaf
from streams.records import LATENCY_BOUNDS_S, Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule

Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OLD_S = 3600
"""A receipt that took longer tells of the past, not of now."""
_FIRST_OLD_BIN = LATENCY_BOUNDS_S.index(OLD_S) + 1


class Count(NamedTuple):
    """One leaf in one bucket. `n` and `k` are the evidence: every failed recipient counts once
    an hour. `finals` and `failed` are the outcomes as they came, for people."""

    n: int = 0
    k: int = 0
    finals: int = 0
    failed: int = 0
    sends: int = 0
    """Messages on their way since this bucket, where the source tells."""
    old_n: int = 0
    old_k: int = 0
    """The part of n and k whose receipts took more than OLD_S."""


LeafCounts = Mapping[Leaf, Count]


@dataclass(frozen=True)
class Table:
    """Counts of some leaves, each once, as parallel arrays named as in Count."""

    leaves: tuple[Leaf, ...]
    n: Int32s
    k: Int32s
    finals: Int32s
    failed: Int32s
    sends: Int32s
    old_n: Int32s
    old_k: Int32s

    @classmethod
    def of(cls, counts: LeafCounts) -> Table:
        columns = np.array(list(counts.values()), dtype=np.int32).reshape(-1, len(Count._fields)).T
        return cls(tuple(counts), *columns)

    def by_leaf(self) -> dict[Leaf, Count]:
        columns = (getattr(self, name).tolist() for name in Count._fields)
        return dict(zip(self.leaves, map(Count._make, zip(*columns, strict=True)), strict=True))


def tables(cells: Cells, book: RuleBook) -> dict[str, Table]:
    """Counts by rule of one bucket's cells, all parts merged; only leaves with outcomes or sends."""
    at = np.array(cells.key, dtype=np.int64)
    columns = _columns(cells)
    return {rule.name: _table(cells.keys, at, columns, book, rule) for rule in book.rules}


def leaves(cells: Cells, book: RuleBook) -> dict[str, dict[Leaf, Count]]:
    """The same as mappings."""
    return {rule: table.by_leaf() for rule, table in tables(cells, book).items()}


class _Columns(NamedTuple):
    """By cell; `k`, `failed` and `old_k` if it is one of failures."""

    n: Ints
    k: Ints
    finals: Ints
    failed: Ints
    sends: Ints
    old_n: Ints
    old_k: Ints


def _columns(cells: Cells) -> _Columns:
    """Failures that name no recipient at all (neither new nor repeated) are counted as they are,
    else a source without numbers would never alarm."""
    finals = np.array(cells.finals, dtype=np.int64)
    repeats, distinct, sends = (
        np.array(column if len(column) == len(finals) else [0] * len(finals), dtype=np.int64)
        for column in (cells.repeats, cells.distinct, cells.sends)
    )
    n = finals - repeats
    k = np.where((distinct == 0) & (repeats == 0), n, np.minimum(distinct, n))
    old = np.zeros_like(finals)
    late = np.array(cells.latency_bin, dtype=np.int64) >= _FIRST_OLD_BIN
    slow, times = (np.array(column, dtype=np.int64)[late] for column in (cells.latency_cell, cells.latency_n))
    np.add.at(old, slow, times)
    return _Columns(n, k, finals, finals, sends, np.minimum(old, n), np.minimum(old, k))


def _table(keys: list[SeriesKey], at: Ints, columns: _Columns, book: RuleBook, rule: Rule) -> Table:
    number: dict[Leaf, int] = {}
    asked = [book.eligible(rule, key) for key in keys]
    failing = np.array([book.failing(rule, key) for key in keys], dtype=bool)
    leaf_of = np.array(
        [
            number.setdefault((key.carrier, key.region), len(number)) if ask else -1
            for key, ask in zip(keys, asked, strict=True)
        ],
        dtype=np.int64,
    )
    used = leaf_of[at] >= 0 if len(at) else np.zeros(0, dtype=bool)
    used &= (columns.finals > 0) | (columns.sends > 0)
    leaf, fails = leaf_of[at[used]], failing[at[used]]
    sums = {
        name: _summed(leaf, column[used] * (fails if name in ("k", "failed", "old_k") else 1), len(number))
        for name, column in columns._asdict().items()
    }
    present = np.flatnonzero((sums["finals"] > 0) | (sums["sends"] > 0)).tolist()
    names = list(number)
    return Table(tuple(names[i] for i in present), **{name: own[present] for name, own in sums.items()})


def _summed(leaf: Ints, values: Ints, leaves: int) -> Int32s:
    return np.bincount(leaf, weights=values, minlength=leaves).astype(np.int32)
