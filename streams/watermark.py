"""Where every source partition stands, and up to when all of them are known: the watermark.

Pure. The log of partials decides; wall time plays no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from streams.errors import GapError, LossError
from streams.records import Partial, Position, Range

Key = tuple[str, int]


class Step(Enum):
    """How a range follows what is known of its partition."""

    NEXT = "next"
    KNOWN = "known"


@dataclass
class Lost:
    """Records [start, end) of a partition that no partial will ever cover."""

    topic: str
    partition: int
    start: int
    end: int

    def __str__(self) -> str:
        return f"lost {self.topic}-{self.partition} [{self.start},{self.end})"


@dataclass
class SourcePositions:
    """The union of all source sets seen, and the position of each of their partitions."""

    sources: dict[str, int] = field(default_factory=dict)
    known: dict[Key, Position] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Mapping[str, int], positions: Iterable[Position]) -> SourcePositions:
        return cls(dict(sources), {(p.topic, p.partition): p for p in positions})

    def step(self, partial: Partial) -> Step:
        """Whether the partial is new. Raises LossError where records are gone between it and what is
        known, GapError where it repeats a part of what is known."""
        steps = {self._step_of(r) for r in partial.ranges} - {None}
        if len(steps) > 1:
            raise GapError("a partial repeats records of some partitions and continues others")
        return Step.KNOWN if Step.KNOWN in steps else Step.NEXT

    def _step_of(self, r: Range) -> Step | None:
        """None for a range without records that tells nothing new."""
        position = self.known.get((r.topic, r.partition))
        if position is None:
            return Step.NEXT  # the first range without a journal is accepted
        if position.topic_id != r.topic_id:
            raise LossError(f"topic {r.topic} was made anew: its records from {position.end} on are gone")
        if r.end <= position.end:
            return Step.KNOWN if r.start < r.end else None
        if r.start == position.end:
            return Step.NEXT
        wrong = (
            f"{r.topic}-{r.partition}: a partial covers [{r.start},{r.end}), expected it from {position.end}"
        )
        raise LossError(wrong) if r.start > position.end else GapError(wrong)

    def losses(self, partial: Partial) -> list[Lost]:
        """What is missing before the ranges of a partial that does not continue the log. Raises
        GapError where it repeats records too: counting it would count them twice."""
        lost, repeated = [], False
        for r in partial.ranges:
            position = self.known.get((r.topic, r.partition))
            if position and position.topic_id != r.topic_id:
                lost.append(Lost(r.topic, r.partition, position.end, position.end))
            elif position and r.start > position.end:
                lost.append(Lost(r.topic, r.partition, position.end, r.start))
            elif position and r.start < min(r.end, position.end):
                repeated = True
        if lost and repeated:
            raise GapError("a partial repeats records of some partitions and misses others")
        return lost

    def advance(self, partial: Partial) -> None:
        """Takes in the source set, positions and clocks of a partial; clocks never fall."""
        for topic, partitions in partial.sources.items():
            self.sources[topic] = max(self.sources.get(topic, 0), partitions)
        for topic in partial.retired:
            self.sources.pop(topic, None)
            self.known = {k: p for k, p in self.known.items() if k[0] != topic}
        for r in partial.ranges:
            before = self.known.get((r.topic, r.partition))
            clocks = [c for c in (r.clock_ms, before.clock_ms if before else None) if c is not None]
            clock_ms = max(clocks, default=None)
            end = max(r.end, before.end) if before and before.topic_id == r.topic_id else r.end
            self.known[r.topic, r.partition] = Position(r.topic, r.topic_id, r.partition, end, clock_ms)

    @property
    def positions(self) -> list[Position]:
        """In order of topic and partition."""
        return [self.known[k] for k in sorted(self.known)]

    @property
    def least_clock_ms(self) -> int | None:
        """The watermark before lateness; None while any partition of the union has no clock."""
        clocks = [p.clock_ms for p in self._all()]
        known = [c for c in clocks if c is not None]
        return min(known) if known and len(known) == len(clocks) else None

    @property
    def holding(self) -> list[Key]:
        """Partitions without a clock: they hold everything."""
        keys = [(t, i) for t, n in sorted(self.sources.items()) for i in range(n)]
        return [k for k in keys if k not in self.known or self.known[k].clock_ms is None]

    def _all(self) -> Sequence[Position]:
        empty = Position("", "", -1, 0, None)
        return [self.known.get((t, i), empty) for t, n in self.sources.items() for i in range(n)]
