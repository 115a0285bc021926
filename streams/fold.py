"""Folding: many outcomes of one transaction become few cells, by whole arrays at a time."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.records import BUCKET_S, LATENCY_BOUNDS_S, TIME_CRITICAL, Cells, SeriesKey, encode

I64 = NDArray[np.int64]

TOP_SENDERS = 20
TOP_DELIVERED = 8
"""Senders that a cell of deliveries names. Whoever is not among them has sent less than a ninth of it, so
that what the others have sent is known to within that (alerts/by_sender.py)."""
MAX_SENDER_LENGTH = 64
_MOST_NAMES = 200_000
_BOUNDS_MS = np.array(LATENCY_BOUNDS_S, np.int64) * 1000
_COLUMNS = 16  # latency columns, then the two below
SIGNAL = 13
NO_LATENCY = 14
SEND = 15
_CELL_BYTES, _LATENCY_BYTES, _RECIPIENT_BYTES, _COUNT_BYTES = 101, 24, 11, 12  # at most, as JSON


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
    return (h ^ (h >> np.uint64(31))) & np.uint64(3) == 0


class Fold:
    """What was counted since the last flush. Rows are the caller's numbers of series keys."""

    def __init__(self) -> None:
        self._entries: list[I64] = []
        self._failed: dict[tuple[int, int], tuple[set[int], Counter[str]]] = {}
        self._urgent: Counter[tuple[int, int]] = Counter()
        self._names = _Names()
        self._delivered: list[tuple[I64, I64, I64]] = []

    def add(self, rows: I64, receipt_s: I64, columns: I64) -> None:
        """One entry an outcome: series row, receipt second, and latency column, NO_LATENCY, SEND or SIGNAL.

        A message that is sent and signals at once has two.
        """
        if len(rows):
            bucket = receipt_s // BUCKET_S
            self._entries.append(((bucket << 28) | rows) * _COLUMNS + columns)

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
        column = entries % _COLUMNS
        cell_code, cell_of = np.unique(entries // _COLUMNS, return_inverse=True)
        row, bucket = cell_code & ((1 << 28) - 1), cell_code >> 28
        rows, key = np.unique(row, return_inverse=True)
        send, signal = column == SEND, column == SIGNAL
        known = column < SIGNAL
        cells = Cells(
            keys=[keys[r] for r in rows.tolist()],
            key=key.tolist(),
            bucket_s=(bucket * BUCKET_S).tolist(),
            finals=_sums(cell_of[~send & ~signal], counts[~send & ~signal], len(cell_code)),
            sends=_sums(cell_of[send], counts[send], len(cell_code)),
            signals=_sums(cell_of[signal], counts[signal], len(cell_code)) if signal.any() else [],
            latency_cell=cell_of[known].tolist(),
            latency_bin=column[known].tolist(),
            latency_n=counts[known].tolist(),
        )
        self._attach_failed(cells, {code: i for i, code in enumerate(cell_code.tolist())})
        self._attach_delivered(cells, cell_code)
        self._entries, self._failed, self._urgent, self._delivered = [], {}, Counter(), []
        if len(self._names) > _MOST_NAMES:
            self._names = _Names()
        return cells

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
        at = np.searchsorted(cell_code, (bucket + first) << 28 | row)
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
        at = {index[(bucket << 28) | row]: both for (row, bucket), both in self._failed.items()}
        cells.recipients_n = [0] * len(cells.key)
        hashes: list[int] = []
        for i in sorted(at):
            recipients, senders = at[i]
            cells.recipients_n[i] = len(recipients)
            hashes.extend(sorted(recipients))
            cells.senders[i] = top(senders)
        cells.recipients = pack(hashes)
        urgent = {index[(bucket << 28) | row]: n for (row, bucket), n in self._urgent.items()}
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


def split(cells: Cells, most_bytes: int) -> list[Cells]:
    """`cells` in order, in parts of at most `most_bytes` of JSON each (100 kB or more)."""
    cells = _chop(cells, most_bytes // 2 // _RECIPIENT_BYTES)
    until = np.cumsum(_weights(cells))
    if not len(until) or until[-1] <= most_bytes:
        return [cells]
    bounds = [0]
    while bounds[-1] < len(until):
        before = until[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(until, before + most_bytes, "right")), bounds[-1] + 1))
    return [take(cells, a, b) for a, b in pairwise(bounds)]


