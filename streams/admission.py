"""Which series are shown by name where there are more than the cap: flagged ones, then the largest.

A metric that is capped adds what is not named into one series, `other`, so that sums stay exact. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from prometheus_client import Counter as Limited

from streams.exposition import Key, Table

OTHER = "other"
STAYS_S = 86_400
"""Who is named stays named for so long, unless somebody flagged needs the place."""
_REMEMBERED = 10
"""Volumes are kept of at most so many times the cap: codes may be invented without end."""

IsFlagged = Callable[[Key], bool]


class Admission:
    """The keys that have a series of their own, `most` at a time."""

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.named: dict[Key, int] = {}
        """Since when (epoch seconds) each key is named."""
        self._volume: Counter[Key] = Counter()
        self._now_s = self._halved_s = 0

    def begin(self, volume: Mapping[Key, int], now_s: int) -> None:
        """Begins anew with what is known: the largest are named."""
        self._volume, self._now_s, self._halved_s = Counter(volume), now_s, now_s
        self.named = {key: now_s for key, _ in self._volume.most_common(self.most)}

    def see(self, key: Key, n: int) -> bool:
        """Adds to the volume of `key`; whether it is named. While there is room, whoever is new is."""
        self._volume[key] += n
        if key not in self.named and len(self.named) < self.most:
            self.named[key] = self._now_s
        return key in self.named

    @property
    def waits(self) -> bool:
        """Whether somebody is not named."""
        return len(self._volume) > len(self.named)

    def review(self, now_s: int, flagged: IsFlagged) -> list[Key]:
        """Names who should be by now. Returns who is named no more."""
        if not self._now_s:  # what is named began now
            self.named, self._halved_s = dict.fromkeys(self.named, now_s), now_s
        self._now_s = now_s
        self._age(now_s)
        if not self.waits:
            return []
        exchanges = self._exchanges(now_s, flagged)
        for new, old in exchanges:
            del self.named[old]
            self.named[new] = now_s
        return [old for _, old in exchanges]

    def _exchanges(self, now_s: int, flagged: IsFlagged) -> list[tuple[Key, Key]]:
        """(who comes, who goes): flagged ones for the smallest, then larger ones for what is a day old."""
        waiting = [key for key, _ in self._volume.most_common() if key not in self.named]
        leaving = [k for k in sorted(self.named, key=self._volume.__getitem__) if not flagged(k)]
        found = list(zip((k for k in waiting if flagged(k)), leaving, strict=False))
        old = [k for k in leaving[len(found) :] if self.named[k] <= now_s - STAYS_S]
        larger = (k for k in waiting if not flagged(k))
        found += [(n, k) for n, k in zip(larger, old, strict=False) if self._volume[n] > self._volume[k]]
        return found

    def _age(self, now_s: int) -> None:
        """Halves the volumes once a day; forgets small ones that nobody names."""
        if now_s - self._halved_s >= STAYS_S:
            self._halved_s = now_s
            self._volume = Counter({k: v // 2 for k, v in self._volume.items() if v > 1 or k in self.named})
        if len(self._volume) > _REMEMBERED * self.most + 1_000:
            self._volume = Counter({k: self._volume[k] for k in self.named})


class Capped:
    """A counter family with at most so many series, and `other` beside."""

    def __init__(self, table: Table, most: int, other: Callable[[Key], Key], limited: Limited) -> None:
        """`other` names the series that takes what a key adds; `limited` counts such additions."""
        self._table, self._other, self._limited = table, other, limited
        self.admission = Admission(most)

    def add(self, key: Key, n: int) -> None:
        if self.admission.see(key, n):
            self._table.add(key, n)
        else:
            self._table.add(self._other(key), n)
            if n:
                self._limited.inc()

    def review(self, now_s: int, flagged: IsFlagged) -> None:
        """Takes out who is named no more: what it adds from now on goes to `other`."""
        for key in self.admission.review(now_s, flagged):
            self._table.remove(key)
