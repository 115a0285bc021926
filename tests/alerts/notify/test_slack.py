"""One message an incident, edited as it changes; an incoming webhook is told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from alerts.notify import Accepted, Refused, Retry
from alerts.notify.client import Answer
from alerts.notify.slack import Slack, judge, message
from alerts.records import Page, Severity
from alerts.settings import Slack as SlackSettings
from streams.settings import Secret
from tests.alerts.notify.server import Server, answers

PAGE = Page(
    "ch:a",
    "ch:a",
    "trigger",
    1,
    Severity.WARNING,
    "AT&T <b>: 12 %",
    "s",
    0,
    links=(("https://x.example/i", "Incident"),),
)
OK = '{"ok": true, "channel": "C1", "ts": "1700000060.000100"}'


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(behave=answers(200, OK)) as running:
        yield running


@pytest_asyncio.fixture
async def slack(server: Server) -> AsyncIterator[Slack]:
    made = Slack(SlackSettings(base_url=server.url, token=Secret("xoxb-1"), channel="C1"))
    yield made
    await made.close()


async def test_the_first_is_posted_and_what_follows_edits_it(server: Server, slack: Slack) -> None:
    posted = await slack.send(PAGE)
    assert posted == Accepted("C1:1700000060.000100")
    assert isinstance(posted, Accepted)
    await slack.send(msgspec.structs.replace(PAGE, action="resolve", ref=posted.ref))
    first, second = server.requests
    assert (first.path, second.path) == ("/api/chat.postMessage", "/api/chat.update")
    assert first.headers["authorization"] == "Bearer xoxb-1"
    assert (first.json["channel"], "ts" in first.json) == ("C1", False)
    assert (second.json["channel"], second.json["ts"]) == ("C1", "1700000060.000100")
    assert second.json["text"].startswith("*Resolved*")


def test_a_message_says_how_bad_it_is_and_leads_further() -> None:
    said = message(PAGE)
    assert said["text"] == "*Warning*: AT&amp;T &lt;b&gt;: 12 %"
    (attachment,) = said["attachments"]
    assert attachment["blocks"][1]["elements"][0]["text"] == "<https://x.example/i|Incident>"
    worse = message(msgspec.structs.replace(PAGE, severity=Severity.CRITICAL, links=()))
    assert worse["attachments"][0]["color"] != attachment["color"]
    assert len(worse["attachments"][0]["blocks"]) == 1


def test_a_text_keeps_to_slacks_limit() -> None:
    said = message(msgspec.structs.replace(PAGE, summary="&" * 5000))
    assert len(said["attachments"][0]["blocks"][0]["text"]["text"]) <= 3000


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b'{"ok": false, "error": "ratelimited"}', Retry(429, 7.0, "ratelimited")),
        (b'{"ok": false, "error": "internal_error"}', Retry(429, 7.0, "internal_error")),
        (b'{"ok": false, "error": "channel_not_found"}', Refused(400, "channel_not_found")),
        (b'{"ok": false, "error": "invalid_auth"}', Refused(400, "invalid_auth")),
        (b'{"ok": false}', Refused(400, "no reason")),
    ],
)
def test_what_slack_answers_with_200_is_in_the_body(body: bytes, result: object) -> None:
    assert judge(Answer(200, 7.0, "", body)) == result


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b""])
def test_an_answer_that_is_not_slacks_is_no_acceptance(body: bytes) -> None:
    assert not isinstance(judge(Answer(200, None, "", body)), Accepted)


async def test_an_incoming_webhook_must_say_ok(server: Server) -> None:
    slack = Slack(SlackSettings(webhook_url=Secret(f"{server.url}/services/T/B/x")))
    server.behave = answers(200, "ok")
    assert await slack.send(PAGE) == Accepted()
    server.behave = answers(200, "<html>a captive portal</html>")
    assert not isinstance(await slack.send(PAGE), Accepted)
    await slack.close()