class _Lengths(dict[str, int]):
    """Bytes of JSON that a sender and its count take at most."""

    def __missing__(self, sender: str) -> int:
        length = self[sender] = len(encode(sender)) + _COUNT_BYTES
        return length


def _weights(cells: Cells) -> I64:
    """Bytes of JSON that each cell takes at most, its key included."""
    keys = np.array([len(encode(k)) + 1 for k in cells.keys], np.int64)
    weights: I64 = _CELL_BYTES + keys[np.array(cells.key, np.int64)]
    weights += _RECIPIENT_BYTES * np.array(cells.recipients_n or [0] * len(weights), np.int64)
    np.add.at(weights, np.array(cells.latency_cell, np.int64), _LATENCY_BYTES)
    lengths = _Lengths()
    for i, senders in cells.senders.items():
        weights[i] += 12 + sum(map(lengths.__getitem__, senders))
    for i, n in cells.time_critical.items():
        weights[i] += 12 + len(str(n))
    return weights


def _chop(cells: Cells, most: int) -> Cells:
    """A cell of more than `most` recipients as several of one key and bucket: the first holds the
    counts, the others recipients alone, so that they add up to the same."""
    if max(cells.recipients_n, default=0) <= most:
        return cells
    rows = [(i, at) for i, n in enumerate(cells.recipients_n) for at in range(0, max(n, 1), most)]
    first = {i: row for row, (i, at) in enumerate(rows) if at == 0}

    def counts(column: list[int]) -> list[int]:
        return [column[i] if at == 0 else 0 for i, at in rows] if column else []

    return Cells(
        keys=cells.keys,
        key=[cells.key[i] for i, _ in rows],
        bucket_s=[cells.bucket_s[i] for i, _ in rows],
        finals=counts(cells.finals),
        sends=counts(cells.sends),
        signals=counts(cells.signals),
        latency_cell=[first[i] for i in cells.latency_cell],
        latency_bin=cells.latency_bin,
        latency_n=cells.latency_n,
        senders={first[i]: s for i, s in cells.senders.items()},
        time_critical={first[i]: n for i, n in cells.time_critical.items()},
        recipients_n=[min(most, cells.recipients_n[i] - at) for i, at in rows],
        recipients=cells.recipients,
        distinct=counts(cells.distinct),
        repeats=counts(cells.repeats),
    )


def take(cells: Cells, start: int, end: int) -> Cells:
    """The cells [start, end) as Cells of their own."""
    key = np.array(cells.key[start:end])
    used, renumbered = np.unique(key, return_inverse=True)
    first = sum(cells.recipients_n[:start])
    count = sum(cells.recipients_n[start:end])
    latency = [j for j, c in enumerate(cells.latency_cell) if start <= c < end]
    return Cells(
        keys=[cells.keys[k] for k in used.tolist()],
        key=renumbered.tolist(),
        bucket_s=cells.bucket_s[start:end],
        finals=cells.finals[start:end],
        sends=cells.sends[start:end],
        signals=cells.signals[start:end],
        latency_cell=[cells.latency_cell[j] - start for j in latency],
        latency_bin=[cells.latency_bin[j] for j in latency],
        latency_n=[cells.latency_n[j] for j in latency],
        senders={i - start: s for i, s in cells.senders.items() if start <= i < end},
        time_critical={i - start: n for i, n in cells.time_critical.items() if start <= i < end},
        recipients_n=cells.recipients_n[start:end],
        recipients=pack(unpack(cells.recipients)[first : first + count].tolist()),
        distinct=cells.distinct[start:end],
        repeats=cells.repeats[start:end],
    )


def failed_recipients(cells: Cells) -> Iterator[tuple[int, list[int]]]:
    """(cell index, hashes of its failed recipients), cells without any left out."""
    hashes = unpack(cells.recipients).tolist()
    at = 0
    for i, n in enumerate(cells.recipients_n):
        if n:
            yield i, hashes[at : at + n]
            at += n
