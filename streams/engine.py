"""The Faust engine of the stateful stations: committed reads, late acknowledgement, fail fast.

    log topic -> agent -> stage.apply(offset, value) -> acknowledge what lies below stage.low_water

A stage is a state machine over one ordered log whose output is its journal. On every assignment it
restores itself from there; then the log comes again from the committed low-water mark.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import faust
from faust.transport.drivers import aiokafka as driver

from streams import kafka_access, overdue
from streams.errors import STARTS_ANEW, MonitorError
from streams.http import Readiness
from streams.settings import Settings

log = logging.getLogger("streams.engine")

SESSION_S = 10
"""After which a group forgets a member that is silent."""

IDLE_S = 10 * 365 * 86400
"""For so long a standby may fetch nothing. After that aiokafka takes it out of its group, and does not let it
join again while it fetches nothing, which is until it owns the log. By Faust's default of 1,000 s, who had
stood by for 17 min could not take over any more, and did not say so."""

COMPRESSION = "zstd"
"""Of what the stages write. Smaller than gzip, which aiokafka packs at its slowest level, for a thirtieth
of the CPU: a third of what the windows role took for sparse traffic was gzip."""


class Stage(Protocol):
    """What an agent drives. Offsets are those of the log topic."""

    async def restore(self) -> None:
        """Reads the journal back; called before the first record of every assignment."""

    async def apply(self, offset: int, value: bytes) -> None:
        """Takes the next record; returns once its output has been acknowledged by Kafka."""

    @property
    def low_water(self) -> int:
        """Every offset below this may be committed."""
        ...


class _CommittedThread(driver.AIOKafkaConsumerThread):
    """Faust reads uncommitted records unless told so; what an aborted ingest wrote must not count."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """aiokafka holds an error of the group until somebody asks it for records or positions, and Faust has
        ways of its own for most of that: the consumer would be out of the group, and say nothing, for minutes
        or for ever."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        coordinator._push_error_to_user = _give_up
        if coordinator._pending_exception is not None:  # it was faster
            _give_up(coordinator._pending_exception)


def _give_up(error: BaseException) -> None:
    log.critical("the consumer is out of its group: %s; starting anew", error)
    leave()


class _CommittedConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> Any:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class _CommittedTransport(driver.Transport):
    Consumer = _CommittedConsumer


class App(faust.App):
    """A Faust app whose consumer sees committed records only."""

    @property
    def in_group(self) -> bool:
        """Whether its consumer has joined its group, and its heartbeats go on."""
        consumer = cast(Any, self.consumer)._thread._consumer
        if consumer is None:
            return False
        beats = consumer._coordinator._heartbeat_task
        return consumer._coordinator.generation > 0 and beats is not None and not beats.done()

    def _new_transport(self) -> Any:
        return _CommittedTransport(self.conf.broker_consumer, self, loop=self.loop)


def make_app(settings: Settings, group: str, instance: str) -> App:
    """Group sessions of 10 s, static membership: a restart takes 4 s, a take-over about 12."""
    return App(
        group,
        **kafka_access.faust(settings),
        env_prefix="CARRIER_HEALTH_FAUST_",
        consumer_group_instance_id=instance,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=2,
        broker_rebalance_timeout=20,
        broker_max_poll_interval=IDLE_S,
        broker_commit_interval=0.5,
        producer_acks=-1,
        producer_linger=0.0,
        producer_max_request_size=12 * 1024 * 1024,
        producer_compression_type=COMPRESSION,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        datadir=str(Path(tempfile.gettempdir()) / f"carrier-health-{group}-{instance}"),  # stays empty
        autodiscover=False,
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        worker_redirect_stdouts=False,
    )


class Runner:
    """Drives one stage from one agent. Any unexpected error ends the process with exit code 3."""

    def __init__(
        self, app: App, stage: Stage, readiness: Readiness, *, at_once: bool = False, markers: int = 0
    ) -> None:
        """`at_once`: restores on assignment, not with the first record. Where the log has gone silent
        there is none, and what is known must be shown and delivered all the same. `markers`: records of
        Kafka's own behind the last one of the log, which end its transaction."""
        self._app = app
        self._stage = stage
        self._ready = readiness
        self._restore_due, self._at_once, self._markers = True, at_once, markers
        self.lag: int | None = None
        """Records of the log behind the one applied last, as far as Kafka has told; None of a standby."""
        self._turn = asyncio.Lock()
        self._held: deque[tuple[int, Any]] = deque()
        self.on_revoked: Callable[[], Awaitable[None]] | None = None
        """Awaited when the log is taken away: what acts on the outside must stop."""
        app.on_partitions_assigned.connect(cast(Any, self._assigned))
        app.on_partitions_revoked.connect(cast(Any, self._revoked))
        readiness.set("partitions", False, "no partition is assigned yet")

    async def _assigned(self, app: Any, assigned: Any, **_: Any) -> None:
        self._restore_due = True
        if assigned:
            self._ready.set("partitions", True)
            if self._at_once:
                self._app.add_future(self._begin())
        else:
            self._ready.set("partitions", False, "stands by: another instance owns the log")

    async def _revoked(self, app: Any, revoked: Any, **_: Any) -> None:
        self._restore_due, self.lag = True, None
        self._ready.set("partitions", False, "a rebalance is under way")
        if self.on_revoked is not None:
            await self.on_revoked()

    async def drive(self, stream: Any) -> None:
        """The agent's body: every record once, in order, acknowledged when no restart needs it."""
        with _or_leave():
            async for event in stream.noack().events():
                async with self._turn:
                    await self._one(event)

    async def _begin(self) -> None:
        with _or_leave():
            async with self._turn:
                await self._restore()

    async def _restore(self) -> None:
        if not self._restore_due:
            return
        self._restore_due = False
        self._held.clear()
        await self._stage.restore()
        self._ready.set("restored", True)
        if self._restore_due and self.on_revoked is not None:
            await self.on_revoked()  # taken away meanwhile: what has just begun must stop again

    async def _one(self, event: Any) -> None:
        message = event.message
        await self._restore()
        value, message.value = message.value, None
        await self._stage.apply(message.offset, value)
        self._see_lag(message)
        self._held.append((message.offset, message))
        low_water = self._stage.low_water
        while self._held and self._held[0][0] < low_water:
            self._app.consumer.ack(self._held.popleft()[1])

    def _see_lag(self, message: Any) -> None:
        consumer = self._app.consumer
        if message.tp in consumer.assignment():  # else it was taken away meanwhile
            end = consumer.highwater(message.tp)
            self.lag = max(0, (end or 0) - message.offset - 1 - self._markers)


@contextmanager
def _or_leave() -> Iterator[None]:
    """Any unexpected error in the block ends the process."""
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as e:
        log.critical("%s: %s; starting anew", type(e).__name__, e, exc_info=not _expected(e))
        leave()


def _expected(e: BaseException) -> bool:
    return isinstance(e, MonitorError)


def leave() -> None:
    """Ends the process at once: what is not in the journal did not happen."""
    overdue.leave(STARTS_ANEW)
