"""Prometheus pages, end to end: real roles, Prometheus with the shipped rules, Alertmanager, a receiver.

traffic -> ingest -> windows -> alerts --scrape--> Prometheus --rules--> Alertmanager -> pager, chat
           opened, escalated -------- alerts killed, started ------- resolved
pager:     woken once                 (no all-clear)                 told of the end once
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio

from alerts.demo.configuration import clock_of
from alerts.demo.past import Past
from alerts.demo.stage import Stage, wall_ms
from alerts.demo.traffic import Options, Traffic
from alerts.demo.watch import is_ready
from alerts.notify.alertmanager import ALERT_NAME
from alerts.supervise import ROLES, Supervisor
from streams.simulate import scenario as scenarios
from tests.alerts.notify.server import answers
from tests.deploy.rules import FILES as RULES
from tests.grafana.prometheus import Prometheus, filled, serving
from tests.grafana.reading import QUERIES
from tests.integration.test_alertmanager import Ear, Member

pytestmark = [pytest.mark.needs_promtool, pytest.mark.needs_amtool]
SPEED, SEED, PATIENCE_S = 6.0, 11, 150.0
INCIDENT_S = 360.0
"""A minute of the wall: all that is looked at while it is open must fit into it, on a busy machine too."""
SCRAPE = """
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [rules/*.rules.yaml]
"""
FIRING = f'count(ALERTS{{alertname="{ALERT_NAME}", alertstate="firing"}})'
PANELS = {asked.panel for asked in QUERIES}
NOT_HERE = {
    *("Gateway: requests by answer", "Gateway: time to answer", "Gateway: not acknowledged yet"),
    *("Oldest unsent page", "Pages that wait", "Pages sent", "Attempts to page"),
    *("Receipts that come", "Expired", "Receipt latency by traffic class (p99)"),
}
"""Panels that stay empty: no gateway runs, and the roles page nobody themselves; nothing was sent an hour
ago, the carrier's messages do not expire, and none has a traffic class."""
OF_AN_INCIDENT = {
    *("What fires now", "The incident, while it is open", "When it was open", "Opened"),
    "Peak",  # of a Prometheus that has run for half a minute
}


class Monitor:
    """The roles of the demonstration and its network, with Prometheus' rules as the route."""

    def __init__(self, stage: Stage, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.urls = {role: stage.addresses.role(role) for role in ROLES}

    def kill(self, role: str) -> None:
        self._supervisor.kill(role)

    async def until(self, condition: Callable[[], object]) -> None:
        """Until it holds; meanwhile what has ended is started again, as `run` does."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, "it did not come"
            self._supervisor.tick()
            await asyncio.sleep(0.1)

    async def until_filled(self, prometheus: Prometheus, panels: set[str]) -> None:
        """Until each has shown something; who waits in vain is told which did not."""
        left = set(panels)

        def all_are() -> bool:
            left.intersection_update(empty_panels(prometheus, left))
            return not left

        try:
            await self.until(all_are)
        except AssertionError as err:
            raise AssertionError(f"still without data: {sorted(left)}") from err


@contextmanager
def monitor() -> Iterator[Monitor]:
    """Ready, with traffic that comes to its incident some ten seconds from now."""
    demo = scenarios.load("demo")
    lasting = tuple(msgspec.structs.replace(i, duration_s=INCIDENT_S) for i in demo.incidents)
    options = Options(msgspec.structs.replace(demo, incidents=lasting), SEED, SPEED, for_s=2 * INCIDENT_S)
    clock = clock_of(SPEED, options.span_s + 60 * SPEED, wall_ms())
    past = Past(options.scenario, SEED, clock.now_ms())
    with Stage(scenarios.sources_of(options.scenario), clock, lambda part, state: None) as stage:
        past.publish(stage.settings)
        text = stage.config.read_text()
        stage.config.write_text(text.replace("[alerting]\n", '[alerting]\nroute = "alertmanager"\n'))
        one = Monitor(stage, stage.start_roles(lambda note: None))
        asyncio.run(one.until(lambda: is_ready(one.urls["ingest"]) and is_ready(one.urls["alerts"])))
        traffic = Traffic(options, clock, stage, clock.now_ms())
        traffic.start()
        try:
            yield one
            traffic.check()
        finally:
            traffic.stop()


def scraping(folder: Path, one: Monitor, alertmanager: str) -> str:
    """Prometheus' configuration, with the shipped rules beside it: faster, the same otherwise."""
    (folder / "rules").mkdir()
    for path in RULES:
        text = re.sub(r"keep_firing_for: \d+m", "keep_firing_for: 1s", path.read_text())
        (folder / "rules" / path.name).write_text(text)
    jobs = [
        f"  - {{job_name: {role}, static_configs: [{{targets: [{urlsplit(url).netloc}]}}]}}"
        for role, url in one.urls.items()
    ]
    to = (
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: [{urlsplit(alertmanager).netloc}]}}]}}]}}"
    )
    return "\n".join([SCRAPE, to, "scrape_configs:", *jobs, ""])


def told(ear: Ear) -> list[tuple[str, str]]:
    """(state, group) of the notifications about incidents."""
    return [(state, group) for state, group in ear.heard if f'alertname="{ALERT_NAME}"' in group]


def now_is(prometheus: Prometheus, expr: str) -> float | None:
    found = prometheus.at(expr, int(time.time()))
    return found[0].last if found else None


def empty_panels(prometheus: Prometheus, panels: set[str]) -> set[str]:
    """Those of which no query has a series in the last minute."""
    end_s, filled_ones = math.ceil(time.time()), set[str]()
    for asked in QUERIES:
        wanted = asked.panel in panels and asked.panel not in filled_ones
        if wanted and prometheus.over(filled(asked), end_s - 60, end_s, 5):
            filled_ones.add(asked.panel)
    return panels - filled_ones


@pytest_asyncio.fixture
async def ears() -> AsyncIterator[tuple[Ear, Ear]]:
    async with Ear(behave=answers(200)) as chat, Ear(behave=answers(200)) as pager:
        yield chat, pager


@pytest.fixture
def one() -> Iterator[Monitor]:
    with monitor() as made:
        yield made


async def test_one_incident_is_one_page_though_the_role_that_exports_it_dies(
    one: Monitor, ears: tuple[Ear, Ear], tmp_path: Path
) -> None:
    chat, pager = ears
    member = Member(tmp_path / "alertmanager", chat.url, pager.url)
    await member.start()
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with serving(folder, scraping(folder, one, member.url)) as prometheus:
        await one.until_filled(prometheus, PANELS - NOT_HERE - OF_AN_INCIDENT)
        await one.until(lambda: told(pager) and told(chat))
        await one.until_filled(prometheus, PANELS - NOT_HERE)
        one.kill("alerts")
        await one.until(lambda: now_is(prometheus, 'up{job="alerts"}') == 0)
        assert (now_is(prometheus, FIRING) or 0) > 0, "nobody who lives has said that it is over"
        await one.until(lambda: now_is(prometheus, 'up{job="alerts"}') == 1)
        await one.until(lambda: told(pager)[-1][0] == "resolved" and told(chat)[-1][0] == "resolved")
        assert empty_panels(prometheus, PANELS) == NOT_HERE
    await member.stop()
    assert [state for state, _ in told(pager)] == ["firing", "resolved"]
    assert [state for state, _ in told(chat)].count("resolved") == 1
    assert [len({group for _, group in told(ear)}) for ear in ears] == [1, 1]
