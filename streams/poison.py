"""The poison limit: ingest stops before most of a source becomes dead letters.

A wrong configuration, or a producer that changed its format, would otherwise drain the topic into
`dead-letters`. Judged once a flush, before it is committed, on the last minute. What was read in that
minute is committed along with the offsets, so that a restart, which reads the same records again,
judges the same: restarts let nothing through.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from streams.batch import DeadLetter
from streams.errors import Poisoned
from streams.records import UNKNOWN, Result

WINDOW_S = 60
ALL = "*"
MOST_METADATA_CHARACTERS = 3_000
"""Kafka takes 4,096 bytes with an offset; the rest is for where to read again."""
_MOST_NAMED = 20
_MOST_SHOWN = 5

Tally = Mapping[str, Mapping[str, int]]
"""source -> result -> records, as in the ranges of a partial."""


class Limit(NamedTuple):
    """More than `ratio` of at least `min_records` unread records is too much; ratio 1 is no limit."""

    ratio: float
    min_records: int

    def passed(self, share: Share) -> bool:
        return share.records >= self.min_records and share.unread > self.ratio * share.records


class Share(NamedTuple):
    """How many records were read, and how many of them could not be."""

    records: int = 0
    unread: int = 0

    def plus(self, other: Share, sign: int = 1) -> Share:
        return Share(self.records + sign * other.records, self.unread + sign * other.unread)


class Recent:
    """What was taken of one partition in the last WINDOW_S seconds, by source and, as ALL, at all."""

    def __init__(self, inherited: Mapping[str, Share] = MappingProxyType({})) -> None:
        self.shares = dict(inherited)
        self._inherited = dict(inherited)
        """Ages from the first flush on that takes anything: reading again for dedupe takes time."""
        self._steps: deque[tuple[float, dict[str, Share]]] = deque()

    @classmethod
    def of(cls, metadata: str | None) -> Recent:
        """As it was committed; empty when the metadata tells nothing that can be used."""
        try:
            told = json.loads(metadata or "{}").get("recent", {})
            return cls({str(name): Share(int(n), int(unread)) for name, (n, unread) in told.items()})
        except (ValueError, TypeError, AttributeError):
            return cls()

    def add(self, now_s: float, tally: Tally) -> None:
        """`now_s` never falls. Forgets what is older than the window."""
        added = shares(tally)
        if added:
            self._steps += [(now_s, self._inherited), (now_s, added)]
            self._inherited = {}
        for name, share in added.items():
            self.shares[name] = self.shares.get(name, Share()).plus(share)
        while self._steps and self._steps[0][0] <= now_s - WINDOW_S:
            for name, share in self._steps.popleft()[1].items():
                self.shares[name] = self.shares[name].plus(share, -1)

    def told(self) -> dict[str, list[int]]:
        """What the commit keeps: everything, and the sources with most that was unread."""
        bad = [(name, s) for name, s in self.shares.items() if s.unread]
        bad.sort(key=lambda named: (named[0] != ALL, -named[1].unread))
        kept = {name: list(share) for name, share in bad[: _MOST_NAMED + 1]}
        return kept if len(json.dumps(kept)) <= MOST_METADATA_CHARACTERS else {}


def shares(tally: Tally) -> dict[str, Share]:
    """By source, and as ALL the sum."""
    found = {s: Share(sum(r.values()), r.get(Result.MALFORMED, 0)) for s, r in tally.items()}
    return found | {ALL: _sum(found.values())} if found else {}


def judge(
    limit: Limit, tallies: Iterable[Tally], recent: Iterable[Recent], dead: Sequence[DeadLetter]
) -> None:
    """Raises Poisoned when both the last minute and this flush, whose tallies are in it, are too bad.

    Each source is judged on its own. Records without a known source have no good ones among them to
    be measured by: they count in the share of everything alone.
    """
    if limit.ratio >= 1:
        return
    now, minute = _by_source(map(shares, tallies)), _by_source(r.shares for r in recent)
    for name, share in minute.items():
        flush = now.get(name, Share())
        if name != UNKNOWN and limit.passed(share) and flush.unread > limit.ratio * flush.records:
            buried = [d for d in dead if name in (ALL, d.source)]
            raise Poisoned(_words(name, share, buried))


def _by_source(several: Iterable[Mapping[str, Share]]) -> dict[str, Share]:
    total: defaultdict[str, Share] = defaultdict(Share)
    for one in several:
        for name, share in one.items():
            total[name] = total[name].plus(share)
    return total


def _sum(parts: Iterable[Share]) -> Share:
    total = Share()
    for part in parts:
        total = total.plus(part)
    return total


def _words(name: str, share: Share, buried: Sequence[DeadLetter]) -> str:
    what = "all sources together" if name == ALL else f"source '{name}'"
    reasons = Counter(d.malformed.reason for d in buried).most_common(_MOST_SHOWN)
    return (
        f"{what}: {share.unread / share.records:.1%} of the {share.records:,} records of the last minute "
        f"can not be read; now {', '.join(f'{n:,} {reason}' for reason, n in reasons)} "
        f"in {', '.join(_ranges(buried))}. Nothing of it is committed. Mend what writes these records or "
        "how [[sources]] says to read them; or let them become dead letters, to be re-driven later, with "
        "ingest.poison_ratio = 1.0"
    )


def _ranges(buried: Sequence[DeadLetter]) -> list[str]:
    """`topic-partition [from,to)` of the first partitions."""
    offsets: dict[tuple[str, int], list[int]] = {}
    for d in buried:
        offsets.setdefault((d.topic, d.partition), []).append(d.offset)
    shown = [f"{t}-{p} [{min(o)},{max(o) + 1})" for (t, p), o in sorted(offsets.items())[:_MOST_SHOWN]]
    more = len(offsets) - len(shown)
    return [*shown, f"and {more} partitions more"] if more else shown
