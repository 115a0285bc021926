"""Records of several partitions, one after the other by the time at which Kafka got them. Pure.

A delivery is only looked up among recipients that are known to have failed, so it must not overtake a
failure before it. A record is let through once every partition has been read up to its time.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

Key = tuple[str, int]
"""Topic and partition."""

HOLD_MS = 2_000
"""Records of one transaction become visible partition by partition: one that is at its end is only sure
to hold all that is older than this."""


class Item(NamedTuple):
    """One record."""

    at_ms: int
    """Kafka's time of it, or that of a record before it in its partition, if that is later."""
    number: int
    """In the order of reading."""
    key: Key
    offset: int
    value: bytes


class InOrder:
    """Feed it records and the ends of partitions; take what is due."""

    def __init__(self, partitions: Iterable[Key]) -> None:
        self._read_to_ms = dict.fromkeys(partitions, 0)
        self._at_end: set[Key] = set()
        self._waiting: list[Item] = []
        self.of_key: Counter[Key] = Counter()
        """Records that wait, by partition."""
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """Records that wait."""
        return len(self._waiting)

    @property
    def all_at_end(self) -> bool:
        """Whether nothing is left to read, as far as is known."""
        return len(self._at_end) == len(self._read_to_ms)

    def add(self, key: Key, offset: int, at_ms: int, value: bytes) -> None:
        """A record, in the order of its partition's offsets."""
        at_ms = max(at_ms, self._read_to_ms[key])
        self._read_to_ms[key] = at_ms
        self._at_end.discard(key)
        self.of_key[key] += 1
        heapq.heappush(self._waiting, Item(at_ms, next(self._numbers), key, offset, value))

    def ended(self, key: Key) -> None:
        """The partition has been read to its end."""
        self._at_end.add(key)

    def take(self, now_ms: int, most: int) -> list[Item]:
        """Up to `most` records that are due at `now_ms` (epoch), in order."""
        sure_ms = min(
            max(read_ms, now_ms - HOLD_MS if key in self._at_end else 0)
            for key, read_ms in self._read_to_ms.items()
        )
        taken: list[Item] = []
        while self._waiting and self._waiting[0].at_ms <= sure_ms and len(taken) < most:
            taken.append(heapq.heappop(self._waiting))
        self.of_key.subtract(item.key for item in taken)
        return taken
