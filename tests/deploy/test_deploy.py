"""What is shipped for Prometheus and Alertmanager: accepted by their own tools, silent when it should be."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from alerts.notify.alertmanager import ALERT_NAME
from streams.metrics import METRICS

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus/incidents.rules.yaml"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs_promtool
def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in run("promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES)


@pytest.mark.needs_promtool
def test_the_rules_page_takes_over_and_stay_silent_as_their_timelines_say() -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", RULES.with_name("incidents_test.yaml"))


@pytest.mark.needs_amtool
def test_amtool_accepts_the_example_for_alertmanager() -> None:
    assert "SUCCESS" in run("amtool", "check-config", DEPLOY / "alertmanager/alertmanager.yaml")


@pytest.mark.needs_amtool
@pytest.mark.parametrize(("severity", "receivers"), [("critical", "pager,chat"), ("warning", "chat")])
def test_what_is_critical_reaches_the_pager_and_everything_the_chat(severity: str, receivers: str) -> None:
    config = f"--config.file={DEPLOY / 'alertmanager/alertmanager.yaml'}"
    labels = (f"severity={severity}", f"alertname={ALERT_NAME}")
    said = run("amtool", "config", "routes", "test", config, *labels)
    assert said.splitlines()[0] == receivers


def test_rules_name_only_metrics_that_exist() -> None:
    named = set(re.findall(r"(?<![:\w])carrier_health_(\w+)", RULES.read_text()))
    assert named and named <= {m.name for m in METRICS}


def test_the_rule_and_the_api_call_the_alert_the_same() -> None:
    assert f"alert: {ALERT_NAME}\n" in RULES.read_text()
