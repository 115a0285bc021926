"""The consumer of the hot path: its settings, and what is asked of its messages only when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from streams.kafka_access import librdkafka
from streams.settings import Settings
from streams.topics import LARGE_BYTES


def consumer_config(settings: Settings) -> dict[str, Any]:
    """librdkafka settings of the hot path."""
    return {
        **librdkafka(settings),
        "group.id": settings.ingest.group,
        "group.instance.id": settings.ingest.instance,
        # Not cooperative: a static member that dies while partitions move gets its former share back
        # without a new rebalance, and what it had given up would belong to nobody.
        "partition.assignment.strategy": "range",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        # A record that trickles in waits for others up to so long: one fetch for each would cost the broker
        # and us more than the record.
        "fetch.min.bytes": 64 * 1024,
        "fetch.wait.max.ms": 100,
        # At the default of 1000 a fast consumer stalls whenever its queue is full.
        "fetch.queue.backoff.ms": 5,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 32_768,
        "fetch.message.max.bytes": 4 * 1024 * 1024,
        "receive.message.max.bytes": LARGE_BYTES * 9,
        "max.poll.interval.ms": 300_000,
    }


class Timestamps(Sequence[int]):
    """Kafka timestamps, asked for only where no header tells the receipt time."""

    def __init__(self, messages: list[Any]) -> None:
        self._messages = messages

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, i: int) -> int: ...
    @overload
    def __getitem__(self, i: slice) -> list[int]: ...
    def __getitem__(self, i: int | slice) -> int | list[int]:
        if isinstance(i, slice):
            return [m.timestamp()[1] for m in self._messages[i]]
        stamp: int = self._messages[i].timestamp()[1]
        return stamp
