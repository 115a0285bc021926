"""Back-pressure: no partition runs far ahead of the slowest, so that windows need not hold the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from streams.kafka_access import librdkafka
from streams.partition import PartitionIntake
from streams.records import Position
from streams.rights import PACE_SUFFIX
from streams.settings import Settings
from streams.topics import WINDOWS

Key = tuple[str, int]


class _Clocks(msgspec.Struct):
    positions: list[Position] = []


class Pace:
    """Pauses partitions more than `pause_ahead_s` ahead of the least clock, and resumes them.

    Own partitions are judged by their own clocks, those of other instances by what `windows` says.
    """

    def __init__(self, settings: Settings) -> None:
        self._ahead_ms = int(settings.ingest.pause_ahead_s * 1000)
        self._others: dict[Key, int] = {}
        self.paused: set[Key] = set()
        self._decoder = msgspec.json.Decoder(_Clocks)
        self._reader = Consumer(
            {
                **librdkafka(settings),
                "group.id": settings.ingest.group + PACE_SUFFIX,
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
            }
        )
        self._reader.assign([TopicPartition(settings.topic(WINDOWS), 0, OFFSET_END)])

    def keep(self, consumer: Consumer, parts: Mapping[Key, PartitionIntake]) -> None:
        """Called once a flush."""
        self._listen()
        wanted = ahead(parts, self._others, self._ahead_ms) & parts.keys()
        self.paused &= parts.keys()
        stop, go = wanted - self.paused, self.paused - wanted
        if stop:
            consumer.pause([TopicPartition(*k) for k in stop])
        if go:
            consumer.resume([TopicPartition(*k) for k in go])
        self.paused = wanted

    def _listen(self) -> None:
        messages: list[Any] = self._reader.consume(100, 0)
        for message in messages:
            if message.error() is None:
                positions = self._decoder.decode(message.value()).positions
                self._others = {(p.topic, p.partition): p.clock_ms for p in positions if p.clock_ms}


def ahead(parts: Mapping[Key, PartitionIntake], others: Mapping[Key, int], ahead_ms: int) -> set[Key]:
    """The own partitions whose clock is more than `ahead_ms` past the least known clock."""
    own = {k: p.clock_ms for k, p in parts.items() if p.clock_ms is not None}
    foreign = [ms for k, ms in others.items() if k not in parts]
    least = min([*own.values(), *foreign], default=0)
    return {k for k, ms in own.items() if ms > least + ahead_ms}
