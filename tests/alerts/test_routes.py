"""Several ways at once over one station: each is told its own, and none holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest
import pytest_asyncio

from alerts.audience import frozen, wanted
from alerts.demo.receiver import Receiver
from alerts.records import Delivery, Incident, Page, Severity, State
from alerts.routes import Routes, paging_route, routes_of
from alerts.settings import Settings, Team, load
from alerts.store import RedisStore
from streams.metrics import Metrics, Role
from streams.settings import Redis, Secret
from tests.alerts.incidents import OPENED_S, incident
from tests.alerts.notify.server import Server, answers, hangs

KEY, TEAM_KEY, OLD_KEY = ("0123456789abcdef" * 2, "a" * 32, "b" * 32)
PD, HOOK = "pagerduty", "webhook"
NOW_MS = (OPENED_S + 10) * 1000


def settings(**values: str) -> Settings:
    return load(None, {f"CARRIER_HEALTH_{name}": value for name, value in values.items()})


@dataclass
class Incidents:
    """Stands for the station: known incidents, with what was delivered written into them."""

    settings: Settings
    known: dict[str, Incident] = field(default_factory=dict)
    recorded: list[Delivery] = field(default_factory=list)

    def change(self, *changed: Incident) -> tuple[Page, ...]:
        decided = frozen(changed, self.known, self.settings.teams, self.settings.alerting.storm_opens)
        self.known |= {i.key: i for i in decided}
        return tuple(page for i in decided for page in self.pages_of(i))

    def pages_of(self, one: Incident) -> tuple[Page, ...]:
        return wanted(one, self.known.values(), lambda _: (), str)

    async def record(self, delivery: Delivery) -> None:
        self.recorded.append(delivery)
        holder = self.known.get(delivery.dedup_key)
        if holder is not None:
            told = (*holder.deliveries, delivery)
            self.known[holder.key] = msgspec.structs.replace(holder, deliveries=told)

    def told(self, route: str) -> list[tuple[str, str]]:
        return [(d.action, d.dedup_key) for d in self.recorded if d.route == route]


@pytest_asyncio.fixture
async def pagerduty() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest_asyncio.fixture
async def inbox() -> AsyncIterator[Server]:
    async with Server(behave=answers(200)) as running:
        yield running


@asynccontextmanager
async def running(incidents: Incidents) -> AsyncIterator[Routes]:
    store = RedisStore(
        Redis(url="redis://127.0.0.1:1/0"), lambda: NOW_MS
    )  # nobody there: paging goes on without
    failed: list[asyncio.Task[None]] = []
    routes = Routes(incidents.settings, store, Metrics(Role.ALERTS), failed.append)
    routes.station = incidents  # type: ignore[assignment]
    await routes.begin(list(incidents.known.values()), NOW_MS)
    yield routes
    await routes.end()
    await store.close()
    assert [task for task in failed if not task.cancelled()] == []


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def both(pagerduty: Receiver, inbox: Server, **more: str) -> Settings:
    return settings(
        **{
            "PAGERDUTY__BASE_URL": pagerduty.url,
            "PAGERDUTY__ROUTING_KEY": KEY,
            "WEBHOOK__URL": inbox.url,
            "WEBHOOK__SECRET": "0123456789abcdef",
            **more,
        }
    )


def critical(one: Incident) -> Incident:
    return msgspec.structs.replace(
        one, seq=2, severity=Severity.CRITICAL, was_critical=True, critical_key_used=True
    )


def over(one: Incident) -> Incident:
    return msgspec.structs.replace(one, seq=9, state=State.RESOLVED, resolved_bucket_s=one.opened_bucket_s)


async def test_each_route_is_told_in_its_own_way(pagerduty: Receiver, inbox: Server) -> None:
    incidents, one = Incidents(both(pagerduty, inbox)), incident()
    async with running(incidents) as routes:
        for changed in (one, critical(one), over(critical(one))):
            routes.want(incidents.change(changed))
            seq = changed.seq
            await until(lambda s=seq: {d.route for d in incidents.recorded if d.seq == s} == {PD, HOOK})
        await until(lambda: len(incidents.told(PD)) == 4)
    key = one.key
    assert incidents.told("webhook") == [("trigger", key), ("trigger", key), ("resolve", key)]
    assert incidents.told("pagerduty") == [
        ("trigger", key),
        ("trigger", f"{key}:critical"),
        ("resolve", key),
        ("resolve", f"{key}:critical"),
    ]
    assert len(pagerduty.notifications) == 2
    assert [r.json["severity"] for r in inbox.requests] == ["warning", "critical", "critical"]


async def test_a_route_that_hangs_holds_up_no_other(pagerduty: Receiver, inbox: Server) -> None:
    inbox.behave = hangs
    incidents = Incidents(both(pagerduty, inbox))
    async with running(incidents) as routes:
        routes.want(incidents.change(incident()))
        await until(lambda: incidents.told("pagerduty") and inbox.requests)
        assert (len(inbox.requests), incidents.told("webhook")) == (1, [])


def team(**more: Secret) -> Team:
    return Team(name="ops", routing_key=Secret(TEAM_KEY), carriers=("310-260",), **more)


async def test_a_team_is_paged_by_its_own_integration_and_resolved_by_it(
    pagerduty: Receiver, inbox: Server
) -> None:
    incidents = Incidents(msgspec.structs.replace(both(pagerduty, inbox), teams=(team(),)))
    mine, other = incident(), incident("234-10")
    async with running(incidents) as routes:
        routes.want(incidents.change(mine, other))
        await until(lambda: len(pagerduty.open) == 2)
        assert set(pagerduty.open) == {(TEAM_KEY, mine.key), (KEY, other.key)}
        # A configuration that would send it elsewhere now changes nothing for what is open.
        incidents.settings = both(pagerduty, inbox)
        routes.want(incidents.change(over(mine), over(other)))
        await until(lambda: not pagerduty.open and len(incidents.told("pagerduty:ops")) == 2)
    assert incidents.told("pagerduty:ops") == [("trigger", mine.key), ("resolve", mine.key)]
    assert [e.effect for e in pagerduty.log].count("dropped") == 0


async def test_a_rotated_key_resolves_what_it_had_opened(pagerduty: Receiver, inbox: Server) -> None:
    before = Incidents(both(pagerduty, inbox, PAGERDUTY__ROUTING_KEY=OLD_KEY))
    async with running(before) as routes:
        routes.want(before.change(incident()))
        await until(lambda: len(before.recorded) == 2)
    rotated = both(pagerduty, inbox, PAGERDUTY__PREVIOUS_ROUTING_KEY=OLD_KEY)
    after = Incidents(rotated, dict(before.known))
    async with running(after) as routes:
        routes.want(after.change(over(incident())))
        await until(lambda: not pagerduty.open)
    assert [e.effect for e in pagerduty.log] == ["opened", "resolved"]


async def test_a_page_whose_key_is_gone_is_named_with_what_to_do(
    pagerduty: Receiver, inbox: Server, caplog: pytest.LogCaptureFixture
) -> None:
    before = Incidents(both(pagerduty, inbox, PAGERDUTY__ROUTING_KEY=OLD_KEY))
    async with running(before) as routes:
        routes.want(before.change(incident()))
        await until(lambda: len(before.recorded) == 2)
    async with running(Incidents(both(pagerduty, inbox), dict(before.known))):
        assert "configured no more: set previous_routing_key" in caplog.text
    assert OLD_KEY not in caplog.text and KEY not in caplog.text


async def test_a_team_that_was_taken_out_leaves_its_incident_to_the_default(
    pagerduty: Receiver, inbox: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Rather two pages than nobody who knows."""
    before = Incidents(msgspec.structs.replace(both(pagerduty, inbox), teams=(team(),)))
    async with running(before) as routes:
        routes.want(before.change(incident()))
        await until(lambda: (TEAM_KEY, incident().key) in pagerduty.open and len(before.recorded) == 2)
    async with running(Incidents(both(pagerduty, inbox), dict(before.known))):
        await until(lambda: (KEY, incident().key) in pagerduty.open)
    assert "the team 'ops', which is configured no more" in caplog.text


