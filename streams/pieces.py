"""Cells in pieces that fit into one record of Kafka each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.fold import pack, unpack
from streams.records import COUNTS, OPTIONAL_COUNTS, Cells, encode

I64 = NDArray[np.int64]

# At most, as JSON.
_CELL_BYTES, _COUNT_BYTES, _LATENCY_BYTES, _RECIPIENT_BYTES, _SENDER_BYTES = 90, 11, 27, 11, 12


def split(cells: Cells, most_bytes: int) -> list[Cells]:
    """`cells` in order, in parts of at most `most_bytes` of JSON each (100 kB or more)."""
    most_bytes -= len(encode(cells.classes)) if cells.classes else 0
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
        length = self[sender] = len(encode(sender)) + _SENDER_BYTES
        return length


def _weights(cells: Cells) -> I64:
    """Bytes of JSON that each cell takes at most, its key included."""
    keys = np.array([len(encode(k)) + 1 for k in cells.keys], np.int64)
    filled = sum(bool(getattr(cells, name)) for name in OPTIONAL_COUNTS)
    weights: I64 = _CELL_BYTES + _COUNT_BYTES * filled + keys[np.array(cells.key, np.int64)]
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
        **{name: counts(getattr(cells, name)) for name in COUNTS},
        latency_cell=[first[i] for i in cells.latency_cell],
        latency_bin=cells.latency_bin,
        latency_n=cells.latency_n,
        classes=cells.classes,
        latency_class=cells.latency_class,
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
        **{name: getattr(cells, name)[start:end] for name in COUNTS},
        latency_cell=[cells.latency_cell[j] - start for j in latency],
        latency_bin=[cells.latency_bin[j] for j in latency],
        latency_n=[cells.latency_n[j] for j in latency],
        classes=cells.classes,
        latency_class=[cells.latency_class[j] for j in latency] if cells.latency_class else [],
        senders={i - start: s for i, s in cells.senders.items() if start <= i < end},
        time_critical={i - start: n for i, n in cells.time_critical.items() if start <= i < end},
        recipients_n=cells.recipients_n[start:end],
        recipients=pack(unpack(cells.recipients)[first : first + count].tolist()),
        distinct=cells.distinct[start:end],
        repeats=cells.repeats[start:end],
    )
