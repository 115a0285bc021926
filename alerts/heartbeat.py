"""The heartbeat: tells a dead man's switch outside, once a minute, that all is well here.

When it goes quiet the switch pages, whatever is down: this process, its machine, Kafka, the network.
Nothing waits for it, and what it meets only counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import aiohttp

from streams.label_values import Beat
from streams.metrics import Metrics
from streams.proxy import proxy_of
from streams.settings import Secret

log = logging.getLogger(__name__)

EVERY_S = 60.0
TIMEOUT_S = 10.0


class Heartbeat:
    """`unwell` gives the reasons why it must not call, none when all is well."""

    def __init__(
        self,
        url: Secret,
        unwell: Callable[[], Sequence[str]],
        metrics: Metrics,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url, self._unwell, self._metrics = url, unwell, metrics
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._said = ""

    async def run(self, every_s: float = EVERY_S) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.beat()

    async def beat(self) -> Beat:
        """One call, or none with its reason in the log."""
        reasons = self._unwell()
        if reasons:
            beat, why = Beat.HELD_BACK, "; ".join(reasons)
        else:
            beat, why = await self._call()
        self._metrics.heartbeats_total.labels(beat).inc()
        self._say(beat, why)
        return beat

    async def _call(self) -> tuple[Beat, str]:
        """The address is a secret: an error is named by its kind alone."""
        url = self._url.reveal()
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, proxy=proxy_of(url)) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                taken = 200 <= answer.status < 300
                return (Beat.ACCEPTED, "") if taken else (Beat.FAILED, f"status {answer.status}")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as e:
            return Beat.FAILED, type(e).__name__

    def _say(self, beat: Beat, why: str) -> None:
        """Once a change."""
        said = f"{beat}: {why}"
        if said == self._said:
            return
        self._said = said
        if beat is Beat.ACCEPTED:
            log.info("heartbeat: all is well")
        else:
            log.warning("heartbeat %s", said)
