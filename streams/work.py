"""The columns of one batch while it is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.records import Malformed, Reading, Reason

Where = slice | NDArray[np.int64]
"""Places in a batch: all of them, or those listed."""
_SENDER = attrgetter("sender")


def places(indices: NDArray[np.int64]) -> Where:
    """Rising indices, as a slice where they are a run: slices are views, lists are copies."""
    first, last = int(indices[0]), int(indices[-1]) + 1
    return slice(first, last) if last - first == len(indices) else indices


class Work:
    """The columns of one batch while it is worked on."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.source = np.zeros(n, np.int64)
        self.row = np.zeros(n, np.int64)
        self.fingerprint = np.zeros(n, np.uint64)
        self.received_ms = np.full(n, -1, np.int64)
        self.sent_ms = np.full(n, -1, np.int64)
        self.provider_ms = np.full(n, -1, np.int64)
        self.result = np.zeros(n, np.uint8)
        self.live = np.zeros(n, np.bool_)
        self.future = np.zeros(n, np.bool_)
        self.first_send = np.zeros(n, np.bool_)
        self.flags = np.zeros(n, np.int64)
        """ANSWERED or OLD (streams/fold.py)."""
        self.traffic_class = np.zeros(n, np.int64)
        """Numbers of the fold's."""
        self.readings: list[Any] = []
        self.malformed: dict[int, Malformed] = {}

    def keep(self, at: Where, readings: list[Reading]) -> None:
        """Keeps the readings at their places, for what failures need of them."""
        if isinstance(at, slice):
            self.readings = readings
            return
        self.readings = self.readings or [None] * self.n
        for i, reading in zip(at.tolist(), readings, strict=True):
            self.readings[i] = reading

    def senders(self, at: NDArray[np.int64]) -> Iterator[str | None]:
        """Who sent the messages of some rising places."""
        if len(at) == self.n:
            return map(_SENDER, self.readings)
        return map(_SENDER, map(self.readings.__getitem__, at.tolist()))


def or_minus_one(times_ms: list[int | None]) -> NDArray[np.int64] | list[int]:
    """A column of times, -1 where one is unknown."""
    try:
        return np.array(times_ms, np.int64)
    except TypeError:  # some are unknown
        return [-1 if t is None else t for t in times_ms]


def only_readings(
    readings: list[Any], indices: Sequence[int], malformed: dict[int, Malformed]
) -> list[int] | None:
    """Notes what is malformed; the places of the rest, or None when all could be read."""
    if Malformed not in set(map(type, readings)):
        return None
    good = []
    for j, (i, reading) in enumerate(zip(indices, readings, strict=True)):
        if isinstance(reading, Malformed):
            malformed[i] = reading
        else:
            good.append(j)
    return good


def decoded(
    decode: Callable[[list[bytes]], Iterable[Any]], raw: list[bytes | None], most_bytes: int
) -> list[Any]:
    """What a decoder makes of some values, in order; of one above `most_bytes` a Malformed."""
    values: list[Any] = [v or b"" for v in raw] if None in raw else raw
    if max(map(len, values), default=0) <= most_bytes:
        return list(decode(values))
    large = Malformed(Reason.TOO_LARGE, f"the value has more than {most_bytes} bytes")
    found = decode([v if len(v) <= most_bytes else b"" for v in values])
    return [large if len(v) > most_bytes else d for v, d in zip(values, found, strict=True)]
