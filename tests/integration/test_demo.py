"""The demonstration, as a user starts it: one incident, one page, one resolve, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from alerts.cli import cli
from alerts.demo.watch import get

SPEED = "6"
"""Fast enough for a test, slow enough that a busy machine keeps up."""
WAIT_S = 120.0
Event = dict[str, Any]


def _heed_interrupts() -> None:
    """A shell starts what runs in its background deaf to SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Demo:
    """A running `carrier-health demo --json`."""

    def __init__(self, *arguments: str, temporary: Path | None = None) -> None:
        line = [sys.executable, "-m", "alerts.cli", "demo", "--json", *arguments]
        # Settings of a real installation, which must reach nobody.
        env = os.environ | {"CARRIER_HEALTH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        if temporary is not None:
            env["TMPDIR"] = str(temporary)
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, preexec_fn=_heed_interrupts
        )
        self.events: list[Event] = []

    def read(self) -> Iterator[Event]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            yield self.events[-1]

    def until(self, name: str) -> Event:
        return next(event for event in self.read() if event["event"] == name)

    def of(self, name: str, action: str | None = None) -> list[Event]:
        return [e for e in self.events if e["event"] == name and action in (None, e.get("action"))]

    def end(self) -> int:
        """The exit code; all events have been read."""
        list(self.read())
        return self.process.wait(WAIT_S)


@pytest.fixture
def started() -> Iterator[list[Demo]]:
    """Demonstrations to clear away when a test fails."""
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        demo.process.kill()
        demo.process.communicate()


def comes(condition: Callable[[], bool]) -> bool:
    """Whether it holds in time."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def nothing_is_left(event: Event) -> bool:
    """Whether all that `started` names is gone, in time."""
    urls = [f"tcp://{event['kafka']}", event["redis"], *event["urls"].values()]
    return comes(lambda: not any(_answers(url) for url in urls))


def runs_in(folder: Path) -> bool:
    """Whether a program was started with something in this folder."""
    name = str(folder).encode()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if name in line.read_bytes():
                return True
    return False


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def replayed(folder: Path) -> list[Event]:
    """What `carrier-health replay` makes of what a demonstration has recorded."""
    known = ("--config", folder / "carrier-health.toml", "--state", folder / "state.jsonl")
    arguments = ["replay", *known, "--format", "json", folder / "outcomes.jsonl.gz"]
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def recorded(folder: Path) -> list[Event]:
    """What the live path made of the same."""
    return [json.loads(line) for line in (folder / "incidents.jsonl").read_text().splitlines()]


def test_the_labelled_incident_opens_pages_and_resolves_once(started: list[Demo], tmp_path: Path) -> None:
    demo = Demo("--once", "--speed", SPEED, "--seed", "11", "--record", str(tmp_path))
    started.append(demo)
    for event in demo.read():
        if event["event"] == "page" and event["action"] == "trigger":
            shown = get(event["url"])
            assert shown is not None and shown[0] == 200 and "311-480" in shown[1]
    assert demo.end() == 0

    (opened,) = demo.of("incident", "opened")
    assert (opened["rule"], opened["scope"]) == ("twilio_30003", "carrier")
    assert (opened["carrier"], opened["region"], opened["labelled"]) == ("311-480", "all", True)
    (trigger,), (resolve,) = demo.of("page", "trigger"), demo.of("page", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == opened["key"]
    assert (trigger["effect"], resolve["effect"]) == ("opened", "resolved")
    (begin,) = demo.of("label", "begin")
    assert trigger["onset_ms"] == begin["onset_ms"] < opened["detected_ms"] < trigger["page_ms"]
    (held,), (released,) = demo.of("hold", "held"), demo.of("hold", "released")
    assert held["key"] == released["key"] == opened["key"]
    assert opened["detected_ms"] == held["from_ms"] < released["from_ms"]
    advice = {e["decision"]: e for e in demo.of("advice")}
    assert advice["retry"]["reason"] == "isolated" and advice["retry"]["incident"] is None
    assert advice["retry"]["not_before_ms"] >= advice["retry"]["failed_ms"] + 1_800_000
    assert advice["hold"]["incident"] == opened["key"]
    (done,) = demo.of("done")
    assert (done["ok"], done["triggers"], done["resolves"], done["unlabelled"]) == (True, 1, 1, 0)
    (hygiene,) = demo.of("recipients")
    assert hygiene["listed"] > 0 and (hygiene["missing"], hygiene["surplus"]) == (0, 0)
    (first,) = demo.of("started")
    assert not Path(first["directory"]).exists()
    assert nothing_is_left(first)

    (live,), (found,) = recorded(tmp_path), replayed(tmp_path)
    same = ("key", "rule", "scope", "carrier", "region", "onset_ms", "detected_ms")
    assert {name: found[name] for name in same} == {name: live[name] for name in same}
    assert found["resolved_ms"] == (live["resolved_bucket_s"] + 10) * 1000
    for name in ("failed", "outcomes", "peak_ratio"):  # what was late live need not be late again
        assert found[name] == pytest.approx(live[name], rel=0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_whoever_interrupts_it_finds_nothing_left_behind(started: list[Demo], number: signal.Signals) -> None:
    demo = Demo()
    started.append(demo)
    first = demo.until("started")
    demo.process.send_signal(number)
    assert demo.end() == 0
    assert demo.events[-1]["reason"] == "interrupted"
    assert nothing_is_left(first)
    assert not Path(first["directory"]).exists()


def test_who_ends_it_while_it_starts_finds_nothing_left_behind(started: list[Demo], tmp_path: Path) -> None:
    demo = Demo(temporary=tmp_path)
    started.append(demo)
    assert comes(lambda: runs_in(tmp_path))
    demo.process.send_signal(signal.SIGTERM)
    told = demo.process.communicate(timeout=WAIT_S)[1]
    assert demo.process.returncode == 1
    assert b"interrupted while it was starting" in told
    assert comes(lambda: not runs_in(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.soak
def test_servers_and_roles_do_not_outlive_a_demonstration_that_was_killed(started: list[Demo]) -> None:
    demo = Demo()
    started.append(demo)
    first = demo.until("started")
    demo.process.kill()
    demo.end()
    assert nothing_is_left(first)
    shutil.rmtree(first["directory"])  # files are all that a killed one can leave


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["kill-ingest", "kill-windows", "kill-alerts", "kill-all"])
def test_the_page_comes_once_though_a_role_is_killed_during_the_incident(
    started: list[Demo], fault: str
) -> None:
    demo = Demo("--once", "--speed", "3", "--fault", fault)
    started.append(demo)
    assert demo.end() == 0
    assert len(demo.of("fault")) == (3 if fault == "kill-all" else 1)
    assert len(demo.of("incident", "opened")) == 1
    (trigger,) = [e for e in demo.of("page", "trigger") if e["effect"] == "opened"]
    assert trigger["notified"]


@pytest.mark.soak
def test_a_page_that_waits_for_pagerduty_says_how_late_it_is_and_keeps_its_time(started: list[Demo]) -> None:
    demo = Demo("--once", "--fault", "pagerduty-down")
    started.append(demo)
    assert demo.end() == 0
    assert [e["over"] for e in demo.of("fault")] == [False, True]
    (trigger,) = [e for e in demo.of("page", "trigger") if e["effect"] == "opened"]
    assert trigger["notified"] and trigger["summary"].startswith("[delayed 1m] ")
    (opened,) = demo.of("incident", "opened")
    detected_ms = datetime.fromisoformat(trigger["timestamp"]).timestamp() * 1000
    assert detected_ms == opened["detected_ms"] < trigger["page_ms"] - 60_000
