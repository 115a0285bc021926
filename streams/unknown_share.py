"""How many outcomes have no carrier, by source. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from streams.records import BUCKET_S, CANARY, UNKNOWN, Cells

HOUR_BUCKETS = 3600 // BUCKET_S


class Share(NamedTuple):
    """Of one source: final outcomes whose carrier is unknown, and all of them."""

    source: str
    unknown: int
    finals: int

    @property
    def ratio(self) -> float:
        return self.unknown / self.finals if self.finals else 0.0


class UnknownShare:
    """The shares over the last buckets given, an hour of them."""

    def __init__(self) -> None:
        self._buckets: deque[dict[str, tuple[int, int]]] = deque(maxlen=HOUR_BUCKETS)

    def add(self, cells: Cells) -> None:
        """The cells of one closed bucket."""
        bucket: dict[str, tuple[int, int]] = {}
        for k, n in zip(cells.key, cells.finals, strict=True):
            key = cells.keys[k]
            if key.source == CANARY:
                continue
            unknown, finals = bucket.get(key.source, (0, 0))
            bucket[key.source] = (unknown + (n if key.carrier == UNKNOWN else 0), finals + n)
        self._buckets.append(bucket)

    def shares(self) -> tuple[Share, ...]:
        """Of each source seen, by name."""
        sums: dict[str, list[int]] = {}
        for bucket in self._buckets:
            for source, (unknown, finals) in bucket.items():
                both = sums.setdefault(source, [0, 0])
                both[0] += unknown
                both[1] += finals
        return tuple(Share(source, *sums[source]) for source in sorted(sums))