async def test_a_storm_is_one_page_and_ends_when_all_of_it_has(pagerduty: Receiver, inbox: Server) -> None:
    incidents = Incidents(both(pagerduty, inbox))
    many = [incident(f"c{i}") for i in range(11)]
    key = f"ch:storm:{OPENED_S}"
    async with running(incidents) as routes:
        routes.want(incidents.change(*many))
        await until(lambda: incidents.told("pagerduty") and incidents.told("webhook"))
    # The next owner, with the deliveries where the station would have written them.
    holder = min(incidents.known.values(), key=lambda i: i.key)
    told = tuple(incidents.recorded)
    incidents.known[holder.key] = msgspec.structs.replace(holder, deliveries=told)
    async with running(incidents) as routes:
        routes.want(incidents.change(*map(over, many[:-1])))
        routes.want(incidents.change(over(many[-1])))
        await until(lambda: all(incidents.told(route)[-1:] == [("resolve", key)] for route in (PD, HOOK)))
    assert incidents.told("pagerduty") == [("trigger", key), ("resolve", key)]
    assert incidents.told("webhook")[-1] == ("resolve", key)
    assert (len(pagerduty.notifications), len(pagerduty.log)) == (1, 2)
    assert "11 incidents opened together" in pagerduty.log[0].event["payload"]["summary"]


async def test_a_page_that_comes_late_says_so_and_keeps_its_time(pagerduty: Receiver, inbox: Server) -> None:
    incidents = Incidents(both(pagerduty, inbox))
    async with running(incidents) as routes:  # the wall clock is years after the bucket
        routes.want(incidents.change(incident()))
        await until(lambda: pagerduty.notifications)
    payload = pagerduty.log[0].event["payload"]
    assert payload["summary"].startswith("[delayed ") and "Reachability anomaly" in payload["summary"]
    assert payload["timestamp"] == "2023-11-14T22:13:30.000+00:00"


@pytest.mark.parametrize(
    ("values", "names", "label"),
    [
        ({}, ["pagerduty"], "pagerduty"),
        ({"ALERTING__MODE": "observe", "SLACK__WEBHOOK_URL": "https://x.example"}, [], "none"),
        ({"ALERTING__ROUTE": "none"}, [], "none"),
        ({"ALERTING__ROUTE": "none", "SLACK__WEBHOOK_URL": "https://x.example"}, ["slack"], "none"),
        ({"ALERTING__ROUTE": "alertmanager"}, [], "alertmanager"),
        (
            {"ALERTING__ROUTE": "alertmanager", "ALERTMANAGER__URLS": "http://a:9093"},
            ["alertmanager-api"],
            "alertmanager-api",
        ),
    ],
)
def test_exactly_one_way_pages_and_others_are_beside_it(
    values: dict[str, str], names: list[str], label: str
) -> None:
    made = settings(**values)
    assert [route.name for route in routes_of(made)] == names
    assert paging_route(made) == label
