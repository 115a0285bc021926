"""What status pages of providers and carriers say, once an incident opens: data beside the page.

    opened --> ask (returns at once) --> fetch, 5 s at most --> attach to the incident

Nothing waits for it: a page that is slow, dead, huge or hostile costs its own task alone.
Format: Atlassian Statuspage, `/api/v2/summary.json` (`status.indicator`, `status.description`, `incidents`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import msgspec

from alerts.causes import StatusNote
from alerts.records import ALL, Incident
from alerts.settings import StatusPage
from streams.proxy import proxy_of

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
CACHED_MS = 60_000
MOST_BYTES = 512_000
MOST_ASKED = 20
"""Incidents that wait for their notes; in a storm the rest goes without."""
INCIDENTS_NAMED = 3
TEXT_CHARACTERS = 160
UNKNOWN = "unknown"
Attach = Callable[[str, tuple[StatusNote, ...]], Awaitable[None]]
"""(incident key, notes)"""


class _Status(msgspec.Struct):
    indicator: str = UNKNOWN
    description: str = ""


class _Open(msgspec.Struct):
    name: str = ""


class _Summary(msgspec.Struct):
    status: _Status
    incidents: list[_Open] = []


class StatusPages:
    """Belongs to the event loop that asks. `clock_ms` is the wall clock."""

    def __init__(
        self,
        pages: Sequence[StatusPage],
        attach: Attach,
        clock_ms: Callable[[], int],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._pages, self._attach, self._clock_ms = tuple(pages), attach, clock_ms
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._looks: dict[str, tuple[int, asyncio.Task[StatusNote]]] = {}
        self._asked: set[asyncio.Task[None]] = set()

    def ask(self, incident: Incident) -> None:
        """Has the notes of an incident fetched and attached, sometime soon; returns at once."""
        wanted = [page for page in self._pages if _is_about(page, incident)]
        if not wanted or len(self._asked) >= MOST_ASKED:
            return
        task = asyncio.create_task(self._answer(incident.key, wanted))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _answer(self, key: str, wanted: Sequence[StatusPage]) -> None:
        try:
            notes = await asyncio.gather(*(self.look(page) for page in wanted))
            await self._attach(key, tuple(notes))
        except Exception as e:  # whatever it is, it must reach nobody who pages
            log.warning("no notes of status pages for %s: %s: %s", key, type(e).__name__, e)

    async def look(self, page: StatusPage) -> StatusNote:
        """What one page says, at most a minute old; that it can not be read is a note as well."""
        now_ms = self._clock_ms()
        found = self._looks.get(page.name)
        if found is None or not 0 <= now_ms - found[0] < CACHED_MS:
            found = now_ms, asyncio.create_task(self._fetch(page, now_ms))
            self._looks[page.name] = found
        return await asyncio.shield(found[1])

    async def _fetch(self, page: StatusPage, now_ms: int) -> StatusNote:
        try:
            indicator, words = read(await self._get(page.url))
        except TimeoutError:
            indicator, words = UNKNOWN, f"no answer in {self._timeout.total:g} s"
        except (aiohttp.ClientError, OSError) as e:
            indicator, words = UNKNOWN, f"not reached: {type(e).__name__}"
        except ValueError as e:
            indicator, words = UNKNOWN, str(e)
        return StatusNote(page.name, now_ms, indicator, words)

    async def _get(self, url: str) -> bytes:
        """The body as it is on the wire. Raises ValueError for what is no answer of a status page.

        Nothing is unpacked: a few kilobytes could become gigabytes. A redirect could lead inside.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            aiohttp.ClientSession(timeout=self._timeout, auto_decompress=False) as session,
            session.get(url, headers=headers, allow_redirects=False, proxy=proxy_of(url)) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            body = b""
            while chunk := await answer.content.read(MOST_BYTES + 1 - len(body)):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES} bytes")
            return body


def read(body: bytes) -> tuple[str, str]:
    """Indicator (`none`, `minor`, `major`, `critical`) and one line for people. Raises ValueError."""
    try:
        summary = msgspec.json.decode(body, type=_Summary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("not the summary of a status page") from None
    named = [_clean(one.name) for one in summary.incidents[:INCIDENTS_NAMED]]
    left_out = len(summary.incidents) - len(named)
    more = [f"and {left_out} more"] if left_out else []
    words = "; ".join([_clean(summary.status.description), *named, *more])
    return _clean(summary.status.indicator) or UNKNOWN, words


def _clean(text: str) -> str:
    """Printable, on one line and short: it is shown to people and sent to pagers."""
    line = " ".join(text[: 4 * TEXT_CHARACTERS].split())
    plain = "".join(c for c in line if c.isprintable())
    return plain if len(plain) <= TEXT_CHARACTERS else plain[: TEXT_CHARACTERS - 1] + "…"


def _is_about(page: StatusPage, incident: Incident) -> bool:
    """A page of no carrier is a provider's: it may say something of every incident."""
    struck = {incident.carrier, incident.current_carrier or incident.carrier}
    return not page.carrier or ALL in struck or page.carrier in struck
