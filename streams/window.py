"""The windows station as a state machine over the log of partials. Pure: no clock, no I/O.

    partial -> open buckets -> (least clock - lateness passes) -> closed bucket -> journal record

Every decision depends on the log alone, so a replay decides the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streams.dedupe import SeenIds
from streams.errors import LossError
from streams.fold import unpack
from streams.records import BUCKET_S, Cells, ClosedBucket, Partial, Position, SeriesKey
from streams.tally import Bucket, add, as_cells
from streams.watermark import Lost, SourcePositions, Step

HOUR_S = 3600
OLDEST_START_S = 8 * 86_400
"""How far before the first watermark counting may begin: a day more than `outcomes` keeps."""
_MOST_FAILED_IDS = 20_000_000


@dataclass
class Closing:
    """One closed bucket before it is written: everything its journal record says."""

    bucket_s: int
    through: int
    sources: dict[str, int]
    positions: list[Position]
    cells: Cells
    late: Cells
    incomplete: list[str]
    gaps: dict[str, int]
    low_water: int
    """Offset of the oldest partial that is still needed once this record is in the journal."""


@dataclass
class Windows:
    """What the partials up to `through` add up to, less what is closed."""

    lateness_ms: int
    accept_loss: Callable[[Lost], bool] = lambda _: False
    where: SourcePositions = field(default_factory=SourcePositions)
    next_bucket_s: int | None = None
    """First bucket that is not closed; None until the first watermark."""
    through: int = -1
    skipped: bool = False
    """Whether the partial at `through` was known already and counted nothing."""
    journal_through: int = -1
    open: dict[int, Bucket] = field(default_factory=dict)
    late: dict[int, Bucket] = field(default_factory=dict)
    gaps: dict[str, int] = field(default_factory=dict)
    """What was lost, and the second before which the buckets start that may be short of it."""
    lost: list[Lost] = field(default_factory=list)
    _first: dict[int, int] = field(default_factory=dict)
    _failed: SeenIds = field(default_factory=lambda: SeenIds(HOUR_S - BUCKET_S, _MOST_FAILED_IDS))

    # -- restart -------------------------------------------------------------------------------

    def remember(self, closed: ClosedBucket, cells: Cells) -> None:
        """Takes one complete bucket of the journal back in, oldest first."""
        self.where = SourcePositions.of(closed.sources, closed.positions)
        self.next_bucket_s = closed.bucket_s + BUCKET_S
        self.through = self.journal_through = closed.through
        self.gaps = dict(closed.gaps)
        self._repeats(cells, closed.bucket_s)

    def rebuild(self, offset: int, partial: Partial) -> None:
        """Counts again, into open buckets only, a partial that the journal already covers."""
        start = self.next_bucket_s or 0
        self._count(offset, partial.cells, start, late=False)

    # -- one partial ---------------------------------------------------------------------------

    def apply(self, offset: int, partial: Partial) -> list[Closing]:
        """Counts a partial; returns the buckets that it closes, in order.

        Raises LossError when it does not continue the log and the loss is not accepted.
        """
        pending = self._close(self.through)  # a crash between two closings of one partial left some
        try:
            step = self.where.step(partial)
        except LossError:
            step = self._pass_loss(partial)
        self.through = offset
        self.skipped = step is Step.KNOWN
        if self.skipped:
            return pending
        self._count(offset, partial.cells, self.next_bucket_s, late=True)
        if partial.part < partial.parts:
            return pending  # the ranges hold for all parts: positions and clocks move with the last
        self.where.advance(partial)
        return pending + self._close(offset)

    def _pass_loss(self, partial: Partial) -> Step:
        lost = self.where.losses(partial)
        if not lost or not all(self.accept_loss(x) for x in lost):
            raise LossError("; ".join(map(str, lost)) or "a partial overlaps what is known")
        if partial.part == partial.parts:
            self.lost.extend(lost)
            self.gaps |= dict.fromkeys(map(str, lost), self._end_of_loss(lost, partial))
        return Step.NEXT

    def _end_of_loss(self, lost: list[Lost], partial: Partial) -> int:
        """What is lost lies before the clock that the partition has now; and where that is not known,
        no later than the buckets under way."""
        missed = {(x.topic, x.partition) for x in lost}
        clocks = [r.clock_ms or 0 for r in partial.ranges if (r.topic, r.partition) in missed]
        under_way = max([*self.open, self.next_bucket_s or 0]) + BUCKET_S
        return max(under_way, *(ms // 1000 + 1 for ms in clocks))

    def _count(self, offset: int, cells: Cells, start: int | None, *, late: bool) -> None:
        if start is None or not cells.bucket_s or min(cells.bucket_s) >= start:
            add(self.open, cells)
            current = set(cells.bucket_s)
        else:
            add(self.open, cells, [i for i, b in enumerate(cells.bucket_s) if b >= start])
            if late:
                add(self.late, cells, [i for i, b in enumerate(cells.bucket_s) if b < start])
            current = {b for b in cells.bucket_s if b >= start}
        for bucket in current:
            self._first.setdefault(bucket, offset)

    # -- closing -------------------------------------------------------------------------------

    def _close(self, offset: int) -> list[Closing]:
        least = self.where.least_clock_ms
        if least is None:
            return []
        passed_s = (least - self.lateness_ms) // 1000
        if self.next_bucket_s is None:
            self._begin(passed_s)
        closings = []
        while self.next_bucket_s is not None and self.next_bucket_s + BUCKET_S <= passed_s:
            closings.append(self._close_one(self.next_bucket_s, offset))
        return closings

    def _begin(self, passed_s: int) -> None:
        """The first bucket: the earliest counted so far, within what a topic can hold."""
        floor = passed_s - OLDEST_START_S
        earliest = min((b for b in self.open if b >= floor), default=passed_s)
        self.next_bucket_s = min(earliest, passed_s) // BUCKET_S * BUCKET_S
        for bucket in [b for b in self.open if b < self.next_bucket_s]:
            self.late[bucket] = self.open.pop(bucket)
            self._first.pop(bucket, None)

    def _close_one(self, bucket_s: int, offset: int) -> Closing:
        bucket = self.open.pop(bucket_s, {})
        cells = as_cells({bucket_s: bucket} if bucket else {})
        cells.distinct, cells.repeats = self._repeats(cells, bucket_s)
        late, self.late = as_cells(self.late), {}
        self._first.pop(bucket_s, None)
        self.next_bucket_s = bucket_s + BUCKET_S
        incomplete = [lost for lost, until_s in self.gaps.items() if bucket_s < until_s]
        self.gaps = {lost: until_s for lost, until_s in self.gaps.items() if self.next_bucket_s < until_s}
        self.journal_through = offset
        return Closing(
            bucket_s,
            offset,
            dict(self.where.sources),
            self.where.positions,
            cells,
            late,
            incomplete,
            dict(self.gaps),
            self.low_water,
        )

    @property
    def low_water(self) -> int:
        """Offset of the oldest partial that a restart would need, the journal being written."""
        return min([self.journal_through + 1, *self._first.values()])

    @property
    def low_water_age_s(self) -> float:
        """Event seconds from the oldest open bucket to the newest clock; 0 when none is open."""
        clocks = [p.clock_ms for p in self.where.positions if p.clock_ms is not None]
        return max(clocks) / 1000 - min(self._first) if self._first and clocks else 0.0

    def _repeats(self, cells: Cells, bucket_s: int) -> tuple[list[int], list[int]]:
        """`distinct` and `repeats` of one bucket: a recipient counts once an hour per series and class."""
        counts = np.array(cells.recipients_n or [0] * len(cells.key), np.int64)
        hashes = unpack(cells.recipients)
        salts = np.array([_salt(k) for k in cells.keys], np.uint64)
        of_cell = np.repeat(np.arange(len(counts)), counts)
        if not len(of_cell):
            return [0] * len(counts), [0] * len(counts)
        salt = salts[np.array(cells.key, np.int64)[of_cell]]
        at = np.full(len(hashes), bucket_s, np.int64)
        before = self._failed.see(hashes ^ salt, at, at, np.ones(len(hashes), np.uint16))
        distinct = np.bincount(of_cell[before == 0], minlength=len(counts))
        repeats = np.where(counts > 0, np.array(cells.finals, np.int64) - distinct, 0)
        return distinct.tolist(), repeats.tolist()


def _salt(key: SeriesKey) -> int:
    """Keeps a recipient of one series and class apart from the same recipient of another."""
    return hash((key.carrier, key.region, key.outcome_class)) & 0xFFFF_FFFF_FFFF_FFFF
