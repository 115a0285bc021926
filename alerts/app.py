"""The alerts role: closed buckets in, incidents and pages out, with its HTTP pages and metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from alerts import asking
from alerts.advising import holds_of, recipient_stage
from alerts.baseline import HOUR_S
from alerts.canary import Canary
from alerts.collect import Moments, reviewed
from alerts.freezer import Freezer
from alerts.heartbeat import Heartbeat
from alerts.inbox import Inbox
from alerts.pages import Desk, pages
from alerts.pages.reviews import Make
from alerts.records import Incident
from alerts.review.report import Review
from alerts.rights import of_alerts
from alerts.routes import Routes, paging_route
from alerts.seen import Seen
from alerts.sender import send_raw, topic_sender
from alerts.settings import Settings
from alerts.station import NoPager, Pages, Station
from alerts.status_pages import StatusPages
from alerts.store import RedisStore
from alerts.verifier import Verifier
from streams.app import start_worker, wait_for_kafka
from streams.clock import WallClock
from streams.engine import App, Runner, leave, make_app
from streams.http import HttpServer, Readiness
from streams.journal import Complete
from streams.log_reader import read_back, read_compacted, read_newest
from streams.metrics import Metrics, Role
from streams.settings import Clock
from streams.topics import OUTCOMES, WINDOWS

log = logging.getLogger("alerts.app")

PING_EVERY_S = 2.0
Moved = Callable[[Incident, str], None]
_WALL = WallClock(Clock())


def _must_not_end(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _ended("paging", error)


def _ended(what: str, error: BaseException) -> None:
    log.critical("%s ended: %s", what, error, exc_info=error)
    leave()


def run_alerts(settings: Settings) -> None:
    """Runs the worker until SIGTERM; exits the process."""
    metrics = Metrics(Role.ALERTS)
    readiness = Readiness("kafka", "partitions", "restored", "redis")
    app = make_app(settings, settings.alerts.group, settings.alerts.instance)
    store = RedisStore(settings.redis, _WALL.now_ms, metrics)
    routes = Routes(settings, store, metrics, _must_not_end)
    metrics.expect(route=routes.names, source=[s.name for s in settings.sources])
    pager: Pages = routes if routes.names else NoPager()

    async def read(topic: str) -> dict[bytes, bytes]:
        return await read_compacted(settings, topic)

    async def newest(topic: str) -> dict[bytes, bytes]:
        return await read_newest(settings, topic, 2 * HOUR_S * 1000)

    async def between(after_s: int, before_s: int) -> list[Complete]:
        now_s = WallClock(settings.clock).now_ms() // 1000
        buckets = await read_back(settings, WINDOWS, now_s - after_s)
        return [c for c in buckets if after_s < c.record.bucket_s < before_s]

    inbox = Inbox(settings, settings.alerts.group, partial(_ended, "taking commands"), metrics)
    station = Station(settings, topic_sender(app, settings), read, pager, between, inbox, newest)
    routes.station = station
    if settings.status_pages:
        station.on_opened = StatusPages(settings.status_pages, station.attach, _WALL.now_ms).ask
    clock = WallClock(settings.clock)
    station.on_moved = _beside(settings, station, clock, metrics)
    recipients = recipient_stage(settings, station, metrics, readiness)
    app.task(holds_of(settings, station).run)
    seen = Seen(station, readiness, clock, settings)
    runner = Runner(app, station, readiness, at_once=True)
    metrics.provide_lag(lambda: runner.lag)

    async def revoked() -> None:
        await inbox.end()
        await routes.end()
        station.stand_by()  # first: advice waits for nobody then
        await asyncio.to_thread(recipients.stop)

    runner.on_revoked = revoked

    @app.agent(app.topic(settings.topic(WINDOWS), value_serializer="raw", key_serializer="raw"))
    async def alerts(stream: Any) -> None:
        await runner.drive(stream)

    async def watch_redis() -> None:
        await ping_for_ever(store, readiness)

    app.task(watch_redis)
    watch_ourselves(app, settings, seen, metrics)

    host, port = settings.http.host, settings.http.alerts_port
    desk = Desk(settings.pages, settings.alerting.public_url, partial(asking.ask, settings), _WALL.now_ms)
    make, quick = (_reviews(settings, clock, alike) for alike in (True, False))
    shown = pages(seen.page_data, settings.alerting.runbook_url, make, quick, desk)
    with HttpServer(metrics, readiness, host, port, [shown]):
        wait_for_kafka(settings, of_alerts(settings), readiness, app)
        start_worker(app)


def _beside(settings: Settings, station: Station, clock: WallClock, metrics: Metrics) -> Moved:
    """What is done of its own whenever an incident has moved: evidence, and Lookup where it is wanted."""
    asked = [Freezer(settings, station.file, clock.now_ms, _WALL.now_ms).ask]
    if settings.verification.enabled:
        asked.append(Verifier(settings, station.verify, _WALL.now_ms, metrics).ask)

    def moved(incident: Incident, what: str) -> None:
        for ask in asked:
            ask(incident, what)

    return moved


def _reviews(settings: Settings, clock: WallClock, alike: bool) -> Make:
    """Makes reviews in a thread of their own: reading the journal takes time."""

    async def make(incident: Incident, known: Sequence[Incident]) -> Review:
        now = Moments(_WALL.now_ms(), clock.now_ms())
        return await asyncio.to_thread(
            lambda: asyncio.run(reviewed(settings, incident, known, now, alike=alike))
        )

    return make


def watch_ourselves(app: App, settings: Settings, seen: Seen, metrics: Metrics) -> None:
    """What is shown of ourselves; the canary and the heartbeat, as tasks beside everything else."""
    metrics.pager_info.labels(paging_route(settings)).set(1)
    seen.provide(metrics)
    alerting, clock = settings.alerting, WallClock(settings.clock)
    topic = settings.topic(OUTCOMES)

    async def into_outcomes(key: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        await send_raw(app, topic, key.encode(), value, headers)

    if alerting.canary_s:
        canary = Canary(into_outcomes, clock.now_ms, seen.owns, clock.wall_s(alerting.canary_s))
        app.task(canary.run)
    if alerting.heartbeat_url:
        heartbeat = Heartbeat(alerting.heartbeat_url, lambda: seen.unwell(metrics), metrics)
        app.task(heartbeat.run)


async def ping_for_ever(store: RedisStore, readiness: Readiness) -> None:
    """Keeps `/readyz` right about Redis. Detection and paging go on without it."""
    while True:
        up = await store.ping()
        readiness.set("redis", up, f"Redis at {store.address}: {store.last_error}")
        await asyncio.sleep(PING_EVERY_S)
