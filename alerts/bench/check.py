"""Are the counts right? What partials and closed buckets add up to, held against what was written."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from alerts.bench.errors import BenchFailed
from alerts.bench.traffic import Series, Truth
from streams.journal import Assembler
from streams.records import BUCKET_S, Cells, Partial, Result

_decode = msgspec.json.Decoder(Partial).decode


@dataclass
class Counted:
    """The partials of one ingest run so far."""

    tallies: dict[tuple[str, str], int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    clocks_ms: dict[int, int] = field(default_factory=dict)
    counts: dict[Series, int] = field(default_factory=dict)
    recipients: int = 0
    cells: int = 0

    def add(self, value: bytes) -> None:
        partial = _decode(value)
        self.cells += len(partial.cells.key)
        self.recipients += sum(partial.cells.recipients_n)
        _sum_finals(self.counts, partial.cells)
        if partial.part < partial.parts:
            return  # all parts carry the same ranges
        for r in partial.ranges:
            self.ends[r.partition] = r.end
            if r.clock_ms is not None:
                self.clocks_ms[r.partition] = r.clock_ms
            for source, results in r.tally.items():
                for result, n in results.items():
                    self.tallies[source, result] = self.tallies.get((source, result), 0) + n

    @property
    def least_clock_ms(self) -> int:
        """The clock of the partition that is furthest behind, of those that have one."""
        return min(self.clocks_ms.values(), default=0)

    def check(self, stage: str, source: str, truth: Truth) -> None:
        """Raises BenchFailed unless every record was counted, once, as what it is."""
        expected = {(source, Result.COUNTED.value): truth.records} if truth.records else {}
        if self.tallies != expected:
            raise BenchFailed(f"{stage}: the tallies are {self.tallies}, written were {expected}")
        _compare(stage, self.counts, truth)
        if self.recipients != truth.failed:
            raise BenchFailed(
                f"{stage}: {self.recipients} failed recipients are in the partials, "
                f"{truth.failed} were written"
            )


@dataclass
class Closed:
    """The closed buckets of one windows run so far."""

    counts: dict[Series, int] = field(default_factory=dict)
    finals: int = 0
    late: int = 0
    last_bucket_s: int = -1
    last_offset: int = -1
    """Offset of the last part of the last bucket that held outcomes."""
    _assembler: Assembler = field(default_factory=Assembler)

    def add(self, offset: int, value: bytes) -> None:
        complete = self._assembler.feed(offset, value)
        if complete is None:
            return
        self.last_bucket_s = complete.record.bucket_s
        self.late += sum(complete.late.finals)
        if complete.cells.key:
            self.finals += _sum_finals(self.counts, complete.cells)
            self.last_offset = offset

    def is_through(self, end_ms: int) -> bool:
        """Whether the last bucket with traffic is closed, which ends at `end_ms`."""
        return self.last_bucket_s + BUCKET_S >= end_ms // 1000

    def check(self, stage: str, truth: Truth) -> None:
        """Raises BenchFailed unless the buckets hold every record, none of it late."""
        if self.late:
            raise BenchFailed(f"{stage}: {self.late} records are late, though they came in order")
        _compare(stage, self.counts, truth)


def _sum_finals(counts: dict[Series, int], cells: Cells) -> int:
    for k, n in zip(cells.key, cells.finals, strict=True):
        key = cells.keys[k]
        series = Series(key.carrier, key.region, key.outcome_class)
        counts[series] = counts.get(series, 0) + n
    return sum(cells.finals)


def _compare(stage: str, counts: dict[Series, int], truth: Truth) -> None:
    if counts == truth.counts:
        return
    wrong = [s for s in counts.keys() | truth.counts.keys() if counts.get(s, 0) != truth.counts.get(s, 0)]
    one = min(wrong)
    raise BenchFailed(
        f"{stage}: {len(wrong)} series are wrong, {sum(counts.values())} of {truth.records} records are "
        f"counted; {'/'.join(one)} has {counts.get(one, 0)} for {truth.counts.get(one, 0)}"
    )
