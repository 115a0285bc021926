"""The receiver is PagerDuty to its senders: contract, alerts by key, and moods."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from alerts.demo.contract import errors
from alerts.demo.receiver import Receiver

KEY = "0123456789abcdef0123456789abcdef"
Event = dict[str, Any]


def trigger(dedup_key: str | None = "ch:a", severity: str = "critical", key: str = KEY) -> Event:
    event: Event = {
        "routing_key": key,
        "event_action": "trigger",
        "payload": {
            "summary": "s",
            "source": "310-260",
            "severity": severity,
            "timestamp": "2026-01-01T00:00:00.000+00:00",
        },
        "links": [{"href": "https://sms.example.org", "text": "t"}],
    }
    return event if dedup_key is None else event | {"dedup_key": dedup_key}


def resolve(dedup_key: str = "ch:a", key: str = KEY) -> Event:
    return {"routing_key": key, "event_action": "resolve", "dedup_key": dedup_key}


def changed(path: str, value: Any) -> Event:
    """A trigger with one field set, or taken out by None."""
    event = copy.deepcopy(trigger())
    *parents, last = path.split(".")
    place = event
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return event


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


async def post(receiver: Receiver, event: Any, path: str = "/v2/enqueue") -> tuple[int, Any]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(receiver.url + path, json=event) as answer,
    ):
        return answer.status, await answer.json()


def test_a_whole_event_keeps_the_contract() -> None:
    assert errors(trigger()) == errors(resolve()) == []


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("routing_key", None, "routing_key"),
        ("routing_key", "short", "routing_key"),
        ("event_action", "page", "event_action"),
        ("dedup_key", "x" * 256, "dedup_key"),
        ("payload", None, "payload"),
        ("payload.summary", None, "payload.summary"),
        ("payload.summary", "x" * 1025, "payload.summary"),
        ("payload.source", "", "payload.source"),
        ("payload.severity", "fatal", "payload.severity"),
        ("payload.timestamp", "yesterday", "payload.timestamp"),
        ("payload.timestamp", "2026-01-01T00:00:00", "payload.timestamp"),
        ("payload.component", 5, "payload.component"),
        ("payload.custom_details", "text", "payload.custom_details"),
        ("payload.colour", "red", "payload.colour"),
        ("links", [{"text": "no address"}], "links.href"),
        ("images", [{"src": "http://plain.example.org/x.png"}], "images.src"),
        ("client", 1, "client"),
        ("incident_key", "v1", "incident_key"),
    ],
)
def test_what_breaks_the_contract_is_named(path: str, value: Any, named: str) -> None:
    (error,) = errors(changed(path, value))
    assert f"'{named}'" in error


@pytest.mark.parametrize("body", [[], "text", None, 5])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert errors(body) == ["the body is not a JSON object"]


async def test_a_broken_event_gets_400_with_every_error(receiver: Receiver) -> None:
    status, answer = await post(receiver, {"event_action": "resolve"})
    assert status == 400
    assert len(answer["errors"]) == 2
    assert receiver.log[0].errors == answer["errors"]


async def test_a_body_above_the_limit_is_refused(receiver: Receiver) -> None:
    status, answer = await post(receiver, changed("payload.custom_details", {"x": "y" * 512_000}))
    assert status == 400
    assert "512000 are allowed" in answer["errors"][0]


async def test_a_second_trigger_on_an_open_alert_wakes_nobody(receiver: Receiver) -> None:
    assert await post(receiver, trigger()) == (
        202,
        {"status": "success", "message": "Event processed", "dedup_key": "ch:a"},
    )
    await post(receiver, trigger())
    assert [e.effect for e in receiver.log] == ["opened", "repeated"]
    assert len(receiver.notifications) == 1


async def test_the_same_key_opens_anew_after_its_resolve(receiver: Receiver) -> None:
    for event in (trigger(), resolve(), trigger()):
        await post(receiver, event)
    assert [e.effect for e in receiver.log] == ["opened", "resolved", "opened"]
    assert len(receiver.notifications) == 2
    assert receiver.resolved == [(KEY, "ch:a")]


async def test_a_resolve_by_another_routing_key_is_dropped(receiver: Receiver) -> None:
    await post(receiver, trigger())
    status, _ = await post(receiver, resolve(key=KEY[::-1]))
    assert (status, receiver.log[1].effect) == (202, "dropped")
    assert list(receiver.open) == [(KEY, "ch:a")]


async def test_a_trigger_without_a_key_is_an_alert_of_its_own(receiver: Receiver) -> None:
    await post(receiver, trigger(None))
    await post(receiver, trigger(None))
    assert len(receiver.open) == len(receiver.notifications) == 2


async def test_control_sets_the_mood_for_so_many_requests(receiver: Receiver) -> None:
    status, _ = await post(receiver, {"kind": "refuse", "status": 502, "times": 2}, "/control")
    assert status == 200
    answers = [(await post(receiver, trigger()))[0] for _ in range(3)]
    assert answers == [502, 502, 202]


@pytest.mark.parametrize("mood", [{"kind": "angry"}, {"kind": "refuse", "stauts": 1}, 5])
async def test_control_refuses_a_mood_it_does_not_know(receiver: Receiver, mood: Any) -> None:
    status, answer = await post(receiver, mood, "/control")
    assert status == 400 and answer["error"]


async def test_throttling_names_a_time_only_when_told_to(receiver: Receiver) -> None:
    async with aiohttp.ClientSession() as session:
        for after, header in ((None, None), (7, "7")):
            receiver.throttle(after)
            async with session.post(f"{receiver.url}/v2/enqueue", json=trigger()) as answer:
                assert (answer.status, answer.headers.get("Retry-After")) == (429, header)


async def test_it_can_take_an_event_and_cut_the_connection(receiver: Receiver) -> None:
    receiver.reset_after_accept(times=1)
    with pytest.raises(aiohttp.ClientError):
        await post(receiver, trigger())
    assert [(e.status, e.effect) for e in receiver.log] == [(0, "opened")]
    receiver.reset(times=1)
    with pytest.raises(aiohttp.ClientError):
        await post(receiver, trigger("ch:b"))
    assert list(receiver.open) == [(KEY, "ch:a")]


async def test_it_can_hold_an_answer_back(receiver: Receiver) -> None:
    receiver.stall(0.05, times=1)
    assert (await post(receiver, trigger()))[0] == 202
    assert [(e.mood, e.status) for e in receiver.log] == [("stall", 0), ("stall", 202)]


async def test_it_stops_while_it_stalls(receiver: Receiver) -> None:
    receiver.stall()
    asking = asyncio.create_task(post(receiver, trigger()))
    while not receiver.log:
        await asyncio.sleep(0)
    await asyncio.wait_for(receiver.stop(), 5)
    await asyncio.gather(asking, return_exceptions=True)


async def test_the_log_can_be_asked_for_and_kept(tmp_path: Path) -> None:
    kept = tmp_path / "log.jsonl"
    async with Receiver(log_file=kept) as receiver:
        await post(receiver, trigger())
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{receiver.url}/log") as answer:
                (shown,) = await answer.json()
            async with session.get(f"{receiver.url}/alerts") as answer:
                assert (await answer.json())["notifications"] == 1
    assert shown["event"]["dedup_key"] == "ch:a" and shown["at_ms"] > 1_700_000_000_000
    assert [json.loads(line) for line in kept.read_text().splitlines()] == [shown]


async def test_it_runs_alone() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alerts.demo.receiver", "--port", "0"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        url = line.decode().removeprefix("listening on ").strip()
        async with aiohttp.ClientSession() as session, session.get(f"{url}/log") as answer:
            assert await answer.json() == []
    finally:
        process.terminate()
        await process.wait()
