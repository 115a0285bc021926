"""What the monitor raises about itself: accepted by promtool, silent when all is well, and in the runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from streams.metrics import METRICS

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES = PROMETHEUS / "monitor.rules.yaml"
HEADING = re.compile(r"^### (CarrierHealth\w+)$", re.M)
ALERT = re.compile(r"^\s*- alert: (\w+)$", re.M)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs_promtool
def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in run("promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES)


@pytest.mark.needs_promtool
def test_each_alert_fires_when_it_should_and_none_when_all_is_well() -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", PROMETHEUS / "monitor_test.yaml")


def test_each_alert_has_a_timeline() -> None:
    tried = re.findall(r"alertname: (\w+)", (PROMETHEUS / "monitor_test.yaml").read_text())
    assert set(tried) == set(ALERT.findall(RULES.read_text()))


def test_rules_name_only_metrics_that_exist() -> None:
    named = set(re.findall(r"carrier_health_(\w+)", RULES.read_text()))
    assert named <= {m.name for m in METRICS} and "blind" in named


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    alerts = {name for file in PROMETHEUS.glob("*.rules.yaml") for name in ALERT.findall(file.read_text())}
    assert set(HEADING.findall((ROOT / "docs/runbook.md").read_text())) == alerts
