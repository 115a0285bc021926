"""How far source partitions have been read: to their ends, or how far from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from streams.clock import SteadyClock, WallClock
from streams.kafka_access import librdkafka
from streams.partition import PartitionIntake
from streams.settings import Settings

Key = tuple[str, int]
FRESH_S = 2.0
"""An answer older than this says nothing about now."""
_ANSWERS_S = 0.5
"""For so long it waits for leaders. One that is down holds up the answers of all others, and costs a core
while it is waited for: librdkafka (2.16) connects to it as fast as it can."""
_LEADERS_MS = 3_000
"""For so long librdkafka believes what it knows of leaders. It does not ask anew when one does not answer."""


def _latest() -> OffsetSpec:
    return cast(OffsetSpec, OffsetSpec.latest())  # type: ignore[no-untyped-call]


class EndWatch:
    """Until when a partition is known to have been read to its end.

    Ends are asked for in one go and compared at the next flush: whoever has read everything below
    an end that the leader named for time t has read everything that was there at t. The end is the
    high watermark, not the last stable offset, so an open transaction of a producer holds the clock.
    Where a leader does not answer nothing is known, and the clock stands.
    """

    def __init__(
        self, settings: Settings, clock: WallClock, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic_s = monotonic_s
        self._admin = AdminClient(librdkafka(settings) | {"metadata.max.age.ms": _LEADERS_MS})
        self._clock = SteadyClock(clock, monotonic_s)
        self._asked: dict[Key, tuple[int, float, Future[Any]]] = {}
        self._ends: dict[Key, int] = {}

    def ask(self, parts: Mapping[Key, PartitionIntake]) -> None:
        """Asks for the ends of `parts`; answers arrive while the loop goes on reading."""
        wanted = {TopicPartition(t, p): _latest() for t, p in parts}
        if not wanted:
            return
        newest_ms = max(part.newest_ms for part in parts.values())
        at_ms, sent = self._clock.now_ms(newest_ms), self._monotonic_s()
        if any(not f.done() and sent - before <= FRESH_S for _, before, f in self._asked.values()):
            return
        futures = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_ANSWERS_S
        )
        self._asked = {(tp.topic, tp.partition): (at_ms, sent, f) for tp, f in futures.items()}

    def reached(self, parts: Mapping[Key, PartitionIntake]) -> dict[Key, int]:
        """Partitions whose end, as it was when asked for, has been read: and that time, epoch ms."""
        out = {}
        for key, (at_ms, sent, future) in self._asked.items():
            part = parts.get(key)
            if part is None or not future.done() or future.exception() is not None:
                continue
            end = int(future.result().offset)
            if end < 0:  # no error either: the other leaders answered, this one did not
                continue
            self._ends[key] = end
            if part.end >= end and self._monotonic_s() - sent <= FRESH_S:
                out[key] = at_ms
        return out

    def lag(self, parts: Mapping[Key, PartitionIntake]) -> dict[Key, int]:
        """Records between the position and the last known end."""
        return {k: max(0, self._ends[k] - p.end) for k, p in parts.items() if k in self._ends}
