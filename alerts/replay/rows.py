"""Records as they were read, column by column, and several streams of them as one.

stream -> rows -> cursor -+
stream -> rows -> cursor -+-> step by step: all that was read in [start, start + step)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.batch import Headers

I64 = NDArray[np.int64]
_PIECE = 1000


@dataclass(frozen=True)
class Rows:
    """Records of one topic, each partition in the order of its offsets."""

    topic: str
    source: str
    """Of a topic that is bound to one source; else ''."""
    partition: I64
    offset: I64
    clock_ms: I64
    """The clock of each record's partition once it was read; never falls within a partition."""
    read_ms: I64
    """When each was read; never falls at all."""
    timestamp_ms: Sequence[int]
    headers: Sequence[Headers]
    values: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.values)

    def cut(self, start: int, end: int) -> Rows:
        """Rows [start, end)."""
        if start == 0 and end >= len(self):
            return self
        at = slice(start, end)
        arrays = (self.partition[at], self.offset[at], self.clock_ms[at], self.read_ms[at])
        lists = (self.timestamp_ms[at], self.headers[at], self.values[at])
        return Rows(self.topic, self.source, *arrays, *lists)


class Step(NamedTuple):
    """What was read in [start_ms, start_ms + step), in the order of each partition."""

    start_ms: int
    rows: tuple[Rows, ...]


class Clocks:
    """The newest receipt of each partition: its clock where none was recorded."""

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}

    def risen(self, partition: I64, clock_ms: I64) -> I64:
        """`clock_ms` of records in order, never falling within a partition."""
        risen = clock_ms.copy()
        for number in np.unique(partition).tolist():
            own = partition == number
            risen[own] = np.maximum.accumulate(np.maximum(clock_ms[own], self._newest.get(number, 0)))
            self._newest[number] = int(risen[own][-1])
        return risen


def steps(streams: Sequence[Iterable[Rows]], step_ms: int) -> Iterator[Step]:
    """The streams side by side, each read no further than the others; times without records left out."""
    cursors = [_Cursor(iter(stream)) for stream in streams]
    while True:
        due = [ms for ms in (cursor.next_ms() for cursor in cursors) if ms is not None]
        if not due:
            return
        start_ms = min(due) // step_ms * step_ms
        parts = [rows for cursor in cursors for rows in cursor.until(start_ms + step_ms)]
        yield Step(start_ms, tuple(_joined(parts)))


class _Cursor:
    """How far one stream has been read."""

    def __init__(self, stream: Iterator[Rows]) -> None:
        self._stream = stream
        self._rows: Rows | None = None
        self._at = 0

    def next_ms(self) -> int | None:
        """When the next record was read; None at the end."""
        while self._rows is None or self._at >= len(self._rows):
            self._rows, self._at = next(self._stream, None), 0
            if self._rows is None:
                return None
        return int(self._rows.read_ms[self._at])

    def until(self, end_ms: int) -> Iterator[Rows]:
        """What was read before `end_ms`."""
        while (ms := self.next_ms()) is not None and ms < end_ms and self._rows is not None:
            end = int(np.searchsorted(self._rows.read_ms, end_ms, "left"))
            yield self._rows.cut(self._at, end)
            self._at = end


def _joined(parts: Sequence[Rows]) -> Iterator[Rows]:
    """The same, small pieces of a topic as one: each costs more than its records."""
    by_topic: dict[tuple[str, str], list[Rows]] = {}
    for rows in parts:
        by_topic.setdefault((rows.topic, rows.source), []).append(rows)
    for (topic, source), own in by_topic.items():
        yield from [_one(topic, source, own)] if sum(map(len, own)) < _PIECE * len(own) else own


def _one(topic: str, source: str, parts: Sequence[Rows]) -> Rows:
    arrays = [
        np.concatenate([getattr(rows, name) for rows in parts])
        for name in ("partition", "offset", "clock_ms", "read_ms")
    ]
    lists = [
        list(chain.from_iterable(getattr(rows, name) for rows in parts))
        for name in ("timestamp_ms", "headers", "values")
    ]
    return Rows(topic, source, *arrays, *lists)  # type: ignore[arg-type]
