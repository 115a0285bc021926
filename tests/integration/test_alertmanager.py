"""The route over Alertmanager's API against a real Alertmanager with the shipped grouping.

warning --- wider --- critical --- over
chat:   one group, firing from the beginning, resolved once, at the end
pager:                woken once, resolved once
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from alerts.desk import Desk, Habits
from alerts.notify.alertmanager import GOOD_FOR_MS, Alertmanager
from alerts.notify.budget import LocalBudget
from alerts.paging import pages
from alerts.reconcile import Reconciler
from alerts.records import Decision, Delivery, Form, Incident, Severity, State
from alerts.settings import Alertmanager as AlertmanagerSettings
from tests.alerts.notify.server import Server, answers

pytestmark = pytest.mark.needs_amtool
SHIPPED = Path(__file__).parents[2] / "deploy/alertmanager/alertmanager.yaml"
HABITS = Habits(repeat_ms=300, repeat_resolved_ms=60_000)
"""As in the product, two hundred times as fast."""


def now_ms() -> int:
    return int(time.time() * 1000)


def incident(seq: int, severity: Severity, **changes: object) -> Incident:
    return Incident(
        key="ch:r:pair:310-260:US:1700000000",
        seq=seq,
        rule="r",
        scope="pair",
        carrier="310-260",
        region="US",
        state=State.OPEN,
        severity=severity,
        opened_bucket_s=1_700_000_000,
        detected_ms=now_ms() - 5_000,
        last_bucket_s=now_ms() // 10_000 * 10 - 10,
        reason=Decision.ABOVE_WARNING,
        warned=True,
        plain_key_used=True,
        **changes,  # type: ignore[arg-type]
    )


WARNING = incident(1, Severity.WARNING)
WIDER = msgspec.structs.replace(WARNING, seq=2, current_scope="global", current_carrier="all")
CRITICAL = msgspec.structs.replace(
    WIDER, seq=3, severity=Severity.CRITICAL, was_critical=True, critical_key_used=True
)
OVER = msgspec.structs.replace(CRITICAL, seq=4, state=State.RESOLVED, resolved_bucket_s=1_700_000_300)


class Member:
    """One Alertmanager. It can be stopped and started again on its data."""

    def __init__(self, folder: Path, chat: str, pager: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url, self._folder = f"http://127.0.0.1:{self.port}", folder
        folder.mkdir()
        text = SHIPPED.read_text()
        text = text.replace("http://chat.example.org", chat).replace("http://pager.example.org", pager)
        text = re.sub(r"group_wait: .*", "group_wait: 0s", text)
        text = re.sub(r"group_interval: .*", "group_interval: 1s", text)
        (folder / "alertmanager.yaml").write_text(text)

    async def start(self) -> None:
        program = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
        assert program is not None
        self._process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={self._folder / 'alertmanager.yaml'}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._ready)

    async def _ready(self) -> bool:
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        return False

    async def stop(self) -> None:
        """In order: its notification log is written down, its alerts are not."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()

    async def alerts(self) -> list[dict]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v2/alerts") as answer,
        ):
            found: list[dict] = await answer.json()
        return found


async def until(condition: Callable[[], object]) -> None:
    """Until it holds; the time limit ends what never does."""
    async with asyncio.timeout(30):
        while True:
            held = condition()
            if await held if asyncio.iscoroutine(held) else held:
                return
            await asyncio.sleep(0.05)


class Ear(Server):
    """A receiver of Alertmanager's webhooks."""

    @property
    def heard(self) -> list[tuple[str, str]]:
        """(state of the group, group) of each notification."""
        said = [json.loads(r.body) for r in self.requests]
        return [(s["status"], s["groupKey"]) for s in said]

    def firing(self) -> set[str]:
        """Severities that fire, as of the last notification."""
        if not self.requests:
            return set()
        alerts = json.loads(self.requests[-1].body)["alerts"]
        return {a["labels"]["severity"] for a in alerts if a["status"] == "firing"}


@pytest_asyncio.fixture
async def chat() -> AsyncIterator[Ear]:
    async with Ear(behave=answers(200)) as ear:
        yield ear


@pytest_asyncio.fixture
async def pager() -> AsyncIterator[Ear]:
    async with Ear(behave=answers(200)) as ear:
        yield ear


