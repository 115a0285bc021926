"""Folded buckets as blocks of 10 min by rule and leaf, whole arrays at a time: what history teaches.

A block keeps its slots apart, as fine as the buckets are: the scatter between them is learned too.
Buckets that do not fit into a block are laid out over its slots (`lay`).
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.baseline import BLOCK_S
from alerts.counts import Table
from alerts.replay.folded import Bucket
from alerts.replay.lay import Cell, Reader, laid
from alerts.scopes import Leaf
from streams.records import SeriesKey
from streams.rules import RuleBook

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Slots(NamedTuple):
    """One rule in one block: outcomes and failures that are evidence [T, leaves] by slot, and sums
    [leaves] of the whole block."""

    leaves: tuple[Leaf, ...]
    n: Floats
    k: Floats
    finals: Ints
    failed: Ints
    sends: Ints

    def table(self) -> Table:
        """The block as one bucket. What is due of sends is told in steps of 10 s alone: they are left out."""
        none = np.zeros(len(self.leaves), dtype=np.int32)
        n, k = (own.sum(axis=0).astype(np.int32) for own in (self.n, self.k))
        finals, failed = (own.astype(np.int32) for own in (self.finals, self.failed))
        return Table(self.leaves, n, k, finals, failed, none, none, none)


class Block(NamedTuple):
    """Counts of [start_s, start_s + BLOCK_S) by rule."""

    start_s: int
    rules: dict[str, Slots]


class _Place(NamedTuple):
    """Where a series counts in one rule."""

    rule: int
    leaf: int
    fails: bool


class Blocks:
    """The block under way."""

    def __init__(self, reader: Reader, book: RuleBook) -> None:
        self._reader, self._book = reader, book
        self._places: dict[SeriesKey, tuple[_Place, ...]] = {}
        self._leaves: list[dict[Leaf, int]] = [{} for _ in book.rules]
        # By rule: slot, leaf, then what one cell adds to n, k, finals, failed and sends.
        self._parts: list[list[tuple[int, ...]]] = [[] for _ in book.rules]
        self._start_s: int | None = None
        self._slot_s = BLOCK_S

    def add(self, bucket: Bucket) -> list[Block]:
        """The blocks that are whole with this bucket. Buckets come in order, empty ones too.

        What comes before the first block begins is left out: half a block is no volume to learn."""
        self._slot_s = gcd(bucket.length_s, BLOCK_S)
        parts = bucket.length_s // self._slot_s
        cells = [cell for line in bucket.lines for cell in self._reader.cells(line)]
        spread = [laid(cell, parts, bucket.start_s) for cell in cells] if parts > 1 else [[c] for c in cells]
        done = []
        for i in range(parts):
            done += self._slot(bucket.start_s + i * self._slot_s, [own[i] for own in spread])
        return done

    def _slot(self, at_s: int, cells: list[Cell]) -> list[Block]:
        if self._start_s is None:
            self._start_s = -(-at_s // BLOCK_S) * BLOCK_S
        if at_s < self._start_s:
            return []
        for cell in cells:
            self._count((at_s - self._start_s) // self._slot_s, cell)
        end_s = self._start_s + BLOCK_S
        if at_s + self._slot_s < end_s:
            return []
        block = Block(self._start_s, {rule.name: self._slots(i) for i, rule in enumerate(self._book.rules)})
        self._parts, self._start_s = [[] for _ in self._book.rules], end_s
        return [block]

    def _count(self, slot: int, cell: Cell) -> None:
        """As `alerts.counts` reads cells: a failure counts by its recipients where they are told."""
        places = self._places.get(cell.key)
        if places is None:
            places = self._places[cell.key] = self._placed(cell.key)
        n = cell.finals if cell.distinct is None else cell.distinct
        for place in places:
            k, failed = (n, cell.finals) if place.fails else (0, 0)
            self._parts[place.rule].append((slot, place.leaf, n, k, cell.finals, failed, cell.sends))

    def _placed(self, key: SeriesKey) -> tuple[_Place, ...]:
        leaf, book = (key.carrier, key.region), self._book
        return tuple(
            _Place(i, self._leaves[i].setdefault(leaf, len(self._leaves[i])), book.failing(rule, key))
            for i, rule in enumerate(book.rules)
            if book.eligible(rule, key)
        )

    def _slots(self, rule: int) -> Slots:
        slots, names = BLOCK_S // self._slot_s, list(self._leaves[rule])
        columns = np.array(self._parts[rule], dtype=np.int64).reshape(-1, 7).T
        at = columns[0] * len(names) + columns[1]
        sums = np.zeros((5, slots, len(names)))
        for own, values in zip(sums, columns[2:], strict=True):
            own += np.bincount(at, weights=values, minlength=own.size).reshape(own.shape)
        finals, failed, sends = sums[2:].sum(axis=1).astype(np.int64)
        present = np.flatnonzero((finals > 0) | (sends > 0))
        return Slots(
            tuple(names[i] for i in present.tolist()),
            sums[0][:, present],
            sums[1][:, present],
            finals[present],
            failed[present],
            sends[present],
        )
