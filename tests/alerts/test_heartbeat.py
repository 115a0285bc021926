"""The heartbeat calls only while all is well, and nothing that it meets disturbs anybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from alerts.heartbeat import Heartbeat
from alerts.settings import Alerting, Settings
from alerts.sight import Sight
from alerts.vitals import canary_lost_after_s, unwell
from streams.label_values import Beat
from streams.metrics import Metrics, Role
from streams.records import BUCKET_S
from streams.settings import Secret

NOW_S = 1_800_000_000
Handler = Callable[[web.Request], object]


@asynccontextmanager
async def switch(handler: Handler) -> AsyncIterator[tuple[str, list[str]]]:
    """A dead man's switch on this machine: its address and who has called."""
    calls: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        calls.append(request.path)
        found = handler(request)
        return await found if asyncio.iscoroutine(found) else found  # type: ignore[no-any-return]

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/ping/5ec2e7", calls
    finally:
        await runner.cleanup()


def counted(metrics: Metrics) -> dict[str, float]:
    samples = [s for family in metrics.heartbeats_total.collect() for s in family.samples]
    return {s.labels["result"]: s.value for s in samples if s.value}


async def test_it_calls_while_all_is_well() -> None:
    metrics = Metrics(Role.ALERTS)
    async with switch(lambda _: web.Response()) as (url, calls):
        assert await Heartbeat(Secret(url), list, metrics).beat() is Beat.ACCEPTED
    assert calls == ["/ping/5ec2e7"]
    assert counted(metrics) == {"accepted": 1}


async def test_it_does_not_call_while_anything_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics(Role.ALERTS)
    async with switch(lambda _: web.Response()) as (url, calls):
        heartbeat = Heartbeat(Secret(url), lambda: ["the canary does not come back"], metrics)
        assert [await heartbeat.beat(), await heartbeat.beat()] == [Beat.HELD_BACK] * 2
    assert calls == []
    assert counted(metrics) == {"held_back": 2}
    assert [r.message for r in caplog.records] == ["heartbeat held_back: the canary does not come back"]


async def _hang(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(lambda _: web.Response(status=500), id="500"),
        pytest.param(lambda _: web.Response(status=302, headers={"Location": "/elsewhere"}), id="redirect"),
        pytest.param(_hang, id="hang"),
    ],
)
async def test_what_is_not_taken_is_counted_and_never_raised(handler: Handler) -> None:
    metrics = Metrics(Role.ALERTS)
    async with switch(handler) as (url, calls):
        assert await Heartbeat(Secret(url), list, metrics, timeout_s=0.3).beat() is Beat.FAILED
    assert calls == ["/ping/5ec2e7"]
    assert counted(metrics) == {"failed": 1}


async def test_the_address_is_a_secret_that_no_error_tells(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = Secret("http://127.0.0.1:9/ping/5ec2e7")
    assert await Heartbeat(url, list, Metrics(Role.ALERTS)).beat() is Beat.FAILED
    assert caplog.records and "5ec2e7" not in caplog.text


SETTINGS = Settings(alerting=Alerting(canary_s=30))
WELL = Sight(outcome_s=NOW_S - 20, canary_s=NOW_S - 40)


def reasons(settings: Settings = SETTINGS, **changed: object) -> list[str]:
    given = {"sight": WELL, "blind": None, "waiting": (), "metrics": Metrics(Role.ALERTS)} | changed
    return unwell(settings, **given, now_ms=NOW_S * 1000)  # type: ignore[arg-type]


def test_all_is_well_with_a_fresh_canary_whatever_redis_does() -> None:
    assert reasons() == []
    assert reasons(waiting=["redis: no answer"]) == []


def test_each_thing_that_is_wrong_is_a_reason() -> None:
    assert reasons(waiting=["partitions: stands by"]) == ["partitions: stands by"]
    assert reasons(blind="the newest closed bucket ended 90 s ago") == [
        "the newest closed bucket ended 90 s ago"
    ]
    lost = Sight(canary_s=NOW_S - int(canary_lost_after_s(SETTINGS)) - BUCKET_S - 1)
    assert reasons(sight=lost) == reasons(sight=Sight()) == ["the canary does not come back"]
    assert reasons(Settings(alerting=Alerting(canary_s=0)), sight=Sight()) == []


@pytest.mark.parametrize(("route", "well"), [("pagerduty", False), ("slack", True)])
def test_a_page_that_does_not_get_out_is_a_reason(route: str, well: bool) -> None:
    metrics = Metrics(Role.ALERTS)
    metrics.pager_oldest_unsent_seconds.labels(route).set(301)
    assert (reasons(metrics=metrics) == []) is well
