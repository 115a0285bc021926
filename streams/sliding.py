"""Sliding windows of 1 min, 5 min, 15 min and 1 h over closed buckets: add one, drop one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.records import BUCKET_S, CANARY, Cells, SeriesKey
from streams.rules import RuleBook

WINDOWS_S = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600}
_RING = 3600 // BUCKET_S
_LENGTHS = [s // BUCKET_S for s in WINDOWS_S.values()]

Pair = tuple[str, str]


class Sliding:
    """Sums per (carrier, region): outcomes, and per rule eligible, failed and distinct failed.

    Buckets must come in order, empty ones too. Columns: 0 outcomes; three per rule; then of sources that
    tell of sends: sends, and sends less finals.
    """

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self.pairs: dict[Pair, int] = {}
        self._columns = 3 + 3 * len(book.rules)
        self._tell: set[str] = set()
        """Sources that have told of messages on their way."""
        self._numbers: dict[SeriesKey, int] = {}
        self._row_of: NDArray[np.int64] = np.zeros(64, np.int64)
        self._takes: NDArray[np.int32] = np.zeros((64, 2, self._columns), np.int32)
        """By number of a series: 1 in the columns that take its finals, then those that take its distinct."""
        self._ring: NDArray[np.int32] = np.zeros((_RING, 64, self._columns), np.int32)
        self._sums: NDArray[np.int64] = np.zeros((len(_LENGTHS), 64, self._columns), np.int64)
        self._count = 0

    def add(self, cells: Cells) -> None:
        """Moves every window one bucket on, to hold `cells` as its newest."""
        fresh = self._tabulate(cells)
        at = self._count % _RING
        for w, length in enumerate(_LENGTHS):
            if self._count >= length:
                self._sums[w] -= self._ring[(self._count - length) % _RING]
            self._sums[w] += fresh
        self._ring[at] = fresh
        self._count += 1

    def snapshot(self) -> NDArray[np.int64]:
        """The sums as they are now, [window, pair, column], in a copy."""
        return self._sums.copy()

    def columns_of(self, rule: int) -> tuple[int, int, int]:
        """Columns of a rule: eligible, failed, distinct failed recipients."""
        first = 1 + 3 * rule
        return first, first + 1, first + 2

    @property
    def sent(self) -> tuple[int, int]:
        """Columns of sends, and of sends less finals: below 0 where answers to older messages come."""
        return self._columns - 2, self._columns - 1

    def _tabulate(self, cells: Cells) -> NDArray[np.int32]:
        number = np.array([self._number(key) for key in cells.keys], np.int64)
        of_cell = number[np.array(cells.key, np.int64)]
        takes = self._takes[of_cell]
        finals = np.array(cells.finals, np.int32)[:, None]
        distinct = np.array(cells.distinct or cells.finals, np.int32)[:, None]
        fresh = np.zeros(self._ring.shape[1:], np.int32)
        np.add.at(fresh, self._row_of[of_cell], takes[:, 0] * finals + takes[:, 1] * distinct)
        self._balance(cells, fresh)
        return fresh

    def _balance(self, cells: Cells, fresh: NDArray[np.int32]) -> None:
        """Enters sends less finals into their column."""
        sent = cells.sends or [0] * len(cells.key)
        self._tell.update({cells.keys[k].source for k, n in zip(cells.key, sent, strict=True) if n})
        telling = self._tell - {CANARY}
        if not telling:
            return
        rows, values = list[int](), list[tuple[int, int]]()
        for k, sends, finals in zip(cells.key, sent, cells.finals, strict=True):
            key = cells.keys[k]
            if key.source in telling:
                rows.append(self.pairs[key.carrier, key.region])
                values.append((sends, sends - finals))
        if rows:
            np.add.at(fresh[:, self.sent[0] :], rows, values)

    def _number(self, key: SeriesKey) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers)
            if number == len(self._row_of):
                self._row_of = np.concatenate([self._row_of, np.zeros_like(self._row_of)])
                self._takes = np.concatenate([self._takes, np.zeros_like(self._takes)])
            if key.source != CANARY:
                self._row_of[number] = self._row(key)
                self._note_columns(key, self._takes[number])
        return number

    def _note_columns(self, key: SeriesKey, takes: NDArray[np.int32]) -> None:
        takes[0, 0] = 1
        for r, rule in enumerate(self.book.rules):
            eligible, failed, distinct = self.columns_of(r)
            takes[0, eligible] = self.book.eligible(rule, key)
            takes[0, failed] = takes[1, distinct] = self.book.failing(rule, key)

    def _row(self, key: SeriesKey) -> int:
        pair = (key.carrier, key.region)
        row = self.pairs.get(pair)
        if row is None:
            row = self.pairs[pair] = len(self.pairs)
            if row == self._ring.shape[1]:
                self._ring = np.concatenate([self._ring, np.zeros_like(self._ring)], axis=1)
                self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)], axis=1)
        return row
