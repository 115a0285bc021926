"""What is shipped for Alertmanager: accepted by its own tools, and each alert reaches whom it should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from alerts.notify.alertmanager import ALERT_NAME

CONFIG = Path(__file__).parents[2] / "deploy/alertmanager/alertmanager.yaml"


def amtool(*arguments: str | Path) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs_amtool
def test_amtool_accepts_the_example_for_alertmanager() -> None:
    assert "SUCCESS" in amtool("check-config", CONFIG)


@pytest.mark.needs_amtool
@pytest.mark.parametrize(("severity", "receivers"), [("critical", "pager,chat"), ("warning", "chat")])
def test_what_is_critical_reaches_the_pager_and_everything_the_chat(severity: str, receivers: str) -> None:
    labels = (f"severity={severity}", f"alertname={ALERT_NAME}")
    said = amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert said.splitlines()[0] == receivers
