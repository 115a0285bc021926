"""Sliding windows of 1 min, 5 min, 15 min and 1 h over closed buckets: add one, drop one."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.records import BUCKET_S, CANARY, Cells, SeriesKey
from streams.rules import RuleBook

WINDOWS_S = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600}
_LENGTHS = [s // BUCKET_S for s in WINDOWS_S.values()]

Pair = tuple[str, str]
Ints = NDArray[np.signedinteger[Any]]


class _Bucket(NamedTuple):
    """What one bucket adds to the sums, by cell: the number of its series, its finals, its distinct
    recipients; and by cell of a source that tells of sends: row, sends, sends less ends."""

    number: Ints
    finals: Ints
    distinct: Ints
    row: Ints
    sent: Ints
    balance: Ints


class Sliding:
    """Sums per (carrier, region): outcomes, and per rule eligible, failed and distinct failed.

    Buckets must come in order, empty ones too. Columns: 0 outcomes; three per rule; then of sources that
    tell of sends: sends, and sends less what has ended. An hour of buckets is kept as cells, not as
    columns of every pair: most pairs have none in most buckets.
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
        self._buckets = deque[_Bucket](maxlen=_LENGTHS[-1])
        """Oldest first."""
        self._sums: NDArray[np.int64] = np.zeros((len(_LENGTHS), 64, self._columns), np.int64)

    def add(self, cells: Cells) -> None:
        """Moves every window one bucket on, to hold `cells` as its newest."""
        fresh = self._bucket(cells)
        for w, length in enumerate(_LENGTHS):
            if len(self._buckets) >= length:
                rows, old = self._summed(self._buckets[-length])
                self._sums[w, rows] -= old
        rows, new = self._summed(fresh)
        self._sums[:, rows] += new
        self._buckets.append(fresh)

    def snapshot(self) -> NDArray[np.int64]:
        """The sums as they are now, [window, pair, column], in a copy."""
        return self._sums[:, : len(self.pairs)].copy()

    def columns_of(self, rule: int) -> tuple[int, int, int]:
        """Columns of a rule: eligible, failed, distinct failed recipients."""
        first = 1 + 3 * rule
        return first, first + 1, first + 2

    @property
    def sent(self) -> tuple[int, int]:
        """Columns of sends, and of sends less ends: below 0 where answers to older messages come."""
        return self._columns - 2, self._columns - 1

    def _bucket(self, cells: Cells) -> _Bucket:
        number = np.array([self._number(key) for key in cells.keys], np.int32)
        finals = np.array(cells.finals, np.int32)
        distinct = np.array(cells.distinct, np.int32) if cells.distinct else finals
        return _Bucket(number[np.array(cells.key, np.int64)], finals, distinct, *self._balance(cells))

    def _summed(self, bucket: _Bucket) -> tuple[Ints, Ints]:
        """Rows that the bucket touches, each once, and what it adds to their columns."""
        takes = self._takes[bucket.number]
        values = takes[:, 0] * bucket.finals[:, None] + takes[:, 1] * bucket.distinct[:, None]
        row = self._row_of[bucket.number]
        if len(bucket.row):
            told = np.zeros((len(bucket.row), self._columns), np.int32)
            told[:, self.sent[0]], told[:, self.sent[1]] = bucket.sent, bucket.balance
            row, values = np.concatenate((row, bucket.row)), np.concatenate((values, told))
        if not len(row):
            return row, values
        order = np.argsort(row, kind="stable")
        row = row[order]
        first = np.flatnonzero(np.diff(row, prepend=-1))
        return row[first], np.add.reduceat(values[order], first, axis=0)

    def _balance(self, cells: Cells) -> tuple[Ints, Ints, Ints]:
        """Rows, sends, and sends less ends: finals, and what ended on our own side."""
        sent = cells.sends or [0] * len(cells.key)
        self._tell.update({cells.keys[k].source for k, n in zip(cells.key, sent, strict=True) if n})
        telling = self._tell - {CANARY}
        found = list[tuple[int, int, int]]()
        if telling:
            own = cells.own or [0] * len(cells.key)
            for k, sends, finals, ours in zip(cells.key, sent, cells.finals, own, strict=True):
                key = cells.keys[k]
                if key.source in telling:
                    found.append((self.pairs[key.carrier, key.region], sends, sends - finals - ours))
        columns = np.array(found, np.int32).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2]

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
            if row == self._sums.shape[1]:
                self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)], axis=1)
        return row
