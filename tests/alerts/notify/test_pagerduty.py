"""What goes to PagerDuty, and what its answers mean: over real HTTP, in all its moods."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from alerts.demo.contract import errors
from alerts.demo.receiver import Receiver
from alerts.notify import Accepted, InDoubt, Refused, Retry
from alerts.notify.pagerduty import PagerDuty, encode, event, judge, retry_after_s, short_key
from alerts.records import Page, Severity
from alerts.settings import PagerDuty as PagerDutySettings
from streams.settings import Secret

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
    details={"failed": 120, "ratio": 0.12},
    links=(("https://sms.example.org/incidents/x", "The incident"),),
)
RESOLVE = msgspec.structs.replace(PAGE, action="resolve", seq=2)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest_asyncio.fixture
async def pager(receiver: Receiver) -> AsyncIterator[PagerDuty]:
    settings = PagerDutySettings(base_url=receiver.url, routing_key=Secret(KEY))
    async with PagerDuty(settings, "https://sms.example.org/incidents", timeout_s=2.0) as opened:
        yield opened


async def test_a_trigger_says_what_where_and_when(receiver: Receiver, pager: PagerDuty) -> None:
    assert await pager.send(PAGE) == Accepted()
    assert receiver.log[0].event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": PAGE.dedup_key,
        "client": "carrier-health",
        "client_url": "https://sms.example.org/incidents",
        "links": [{"href": "https://sms.example.org/incidents/x", "text": "The incident"}],
        "payload": {
            "summary": "310-260: 12 % of messages fail with 30003",
            "source": "310-260",
            "severity": "critical",
            "timestamp": "2023-11-14T22:13:30.250+00:00",
            "component": "310-260",
            "group": "all",
            "class": "twilio_30003",
            "custom_details": {"failed": 120, "ratio": 0.12},
        },
    }


async def test_a_resolve_closes_what_the_trigger_opened(receiver: Receiver, pager: PagerDuty) -> None:
    await pager.send(PAGE)
    assert await pager.send(RESOLVE) == Accepted()
    assert receiver.log[1].event.keys() == {"routing_key", "event_action", "dedup_key"}
    assert [e.effect for e in receiver.log] == ["opened", "resolved"]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_that_says_no_is_asked_again(
    receiver: Receiver, pager: PagerDuty, status: int
) -> None:
    receiver.refuse(status)
    assert await pager.send(PAGE) == Retry(status, None, '{"status": "refused"}')
    assert len(receiver.log) == 1, "no hidden retries"


@pytest.mark.parametrize("after", [None, 30.0])
async def test_throttling_says_how_long_to_wait_if_it_does(
    receiver: Receiver, pager: PagerDuty, after: float | None
) -> None:
    receiver.throttle(after)
    result = await pager.send(PAGE)
    assert isinstance(result, Retry)
    assert (result.status, result.after_s) == (429, after)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_for_good(receiver: Receiver, pager: PagerDuty, status: int) -> None:
    receiver.refuse(status)
    result = await pager.send(PAGE)
    assert isinstance(result, Refused) and result.status == status


@pytest.mark.parametrize("status", [502, 504])
async def test_the_word_of_a_gateway_leaves_doubt(receiver: Receiver, pager: PagerDuty, status: int) -> None:
    receiver.refuse(status)
    assert isinstance(await pager.send(PAGE), InDoubt)


async def test_no_answer_in_time_leaves_doubt(receiver: Receiver) -> None:
    receiver.stall()
    settings = PagerDutySettings(base_url=receiver.url, routing_key=Secret(KEY))
    async with PagerDuty(settings, timeout_s=0.1) as pager:
        assert await pager.send(PAGE) == InDoubt("no answer in 0.1 s")


async def test_a_connection_cut_after_the_event_was_taken_leaves_doubt(
    receiver: Receiver, pager: PagerDuty
) -> None:
    receiver.reset_after_accept(times=1)
    assert isinstance(await pager.send(PAGE), InDoubt)
    assert await pager.send(PAGE) == Accepted()
    assert len(receiver.notifications) == 1


async def test_without_a_connection_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    settings = PagerDutySettings(base_url=f"http://127.0.0.1:{port}", routing_key=Secret(KEY))
    async with PagerDuty(settings) as pager:
        result = await pager.send(PAGE)
    assert isinstance(result, Retry) and result.status == 0
    assert "no connection" in result.text


async def test_an_answer_that_is_not_http_leaves_doubt() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello?\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = PagerDutySettings(base_url=f"http://127.0.0.1:{port}", routing_key=Secret(KEY))
        async with PagerDuty(settings) as pager:
            assert isinstance(await pager.send(PAGE), InDoubt)


def test_only_202_is_an_acceptance() -> None:
    assert judge(202, None, "") == Accepted()
    assert isinstance(judge(200, None, "<html>a captive portal</html>"), InDoubt)
    assert judge(301, None, "") == Refused(301, "")


async def test_the_key_is_masked_in_what_comes_back() -> None:
    settings = PagerDutySettings(base_url="http://127.0.0.1:1", routing_key=Secret(KEY))
    assert KEY not in PagerDuty(settings)._masked(f"invalid key {KEY}")


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("0.5", 0.5), ("-1", 0.0), (None, None), ("Wed, 21 Oct", None)]
)
def test_retry_after_in_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


texts = st.text(max_size=3000)


@given(
    summary=texts,
    source=texts,
    key=st.text(min_size=1, max_size=600),
    component=texts,
    details=st.dictionaries(st.text(max_size=20), texts | st.floats() | st.integers(-(2**60), 2**60)),
)
def test_whatever_is_paged_keeps_the_contract(
    summary: str, source: str, key: str, component: str, details: dict[str, Any]
) -> None:
    page = msgspec.structs.replace(
        PAGE, summary=summary, source=source, dedup_key=key, component=component, details=details
    )
    for action in ("trigger", "resolve"):
        sent = event(msgspec.structs.replace(page, action=action), KEY)
        assert errors(json.loads(encode(sent))) == []


def test_details_that_are_too_large_are_left_out_as_a_whole() -> None:
    page = msgspec.structs.replace(PAGE, details={"x": "y" * 600_000})
    sent = json.loads(encode(event(page, KEY)))
    assert "bytes are too many" in sent["payload"]["custom_details"]["left_out"]
    assert sent["payload"]["summary"] == PAGE.summary and sent["links"]


def test_links_go_when_they_alone_are_too_large() -> None:
    page = msgspec.structs.replace(PAGE, links=(("https://sms.example.org/" + "x" * 600_000, "long"),))
    assert "links" not in json.loads(encode(event(page, KEY)))


def test_a_long_key_stays_readable_and_its_own() -> None:
    one, other = short_key("ch:" + "x" * 300 + "1"), short_key("ch:" + "x" * 300 + "2")
    assert one != other and len(one) == 255 and one.startswith("ch:xxx")
    assert short_key("ch:short") == "ch:short"
