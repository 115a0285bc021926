"""Folding: many outcomes of one transaction become few cells, by whole arrays at a time."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.records import (
    BUCKET_S,
    LATENCY_BOUNDS_S,
    TIME_CRITICAL,
    Cells,
    SeriesKey,
)
from streams.traffic_class import MAX_CLASSES, TrafficClasses

I64 = NDArray[np.int64]

TOP_SENDERS = 20
TOP_DELIVERED = 8
"""Senders that a cell of deliveries names. Whoever is not among them has sent less than a ninth of it, so
that what the others have sent is known to within that (alerts/by_sender.py)."""
MAX_SENDER_LENGTH = 64
_MOST_NAMES = 200_000
_BOUNDS_MS = np.array(LATENCY_BOUNDS_S, np.int64) * 1000

# What an outcome counts as: a column, with flags added to it.
OWN = 12  # below it are the columns of latency
SIGNAL = 13
NO_LATENCY = 14
SEND = 15
ANSWERED = 1 << 4
OLD = 1 << 5
EXPIRED = 1 << 6

_COLUMN, _CLASS_SHIFT, _BITS, _ROW_BITS = 15, 7, 11, 23  # of an entry: 28 more for the bucket


def latency_column(latency_ms: I64) -> I64:
    """Column of LATENCY_BOUNDS_S for each latency (ms, may be negative); the last is +Inf."""
    return np.searchsorted(_BOUNDS_MS, latency_ms, side="left").astype(np.int64)


def tells_sender(offsets: I64) -> NDArray[np.bool_]:
    """Which deliveries tell their sender: one in four is enough to share out all of them. By a hash (the
    finalizer of SplitMix64) of the record's offset, so that the same records tell the same again.
    """
    h = offsets.astype(np.uint64)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    told: NDArray[np.bool_] = (h ^ (h >> np.uint64(31))) & np.uint64(3) == 0
    return told


class Fold:
    """What was counted since the last flush. Rows are the caller's numbers of series keys."""

    def __init__(self) -> None:
        self._entries: list[I64] = []
        self._failed: dict[tuple[int, int], tuple[set[int], Counter[str]]] = {}
        self._urgent: Counter[tuple[int, int]] = Counter()
        self._classes = TrafficClasses()
        self._names = _Names()
        self._delivered: list[tuple[I64, I64, I64]] = []

    def add(self, rows: I64, receipt_s: I64, columns: I64, classes: I64 | int = 0) -> None:
        """One entry an outcome: series row, receipt second, column with its flags, and traffic class.

        Columns are those of latency, OWN, NO_LATENCY, SEND or SIGNAL; a message that is sent and signals
        at once has two entries. Classes are `class_number`s.
        """
        if len(rows):
            bucket = receipt_s // BUCKET_S
            what = (classes << _CLASS_SHIFT) | columns
            self._entries.append((((bucket << _ROW_BITS) | rows) << _BITS) | what)

    def class_number(self, label: str | None) -> int:
        """The number of a traffic class until the next flush; 0 for none."""
        return self._classes.number(label)

    def add_delivered(self, rows: I64, receipt_s: I64, senders: Iterable[str | None]) -> None:
        """Who sent what was delivered: of outcomes already added, none of which failed."""
        if len(rows):
            numbers = np.fromiter(map(self._names.__getitem__, senders), np.int64, len(rows))
            self._delivered.append((rows, receipt_s // BUCKET_S, numbers))

    def add_failed(
        self, row: int, receipt_s: int, recipient: int, sender: str | None, traffic_class: str | None = None
    ) -> None:
        """Of a failed outcome already added: who it was to (64-bit hash), who sent it, and its class."""
        at = row, receipt_s // BUCKET_S
        recipients, senders = self._failed.setdefault(at, (set(), Counter()))
        if traffic_class == TIME_CRITICAL:
            self._urgent[at] += 1
        recipients.add(recipient)
        senders[(sender or "")[:MAX_SENDER_LENGTH]] += 1

    def cells(self, keys: Sequence[SeriesKey]) -> Cells:
        """The counts as cells, and begins anew. `keys[row]` is the series of a row."""
        if not self._entries:
            return Cells()
        entries, counts = np.unique(np.concatenate(self._entries), return_counts=True)
        column, flags = entries & _COLUMN, entries & (ANSWERED | OLD | EXPIRED)
        cell_code, cell_of = np.unique(entries >> _BITS, return_inverse=True)
        row, bucket = cell_code & ((1 << _ROW_BITS) - 1), cell_code >> _ROW_BITS
        rows, key = np.unique(row, return_inverse=True)
        own, expired = column == OWN, (flags & EXPIRED) != 0
        final = ~own & (column != SEND) & (column != SIGNAL)

        def counted(which: NDArray[np.bool_], always: bool = False) -> list[int]:
            return _sums(cell_of[which], counts[which], len(cell_code)) if always or which.any() else []

        cells = Cells(
            keys=[keys[r] for r in rows.tolist()],
            key=key.tolist(),
            bucket_s=(bucket * BUCKET_S).tolist(),
            finals=counted(final, always=True),
            sends=counted(column == SEND, always=True),
            signals=counted(column == SIGNAL),
            own=counted(own),
            unsent=counted(own & expired),
            expired=counted(final & expired),
            answered=counted((flags & ANSWERED) != 0),
            old=counted((flags & OLD) != 0),
        )
        known = column < OWN
        classes = (entries[known] & ((1 << _BITS) - 1)) >> _CLASS_SHIFT
        self._attach_latency(cells, cell_of[known], column[known], classes, counts[known])
        self._attach_failed(cells, {code: i for i, code in enumerate(cell_code.tolist())})
        self._attach_delivered(cells, cell_code)
        self._entries, self._failed, self._urgent, self._delivered = [], {}, Counter(), []
        self._classes = TrafficClasses()
        if len(self._names) > _MOST_NAMES:
            self._names = _Names()
        return cells

    def _attach_latency(self, cells: Cells, cell: I64, column: I64, classes: I64, counts: I64) -> None:
        """Rows by cell, class and column, whatever their flags."""
        rows, at = np.unique((cell << _BITS) | (classes << _CLASS_SHIFT) | column, return_inverse=True)
        cells.latency_cell = (rows >> _BITS).tolist()
        cells.latency_bin = (rows & _COLUMN).tolist()
        cells.latency_n = _sums(at, counts, len(rows))
        if classes.any():
            used, of_row = np.unique((rows >> _CLASS_SHIFT) % MAX_CLASSES, return_inverse=True)
            cells.classes = [self._classes.names[i] for i in used.tolist()]
            cells.latency_class = of_row.tolist()

    def _attach_delivered(self, cells: Cells, cell_code: I64) -> None:
        """By cell, the senders with most deliveries, of series in which something failed in that bucket: what
        comes in the company of failures is a sample of all, and costs little where nothing is wrong.

        One sort of numbers in place of a count by name: (bucket, row, sender) fit into 63 bits once buckets
        begin at 0.
        """
        if not self._delivered or not self._failed:
            return
        rows, buckets, numbers = (np.concatenate(column) for column in zip(*self._delivered, strict=True))
        names, first, most = self._names.in_order, int(buckets.min()), int(rows.max()) + 1
        flat = ((buckets - first) * most + rows) * len(names) + numbers
        flat, counts = np.unique(flat, return_counts=True)
        cell, number = np.divmod(flat, len(names))
        bucket, row = np.divmod(cell, most)
        at = np.searchsorted(cell_code, (bucket + first) << _ROW_BITS | row)
        told = _company(cells)[at]
        at, number, counts = at[told], number[told], counts[told]
        order = np.lexsort((-counts, at))
        at, number, counts = at[order], number[order], counts[order]
        begins = np.flatnonzero(np.diff(at, prepend=-1))
        rank = np.arange(len(at)) - np.repeat(begins, np.diff(begins, append=len(at)))
        named = (rank < TOP_DELIVERED) & (number != 0)
        rest = np.bincount(at[~named], counts[~named], len(cell_code)).astype(np.int64)
        for i, who, n in zip(at[named].tolist(), number[named].tolist(), counts[named].tolist(), strict=True):
            cells.senders.setdefault(i, {})[names[who]] = n
        for i in np.flatnonzero(rest).tolist():
            cells.senders.setdefault(i, {})[""] = int(rest[i])

    def _attach_failed(self, cells: Cells, index: dict[int, int]) -> None:
        at = {index[(bucket << _ROW_BITS) | row]: both for (row, bucket), both in self._failed.items()}
        cells.recipients_n = [0] * len(cells.key)
        hashes: list[int] = []
        for i in sorted(at):
            recipients, senders = at[i]
            cells.recipients_n[i] = len(recipients)
            hashes.extend(sorted(recipients))
            cells.senders[i] = top(senders)
        cells.recipients = pack(hashes)
        urgent = {index[(bucket << _ROW_BITS) | row]: n for (row, bucket), n in self._urgent.items()}
        cells.time_critical = dict(sorted(urgent.items()))


def _company(cells: Cells) -> NDArray[np.bool_]:
    """Which cells are of a series and bucket in which something failed."""
    number: dict[tuple[str, ...], int] = {}
    series = np.array([number.setdefault(key[:3], len(number)) for key in cells.keys], np.int64)
    where = series[np.array(cells.key)] << 28 | np.array(cells.bucket_s, np.int64) // BUCKET_S
    return np.isin(where, where[np.array(cells.recipients_n) > 0])


class _Names(dict[str | None, int]):
    """Numbers of senders in order of first sight; 0 is nobody. Several spellings may share a name."""

    def __init__(self) -> None:
        super().__init__({None: 0, "": 0})
        self._known = {"": 0}

    def __missing__(self, sender: str | None) -> int:
        name = (sender or "")[:MAX_SENDER_LENGTH]
        number = self[sender] = self._known.setdefault(name, len(self._known))
        return number

    @property
    def in_order(self) -> list[str]:
        return list(self._known)


def _sums(cell: I64, counts: I64, cells: int) -> list[int]:
    sums: list[int] = np.bincount(cell, counts, cells).astype(np.int64).tolist()
    return sums


def top(senders: Counter[str], most: int = TOP_SENDERS) -> dict[str, int]:
    """The senders with most of a cell's outcomes; '' holds the rest and those without a sender."""
    ranked = senders.most_common()
    named = [(s, n) for s, n in ranked if s][:most]
    rest = senders.total() - sum(n for _, n in named)
    return dict(named) | ({"": rest} if rest else {})


def pack(hashes: Sequence[int]) -> str:
    """64-bit hashes as base64 of little-endian words."""
    return base64.b64encode(np.array(hashes, "<u8").tobytes()).decode() if hashes else ""


def unpack(text: str) -> NDArray[np.uint64]:
    """The hashes of `pack`, in order."""
    return np.frombuffer(base64.b64decode(text), "<u8")


def failed_recipients(cells: Cells) -> Iterator[tuple[int, list[int]]]:
    """(cell index, hashes of its failed recipients), cells without any left out."""
    hashes = unpack(cells.recipients).tolist()
    at = 0
    for i, n in enumerate(cells.recipients_n):
        if n:
            yield i, hashes[at : at + n]
            at += n
