"""The alerts role: closed buckets in, incidents and pages out, with its HTTP pages and metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from alerts import asking, observe, silences
from alerts.baseline import HOUR_S
from alerts.canary import Canary
from alerts.collect import Moments, reviewed
from alerts.flags import SHOWN_AFTER_END_S, TICKETS
from alerts.freezer import Freezer
from alerts.heartbeat import Heartbeat
from alerts.inbox import Inbox
from alerts.pages import Desk, PageData, pages
from alerts.pages.reviews import Make
from alerts.recipients.stage import RecipientStage
from alerts.records import Incident, State, Transition, is_live
from alerts.review.report import Review
from alerts.routes import Routes, paging_route
from alerts.sender import send_raw, topic_sender
from alerts.settings import Settings
from alerts.station import NoPager, Pages, Station
from alerts.status_pages import StatusPages
from alerts.store import RedisStore
from alerts.vitals import unwell
from streams.app import start_worker, wait_for_kafka
from streams.clock import WallClock
from streams.engine import App, Runner, leave, make_app
from streams.exposition import Rows
from streams.http import HttpServer, Readiness
from streams.journal import Complete
from streams.label_values import Blind
from streams.log_reader import read_back, read_compacted, read_newest
from streams.metrics import Metrics, Role
from streams.records import BUCKET_S
from streams.settings import Clock
from streams.topics import (
    DETECTOR_STATE,
    INCIDENT_COMMANDS,
    INCIDENT_EVENTS,
    INCIDENTS,
    OUTCOMES,
    SILENCES,
    WINDOWS,
)

log = logging.getLogger("alerts.app")

BLIND_AFTER_S = 60
PING_EVERY_S = 2.0
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
    store = RedisStore(settings.redis.url, _WALL.now_ms, metrics)
    routes = Routes(settings, store, metrics, _must_not_end)
    metrics.expect(route=routes.names)
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
    station.on_moved = Freezer(settings, station.file, clock.now_ms, _WALL.now_ms).ask
    recipients = RecipientStage(settings, metrics, readiness)
    station.on_restored = recipients.start
    seen = Seen(station, readiness, clock, settings)
    runner = Runner(app, station, readiness, at_once=True)
    metrics.provide_lag(lambda: runner.lag)

    async def revoked() -> None:
        await inbox.end()
        await routes.end()
        await asyncio.to_thread(recipients.stop)
        station.stand_by()

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
        topics = [WINDOWS, DETECTOR_STATE, INCIDENTS, INCIDENT_EVENTS, INCIDENT_COMMANDS, SILENCES]
        wait_for_kafka(settings, topics, readiness)
        start_worker(app)


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


class Seen:
    """What pages and scrapes see of the station, from other threads: immutable boards only."""

    def __init__(self, station: Station, readiness: Readiness, clock: WallClock, settings: Settings) -> None:
        self._station, self._readiness, self._clock = station, readiness, clock
        self._settings = settings
        self._blind_after_s = BLIND_AFTER_S + BUCKET_S + settings.windows.allowed_lateness_s

    def owns(self) -> bool:
        """Whether this instance is the one that decides."""
        return not any(reason.startswith("partitions") for reason in self._readiness.reasons)

    def unwell(self, metrics: Metrics) -> list[str]:
        """Why the heartbeat must be held back."""
        sight, waiting = self._station.board.sight, self._readiness.reasons
        return unwell(self._settings, sight, self.silent(), waiting, metrics, self._clock.now_ms())

    def blind(self) -> str | None:
        """Why nothing can be said about now, or None."""
        return self.silent() or self.without_outcomes()

    def without_outcomes(self) -> str | None:
        """Buckets come, but there is nothing in them: nobody knows how carriers do."""
        board, most_s = self._station.board, self._settings.alerting.no_outcomes_s
        for_s = board.sight.without_outcomes_s(board.bucket_s)
        return f"no outcome has come for {for_s} s" if most_s and for_s > most_s else None

    def silent(self) -> str | None:
        """Closed buckets do not come, and why we think so."""
        bucket_s = self._station.board.bucket_s
        if bucket_s < 0:
            return "no closed bucket has been read by this instance yet"
        behind_s = self._clock.now_ms() / 1000 - bucket_s - BUCKET_S
        if behind_s > self._blind_after_s:
            return f"the newest closed bucket ended {behind_s:.0f} s ago"
        return None

    def page_data(self) -> PageData:
        board = self._station.board
        transitions: dict[str, tuple[Transition, ...]] = dict(board.transitions)
        now_ms = self._clock.now_ms()
        observed = "" if self._settings.pages_somebody else observe.words(self._week())
        tickets = tuple(f for f in board.flags if f.nature in TICKETS)
        return PageData(
            board.incidents,
            transitions,
            self.blind(),
            now_ms,
            board.unknown,
            self._station.display,
            observed,
            tickets,
            tuple(silences.in_force(board.silences, now_ms)),
        )

    def provide(self, metrics: Metrics) -> None:
        metrics.flag_active.provide(self._flags)
        metrics.baseline_failure_ratio.provide(self._baselines)
        metrics.incident_active.provide(lambda: self._incidents(lambda i: float(is_live(i))))
        metrics.incident_silenced.provide(
            lambda: self._incidents(lambda i: float(i.people.silence is not None), only_open=True)
        )
        metrics.incident_info.provide(self._info)
        metrics.incident_opened_timestamp_seconds.provide(
            lambda: self._incidents(lambda i: float(i.opened_bucket_s), only_open=True)
        )
        metrics.pages_wanted.provide(self._wanted)
        metrics.blind.labels(Blind.WINDOWS_SILENT).set_function(lambda: float(self.silent() is not None))
        metrics.blind.labels(Blind.NO_OUTCOMES).set_function(
            lambda: float(self.without_outcomes() is not None)
        )
        metrics.canary_last_seen_timestamp_seconds.provide(self._canary)

    def _canary(self) -> Rows:
        """A standby says nothing about it."""
        if not self._settings.alerting.canary_s or not self.owns():
            return Rows([], [])
        return Rows([()], [float(self._station.board.sight.canary_seen_s)])

    def _week(self) -> observe.Week:
        board = self._station.board
        return observe.of_week(board.incidents, board.bucket_s + BUCKET_S)

    def _wanted(self) -> Rows:
        week = self._week()
        return Rows([(severity.value, scope.value) for severity, scope in week], [*map(float, week.values())])

    def _flags(self) -> Rows:
        board = self._station.board
        now = [float(at_s == board.bucket_s) for at_s in board.flagged.values()]
        return Rows(list(board.flagged), now)

    def _baselines(self) -> Rows:
        board, most = self._station.board, self._settings.metrics.max_series
        keys = [(*leaf, one.rule) for one in board.expected for leaf in one.leaves]
        values = [ratio for one in board.expected for ratio in one.ratio.tolist()]
        if len(keys) > most:
            flagged = {(f.carrier, f.region, f.rule) for f in board.flags}
            first = sorted(range(len(keys)), key=lambda i: keys[i] not in flagged)[:most]
            keys, values = [keys[i] for i in first], [values[i] for i in first]
        return Rows(keys, values)

    def _incidents(self, value: Any, only_open: bool = False) -> Rows:
        board = self._station.board
        shown: dict[tuple[str, ...], float] = {}
        for i in board.incidents:
            ended_s = i.resolved_bucket_s or board.bucket_s
            recent = i.state is State.OPEN or board.bucket_s - ended_s <= SHOWN_AFTER_END_S
            if i.state is State.OPEN or (recent and not only_open):
                labels = (i.rule, i.scope, i.carrier, i.region)
                shown[labels] = max(shown.get(labels, 0.0), value(i))
        return Rows(list(shown), list(shown.values()))

    def _info(self) -> Rows:
        shown = [
            (i.key, i.rule, i.current_scope, i.current_carrier, i.current_region, i.severity.value)
            for i in self._station.board.incidents
            if i.state is State.OPEN
        ]
        return Rows(shown, [1.0] * len(shown))
