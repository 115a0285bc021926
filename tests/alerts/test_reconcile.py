"""The reconciler against the receiver over real HTTP, in all its moods."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio

from alerts.demo.receiver import Receiver
from alerts.desk import Desk, Remote
from alerts.notify.budget import Budget, LocalBudget
from alerts.notify.pagerduty import PagerDuty
from alerts.reconcile import Reconciler
from alerts.records import Delivery, Page, Severity
from alerts.settings import PagerDuty as PagerDutySettings
from alerts.settings import key_id
from streams.errors import Fenced, Unreachable
from streams.metrics import Metrics, Role
from streams.settings import Secret

KEY = Secret("0123456789abcdef0123456789abcdef")


class NoJitter(random.Random):
    """Retries at once, so that no test waits."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


class FullJitter(random.Random):
    """Retries as late as it may, so that a test can act in between."""

    def uniform(self, a: float, b: float) -> float:
        return b


def now_ms() -> int:
    return int(time.time() * 1000)


def page(action: str, seq: int, key: str = "ch:a", severity: Severity = Severity.WARNING) -> Page:
    return Page(key, "ch:a", action, seq, severity, f"{key} {seq}", "310-260", 1_700_000_000_000)


async def until(condition: Callable[[], bool]) -> None:
    """Yields to the loop until it holds; the test's own time limit ends what never does."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


class Recorder:
    """Stands for the incidents topic: keeps what it is given, fails as often as it is told."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.failures: list[Exception] = []

    async def __call__(self, delivery: Delivery) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.deliveries.append(delivery)

    @property
    def told(self) -> list[tuple[str, str, int]]:
        return [(d.action, d.dedup_key, d.seq) for d in self.deliveries]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@asynccontextmanager
async def running(
    receiver: Receiver,
    record: Recorder,
    metrics: Metrics | None = None,
    budget: Budget | None = None,
    timeout_s: float = 5.0,
    rng: random.Random | None = None,
) -> AsyncIterator[Reconciler]:
    settings = PagerDutySettings(base_url=receiver.url, routing_key=KEY)
    async with PagerDuty(settings, timeout_s=timeout_s) as pager:
        desk = Desk("pagerduty", key_id(KEY), rng or NoJitter())
        reconciler = Reconciler(desk, pager, record, budget or LocalBudget(), now_ms, metrics)
        task = asyncio.create_task(reconciler.run())
        try:
            yield reconciler
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Fenced):
                await task


async def test_an_incident_pages_once_and_resolves(receiver: Receiver) -> None:
    record = Recorder()
    async with running(receiver, record) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: len(record.deliveries) == 1)
        reconciler.want([page("trigger", 2)])
        reconciler.want([page("resolve", 3)])
        await until(lambda: len(record.deliveries) == 2)
    assert record.told == [("trigger", "ch:a", 1), ("resolve", "ch:a", 3)]
    assert [e.effect for e in receiver.log] == ["opened", "resolved"]
    assert record.deliveries[0].routing_key_id == key_id(KEY)


async def test_an_escalation_pages_again_and_then_resolves_the_warning(receiver: Receiver) -> None:
    record = Recorder()
    critical = page("trigger", 2, "ch:a:critical", Severity.CRITICAL)
    async with running(receiver, record) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: len(record.deliveries) == 1)
        reconciler.want([page("resolve", 2), critical])
        await until(lambda: len(record.deliveries) == 3)
    assert record.told[1:] == [("trigger", "ch:a:critical", 2), ("resolve", "ch:a", 2)]
    assert len(receiver.notifications) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_it_asks_again_until_it_is_taken(receiver: Receiver, status: int) -> None:
    record = Recorder()
    receiver.refuse(status, times=5)
    async with running(receiver, record) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: len(record.deliveries) == 1)
    assert [e.status for e in receiver.log] == [status] * 5 + [202]
    assert len(receiver.notifications) == 1


async def test_it_waits_as_long_as_it_is_told_to(receiver: Receiver) -> None:
    record = Recorder()
    receiver.throttle(0.2, times=1)
    async with running(receiver, record) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: len(record.deliveries) == 1)
    first, second = (entry.at_ms for entry in receiver.log)
    assert second - first >= 195


async def test_a_hanging_pager_is_asked_again_and_nobody_is_woken_twice(receiver: Receiver) -> None:
    record = Recorder()
    receiver.stall(times=1)
    async with running(receiver, record, timeout_s=0.1) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: len(record.deliveries) == 1)
    assert len(receiver.notifications) == 1


async def test_a_page_taken_without_an_answer_is_resolved(receiver: Receiver) -> None:
    record = Recorder()
    receiver.reset_after_accept(times=1)
    async with running(receiver, record, rng=FullJitter()) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: reconciler.desk.rows["ch:a"].remote is Remote.DOUBT)
        reconciler.want([page("resolve", 2)])
        await until(lambda: len(record.deliveries) == 1)
    assert record.told == [("resolve", "ch:a", 2)]
    assert (receiver.open, len(receiver.notifications)) == ({}, 1)


