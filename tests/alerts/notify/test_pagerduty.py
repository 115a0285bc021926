"""What goes to PagerDuty, and what its answers mean: over real HTTP, in all its moods."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from alerts.demo.contract import errors
from alerts.demo.receiver import Receiver
from alerts.notify import Accepted, InDoubt, Refused
from alerts.notify.pagerduty import PagerDuty, encode, event, short_key
from alerts.records import Page, Severity
from alerts.settings import PagerDuty as PagerDutySettings
from alerts.settings import key_id
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


async def test_a_connection_cut_after_the_event_was_taken_leaves_doubt(
    receiver: Receiver, pager: PagerDuty
) -> None:
    receiver.reset_after_accept(times=1)
    assert isinstance(await pager.send(PAGE), InDoubt)
    assert await pager.send(PAGE) == Accepted()
    assert len(receiver.notifications) == 1


OLD = KEY[::-1]


async def test_what_an_old_key_has_opened_is_resolved_by_it(receiver: Receiver) -> None:
    """PagerDuty drops a resolve by another key, and answers 202."""
    async with PagerDuty(PagerDutySettings(base_url=receiver.url, routing_key=Secret(OLD))) as before:
        await before.send(PAGE)
    rotated = PagerDutySettings(
        base_url=receiver.url, routing_key=Secret(KEY), previous_routing_key=Secret(OLD)
    )
    async with PagerDuty(rotated) as pager:
        resolve = msgspec.structs.replace(RESOLVE, routing_key_id=key_id(Secret(OLD)))
        assert await pager.send(resolve) == Accepted()
        await pager.send(msgspec.structs.replace(PAGE, dedup_key="ch:new"))
    assert [e.effect for e in receiver.log] == ["opened", "resolved", "opened"]
    assert [e.event["routing_key"] for e in receiver.log] == [OLD, OLD, KEY]


async def test_a_page_of_a_key_that_is_gone_is_refused_and_says_what_to_do(
    receiver: Receiver, pager: PagerDuty
) -> None:
    result = await pager.send(msgspec.structs.replace(RESOLVE, routing_key_id="0123456789ab"))
    assert isinstance(result, Refused)
    assert "id 0123456789ab" in result.text and "previous_routing_key" in result.text
    assert receiver.log == []


async def test_what_was_missed_is_told_as_a_change_that_wakes_nobody(
    receiver: Receiver, pager: PagerDuty
) -> None:
    told = msgspec.structs.replace(PAGE, action="tell", summary="x" * 3000)
    assert await pager.send(told) == Accepted()
    (change,) = receiver.changes
    assert change.keys() == {"routing_key", "payload", "links"}
    assert len(change["payload"]["summary"]) == 1024
    assert change["payload"]["timestamp"] == "2023-11-14T22:13:30.250+00:00"
    assert receiver.notifications == []


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
