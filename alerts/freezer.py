"""Evidence is frozen beside everything else: when an incident opens, and its peak and end when it ends.

    moved --> ask (returns at once) --> read the journal, in a thread --> incident-events

No page and no decision waits for it. What is lost with a crash can be made again from the journal, as long
as that is kept: `incidents report` does so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from alerts.advised import retries
from alerts.collect import context, gathered, samples
from alerts.records import Incident
from alerts.review.evidence import Frozen, Moment, as_event, freeze, needed, peak_s
from alerts.review.series import OWN, Span
from alerts.settings import Settings
from streams.records import BUCKET_S

log = logging.getLogger(__name__)

MOMENTS = {
    "opened": (Moment.OPEN,),
    "resolved": (Moment.PEAK, Moment.CLOSE),
    "accepted": (Moment.PEAK, Moment.CLOSE),
}
"""By what the detector has done."""
MOST_WAITING = 50
"""Incidents that wait for their evidence; in a storm the rest goes without."""
File = Callable[[Frozen], Awaitable[None]]


class Freezer:
    """Belongs to the event loop of the station. `event_ms` is the clock of events, `wall_ms` of people."""

    def __init__(
        self, settings: Settings, file: File, event_ms: Callable[[], int], wall_ms: Callable[[], int]
    ) -> None:
        self._settings, self._file = settings, file
        self._event_ms, self._wall_ms = event_ms, wall_ms
        self._one_by_one = asyncio.Semaphore(1)
        self._asked: set[asyncio.Task[None]] = set()

    def ask(self, incident: Incident, what: str) -> None:
        """Has evidence frozen, sometime soon; returns at once."""
        if what not in MOMENTS or len(self._asked) >= MOST_WAITING:
            return
        until_s = incident.last_bucket_s + BUCKET_S
        lag_ms = max(0, self._event_ms() - until_s * 1000)
        task = asyncio.create_task(self._freeze(incident, what, until_s, lag_ms))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _freeze(self, incident: Incident, what: str, until_s: int, lag_ms: int) -> None:
        try:
            async with self._one_by_one:
                records = await asyncio.to_thread(self._read, incident, what, until_s, lag_ms)
            for record in records:
                await self._file(record)
        except Exception as e:  # whatever it is, it must reach nobody who decides or pages
            log.warning("no evidence of %s (%s): %s: %s", incident.key, what, type(e).__name__, e)

    def _read(self, incident: Incident, what: str, until_s: int, lag_ms: int) -> list[Frozen]:
        """Runs in a thread with an event loop of its own: buckets are many, and decoding them takes time."""
        return asyncio.run(self._frozen(incident, what, until_s, lag_ms))

    async def _frozen(self, incident: Incident, what: str, until_s: int, lag_ms: int) -> list[Frozen]:
        found, span = await gathered(self._settings, incident, until_s), needed(incident, until_s)
        from_s = peak_s(found.series(OWN, Span(incident.opened_bucket_s, until_s)))
        told = context(self._settings, self._wall_ms(), lag_ms)._replace(
            samples=await samples(self._settings, found, from_s),
            retries=await retries(self._settings, found, incident, span),
        )
        return [as_event(incident, freeze(moment, incident, found, span, told)) for moment in MOMENTS[what]]