async def test_what_ended_during_an_outage_is_never_sent(receiver: Receiver) -> None:
    record = Recorder()
    receiver.refuse(503)
    async with running(receiver, record, rng=FullJitter()) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: reconciler.desk.rows["ch:a"].attempts == 1)
        reconciler.want([page("resolve", 2)])
        receiver.accept()
        reconciler.want([page("trigger", 3, "ch:b")])
        await until(lambda: len(record.deliveries) == 1)
    assert record.told == [("trigger", "ch:b", 3)]


async def test_a_page_refused_for_good_is_sent_once_more_without_details(receiver: Receiver) -> None:
    record, metrics = Recorder(), Metrics(Role.ALERTS)
    receiver.refuse(400)
    async with running(receiver, record, metrics) as reconciler:
        reconciler.want([page("trigger", 1)])
        await until(lambda: bool(reconciler.desk.dead_letters()))
        reconciler.want([page("trigger", 1, "ch:b")])
        await until(lambda: len(reconciler.desk.dead_letters()) == 2)
    assert [e.event["dedup_key"] for e in receiver.log] == ["ch:a", "ch:a", "ch:b", "ch:b"]
    name, labels = "carrier_health_pager_attempts_total", {"route": "pagerduty", "result": "refused"}
    assert metrics.registry.get_sample_value(name, labels) == 4


class NotedBudget(LocalBudget):
    """Notes when attempts were granted: when they arrive is up to the machine."""

    def __init__(self, limit: int, window_ms: int) -> None:
        super().__init__(limit, window_ms)
        self.granted_ms: list[int] = []

    async def take(self, now_ms: int) -> int:
        wait_ms = await super().take(now_ms)
        if wait_ms == 0:
            self.granted_ms.append(now_ms)
        return wait_ms


async def test_the_budget_is_kept_while_a_backlog_drains(receiver: Receiver) -> None:
    record = Recorder()
    budget = NotedBudget(limit=5, window_ms=150)
    async with running(receiver, record, budget=budget) as reconciler:
        reconciler.want([page("trigger", 1, f"ch:{i}") for i in range(12)])
        await until(lambda: len(record.deliveries) == 12)
    times = budget.granted_ms
    assert len(times) == len(receiver.log) == 12
    assert times[5] - times[0] >= 150 and times[10] - times[5] >= 150


async def test_a_delivery_is_recorded_in_the_end_while_others_go_out(receiver: Receiver) -> None:
    record = Recorder()
    record.failures = [Unreachable("Kafka", "127.0.0.1:9092", "produce")]
    async with running(receiver, record) as reconciler:
        reconciler.want([page("trigger", 1, "ch:a"), page("trigger", 1, "ch:b")])
        await until(lambda: reconciler.unrecorded == 2)
        await until(lambda: reconciler.unrecorded == 0)
    assert record.told == [("trigger", "ch:a", 1), ("trigger", "ch:b", 1)]
    assert len(receiver.log) == 2


async def test_another_owner_ends_it(receiver: Receiver) -> None:
    record = Recorder()
    record.failures = [Fenced("another instance owns the incidents")]
    settings = PagerDutySettings(base_url=receiver.url, routing_key=KEY)
    async with PagerDuty(settings) as pager:
        reconciler = Reconciler(Desk("pagerduty"), pager, record, LocalBudget(), now_ms)
        reconciler.want([page("trigger", 1)])
        with pytest.raises(Fenced):
            await asyncio.wait_for(reconciler.run(), 10)


async def test_the_metrics_tell_how_long_a_page_has_been_waiting(receiver: Receiver) -> None:
    metrics = Metrics(Role.ALERTS)
    clock = [1_000_000]
    receiver.throttle(60)
    settings = PagerDutySettings(base_url=receiver.url, routing_key=KEY)

    def value(name: str, **labels: str) -> float | None:
        found: float | None = metrics.registry.get_sample_value(
            f"carrier_health_pager_{name}", {"route": "pagerduty", **labels}
        )
        return found

    async with PagerDuty(settings) as pager:
        desk = Desk("pagerduty", rng=NoJitter())
        reconciler = Reconciler(desk, pager, Recorder(), LocalBudget(), lambda: clock[0], metrics)
        assert (value("info"), value("queue_length"), value("oldest_unsent_seconds")) == (1, 0, 0)
        assert value("attempts_total", result="in_doubt") == 0
        task = asyncio.create_task(reconciler.run())
        reconciler.want([page("trigger", 1)])
        await until(lambda: value("attempts_total", result="retry") == 1)
        clock[0] += 42_000
        assert (value("queue_length"), value("oldest_unsent_seconds")) == (1, 42)
        task.cancel()


async def test_a_page_that_is_overtaken_while_the_budget_is_asked_is_not_sent(
    receiver: Receiver,
) -> None:
    """The last look is right before the POST."""
    record = Recorder()
    reconcilers: list[Reconciler] = []

    class Overtaking(LocalBudget):
        async def take(self, now: int) -> int:
            reconcilers[0].want([page("resolve", 2)])
            return await super().take(now)

    async with running(receiver, record, budget=Overtaking()) as reconciler:
        reconcilers.append(reconciler)
        reconciler.want([page("trigger", 1)])
        await until(lambda: reconciler.desk.rows["ch:a"].desired.seq == 2)
        reconciler.want([page("trigger", 1, "ch:b")])
        await until(lambda: len(record.deliveries) == 1)
    assert record.told == [("trigger", "ch:b", 1)]
