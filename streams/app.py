"""The windows role: partials in, closed buckets out, gauges beside.

partials -> Windows (pure) -> journal (`windows` topic) -> sliding windows -> metrics
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import Any

import faust
import msgspec

from streams import journal, rights
from streams.clock import WallClock
from streams.engine import SESSION_S, App, Runner, leave, make_app
from streams.errors import GapError, LossError, MonitorError, NoTopic
from streams.flagged import Flagged
from streams.http import HttpServer, Readiness
from streams.log_reader import read_back, read_compacted, read_log
from streams.metrics import Metrics, Role
from streams.records import CANARY, UNKNOWN, Partial
from streams.rights import Rights
from streams.rules import RuleBook
from streams.settings import Settings
from streams.shown import Shown
from streams.topic_facts import TopicFacts
from streams.topics import INCIDENTS, PARTIALS, WINDOWS
from streams.window import Closing, Windows

log = logging.getLogger("streams.windows")

_decoder = msgspec.json.Decoder(Partial)
LOOK_EVERY_S, LOOKS = 5.0, 2
"""How often the topics are looked at, and in how many looks in a row one must be missing to be gone."""
LOOKS_OUTSIDE = 24
"""In so many looks in a row that Kafka answered, the consumer must be out of its group to be out for good. To
join takes 20 s at most, and 10 s more for members that are gone."""
ENOUGH_S = 3600 + 60
"""Bucket time that a restart reads back: an hour of failed recipients, and some."""


class WindowsStage:
    """The station with its ends: journal writes are acknowledged before anything is committed."""

    def __init__(self, settings: Settings, app: App, shown: Shown) -> None:
        self._settings = settings
        self._app = app
        self._shown = shown
        self._clock = WallClock(settings.clock)
        self._topic = app.topic(settings.topic(WINDOWS), value_serializer="raw", key_serializer="raw")
        self._windows = self._fresh()
        self._committable = 0
        self._expect_from: int | None = None
        self._read_from: int | None = 0
        self.attempt = ""

    def _fresh(self) -> Windows:
        return Windows(
            lateness_ms=int(self._settings.windows.allowed_lateness_s * 1000),
            accept_loss=lambda lost: self._settings.windows.on_loss == "accept",
        )

    @property
    def low_water(self) -> int:
        return self._committable

    async def restore(self) -> None:
        """Reads the journal back to its newest complete record and an hour before it."""
        started = time.monotonic()
        self._windows, self.attempt = self._fresh(), uuid.uuid4().hex[:12]
        self._committable = 0
        buckets = await read_back(self._settings, WINDOWS, ENOUGH_S)
        for complete in buckets:
            self._windows.remember(complete.record, complete.cells)
        self._shown.restart(self._windows, buckets)
        self._expect_from = buckets[-1].record.low_water if buckets else None
        self._read_from = self._expect_from or 0
        took = time.monotonic() - started
        log.info("restored from %d buckets in %.1f s, through %d", len(buckets), took, self._windows.through)

    async def apply(self, offset: int, value: bytes) -> None:
        """The first record after a restore may lie beyond what is needed: a rebalance can swallow
        what was delivered before it was through. What lies between is read from the log itself."""
        if self._read_from is not None:
            start, self._read_from = self._read_from, None
            missed = await read_log(self._settings, PARTIALS, start, offset) if start < offset else []
            for before, _, what in missed:
                await self._take(before, what)
        await self._take(offset, value)

    async def _take(self, offset: int, value: bytes) -> None:
        if self._expect_from is not None:
            # Beyond `through` nothing is open, and the offset may be a transaction's marker.
            if offset > self._expect_from <= self._windows.through:
                raise GapError(
                    f"the log of partials starts at offset {offset}, open buckets need it from "
                    f"{self._expect_from}: its retention is too short, or it was read past"
                )
            self._expect_from = None
        partial = _decoder.decode(value)
        if offset <= self._windows.through:
            self._windows.rebuild(offset, partial)
            return
        try:
            closings = self._windows.apply(offset, partial)
        except LossError as e:
            raise LossError(
                f"partial {offset}: {e}. If the records are really gone, set windows.on_loss = 'accept'"
            ) from None
        self._shown.partial(partial, self._windows)
        for closing in closings:
            await self._write(closing)
        if closings:
            self._shown.refresh()
        self._committable = self._windows.low_water

    async def _write(self, closing: Closing) -> None:
        key = str(closing.bucket_s).encode()
        sent = [await self._topic.send(key=key, value=part) for part in journal.parts(closing, self.attempt)]
        await asyncio.gather(*sent)
        self._shown.closed(closing)


def run_windows(settings: Settings) -> None:
    """Runs the worker until SIGTERM; exits the process."""
    book = RuleBook.of(settings.rules, settings.sources, settings.code_tables)
    metrics = Metrics(Role.WINDOWS, source=[*(s.name for s in settings.sources), UNKNOWN, CANARY])
    readiness = Readiness("kafka", "partitions", "restored")
    app = make_app(settings, settings.windows.group, settings.windows.instance)
    shown = Shown(metrics, book, WallClock(settings.clock), settings.metrics.max_series)
    shown.flagged = flagged = Flagged()
    stage = WindowsStage(settings, app, shown)
    runner = Runner(app, stage, readiness, markers=1)
    metrics.provide_lag(lambda: runner.lag)

    async def revoked() -> None:
        shown.stand_by()

    runner.on_revoked = revoked

    @app.agent(app.topic(settings.topic(PARTIALS), value_serializer="raw", key_serializer="raw"))
    async def windows(stream: Any) -> None:
        await runner.drive(stream)

    async def watch_incidents() -> None:
        await flagged.watch(lambda: read_compacted(settings, INCIDENTS), lambda: shown.limited)

    app.task(watch_incidents)

    with HttpServer(metrics, readiness, settings.http.host, settings.http.windows_port):
        wait_for_kafka(settings, rights.of_windows(settings), readiness, app)
        start_worker(app)


def start_worker(app: App) -> None:
    """Runs the Faust worker in this thread; SIGTERM ends it in order."""
    worker = faust.Worker(app, loglevel=None, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()


def wait_for_kafka(settings: Settings, rights: Rights, readiness: Readiness, app: App) -> None:
    """Asks until the topics are there and may be used, with backoff; says where and why it waits. From
    then on `app` watches that they stay."""
    facts = TopicFacts(settings, rights.topics, rights)
    facts.wait_until_reached(readiness, lambda: False)
    if facts.missed:
        # A static member that is back within its session gets the share that it had, which without the topic
        # was none: it would stand by for ever.
        time.sleep(SESSION_S + 1)

    async def watch() -> None:
        await watch_kafka(facts, app)

    app.task(watch)


async def watch_kafka(facts: TopicFacts, app: App) -> None:
    """Ends the process when a topic is gone or was made anew, or its consumer stays out of its group. Kafka's
    clients say nothing then, or wait for ever, also after it is back: a process that starts says what is
    missing, joins, and reads from the beginning."""
    missed = outside = 0
    while missed < LOOKS and outside < LOOKS_OUTSIDE:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await asyncio.to_thread(facts.look_again)
            missed, outside = 0, 0 if app.in_group else outside + 1
        except NoTopic as e:
            missed = LOOKS if e.anew else missed + 1
            log.critical("%s", e)
        except MonitorError as e:  # Kafka is away, or has taken a right: others say so
            log.debug("looking at the topics: %s", e)
    if outside >= LOOKS_OUTSIDE:
        log.critical("out of its group for %.0f s; starting anew", outside * LOOK_EVERY_S)
    leave()
