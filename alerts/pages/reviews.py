"""The review of an incident as a page, made when it is asked for: of the journal, one at a time.

`/incidents/{id}/review` is the report in one HTML file, `/incidents/{id}/review.md` (`json`, `csv`) the
others; `?redact=1` the one for customers. The incident's own page shows plots and timeline of one that
looks for no similar incidents, which would be read of months, and waits for it only a moment.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from aiohttp import web

from alerts.markup import headers
from alerts.records import Incident
from alerts.review.redact import redacted
from alerts.review.render import FORMATS, POLICY
from alerts.review.report import Review
from streams.errors import MonitorError

log = logging.getLogger("alerts.pages")

Make = Callable[[Incident, Sequence[Incident]], Awaitable[Review]]
"""(the incident, all that are known). Raises MonitorError where it can not be made."""

TIMEOUT_S = 30.0
SOON_S = 2.0
KEPT_S = 15.0
"""A review that is asked for again so soon, as in another format, is the same."""
MOST_KEPT = 4
TYPES = {"html": "text/html", "md": "text/markdown", "json": "application/json", "csv": "text/csv"}
HEADERS = headers(POLICY)


class Reviews:
    """Belongs to the loop of the HTTP server. However many ask, the journal is read once at a time."""

    def __init__(self, make: Make, timeout_s: float = TIMEOUT_S) -> None:
        self._make, self._timeout_s = make, timeout_s
        self._one_by_one = asyncio.Semaphore(1)
        self._kept: dict[tuple[str, int], tuple[float, Review]] = {}
        self._making: dict[str, asyncio.Task[Review]] = {}

    async def of(self, incident: Incident, known: Sequence[Incident]) -> Review:
        """Raises MonitorError, or TimeoutError when it takes too long."""
        async with asyncio.timeout(self._timeout_s), self._one_by_one:
            name = incident.key, incident.seq
            at_s, made = self._kept.get(name, (0.0, None))
            if made is None or time.monotonic() - at_s > KEPT_S:
                made = without_numbers(await self._make(incident, known))
                self._kept[name] = time.monotonic(), made
                self._kept = dict(list(self._kept.items())[-MOST_KEPT:])
            return made

    async def soon(
        self, incident: Incident, known: Sequence[Incident], within_s: float = SOON_S
    ) -> Review | None:
        """What is made within that time, else the newest that there was; None where there is none yet. It is
        made on meanwhile."""
        key = incident.key
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self.of(incident, known))
            task.add_done_callback(lambda done: self._made(key, done))
        await asyncio.wait([task], timeout=within_s)
        if task.done() and task.exception() is None:
            return task.result()
        return next((made for (of, _), (_, made) in reversed(self._kept.items()) if of == key), None)

    def _made(self, key: str, done: asyncio.Task[Review]) -> None:
        del self._making[key]
        error = None if done.cancelled() else done.exception()
        if isinstance(error, (MonitorError, TimeoutError)):
            log.warning("no plots for an incident's page: %s", error or "reading the journal takes too long")
        elif error is not None:
            log.error("no plots for an incident's page", exc_info=error)


def answer(review: Review, kind: str, redact: bool) -> web.Response:
    """The report in one of FORMATS; what is no page is a file to save."""
    text = FORMATS[kind](redacted(review) if redact else review)
    saved = {"Content-Disposition": f'attachment; filename="incident-review.{kind}"'}
    more = {} if kind == "html" else saved
    return web.Response(text=text, content_type=TYPES[kind], charset="utf-8", headers=HEADERS | more)


def without_numbers(review: Review) -> Review:
    """Pages ask nobody who he is: they show no sender, which may be a number."""
    evidence = tuple(
        msgspec.structs.replace(e, impact=msgspec.structs.replace(e.impact, by_sender=()))
        for e in review.evidence
    )
    impact = msgspec.structs.replace(review.impact, by_sender=())
    return msgspec.structs.replace(review, evidence=evidence, impact=impact)
