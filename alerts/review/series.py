"""The counts around an incident, bucket by bucket, out of the `windows` journal.

closed bucket -> which cells are of the rule, which of them of the incident -> columns, codes, recipients
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.records import ALL, Scope
from streams.fold import unpack
from streams.journal import Complete
from streams.records import BUCKET_S, Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule

Hashes = NDArray[np.uint64]


class Span(NamedTuple):
    """Buckets of [from_s, to_s), epoch seconds, both multiples of BUCKET_S."""

    from_s: int
    to_s: int

    def __contains__(self, bucket_s: object) -> bool:
        return isinstance(bucket_s, int) and self.from_s <= bucket_s < self.to_s

    @property
    def buckets(self) -> int:
        return max(0, (self.to_s - self.from_s) // BUCKET_S)


class Series(msgspec.Struct, frozen=True):
    """Counts of consecutive steps; step i is `[start_s + i step_s, start_s + (i + 1) step_s)`."""

    start_s: int
    step_s: int
    outcomes: tuple[int, ...]
    failed: tuple[int, ...]
    n: tuple[int, ...] = ()
    k: tuple[int, ...] = ()
    """What decides: a recipient counts once an hour."""

    @property
    def end_s(self) -> int:
        return self.start_s + len(self.outcomes) * self.step_s

    def coarser(self, step_s: int) -> Series:
        """The same in longer steps, which divide the epoch; the first and the last may be partial."""
        first = self.start_s // step_s
        at = [(self.start_s + i * self.step_s) // step_s - first for i in range(len(self.outcomes))]
        return Series(first * step_s, step_s, *(_added(at, c) for c in self._columns()))

    def within(self, span: Span) -> Series:
        """The steps that begin in `span`."""
        first = max(0, -(-(span.from_s - self.start_s) // self.step_s))
        last = max(first, -(-(span.to_s - self.start_s) // self.step_s))
        start_s = self.start_s + first * self.step_s
        return Series(start_s, self.step_s, *(c[first:last] for c in self._columns()))

    def _columns(self) -> tuple[tuple[int, ...], ...]:
        return self.outcomes, self.failed, self.n, self.k


def _added(at: list[int], column: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(np.bincount(at, column).astype(int).tolist()) if column else ()


class Code(NamedTuple):
    """What an outcome that was not delivered says of itself."""

    source: str
    code: str
    outcome_class: str
    counts: bool
    """Whether it is a failure to the rule; the others show what else went wrong."""


@dataclass
class _Columns:
    """Sums by bucket: outcomes, failed, n, k."""

    at: dict[int, list[int]] = field(default_factory=dict)

    def add(self, bucket_s: int, finals: int, failed: int, n: int, k: int) -> None:
        row = self.at.setdefault(bucket_s, [0, 0, 0, 0])
        for i, count in enumerate((finals, failed, n, k)):
            row[i] += count

    def series(self, span: Span) -> Series:
        rows = [self.at.get(s, (0, 0, 0, 0)) for s in range(span.from_s, span.to_s, BUCKET_S)]
        columns = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Series(span.from_s, BUCKET_S, *map(tuple, columns))


DELIVERED = "delivered"
OWN, NEIGHBOURS, REGION, EVERYTHING = "own", "neighbours", "region", "everything"
GROUPS = (OWN, NEIGHBOURS, REGION, EVERYTHING)
"""The incident's scope; the same carriers elsewhere and other carriers in its regions; the region as a
whole (all of it); all outcomes of the rule."""


@dataclass
class Gathering:
    """Adds up closed buckets around one incident. `rule` says what counts, `scope` what is its own."""

    rule: Rule
    scope: Scope
    book: RuleBook
    leaf_step_s: int = 60
    groups: dict[str, _Columns] = field(default_factory=lambda: {name: _Columns() for name in GROUPS})
    codes: dict[Code, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Not delivered, by code and bucket."""
    senders: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    recipients: dict[int, list[Hashes]] = field(default_factory=lambda: defaultdict(list))
    """Keyed hashes of failed recipients by bucket: counted, never shown."""
    time_critical: Counter[int] = field(default_factory=Counter)
    late_outcomes: Counter[int] = field(default_factory=Counter)
    late_failed: Counter[int] = field(default_factory=Counter)
    """What came for a bucket after it was closed."""
    leaves: dict[tuple[str, str], _Columns] = field(default_factory=lambda: defaultdict(_Columns))
    """Carrier and region by `leaf_step_s`: the heat map."""
    incomplete: dict[int, list[str]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    _of: dict[SeriesKey, _Kind] = field(default_factory=dict)

    def take(self, bucket: Complete) -> None:
        """One closed bucket on, in any order."""
        at = bucket.record.bucket_s
        self.seen.add(at)
        if bucket.record.incomplete:
            self.incomplete[at] = list(bucket.record.incomplete)
        self._counts(at, bucket.cells)
        self._failed(at, bucket.cells)
        self._late(bucket.late)

    def _counts(self, at: int, cells: Cells) -> None:
        repeats, distinct = _column(cells, cells.repeats), _column(cells, cells.distinct)
        for i, key in enumerate(cells.key):
            kind = self._kind(cells.keys[key])
            if not kind.eligible:
                continue
            finals, n = cells.finals[i], cells.finals[i] - repeats[i]
            failed = finals if kind.failing else 0
            k = (n if not distinct[i] and not repeats[i] else min(distinct[i], n)) if kind.failing else 0
            for group in kind.groups:
                self.groups[group].add(at, finals, failed, n, k)
            name = cells.keys[key]
            leaf_s = at // self.leaf_step_s * self.leaf_step_s
            self.leaves[name.carrier, name.region].add(leaf_s, finals, failed, n, k)
            if finals and kind.own and name.outcome_class != DELIVERED:
                code = Code(name.source, name.code, name.outcome_class, kind.failing)
                self.codes[code][at] += finals

    def _failed(self, at: int, cells: Cells) -> None:
        own = [self._kind(cells.keys[key]).own_failing for key in cells.key]
        for i, senders in cells.senders.items():
            if own[i]:
                self.senders[at].update(senders)
        for i, urgent in cells.time_critical.items():
            if own[i]:
                self.time_critical[at] += urgent
        if any(own) and cells.recipients_n:
            mine = np.repeat(np.array(own), np.array(cells.recipients_n, np.int64))
            self.recipients[at].append(unpack(cells.recipients)[mine])

    def _late(self, cells: Cells) -> None:
        for i, key in enumerate(cells.key):
            kind = self._kind(cells.keys[key])
            if kind.eligible and kind.own:
                self.late_outcomes[cells.bucket_s[i]] += cells.finals[i]
                self.late_failed[cells.bucket_s[i]] += cells.finals[i] if kind.failing else 0

    def _kind(self, key: SeriesKey) -> _Kind:
        kind = self._of.get(key)
        if kind is None:
            kind = self._of[key] = _kind(self.book, self.rule, self.scope, key)
        return kind

    def is_own_failure(self, key: SeriesKey) -> bool:
        """Whether outcomes under `key` are failures of the incident's scope."""
        return self._kind(key).own_failing

    def series(self, group: str, span: Span) -> Series:
        return self.groups[group].series(span)

    def distinct(self, span: Span) -> int:
        """Different recipients that failed in `span`, exactly: hashes are compared, not estimated."""
        held = [hashes for at, several in self.recipients.items() if at in span for hashes in several]
        return len(np.unique(np.concatenate(held))) if held else 0

    def by_code(self, span: Span) -> dict[Code, int]:
        """Not delivered, by code, the most first."""
        sums = {code: _within(counts, span) for code, counts in self.codes.items()}
        return {c: n for c, n in sorted(sums.items(), key=lambda item: (-item[1], item[0])) if n}

    def by_sender(self, span: Span) -> Counter[str]:
        """Failed by sender; '' is the rest, those beyond the 20 that each bucket names."""
        whole: Counter[str] = Counter()
        for at, senders in self.senders.items():
            if at in span:
                whole.update(senders)
        return whole


class _Kind(NamedTuple):
    eligible: bool
    failing: bool
    own: bool
    groups: tuple[str, ...]

    @property
    def own_failing(self) -> bool:
        return self.eligible and self.failing and self.own


def _kind(book: RuleBook, rule: Rule, scope: Scope, key: SeriesKey) -> _Kind:
    own = scope.covers(key.carrier, key.region)
    groups = [EVERYTHING]
    if own:
        groups.append(OWN)
    elif _near(scope, key):
        groups.append(NEIGHBOURS)
    if scope.region in (key.region, ALL):
        groups.append(REGION)
    return _Kind(book.eligible(rule, key), book.failing(rule, key), own, tuple(groups))


def _near(scope: Scope, key: SeriesKey) -> bool:
    """Of a pair: the same carrier elsewhere, and other carriers there. Else all that is not its own."""
    if ALL in (scope.carrier, scope.region):
        return True
    return scope.carrier == key.carrier or scope.region == key.region


def _within(counts: Counter[int], span: Span) -> int:
    return sum(n for at, n in counts.items() if at in span)


def _column(cells: Cells, column: list[int]) -> list[int]:
    return column if len(column) == len(cells.key) else [0] * len(cells.key)


def gather(
    buckets: Iterable[Complete], rule: Rule, scope: Scope, book: RuleBook, leaf_step_s: int = 60
) -> Gathering:
    gathering = Gathering(rule, scope, book, leaf_step_s)
    for bucket in buckets:
        gathering.take(bucket)
    return gathering
