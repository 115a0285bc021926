"""What people do on the pages: forms and programs in, commands of the incident desk out.

    POST -> who -> form token, origin -> command -> incident-commands -> 303 back to the page

Nothing is changed here: the alerts role takes the command as those of the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from alerts.pages import acting, view
from alerts.pages.access import CLOSED, Access, Who
from alerts.pages.refusal import Refusal
from alerts.pages.reviews import Reviews
from alerts.pages.view import PageData
from alerts.records import Incident
from alerts.review.report import told
from alerts.settings_pages import Pages
from streams.commands import MOST_NAME, Command, ToldTime, safe
from streams.errors import MonitorError

MOST_BYTES = 32_768
"""A text of the most characters, percent-encoded, and what goes with it."""
MOST_FIELDS = 20
READ_S, TELL_S = 10.0, 15.0
TAKEN_S, LOOK_S = 2.0, 0.1
RETRY_AFTER_S = 5
FORM = "application/x-www-form-urlencoded"

Tell = Callable[[Command], Awaitable[None]]
"""Returns once the broker has the command. Raises MonitorError."""

_fields = msgspec.json.Decoder(dict[str, str])


class Desk(NamedTuple):
    """Who may act, how commands leave, and what time it is, wall milliseconds."""

    settings: Pages
    public_url: str
    tell: Tell
    now_ms: Callable[[], int]


async def _nowhere(_: Command) -> None:
    raise Refusal(403, CLOSED)


NOBODY = Desk(Pages(), "", _nowhere, lambda: 0)
"""Everybody reads, nobody acts."""


class Posts:
    """Belongs to the loop of the HTTP server."""

    def __init__(
        self, read: Callable[[], PageData], access: Access, desk: Desk, reviews: Reviews | None
    ) -> None:
        self._read, self._access, self._desk, self._reviews = read, access, desk, reviews

    async def form(self, request: web.Request) -> web.Response:
        """A form of the page of an incident. What somebody wrote there is shown with a refusal."""
        self._open()
        self._access.check_origin(request)
        fields = form_of(await body(request, FORM))
        try:
            who = self._person(request)
            self._access.check_form(request, who, fields.get("form", ""))
            asked = await self._take(request, fields, who.name)
        except Refusal as refusal:
            refusal.text = fields.get("text", "")
            raise
        taken = await self._taken(asked)
        return see(f"{view.path_of(asked.key)}?told={asked.what.value}&taken={int(taken)}")

    async def program(self, request: web.Request) -> web.Response:
        """The same fields as a JSON object of texts, `author` among them: 202 with the command's id."""
        self._open()
        who = self._person(request)
        if who.bound_to:
            self._access.check_origin(request)
        try:
            fields = _fields.decode(await body(request, "application/json"))
        except msgspec.MsgspecError:
            raise Refusal(400, "the body must be a JSON object of texts") from None
        author = who.name or safe(fields.get("author", ""), MOST_NAME)
        if not author:
            raise Refusal(400, "'author' is missing: what is done is kept with who did it")
        asked = await self._take(request, fields, author)
        return web.json_response({"id": asked.id, "taken": await self._taken(asked)}, status=202)

    def _open(self) -> None:
        if not self._access.acts:
            raise Refusal(403, CLOSED)

    def _person(self, request: web.Request) -> Who:
        who = self._access.who(request)
        if who is None:
            raise Refusal(401, "sign in first: what is done here is kept with who did it")
        return who

    async def _take(self, request: web.Request, fields: Mapping[str, str], author: str) -> Command:
        """Returns once the broker has it. Raises Refusal."""
        incident = view.find(self._read(), request.match_info["id"])
        if incident is None:
            raise Refusal(404, "there is no such incident")
        asked = acting.command(incident, fields, author, self._desk.now_ms())
        if asked.time is not None and asked.id not in incident.people.asked:
            await self._check_time(incident, asked.time)
        try:
            async with asyncio.timeout(TELL_S):
                await self._desk.tell(asked)
        except (MonitorError, TimeoutError) as e:
            why = str(e) or "Kafka has not acknowledged it in time"
            raise Refusal(503, f"it could not be written down, try again: {why}", RETRY_AFTER_S) from e
        return asked

    async def _check_time(self, incident: Incident, time: ToldTime) -> None:
        data = self._read()
        review = await self._reviews.soon(incident, data.incidents) if self._reviews else None
        found = review.timeline if review else told(incident, (), None)
        acting.check_order(found.milestones, time)

    async def _taken(self, asked: Command) -> bool:
        """Whether the alerts role has taken it up within a moment: then the page shows it already."""
        for _ in range(round(TAKEN_S / LOOK_S)):
            incident = view.find(self._read(), asked.key)
            if incident is not None and asked.id in incident.people.asked:
                return True
            await asyncio.sleep(LOOK_S)
        return False


async def body(request: web.Request, kind: str) -> bytes:
    """The body, if it is of that kind and no larger than what can be meant. Raises Refusal."""
    if request.content_type != kind:
        raise Refusal(415, f"the body must be {kind}")
    read = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.content.iter_chunked(4096):
                read += chunk
                if len(read) > MOST_BYTES:
                    raise Refusal(413, f"the body is larger than {MOST_BYTES} bytes")
    except TimeoutError:
        raise Refusal(408, "the body has not come in time") from None
    return bytes(read)


def form_of(sent: bytes) -> dict[str, str]:
    """The fields of a form; of a name that comes twice the last. Raises Refusal."""
    try:
        return dict(parse_qsl(sent.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Refusal(400, "the body is no form") from None


def see(path: str) -> web.Response:
    """303: the browser gets `path`, and a reload sends nothing again."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})
