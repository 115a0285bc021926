"""The proxy of the environment: for what is outside, over https alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from alerts.notify import InDoubt, Retry
from alerts.notify.pagerduty import PagerDuty
from alerts.records import Page, Severity
from alerts.settings import PagerDuty as PagerDutySettings
from streams.label_values import Asked
from streams.lookup.client import TwilioLookup
from streams.proxy import proxy_of
from streams.settings import Lookup, Secret

PROXY = "http://proxy.example:3128"
KEY = "0123456789abcdef0123456789abcdef"
PAGE = Page(
    dedup_key="ch:twilio_30003:carrier:310-260:all:1700000000",
    incident_key="ch:twilio_30003:carrier:310-260:all:1700000000",
    action="trigger",
    seq=1,
    severity=Severity.CRITICAL,
    summary="310-260: 12 % of messages fail with 30003",
    source="310-260",
    timestamp_ms=1_700_000_010_250,
    component="310-260",
    group="all",
    event_class="twilio_30003",
    details={},
    links=(),
)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://lookups.twilio.com", PROXY),
        ("https://events.pagerduty.com/v2/enqueue", PROXY),
        ("https://pager.internal.example", None),
        ("http://127.0.0.1:8080", None),
        ("http://pager.example", None),
        ("nothing", None),
    ],
)
def test_what_is_reached_by_the_proxy(monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", "internal.example")
    assert proxy_of(url) == proxy


def test_without_one_in_the_environment_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_of("https://lookups.twilio.com") is None


class Proxy:
    """Hears what it is asked, and refuses it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    made = Proxy()
    async with await asyncio.start_server(made.answer, "127.0.0.1", 0) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        yield made


async def test_lookup_asks_the_proxy_for_a_tunnel_and_tells_it_no_number(proxy: Proxy) -> None:
    asked = Lookup(account_sid="SK1", auth_token=Secret("s"), base_url="https://lookups.example")
    async with TwilioLookup(asked) as client:
        assert (await client.ask("+12025550123")).asked is Asked.ERROR
    (request,) = proxy.heard
    assert request.startswith(b"CONNECT lookups.example:443 ") and b"2025550123" not in request


async def test_pages_go_by_the_proxy_and_are_not_lost_where_it_refuses(proxy: Proxy) -> None:
    settings = PagerDutySettings(base_url="https://pager.example", routing_key=Secret(KEY))
    async with PagerDuty(settings) as pager:
        assert isinstance(await pager.send(PAGE), InDoubt | Retry)
    (request,) = proxy.heard
    assert request.startswith(b"CONNECT pager.example:443 ") and KEY.encode() not in request
