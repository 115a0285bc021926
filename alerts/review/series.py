"""The counts around an incident, bucket by bucket, out of the `windows` journal.

closed bucket -> which cells are of the rule, which of them of the incident -> columns, codes, recipients
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.counts import evidence
from alerts.odds import padded
from alerts.records import ALL, Scope
from streams.fold import unpack
from streams.journal import Complete
from streams.records import BUCKET_S, Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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

    def add(self, bucket_s: int, counts: Sequence[int]) -> None:
        held = self.at.get(bucket_s, (0, 0, 0, 0))
        self.at[bucket_s] = [a + b for a, b in zip(held, counts, strict=True)]

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
    leaves: dict[tuple[str, str], int] = field(default_factory=dict)
    """Number of each carrier and region in `leaf_sums`."""
    leaf_sums: dict[int, Ints] = field(default_factory=dict)
    """[2, leaves] outcomes and failures by `leaf_step_s`: the heat map."""
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
        self._late(bucket.late)

    def _counts(self, at: int, cells: Cells) -> None:
        if not cells.key:
            return
        kinds = [self._kind(key) for key in cells.keys]
        key = np.array(cells.key)
        eligible, failing, own = (np.array([k[i] for k in kinds])[key] for i in range(3))
        counts = _counted(cells, failing) * eligible
        member = np.array([k.groups for k in kinds])[key]
        for group, sums in zip(GROUPS, (counts @ member).T.tolist(), strict=True):
            self.groups[group].add(at, sums)
        self._leaves(at, np.array([k.leaf for k in kinds])[key], counts[:2])
        for i in np.flatnonzero(own & (counts[0] > 0)).tolist():
            name = cells.keys[cells.key[i]]
            if name.outcome_class != DELIVERED:
                code = Code(name.source, name.code, name.outcome_class, bool(failing[i]))
                self.codes[code][at] += cells.finals[i]
        self._failed(at, cells, eligible & failing & own)

    def _leaves(self, at: int, leaf: Ints, counts: Ints) -> None:
        step_s, size = at // self.leaf_step_s * self.leaf_step_s, len(self.leaves)
        new = np.stack([np.bincount(leaf, column, size) for column in counts]).astype(np.int64)
        held = self.leaf_sums.get(step_s)
        self.leaf_sums[step_s] = new if held is None else new + padded(held, size)

    def _failed(self, at: int, cells: Cells, own: Bools) -> None:
        for i, senders in cells.senders.items():
            if own[i]:
                self.senders[at].update(senders)
        for i, urgent in cells.time_critical.items():
            if own[i]:
                self.time_critical[at] += urgent
        if own.any() and cells.recipients_n:
            mine = np.repeat(own, np.array(cells.recipients_n, np.int64))
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
            leaf = self.leaves.setdefault((key.carrier, key.region), len(self.leaves))
            kind = self._of[key] = _kind(self.book, self.rule, self.scope, key, leaf)
        return kind

    def is_own_failure(self, key: SeriesKey) -> bool:
        """Whether outcomes under `key` are failures of the incident's scope."""
        return self._kind(key).own_failing

    def by_leaf(self, span: Span) -> dict[tuple[str, str], tuple[int, int]]:
        """Outcomes and failures by carrier and region, over the steps that begin in `span`."""
        held = [padded(sums, len(self.leaves)) for at, sums in self.leaf_sums.items() if at in span]
        outcomes, failed = np.sum(held, axis=0).tolist() if held else ([], [])
        return {leaf: (outcomes[i], failed[i]) for leaf, i in self.leaves.items() if held and outcomes[i]}

    def series(self, group: str, span: Span) -> Series:
        return self.groups[group].series(span)

    def distinct(self, span: Span) -> int:
        """Different recipients that failed in `span`, exactly: hashes are compared, not estimated."""
        held = [hashes for at, several in self.recipients.items() if at in span for hashes in several]
        return len(np.unique(np.concatenate(held))) if held else 0

    def by_code(self, span: Span) -> dict[Code, int]:
        """Not delivered, by code, the most first."""
        sums = {code: total(counts, span) for code, counts in self.codes.items()}
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
    groups: tuple[bool, ...]
    """Whether it belongs to each of GROUPS."""
    leaf: int

    @property
    def own_failing(self) -> bool:
        return self.eligible and self.failing and self.own


def _kind(book: RuleBook, rule: Rule, scope: Scope, key: SeriesKey, leaf: int) -> _Kind:
    own = scope.covers(key.carrier, key.region)
    groups = (own, not own and _near(scope, key), scope.region in (key.region, ALL), True)
    return _Kind(book.eligible(rule, key), book.failing(rule, key), own, groups, leaf)


def _counted(cells: Cells, failing: Bools) -> Ints:
    """[4, cells] outcomes, failed, n, k."""
    finals, n, k = evidence(cells)
    return np.stack((finals, finals * failing, n, k * failing))


def _near(scope: Scope, key: SeriesKey) -> bool:
    """Of a pair: the same carrier elsewhere, and other carriers there. Else all that is not its own."""
    if ALL in (scope.carrier, scope.region):
        return True
    return scope.carrier == key.carrier or scope.region == key.region


def total(counts: Mapping[int, int], span: Span) -> int:
    """Of counts by bucket, those in `span`."""
    return sum(n for at, n in counts.items() if at in span)


def gather(
    buckets: Iterable[Complete], rule: Rule, scope: Scope, book: RuleBook, leaf_step_s: int = 60
) -> Gathering:
    gathering = Gathering(rule, scope, book, leaf_step_s)
    for bucket in buckets:
        gathering.take(bucket)
    return gathering
