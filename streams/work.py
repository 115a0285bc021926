"""The columns of one batch while it is worked on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.records import Malformed, Reading

Where = slice | NDArray[np.int64]
"""Places in a batch: all of them, or those listed."""


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
