"""One source partition as the ingest that owns it sees it."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from streams.dedupe import SeenIds
from streams.poison import Recent
from streams.records import Range


@dataclass
class PartitionIntake:
    """One source partition as its owner sees it."""

    topic: str
    topic_id: str
    partition: int
    start: int
    """First offset that is not committed yet; what lies before is read for dedupe only."""
    seen: SeenIds
    end: int = 0
    """Next offset to read: everything before it was read."""
    clock_ms: int | None = None
    newest_ms: int = 0
    """Newest receipt of what was read since the last flush; 0 where nothing was."""
    tally: dict[str, dict[str, int]] = field(default_factory=dict)
    split: int = 0
    """By how many the results since `start` exceed the records: some held several outcomes."""
    marks: deque[tuple[int, int]] = field(default_factory=deque)
    """(clock second, offset): from where to read again to know what is known now."""
    read_to: int = 0
    """Offset up to which it was really read, what is read again for dedupe included."""
    inherited: int | None = None
    """From where the owner before would have read again: it stands until something was read."""
    recent: Recent = field(default_factory=Recent)
    """For the poison limit."""

    @property
    def covered(self) -> Range:
        """What was read since the last flush, and what became of it."""
        end, tally = max(self.end, self.start), dict(self.tally)
        return Range(
            self.topic, self.topic_id, self.partition, self.start, end, self.clock_ms, tally, self.split
        )

    def begin_anew(self) -> None:
        """After a flush."""
        self.start, self.tally, self.split, self.newest_ms = max(self.end, self.start), {}, 0, 0

    @property
    def remembers(self) -> bool:
        """Whether all that had to be read again was: only then its memory is whole."""
        return self.read_to >= self.start

    def offset(self, horizon_s: int) -> TopicPartition:
        """What to commit: how far it was read, with what a successor must know."""
        memory = {"replay_from": self.replay_from(horizon_s), "recent": self.recent.told()}
        return TopicPartition(self.topic, self.partition, max(self.end, self.start), json.dumps(memory))

    def replay_from(self, horizon_s: int) -> int:
        """The offset from which a successor must read to remember as much as this one."""
        if self.clock_ms is None or not self.marks:  # an idle partition's clock moves without reading
            return self.start if self.inherited is None else self.inherited
        oldest = self.clock_ms // 1000 - horizon_s
        while len(self.marks) > 1 and self.marks[1][0] < oldest:
            self.marks.popleft()
        return self.marks[0][1]


def where_to_start(committed: TopicPartition, low: int) -> tuple[int, int]:
    """First offset to count, and the earlier one to read from for dedupe."""
    if committed.offset < 0:
        return low, low if low else OFFSET_BEGINNING
    start = max(committed.offset, low)
    try:
        replay = int(json.loads(committed.metadata or "{}").get("replay_from", start))
    except (ValueError, TypeError, AttributeError):
        replay = start
    return start, max(min(replay, start), low)
