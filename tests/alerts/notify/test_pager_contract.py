"""What every pager does, whoever it tells: one attempt, a named result, no secret in it."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio

from alerts.notify import Accepted, InDoubt, Pager, Refused, Retry
from alerts.notify.alertmanager import Alertmanager
from alerts.notify.client import retry_after_s
from alerts.notify.pagerduty import PagerDuty
from alerts.notify.slack import Slack
from alerts.notify.webhook import Webhook
from alerts.records import Page, Severity
from alerts.settings import Alertmanager as AlertmanagerSettings
from alerts.settings import PagerDuty as PagerDutySettings
from alerts.settings import Slack as SlackSettings
from alerts.settings import Webhook as WebhookSettings
from streams.settings import Secret
from tests.alerts.notify.server import Behave, Server, answers, babbles, hangs, resets, says_what_it_heard

NOW_MS = 1_700_000_060_000
KEY = "0123456789abcdef0123456789abcdef"
HIDDEN = "s3cret-s3cret-s3cret"
PAGE = Page(
    dedup_key="ch:r:carrier:310-260:all:1700000000",
    incident_key="ch:r:carrier:310-260:all:1700000000",
    action="trigger",
    seq=3,
    severity=Severity.CRITICAL,
    summary="310-260: 12 % fail",
    source="carrier-health-monitor",
    timestamp_ms=1_700_000_010_000,
    component="310-260",
    group="all",
    event_class="r",
    details={"failed": 120},
    links=(("https://sms.example.org/incidents/x", "Incident"),),
    labels={"rule": "r", "severity": "critical"},
)


@dataclass
class Kind:
    """How a pager is made for a server's URL, and what it takes for an acceptance."""

    make: Callable[[str], Pager]
    accepts: Behave
    secret: str = HIDDEN
    action: str = "trigger"


def pagerduty(url: str) -> Pager:
    return PagerDuty(PagerDutySettings(base_url=url, routing_key=Secret(KEY)), timeout_s=0.3)


def alertmanager(url: str) -> Pager:
    settings = AlertmanagerSettings(urls=url, bearer_token=Secret(HIDDEN))
    return Alertmanager(settings, lambda: NOW_MS, timeout_s=0.3)


def slack(url: str) -> Pager:
    return Slack(SlackSettings(base_url=url, token=Secret(HIDDEN), channel="C1"), timeout_s=0.3)


def slack_hook(url: str) -> Pager:
    return Slack(SlackSettings(webhook_url=Secret(f"{url}/services/{HIDDEN}")), timeout_s=0.3)


def webhook(url: str) -> Pager:
    settings = WebhookSettings(url=Secret(f"{url}/in?token={HIDDEN}"), secret=Secret(f"{HIDDEN}-key"))
    return Webhook(settings, lambda: NOW_MS, timeout_s=0.3)


KINDS = {
    "pagerduty": Kind(pagerduty, answers(202, '{"status": "success"}'), KEY),
    "pagerduty change": Kind(pagerduty, answers(202, '{"status": "success"}'), KEY, "tell"),
    "alertmanager": Kind(alertmanager, answers(200)),
    "slack": Kind(slack, answers(200, '{"ok": true, "channel": "C1", "ts": "1700000060.000100"}')),
    "slack hook": Kind(slack_hook, answers(200, "ok")),
    "webhook": Kind(webhook, answers(204)),
}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


@pytest.fixture(params=KINDS, name="kind")
def each_kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


async def send(kind: Kind, server: Server, behave: Behave, page: Page = PAGE) -> object:
    server.behave = behave
    pager = kind.make(server.url)
    try:
        return await pager.send(msgspec.structs.replace(page, action=kind.action))
    finally:
        await pager.close()


async def test_what_is_taken_is_accepted_by_one_request(kind: Kind, server: Server) -> None:
    assert isinstance(await send(kind, server, kind.accepts), Accepted)
    assert len(server.requests) == 1
    assert server.requests[0].json, "a body of JSON"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_for_good(kind: Kind, server: Server, status: int) -> None:
    assert await send(kind, server, answers(status, "no")) == Refused(status, "no")


@pytest.mark.parametrize("status", [408, 500, 503])
async def test_who_can_not_now_is_asked_again(kind: Kind, server: Server, status: int) -> None:
    assert await send(kind, server, answers(status, "later")) == Retry(status, None, "later")
    assert len(server.requests) == 1, "no hidden retries"


@pytest.mark.parametrize(
    ("headers", "after_s"), [({}, None), ({"Retry_After": "30"}, 30.0)], ids=["without", "with"]
)
async def test_throttling_says_how_long_to_wait_if_it_does(
    kind: Kind, server: Server, headers: dict[str, str], after_s: float | None
) -> None:
    assert await send(kind, server, answers(429, "slow down", **headers)) == Retry(429, after_s, "slow down")


@pytest.mark.parametrize("status", [502, 504])
async def test_the_word_of_a_gateway_leaves_doubt(kind: Kind, server: Server, status: int) -> None:
    assert isinstance(await send(kind, server, answers(status)), InDoubt)


@pytest.mark.parametrize("behave", [hangs, resets, babbles])
async def test_no_answer_leaves_doubt(kind: Kind, server: Server, behave: Behave) -> None:
    assert isinstance(await send(kind, server, behave), InDoubt)


async def test_without_a_connection_nothing_was_sent(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    pager = kind.make(f"http://127.0.0.1:{port}")
    result = await pager.send(msgspec.structs.replace(PAGE, action=kind.action))
    await pager.close()
    assert isinstance(result, Retry) and result.status == 0
    assert "no connection" in result.text


async def test_a_redirect_is_not_followed(kind: Kind, server: Server) -> None:
    """It would carry the secret to whoever is named there."""
    async with Server() as elsewhere:
        elsewhere.behave = kind.accepts
        result = await send(kind, server, answers(307, Location=elsewhere.url))
        assert isinstance(result, Refused) and result.status == 307
        assert elsewhere.requests == []


async def test_a_huge_page_is_sent_in_a_size_that_is_taken(kind: Kind, server: Server) -> None:
    page = msgspec.structs.replace(PAGE, summary="x" * 100_000, details={"y": "z" * 100_000})
    assert isinstance(await send(kind, server, kind.accepts, page), Accepted)
    assert len(server.requests[0].body) <= 512_000


async def test_a_pager_works_again_after_it_was_closed(kind: Kind, server: Server) -> None:
    """The next term of ownership uses it."""
    server.behave = kind.accepts
    pager = kind.make(server.url)
    for _ in range(2):
        assert isinstance(await pager.send(msgspec.structs.replace(PAGE, action=kind.action)), Accepted)
        await pager.close()


async def test_no_secret_is_in_a_result_a_log_or_a_representation(
    kind: Kind, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [repr(kind.make(server.url))]
    for behave in (says_what_it_heard, answers(500, f"invalid {kind.secret}"), hangs, resets, babbles):
        shown.append(repr(await send(kind, server, behave)))
    assert any("****" in text for text in shown)
    assert not [text for text in [*shown, caplog.text] if kind.secret in text]


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("0.5", 0.5), ("-1", 0.0), (None, None), ("Wed, 21 Oct", None)]
)
def test_retry_after_in_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds
