"""What status pages say is attached when an incident opens; whatever they do, nobody waits for them."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from alerts import status_pages
from alerts.causes import StatusNote
from alerts.records import Decision, Incident, Severity, State
from alerts.settings import Settings, StatusPage
from alerts.settings import check as check_settings
from alerts.status_pages import StatusPages, read
from streams.errors import ConfigError

NOW_MS = 1_800_000_000_000
SUMMARY = {
    "page": {"id": "x", "name": "Example", "url": "https://status.example.org"},
    "status": {"indicator": "major", "description": "Partial System Outage"},
    "components": [{"name": "SMS", "status": "partial_outage"}],
    "incidents": [{"name": f"Delivery delays {i}", "impact": "major", "status": "open"} for i in range(5)],
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[tuple[str, list[str]]]:
    """A status page on this machine: its address, and what was asked of it."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await handler(request)

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/v2/summary.json", asked
    finally:
        await runner.cleanup()


def incident(carrier: str = "310-260", key: str = "ch:a") -> Incident:
    return Incident(
        key=key,
        seq=1,
        rule="twilio_30003",
        scope="carrier",
        carrier=carrier,
        region="all",
        state=State.OPEN,
        severity=Severity.WARNING,
        opened_bucket_s=NOW_MS // 1000,
        detected_ms=NOW_MS + 10_000,
        last_bucket_s=NOW_MS // 1000,
        reason=Decision.ABOVE_WARNING,
        warned=True,
        plain_key_used=True,
    )


class Desk:
    """What was attached, by incident."""

    def __init__(self) -> None:
        self.notes: dict[str, tuple[StatusNote, ...]] = {}
        self.error: Exception | None = None
        self.now_ms = NOW_MS

    async def attach(self, key: str, notes: tuple[StatusNote, ...]) -> None:
        if self.error:
            raise self.error
        self.notes[key] = notes

    def clock(self) -> int:
        return self.now_ms

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.notes) < count:
                await asyncio.sleep(0.005)


async def look(handler: Handler, timeout_s: float = 5.0) -> StatusNote:
    async with server(handler) as (url, _):
        desk = Desk()
        return await StatusPages((), desk.attach, desk.clock, timeout_s).look(StatusPage("twilio", url))


async def fine(_: web.Request) -> web.StreamResponse:
    return web.json_response(SUMMARY)


async def test_what_the_page_says_is_attached_with_its_open_incidents() -> None:
    desk = Desk()
    async with server(fine) as (url, asked):
        own = StatusPages((StatusPage("twilio", url),), desk.attach, desk.clock)
        own.ask(incident())
        await desk.until(1)
    (note,) = desk.notes["ch:a"]
    assert asked == ["/api/v2/summary.json"]
    assert (note.name, note.at_ms, note.indicator) == ("twilio", NOW_MS, "major")
    assert note.words == (
        "Partial System Outage; Delivery delays 0; Delivery delays 1; Delivery delays 2; and 2 more"
    )


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(600):
        await answer.write(b" ")
        await asyncio.sleep(0.1)
    return answer


async def _huge(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" " * 65_536)


BOMB = gzip.compress(b" " * 20_000_000, 1)


async def _bomb(_: web.Request) -> web.StreamResponse:
    return web.Response(body=BOMB, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


async def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _answers(body: bytes = b"", **more: Any) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, **more)

    return handler


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        pytest.param(_hang, "no answer in 0.4 s", id="slow"),
        pytest.param(_drip, "no answer in 0.4 s", id="a byte at a time"),
        pytest.param(_huge, f"more than {status_pages.MOST_BYTES} bytes", id="without end"),
        pytest.param(_bomb, "not the summary of a status page", id="a bomb of gzip"),
        pytest.param(_cut, "not reached: ServerDisconnectedError", id="cut"),
        pytest.param(_answers(status=503), "status 503", id="503"),
        pytest.param(
            _answers(status=302, headers={"Location": "http://127.0.0.1:1/"}), "status 302", id="redirect"
        ),
        pytest.param(_answers(b"<html>hello</html>"), "not the summary of a status page", id="html"),
        pytest.param(_answers(b'{"status": "up"}'), "not the summary of a status page", id="another shape"),
        pytest.param(_answers(b"[" * 200_000), "not the summary of a status page", id="deep"),
        pytest.param(_answers(b"\xff\xfe"), "not the summary of a status page", id="not text"),
        pytest.param(_answers(b""), "not the summary of a status page", id="empty"),
    ],
)
async def test_a_page_that_gives_no_answer_is_a_note_and_nothing_else(handler: Handler, words: str) -> None:
    began_s = time.monotonic()
    note = await look(handler, timeout_s=5.0 if "bytes" in words else 0.4)
    assert (note.indicator, note.words) == ("unknown", words)
    assert time.monotonic() - began_s < 6


