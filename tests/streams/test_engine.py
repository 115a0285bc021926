"""When a stage restores itself, and that nobody acts for a log that was taken away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams import engine
from streams.engine import Runner, _CommittedThread
from streams.http import Readiness
from streams.settings import Settings

TP = ("partials", 0)


class Signal:
    """One of Faust's: calls who is connected."""

    def connect(self, handler: Callable[..., Awaitable[None]]) -> None:
        self.send = handler


class App:
    """What the runner needs of the app."""

    def __init__(self) -> None:
        self.on_partitions_assigned, self.on_partitions_revoked = Signal(), Signal()
        self.futures: list[asyncio.Future[None]] = []
        self.ends = {TP: 9}
        self.consumer = SimpleNamespace(assignment=lambda: set(self.ends), highwater=self.ends.get)

    def add_future(self, coroutine: Any) -> None:
        self.futures.append(asyncio.ensure_future(coroutine))


class Stage:
    """Notes what is asked of it; a restore takes as long as `slow` is held."""

    low_water = 0

    def __init__(self) -> None:
        self.did: list[str] = []
        self.slow = asyncio.Event()
        self.slow.set()

    async def restore(self) -> None:
        await self.slow.wait()
        self.did.append("restore")

    async def apply(self, offset: int, value: bytes) -> None:
        self.did.append(f"apply {offset}")


class Log:
    """A stream that ends after its events."""

    def __init__(self, *offsets: int) -> None:
        self._offsets = offsets

    def noack(self) -> Log:
        return self

    async def events(self) -> Any:
        for offset in self._offsets:
            yield SimpleNamespace(message=SimpleNamespace(offset=offset, value=b"x", tp=TP))


def runner(at_once: bool) -> tuple[Runner, App, Stage]:
    app, stage = App(), Stage()
    return Runner(app, stage, Readiness("partitions", "restored"), at_once=at_once), app, stage  # type: ignore[arg-type]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_stage_restores_once_before_its_first_record(at_once: bool) -> None:
    run, app, stage = runner(at_once)
    await app.on_partitions_assigned.send(app, {"windows-0"})
    await asyncio.gather(*app.futures)
    assert stage.did == (["restore"] if at_once else [])
    await run.drive(Log(4, 5))
    assert stage.did == ["restore", "apply 4", "apply 5"]


async def test_a_record_waits_until_the_stage_is_restored() -> None:
    run, app, stage = runner(True)
    stage.slow.clear()
    await app.on_partitions_assigned.send(app, {"windows-0"})
    driving = asyncio.ensure_future(run.drive(Log(4)))
    await asyncio.sleep(0.02)
    assert stage.did == []
    stage.slow.set()
    await asyncio.gather(driving, *app.futures)
    assert stage.did == ["restore", "apply 4"]


async def test_a_standby_restores_nothing() -> None:
    _, app, stage = runner(True)
    await app.on_partitions_assigned.send(app, set())
    assert app.futures == [] and stage.did == []


async def test_what_was_taken_away_while_it_restored_is_stopped_again() -> None:
    run, app, stage = runner(True)

    async def stopped() -> None:
        stage.did.append("stop")

    run.on_revoked = stopped
    stage.slow.clear()
    await app.on_partitions_assigned.send(app, {"windows-0"})
    await asyncio.sleep(0.02)
    await app.on_partitions_revoked.send(app, {"windows-0"})
    stage.slow.set()
    await asyncio.gather(*app.futures)
    assert stage.did == ["stop", "restore", "stop"]


async def test_the_lag_is_what_lies_behind_the_record_applied_last() -> None:
    app, stage = App(), Stage()
    run = Runner(app, stage, Readiness(), markers=1)  # type: ignore[arg-type]
    await app.on_partitions_assigned.send(app, {"windows-0"})
    assert run.lag is None
    await run.drive(Log(4))
    assert run.lag == 3, "5 to 7; 8 ends the transaction"
    await run.drive(Log(5, 7))
    assert run.lag == 0
    await app.on_partitions_revoked.send(app, {"windows-0"})
    assert run.lag is None


async def test_a_log_that_was_taken_away_while_a_record_was_applied_has_no_lag() -> None:
    run, app, _ = runner(False)
    app.ends.clear()
    await run.drive(Log(4))
    assert run.lag is None


@pytest.mark.parametrize("early", [False, True])
async def test_an_error_that_puts_the_consumer_out_of_its_group_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    """SyncGroup was answered with GroupLoadInProgressError, and the owner of the incidents stood still."""
    assert callable(GroupCoordinator._push_error_to_user), "aiokafka has another way now"
    error, left = RuntimeError("GroupLoadInProgressError()"), list[bool]()
    coordinator = SimpleNamespace(_push_error_to_user=None, _pending_exception=error if early else None)

    async def started(self: Any) -> None:
        self._consumer = SimpleNamespace(_coordinator=coordinator)

    monkeypatch.setattr(AIOKafkaConsumerThread, "on_start", started)
    monkeypatch.setattr(engine, "leave", lambda: left.append(True))
    thread = object.__new__(_CommittedThread)
    await thread.on_start()
    assert left == [True] * early
    coordinator._push_error_to_user(error)
    assert left[-1:] == [True]


def app_of(coordinator: Any) -> engine.App:
    app = object.__new__(engine.App)
    consumer = None if coordinator is None else SimpleNamespace(_coordinator=coordinator)
    app._consumer = SimpleNamespace(_thread=SimpleNamespace(_consumer=consumer))  # type: ignore[assignment]
    return app


async def test_who_is_in_its_group_has_joined_it_and_its_heart_beats() -> None:
    beating: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stopped.set_result(None)
    assert not app_of(None).in_group, "it has not begun"
    for generation, beats, inside in [
        (-1, None, False),
        (-1, beating, False),
        (4, None, False),
        (4, stopped, False),
        (4, beating, True),
    ]:
        assert app_of(SimpleNamespace(generation=generation, _heartbeat_task=beats)).in_group == inside


def test_a_standby_may_be_idle_for_years() -> None:
    app = engine.make_app(Settings(), "windows", "windows-a")
    assert app.conf.broker_max_poll_interval > 365 * 86400
