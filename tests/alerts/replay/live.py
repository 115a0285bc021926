"""The live path over captured records in one process: ingest, the log of partials, windows, the log of
closed buckets, the alerts station. What it reads it notes down in the capture format, clocks included.

wall   0 s ..... .37 s ..... 1.37 s ..... 2.37 s
reads  |..|..|..|..|..|..|..|..|..|..|..|..|      slices of 100 ms
               flush       flush        flush    clocks of idle partitions: as of the flush before
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import msgspec
import numpy as np

from alerts.records import Incident
from alerts.settings import Settings
from alerts.station import NoPager, Station
from streams import journal
from streams.assembly import assemble
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.partition import PartitionIntake
from streams.records import Partial, encode
from streams.simulate.capture import partition_of
from streams.simulate.traffic import Emission
from streams.transaction import partials
from streams.window import Windows
from tests.alerts.test_station import Kafka

PARTITIONS = 4
SLICE_MS = 100
PHASE_MS = 370
_decoder = msgspec.json.Decoder(Partial)


class Live:
    """Everything from the topic to the incidents."""

    def __init__(self, settings: Settings) -> None:
        self.intake = assemble(settings, None).intake
        self.parts = [
            PartitionIntake("outcomes", "id", i, 0, SeenIds(settings.ingest.dedupe_horizon_s, 10**6))
            for i in range(PARTITIONS)
        ]
        self.windows = Windows(int(settings.windows.allowed_lateness_s * 1000))
        self.kafka = Kafka()
        self.station = Station(settings, self.kafka.send, self.kafka.read, NoPager())
        self.captured: list[dict[str, Any]] = []
        self._partials, self._closed, self._asked_ms = 0, 0, 0
        self._next = [0] * PARTITIONS

    async def run(self, emissions: Iterable[Emission], rest_s: int) -> dict[str, Incident]:
        """Reads all of it, then lets the clock go on; the incidents by key, as they stand in the end."""
        await self.station.restore()
        last_ms = 0
        for tick, group in groupby(emissions, lambda e: e.at_ms // SLICE_MS):
            now_ms = (tick + 1) * SLICE_MS - 1
            if not self._asked_ms:
                self._asked_ms = now_ms
            await self._flush_until(now_ms)
            self._read(list(group), now_ms)
            last_ms = now_ms
        await self._flush_until(last_ms + rest_s * 1000)
        return {i.key: i for i in self.station.board.incidents}

    def _read(self, emissions: list[Emission], now_ms: int) -> None:
        numbers = [partition_of(e.key, PARTITIONS) for e in emissions]
        offsets = []
        for number in numbers:
            offsets.append(self._next[number])
            self._next[number] += 1
        batch = Batch(
            np.array(numbers),
            np.array(offsets),
            [e.timestamp_ms for e in emissions],
            [e.headers for e in emissions],
            [e.value for e in emissions],
            lambda i: emissions[i].key,
        )
        self.intake.take(batch, self.parts, now_ms)
        for emission, number, offset in zip(emissions, numbers, offsets, strict=True):
            self.captured.append(line(emission, number, offset, self.parts[number].clock_ms))

    async def _flush_until(self, now_ms: int) -> None:
        """Each second at its phase, while nothing is read."""
        while (flush_ms := self._asked_ms // 1000 * 1000 + 1000 + PHASE_MS) <= now_ms:
            for part in self.parts:
                part.clock_ms = max(part.clock_ms or 0, self._asked_ms)
            self._asked_ms = flush_ms
            cells = self.intake.fold.cells(self.intake.keys)
            covered = [p.covered for p in self.parts]
            for partial in partials("ingest-0", now_ms, {"outcomes": PARTITIONS}, covered, cells):
                await self._log(encode(partial))
            for part in self.parts:
                part.begin_anew()
            self.intake.begin_anew()

    async def _log(self, value: bytes) -> None:
        self._partials += 1
        for closing in self.windows.apply(self._partials, _decoder.decode(value)):
            for record in journal.parts(closing, "a"):
                self._closed += 1
                await self.station.apply(self._closed, record)


def line(emission: Emission, partition: int, offset: int, clock_ms: int | None) -> dict[str, Any]:
    """One record as it was read: bytes that are no UTF-8 in base64."""
    own = {
        "source": emission.source,
        "received_ms": emission.truth.received_ms,
        "partition": partition,
        "offset": offset,
        "key": emission.key.decode(),
        "headers": {name: text.decode() for name, text in emission.headers},
        "clock_ms": clock_ms,
    }
    try:
        return own | {"value": emission.value.decode()}
    except UnicodeDecodeError:
        return own | {"value_b64": base64.b64encode(emission.value).decode()}