async def test_nobody_there_is_a_note_too() -> None:
    desk = Desk()
    note = await StatusPages((), desk.attach, desk.clock).look(StatusPage("x", "http://127.0.0.1:9/"))
    assert note.words == "not reached: ClientConnectorError"


def test_what_it_says_is_made_short_and_harmless() -> None:
    evil = {"status": {"indicator": "x" * 9_999, "description": "a\n\x1b[31mb\u202e" + "y" * 99_999}}
    indicator, words = read(json.dumps(evil).encode())
    assert len(indicator) <= status_pages.TEXT_CHARACTERS and len(words) <= status_pages.TEXT_CHARACTERS
    assert words.startswith("a [31mb") and words.isprintable()


async def test_asking_returns_at_once_and_an_error_reaches_nobody(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.error = RuntimeError("Kafka is away")
    async with server(fine) as (url, _):
        own = StatusPages((StatusPage("twilio", url),), desk.attach, desk.clock)
        began_s = time.monotonic()
        own.ask(incident())
        assert time.monotonic() - began_s < 0.05
        async with asyncio.timeout(5):
            while not caplog.records:
                await asyncio.sleep(0.005)
    assert "Kafka is away" in caplog.text


async def test_a_page_is_asked_once_a_minute_however_many_incidents_open() -> None:
    desk = Desk()
    async with server(fine) as (url, asked):
        own = StatusPages((StatusPage("twilio", url),), desk.attach, desk.clock)
        for i in range(5):
            own.ask(incident(key=f"ch:{i}"))
        await desk.until(5)
        desk.now_ms += status_pages.CACHED_MS - 1
        own.ask(incident(key="ch:5"))
        await desk.until(6)
        assert len(asked) == 1
        desk.now_ms += 1
        own.ask(incident(key="ch:6"))
        await desk.until(7)
        assert len(asked) == 2


async def test_in_a_storm_the_rest_goes_without() -> None:
    desk = Desk()
    async with server(_hang) as (url, asked):
        own = StatusPages((StatusPage("twilio", url),), desk.attach, desk.clock, timeout_s=0.3)
        for i in range(100):
            own.ask(incident(key=f"ch:{i}"))
        await desk.until(status_pages.MOST_ASKED)
        await asyncio.sleep(0.05)
    assert len(asked) == 1 and len(desk.notes) == status_pages.MOST_ASKED


@pytest.mark.parametrize(
    ("of_page", "of_incident", "asked"),
    [
        ("", "310-260", True),
        ("310-260", "310-260", True),
        ("310-260", "all", True),
        ("310-260", "311-480", False),
    ],
)
async def test_a_carriers_page_is_asked_for_its_own_incidents(
    of_page: str, of_incident: str, asked: bool
) -> None:
    desk = Desk()
    async with server(fine) as (url, _):
        own = StatusPages((StatusPage("one", url, of_page),), desk.attach, desk.clock)
        own.ask(incident(of_incident))
        assert bool(own._asked) is asked
        if asked:
            await desk.until(1)


@pytest.mark.parametrize(
    "given",
    [
        (StatusPage("", "https://status.example.org"),),
        (StatusPage("a b", "https://status.example.org"),),
        (StatusPage("a", "https://status.example.org"), StatusPage("a", "https://status.example.net")),
        (StatusPage("a", ""),),
        (StatusPage("a", "ftp://status.example.org"),),
    ],
)
def test_what_can_not_be_asked_is_refused(given: tuple[StatusPage, ...]) -> None:
    with pytest.raises(ConfigError, match="status_pages"):
        check_settings(Settings(status_pages=given))
