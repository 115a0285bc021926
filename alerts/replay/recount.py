"""Records of the past through the stations that count live: intake, fold, windows.

step -> intake -> every flush interval: a partial -> windows -> closed buckets

It is one ingest that has all partitions and keeps up. Time is when records were read: of a partition
without records it is known at the end of a step that all it held when the step began has been read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from alerts.replay.rows import Rows, Step
from streams.assembly import assemble
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY
from streams.records import BUCKET_S
from streams.settings import Settings
from streams.tally import as_cells
from streams.transaction import partials
from streams.window import HOUR_S, Closing, Windows

_USUAL_PARTITIONS = 12
_WRITER = "replay"
Key = tuple[str, int]


class Recount:
    """State of the counting stations. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError for sources, code tables or carriers that can not be used."""
        self._ingest = settings.ingest
        self._intake = assemble(_alone(settings), None).intake
        self._windows = Windows(int(settings.windows.allowed_lateness_s * 1000), lambda _: True)
        self._parts: dict[Key, PartitionIntake] = {}
        self._flushed = -1
        self._read_ms: int | None = None
        """Start of the last step."""
        self.records = 0
        self.results: Counter[str] = Counter()
        self.late = 0

    @property
    def step_ms(self) -> int:
        """How long a step is: the flush interval."""
        return max(1, round(self._ingest.flush_interval_s * 1000))

    @property
    def memory_ms(self) -> int:
        """How far back ingest and windows remember: messages, and recipients that have failed."""
        lateness_ms = self._windows.lateness_ms
        return max(self._ingest.dedupe_horizon_s, HOUR_S) * 1000 + lateness_ms + BUCKET_S * 1000

    def closings(self, steps: Iterable[Step]) -> Iterator[Closing]:
        """All buckets of all steps, in order."""
        for step in steps:
            yield from self.take(step)
        yield from self.finish()

    def take(self, step: Step) -> Iterator[Closing]:
        """The buckets that close with a step, in order."""
        if self._read_ms is not None and step.start_ms > self._read_ms + self.step_ms:
            yield from self._flush(step.start_ms - self.step_ms)  # the clock went on meanwhile
        self._read_ms = step.start_ms
        for rows in step.rows:
            self._read(rows)
        yield from self._flush(step.start_ms)

    def finish(self) -> Iterator[Closing]:
        """The buckets that are left, as if nothing came any more."""
        if self._windows.open:
            end_ms = (max(self._windows.open) + BUCKET_S) * 1000 + self._windows.lateness_ms
            yield from self._flush(end_ms)
        self.late += sum(as_cells(self._windows.late).finals)  # no bucket is left to name it

    def _read(self, rows: Rows) -> None:
        self.records += len(rows)
        numbers, which = np.unique(rows.partition, return_inverse=True)
        owned = [self._part(rows.topic, number) for number in numbers.tolist()]
        batch = Batch(
            which,
            rows.offset,
            rows.timestamp_ms,
            rows.headers,
            rows.values,
            lambda _: None,
            rows.source,
        )
        self._intake.take(batch, owned, rows.clock_ms)
        for i, part in enumerate(owned):
            newest_ms = int(rows.clock_ms[which == i][-1])
            part.clock_ms = max(part.clock_ms or 0, newest_ms)

    def _part(self, topic: str, number: int) -> PartitionIntake:
        """Partitions are numbered without holes: one that nothing came of is an idle one."""
        for missing in range(number + 1):
            if (topic, missing) not in self._parts:
                seen = SeenIds(
                    self._ingest.dedupe_horizon_s, self._ingest.dedupe_max_ids // _USUAL_PARTITIONS
                )
                self._parts[topic, missing] = PartitionIntake(topic, topic, missing, 0, seen)
        return self._parts[topic, number]

    def _flush(self, reached_ms: int) -> Iterator[Closing]:
        parts, sources = self._parts.values(), Counter(topic for topic, _ in self._parts)
        for part in parts:
            part.clock_ms = max(part.clock_ms or 0, reached_ms)
            part.marks.clear()  # nobody will read again
        cells = self._intake.fold.cells(self._intake.keys)
        written = partials(_WRITER, reached_ms, dict(sources), [p.covered for p in parts], cells)
        self._begin_anew()
        for partial in written:
            self._flushed += 1
            for closing in self._windows.apply(self._flushed, partial):
                self.late += sum(closing.late.finals)
                yield closing

    def _begin_anew(self) -> None:
        for part in self._parts.values():
            for results in part.tally.values():
                self.results.update(results)
            part.begin_anew()
        self._intake.begin_anew()
        self._intake.received.clear()
        self._intake.checked.clear()


def _alone(settings: Settings) -> Settings:
    """Without Lookup, which would be asked and paid again, and without the list of recipients, which no
    incident depends on; and with a key, as hashes are only compared."""
    privacy = settings.privacy
    if not privacy.recipient_key:
        privacy = msgspec.structs.replace(privacy, recipient_key=DEMO_KEY)
    lookup = msgspec.structs.replace(settings.lookup, enabled=False)
    recipients = msgspec.structs.replace(settings.recipients, track=False)
    return msgspec.structs.replace(settings, privacy=privacy, lookup=lookup, recipients=recipients)
