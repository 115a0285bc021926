"""Every route through the reconciler, over real HTTP, while its receiver has a fault at the page and at the
resolve: what it has taken in the end is the final state. The clock jumps to whatever is due next."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import pytest

from alerts.desk import Desk, Habits
from alerts.notify.alertmanager import REPEAT_MS, REPEAT_RESOLVED_MS
from alerts.notify.budget import LocalBudget
from alerts.notify.client import iso
from alerts.reconcile import Reconciler
from alerts.records import Delivery, Page
from alerts.routes import ANY_NUMBER, UPDATE_MS
from alerts.settings import key_id
from streams.settings import Secret
from tests.alerts.notify.server import Behave, Request, Server, answers, hangs, resets
from tests.alerts.notify.test_pager_contract import KEY, KINDS, NOW_MS, PAGE

HOUR_MS = 3_600_000


class Fault(NamedTuple):
    """How the next requests are met: `times` of them, or all of an hour."""

    behave: Behave
    times: int = 1
    for_ms: int = 0
    taken: bool = False
    """Whether the receiver has taken what it did not answer."""


FAULTS = {
    "429 with Retry-After": Fault(answers(429, "slow down", Retry_After="30")),
    "500": Fault(answers(500), times=2),
    "hang": Fault(hangs),
    "reset, not taken": Fault(resets),
    "reset, taken": Fault(resets, taken=True),
    "one hour down": Fault(answers(503), times=0, for_ms=HOUR_MS),
}


def event(request: Request) -> str:
    return "tell" if "change" in request.path else str(request.json["event_action"])


def webhook(request: Request) -> str:
    return str(request.json["action"])


def alert(request: Request) -> str:
    return "trigger" if request.json[0]["endsAt"] > iso(NOW_MS) else "resolve"


def message(request: Request) -> str:
    return "resolve" if request.json["text"].startswith("*Resolved*") else "trigger"


class Told(NamedTuple):
    """How a route is told (alerts/routes.py), and what a request of it says."""

    habits: Habits
    action: Callable[[Request], str]
    updates: bool = False
    repeats: bool = False


ROUTES = {
    "pagerduty": Told(Habits(tells_missed=True), event),
    "alertmanager": Told(
        Habits(repeat_ms=REPEAT_MS, repeat_resolved_ms=REPEAT_RESOLVED_MS), alert, repeats=True
    ),
    "slack": Told(Habits(update_ms=UPDATE_MS), message, updates=True),
    "slack hook": Told(Habits(), message),
    "webhook": Told(Habits(update_ms=UPDATE_MS), webhook, updates=True),
}


class FullJitter(random.Random):
    """Retries as late as it may, so that an hour is not a thousand tries."""

    def uniform(self, a: float, b: float) -> float:
        return b


@dataclass
class Scene:
    """One route, its receiver and a clock of their own."""

    name: str
    server: Server
    now_ms: int = NOW_MS
    taken: list[Request] = field(default_factory=list)
    recorded: list[Delivery] = field(default_factory=list)
    _fault: Fault | None = None
    _left: int = 0
    _until_ms: int = 0

    def meet(self, fault: Fault) -> None:
        self._fault, self._left, self._until_ms = fault, fault.times, self.now_ms + fault.for_ms

    async def behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        fault = self._fault if self._left > 0 or self.now_ms < self._until_ms else None
        self._left -= 1
        if fault is None or fault.taken:
            self.taken.append(request)
        await (fault.behave if fault else KINDS[self.name].accepts)(request, writer)

    async def record(self, delivery: Delivery) -> None:
        self.recorded.append(delivery)

    @property
    def actions(self) -> list[str]:
        return [ROUTES[self.name].action(request) for request in self.taken]

    async def until(self, reconciler: Reconciler, holds: Callable[[], bool]) -> None:
        await self._drive(reconciler, holds, self.now_ms + 10 * HOUR_MS)

    async def for_ms(self, reconciler: Reconciler, span_ms: int) -> None:
        end_ms = self.now_ms + span_ms
        await self._drive(reconciler, lambda: self.now_ms >= end_ms, end_ms)

    async def _drive(self, reconciler: Reconciler, holds: Callable[[], bool], end_ms: int) -> None:
        async with asyncio.timeout(30):
            while not holds():
                due_ms = reconciler.desk.next_due_ms()
                if due_ms is None or due_ms > self.now_ms:
                    self.now_ms = min(due_ms or end_ms, end_ms)
                reconciler.want([])
                await asyncio.sleep(0.001)


@asynccontextmanager
async def scene_of(name: str) -> AsyncIterator[tuple[Scene, Reconciler]]:
    async with Server() as server:
        scene = Scene(name, server)
        server.behave = scene.behave
        pager = KINDS[name].make(server.url)
        desk = Desk(name, key_id(Secret(KEY)), FullJitter(), ROUTES[name].habits)
        budget = LocalBudget(ANY_NUMBER)
        reconciler = Reconciler(desk, pager, scene.record, budget, lambda: scene.now_ms)
        task = asyncio.create_task(reconciler.run())
        try:
            yield scene, reconciler
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await pager.close()


def page(action: str, seq: int) -> Page:
    return msgspec.structs.replace(PAGE, action=action, seq=seq, summary=f"state {seq}")


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_the_last_thing_taken_is_the_final_state(name: str, fault: str) -> None:
    told, met = ROUTES[name], FAULTS[fault]
    async with scene_of(name) as (scene, reconciler):
        scene.meet(met)
        reconciler.want([page("trigger", 1)])
        await scene.until(reconciler, lambda: len(scene.recorded) == 1)
        opened = len(scene.taken)
        reconciler.want([page("trigger", 2)])
        await scene.for_ms(reconciler, UPDATE_MS + 1)
        await scene.until(reconciler, lambda: not told.updates or len(scene.taken) > opened)
        scene.meet(met)
        reconciler.want([page("resolve", 3)])
        await scene.until(reconciler, lambda: scene.recorded[-1].action == "resolve")
        await scene.for_ms(reconciler, HOUR_MS)
    actions, once = scene.actions, 1 + met.taken
    first = actions.index("resolve")
    assert set(actions[:first]) == {"trigger"}
    assert set(actions[first:]) == {"resolve"}, "nothing after the final resolve"
    if not told.repeats:
        assert actions == ["trigger"] * (once + told.updates) + ["resolve"] * once
    if name == "slack":
        posted = [r for r in scene.taken if r.path.endswith("chat.postMessage")]
        assert len(posted) == once, "post once, then update; twice after a lost answer, as Slack knows no key"


@pytest.mark.parametrize("name", ROUTES)
async def test_what_opens_and_ends_while_a_route_is_down_is_not_sent_afterwards(name: str) -> None:
    async with scene_of(name) as (scene, reconciler):
        scene.meet(FAULTS["one hour down"])
        reconciler.want([page("trigger", 1)])
        await scene.until(reconciler, lambda: reconciler.desk.rows[PAGE.dedup_key].attempts > 0)
        reconciler.want([page("resolve", 2)])
        await scene.for_ms(reconciler, 3 * HOUR_MS)
    assert scene.actions == (["tell"] if name == "pagerduty" else [])
