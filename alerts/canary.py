"""Sends the canaries: one record every half minute into the topic that users write to.

Only the owner of the incidents sends them, and waits for them to come back in closed buckets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from streams import canary

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 10.0
Send = Callable[[str, bytes, Mapping[str, bytes]], Awaitable[object]]
"""(key, value, headers) into `outcomes`: returns once Kafka has acknowledged it."""


class Canary:
    """`clock_ms` is the clock of the monitor; `every_s` is wall time."""

    def __init__(
        self, send: Send, clock_ms: Callable[[], int], owns: Callable[[], bool], every_s: float
    ) -> None:
        self._send, self._clock_ms, self._owns, self._every_s = send, clock_ms, owns, every_s
        self._number = 0
        self._well = True

    async def run(self) -> None:
        """Until it is cancelled; that one could not be sent shows where it is missed."""
        while True:
            if self._owns():
                await self.send_one()
            await asyncio.sleep(self._every_s)

    async def send_one(self) -> bool:
        """Whether Kafka has taken one."""
        self._number += 1
        now_ms = self._clock_ms()
        message_id, value = canary.value(self._number, now_ms)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(message_id, value, canary.headers(now_ms))
        except Exception as e:  # a client's error of any kind: the next one may get through
            if self._well:
                log.warning("the canary can not be sent: %s: %s", type(e).__name__, e)
            self._well = False
            return False
        self._well = True
        return True
