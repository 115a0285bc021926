"""The client of Lookup against a server that checks what it is asked, and can refuse."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from streams.label_values import Asked
from streams.lookup import client as clients
from streams.lookup.client import Reply, TwilioLookup
from streams.settings import Lookup, Secret

NUMBER = "+12025550123"
T_MOBILE = {
    "phone_number": NUMBER, "country_code": "US", "valid": True,
    "line_type_intelligence": {
        "carrier_name": "T-Mobile USA, Inc.", "error_code": None, "mobile_country_code": "310",
        "mobile_network_code": "260", "type": "mobile",
    },
}  # fmt: skip
AUTH = "Basic " + base64.b64encode(b"SK1:secret-of-key").decode()


class Server:
    """Answers like Twilio to who asks as Twilio wants it; anything else gets 404 or 401."""

    def __init__(self) -> None:
        self.status, self.headers, self.hangs, self.body = 200, {}, False, T_MOBILE
        self.asked: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if request.raw_path != "/v2/PhoneNumbers/+12025550123?Fields=line_type_intelligence":
            return web.json_response({"code": 20404}, status=404)
        if request.headers.get("Authorization") != AUTH:
            return web.json_response({"code": 20003}, status=401)
        if self.hangs:
            await asyncio.sleep(60)
        return web.json_response(self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_get("/{tail:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def ask(url: str, number: str = NUMBER, secret: str = "secret-of-key") -> Reply:
    async with TwilioLookup(Lookup(account_sid="SK1", auth_token=Secret(secret), base_url=url)) as client:
        return await client.ask(number)


async def test_a_number_is_asked_for_by_its_path_with_the_key(server: Server) -> None:
    reply = await ask(server.url + "/")
    assert reply.asked is Asked.OK and reply.answer is not None
    assert (reply.answer.mcc, reply.answer.mnc, reply.answer.line_type) == ("310", "260", "mobile")


async def test_a_wrong_key_is_refused_and_an_unknown_number_not_found(server: Server) -> None:
    refused = await ask(server.url, secret="wrong-secret")
    assert refused.asked is Asked.REFUSED and refused.answer is None
    assert "check lookup.account_sid" in refused.why and "wrong-secret" not in refused.why
    assert (await ask(server.url, "+12025550124")).asked is Asked.NOT_FOUND


@pytest.mark.parametrize(
    "status, headers, asked, retry_after_s",
    [
        (429, {"Retry-After": "7"}, Asked.RATE_LIMITED, 7),
        (429, {}, Asked.RATE_LIMITED, None),
        (429, {"Retry-After": "99999"}, Asked.RATE_LIMITED, 3600),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, Asked.RATE_LIMITED, None),
        (503, {"Retry-After": "5"}, Asked.ERROR, 5),
        (500, {}, Asked.ERROR, None),
        (302, {"Location": "https://example.org/"}, Asked.ERROR, None),
        (400, {}, Asked.NOT_FOUND, None),
    ],
)
async def test_other_answers(
    server: Server, status: int, headers: dict[str, str], asked: Asked, retry_after_s: float | None
) -> None:
    server.status, server.headers = status, headers
    reply = await ask(server.url)
    assert (reply.asked, reply.retry_after_s) == (asked, retry_after_s)


async def test_canada_without_leave_is_refused_by_number_and_kept(server: Server) -> None:
    server.body = {"valid": True, "country_code": "CA", "line_type_intelligence": {"error_code": 60601}}
    reply = await ask(server.url)
    assert reply.asked is Asked.REFUSED and reply.answer is not None
    server.body = {"valid": True, "country_code": "GB", "line_type_intelligence": {"error_code": 60600}}
    assert (await ask(server.url)).asked is Asked.NOT_FOUND


async def test_what_hangs_or_is_away_is_an_error_that_names_no_number(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clients, "TIMEOUT_S", 0.2)
    server.hangs = True
    with caplog.at_level(logging.DEBUG):
        hung, away = await ask(server.url), await ask("http://127.0.0.1:1")
    assert hung.asked is away.asked is Asked.ERROR
    assert "2025550123" not in hung.why + away.why
    assert "2025550123" not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("streams"))


async def test_a_body_that_is_no_answer_is_an_error(server: Server) -> None:
    server.body = {"hello": "world"}
    assert (await ask(server.url)).asked is Asked.ERROR
