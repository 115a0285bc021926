"""Every shipped rule: accepted by promtool, tried both ways, of metrics that exist, with its runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from alerts.notify.alertmanager import ALERT_NAME
from streams.codes.code_table import CLASSES
from streams.metrics import METRICS
from tests.deploy.rules import ALERTS, ASKED, FILES, FOLDER, LINK, RECORDED, ROOT, RULES, TIMELINES, Rule
from tests.grafana.reading import complaints

HEADING = re.compile(r"^### (CarrierHealth\w+)$", re.M)


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.needs_promtool
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_promtool_accepts_the_rules(path: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.needs_promtool
@pytest.mark.parametrize("path", TIMELINES, ids=lambda p: p.name)
def test_rules_fire_record_and_stay_silent_as_their_timelines_say(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


def test_each_alert_is_tried_firing_and_silent() -> None:
    text = "".join(path.read_text() for path in TIMELINES)
    tried = re.split(r"alertname: (\w+)", text)
    for rule in ALERTS:
        after = [told[:40] for name, told in zip(tried[1::2], tried[2::2], strict=True) if name == rule.name]
        assert any("exp_alerts: []" not in told for told in after), f"{rule.name} never fires"
        silent = any("exp_alerts: []" in told for told in after) or f'alertname!="{rule.name}"' in text
        assert silent or rule.file == "monitor.rules.yaml", f"{rule.name} is never silent"


def test_when_all_is_well_no_alert_about_the_monitor_fires() -> None:
    """One timeline of an installation that is well: the silent case of each alert in that file."""
    text = (FOLDER / "monitor_test.yaml").read_text()
    assert 'count(ALERTS{alertname!="CarrierHealthWatchdog"}) or vector(0)' in text


def test_rules_name_only_metrics_and_labels_that_exist() -> None:
    assert complaints(METRICS, ASKED) == []


@pytest.mark.parametrize("rule", [r for r in RULES if r.kind == "record"], ids=lambda r: r.name)
def test_what_is_recorded_is_read_and_has_its_value_proved(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z_]+:carrier_health_[a-z_]+:[a-z0-9_]+", rule.name), "level:metric:operations"
    assert any(rule.name in other.expr for other in RULES if other.name != rule.name)
    assert any(rule.name in path.read_text() for path in (*TIMELINES, *FILES))


def test_what_rules_read_of_each_other_is_recorded() -> None:
    recorded = {rule.name for rule in RULES if rule.kind == "record"}
    assert {name for rule in RULES for name in RECORDED.findall(rule.expr)} == recorded


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    assert set(HEADING.findall((ROOT / "docs/runbook.md").read_text())) == {rule.name for rule in ALERTS}


@pytest.mark.parametrize("name", sorted({rule.name for rule in ALERTS}))
def test_each_alert_leads_to_its_entry_in_the_runbook(name: str) -> None:
    texts = [rule.text for rule in ALERTS if rule.name == name]
    links = [link for text in texts for link in LINK.findall(text)]
    assert [link.rsplit("/", 1)[1] for link in links] == [f"runbook.md#{name.lower()}"]
    repeats = [text for text in texts if not LINK.search(text)]
    assert all(re.search(r"annotations: \*\w+$", text, re.M) for text in repeats)


def test_the_goal_leaves_out_what_is_the_numbers_fault() -> None:
    """`outcomes_total` has no own side in it: it counts what takes part in the carrier rate."""
    (number,) = {tuple(c for c, side in CLASSES.items() if side == "number")}
    asked = [
        r.expr for r in RULES if r.name.startswith("carrier:carrier_health_outcomes") and "_total" in r.expr
    ]
    assert len(asked) == 2
    assert all("|".join(number) in expr for expr in asked)


def test_the_rule_and_the_api_call_the_alert_the_same() -> None:
    assert ALERT_NAME in {rule.name for rule in ALERTS}