@pytest_asyncio.fixture
async def member(tmp_path: Path, chat: Ear, pager: Ear) -> AsyncIterator[Member]:
    made = Member(tmp_path / "one", chat.url, pager.url)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def route(*urls: str, records: list[Delivery]) -> AsyncIterator[Reconciler]:
    async def record(delivery: Delivery) -> None:
        records.append(delivery)

    told = Alertmanager(AlertmanagerSettings(urls=",".join(urls)), now_ms, rest_s=0.5)
    desk = Desk("alertmanager-api", rng=random.Random(1), habits=HABITS)
    reconciler = Reconciler(desk, told, record, LocalBudget(10_000), now_ms)
    task = asyncio.create_task(reconciler.run())
    try:
        yield reconciler
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await told.close()


def wanted(of: Incident) -> list:
    return list(pages(of, [("https://sms.example.org/i", "Incident")], form=Form.ALERT))


async def test_widening_and_escalation_are_no_second_incident_and_no_end(
    member: Member, chat: Ear, pager: Ear
) -> None:
    records: list[Delivery] = []
    async with route(member.url, records=records) as reconciler:
        reconciler.want(wanted(WARNING))
        await until(lambda: chat.firing() == {"warning"})
        reconciler.want(wanted(WIDER))
        await until(lambda: len(records) == 2)
        reconciler.want(wanted(CRITICAL))
        await until(lambda: chat.firing() == {"critical"} and pager.firing() == {"critical"})
        reconciler.want(wanted(OVER))
        await until(lambda: "resolved" in [s for s, _ in pager.heard] and chat.heard[-1][0] == "resolved")
        await asyncio.sleep(1.5)  # a group interval, in which a repeated resolve must tell nobody
    for ear in (chat, pager):
        assert len({group for _, group in ear.heard}) == 1
        states = [state for state, _ in ear.heard]
        assert states.count("resolved") == 1 and states[-1] == "resolved"
    assert [(d.action, d.dedup_key == CRITICAL.key, d.seq) for d in records] == [
        ("trigger", True, 1),
        ("trigger", True, 2),
        ("trigger", False, 3),
        ("resolve", True, 3),
        ("resolve", False, 4),
    ]


async def test_an_alert_runs_out_in_four_minutes_and_says_where_to_look(member: Member) -> None:
    async with route(member.url, records=[]) as reconciler:
        reconciler.want(wanted(WARNING))
        await until(member.alerts)
        (first,) = await member.alerts()
        await until(lambda: _renewed(member, first["endsAt"]))
    assert first["labels"] == {
        "alertname": "CarrierHealthIncident",
        "rule": "r",
        "scope": "pair",
        "carrier": "310-260",
        "region": "US",
        "severity": "warning",
        "incident": WARNING.key,
    }
    assert first["annotations"]["incident_url"] == "https://sms.example.org/i"
    left_s = datetime.fromisoformat(first["endsAt"]).timestamp() - time.time()
    assert GOOD_FOR_MS / 1000 - 30 < left_s <= GOOD_FOR_MS / 1000


async def _renewed(member: Member, ends_at: str) -> bool:
    return (await member.alerts())[0]["endsAt"] > ends_at


async def test_an_alertmanager_that_restarts_ends_nothing_and_loses_no_end(member: Member, chat: Ear) -> None:
    """It keeps no alerts: only what is said again is there."""
    async with route(member.url, records=[]) as reconciler:
        reconciler.want(wanted(WARNING))
        await until(lambda: chat.firing() == {"warning"})
        await member.stop()
        await member.start()
        await until(member.alerts)
        assert [state for state, _ in chat.heard] == ["firing"]
        over = msgspec.structs.replace(WARNING, seq=2, state=State.RESOLVED, resolved_bucket_s=1_700_000_300)
        reconciler.want(wanted(over))
        await until(lambda: chat.heard[-1][0] == "resolved")


async def test_every_member_has_the_alert_and_one_that_is_away_gets_it_later(
    tmp_path: Path, member: Member, chat: Ear, pager: Ear
) -> None:
    other = Member(tmp_path / "other", chat.url, pager.url)
    records: list[Delivery] = []
    async with route(member.url, other.url, records=records) as reconciler:
        reconciler.want(wanted(WARNING))
        await until(lambda: len(records) == 1)
        assert await member.alerts()
        await other.start()
        await until(other.alerts)
    await other.stop()
