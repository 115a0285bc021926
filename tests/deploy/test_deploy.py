"""What is shipped for Alertmanager: accepted by its own tools, and each alert reaches whom it should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from alerts.notify.alertmanager import ALERT_NAME
from tests.deploy.rules import ALERTS, Rule

CONFIG = Path(__file__).parents[2] / "deploy/alertmanager/alertmanager.yaml"


def amtool(*arguments: str | Path) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs_amtool
def test_amtool_accepts_the_example_for_alertmanager() -> None:
    assert "SUCCESS" in amtool("check-config", CONFIG)


def receivers(alert: str, severity: str) -> str:
    labels = (f"severity={severity}", f"alertname={alert}")
    said = amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    return said.splitlines()[0]


@pytest.mark.needs_amtool
@pytest.mark.parametrize(("severity", "wanted"), [("critical", "pager,chat"), ("warning", "chat")])
def test_what_is_critical_reaches_the_pager_and_everything_the_chat(severity: str, wanted: str) -> None:
    assert receivers(ALERT_NAME, severity) == wanted


@pytest.mark.needs_amtool
@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_what_the_monitor_says_of_itself_takes_another_way_than_the_pages(rule: Rule) -> None:
    severity = re.search(r"severity: (\w+)", rule.text)
    assert severity is not None
    wanted = {"CarrierHealthWatchdog": "dead-mans-switch", "CarrierHealthIncidentTakeover": "operators"}
    of_file = "operators" if rule.file == "monitor.rules.yaml" else "chat"
    if rule.name != ALERT_NAME:
        assert receivers(rule.name, severity[1]) == wanted.get(rule.name, of_file)


def test_what_inhibits_and_what_is_inhibited_are_alerts_that_there_are() -> None:
    text = CONFIG.read_text().split("inhibit_rules:")[1].split("receivers:")[0]
    patterns = re.findall(r'(source|target)_matchers: \[alertname=~?"([^"]+)"', text)
    assert len(patterns) == 6
    names = [rule.name for rule in ALERTS]
    assert all(any(re.fullmatch(pattern, name) for name in names) for _, pattern in patterns)
