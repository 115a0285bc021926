"""The benchmark's runs in small: they end, find what is there, and say what does not hold."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from alerts.policy import Policy
from tests.bench.detection import bias, incidents, plot, quiet, report, scenario
from tests.bench.detection.bars import bars
from tests.bench.detection.cost import Cost
from tests.bench.detection.forms import FORMS
from tests.bench.detection.incidents import Case, Ill
from tests.bench.detection.jobs import KINDS, Results, run_all
from tests.bench.detection.network import Decoy, Fault, Shape, Traffic
from tests.bench.detection.quiet import VOLUMES, Quiet, QuietResult
from tests.bench.detection.scopes import Trunk, observe

SCENARIOS = [s.name for s in scenario.all_scenarios()]
SMALL = Shape(carriers=3, regions=2, rate=60.0, spread=0.3)


def test_quiet_weeks_are_counted() -> None:
    done = quiet.run(Quiet(1, 2, 0.02, 0.02, volumes=(1.0, 10.0), rivals=1))
    assert done.weeks == pytest.approx(0.04) and len(done.alarms) == 2
    assert done.rivals is not None and done.rivals.shape[-1] == 2


def test_a_loud_incident_is_found_near_the_limit() -> None:
    cases, _ = incidents.run(Ill(1, 4, 0.05, 0.25, volumes=(10.0,), steps=1.0))
    loud = [c for c in cases if c.size >= 0.12]
    assert loud and all(c.delay_s <= 3 * c.limit_s and c.oracle_s <= 3 * c.limit_s for c in loud)
    assert all(c.rivals is not None and (c.rivals >= 0).all() for c in cases)


def test_twins_without_an_incident_expect_the_same() -> None:
    job = bias.Twins(1, 1, 0.02, 1800, volumes=(10.0,))
    one, other = (bias._expected(job, None, lambda _: None) for _ in range(2))
    assert np.array_equal(one, other)


def test_one_network_goes_on_in_many_ways() -> None:
    trunk = Trunk.of(SMALL, 1, Policy())
    trunk.advance(3600)
    now_s = trunk.traffic.now_s
    seen = observe(trunk, "carrier", (Fault(now_s, now_s + 900, 0.4, "c1"),), 5)
    assert (seen.first, seen.alerts, seen.over) == (("carrier", "c1", "all"), 1, True)
    assert seen.soon == seen.truth and trunk.traffic.now_s == now_s


def test_late_receipts_are_neither_lost_nor_made_up() -> None:
    traffic = Traffic(Shape(2, 1, 20.0, delayed=True), 1)
    blocks = [traffic.block() for _ in range(12)]
    sent, received = (sum(int(getattr(b, name).sum()) for b in blocks) for name in ("sends", "n"))
    assert traffic.coming is not None and received + int(traffic.coming.sum()) == sent


def test_a_backlog_holds_receipts_and_lets_them_go() -> None:
    traffic = Traffic(Shape(2, 1, 20.0, delayed=True), 1)
    traffic.decoys = (Decoy("backlog", 1200, 2400, "c1"),)
    n = np.concatenate([traffic.block().n[:, 1] for _ in range(6)])
    assert n[120:240].sum() == 0
    assert n[240:246].sum() > 3 * n[60:120].sum() / 10


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_file_makes_sense(name: str) -> None:
    one = scenario.load(scenario.FILES / f"{name}.toml")
    assert one.name == name and one.about
    assert all(f.onset_s < f.end_s <= one.duration_s for f in one.fault)


def test_a_scenario_goes_through_the_command_from_outside(tmp_path: Path) -> None:
    one = scenario.load(scenario.FILES / "carrier-outage.toml")
    counts, truth = scenario.write(one, 7, tmp_path)
    score = scenario.score(json.loads(truth.read_text()), scenario.replayed(counts))
    assert score.right and score.delays_s[0] <= 30


def results(alarms: int) -> Results:
    weeks = 60_000 / len(VOLUMES)
    found = Results("full", 1, "here", costs=[Cost(5000, 3.0, 4.0, 9.0)], bias={1.0: 0.02})
    found.quiet = [QuietResult(VOLUMES, weeks, [alarms, *[0] * (len(VOLUMES) - 1)], None, 0, 1.0)]
    found.cases = [
        Case(v, size, "step", 20.0, 3600, 10.0, 10.0, delay, 1, None)
        for v in VOLUMES
        for size in (0.06, 0.12, 0.4)
        for delay in [10.0] * 29 + [float("inf")] * (size < 0.1)
    ]
    found.decoys = {"mix shift": (0, 60, "runs"), "ramp x1.8 over 3 days": (9, 200.0, "series-weeks")}
    return found


def verdicts(found: Results) -> dict[str, str]:
    return {bar.what: bar.verdict for bar in bars(found)}


def test_too_many_false_alarms_fail_the_first_row() -> None:
    what = "false alarms per 1,000 series-weeks, all volumes"
    assert [verdicts(results(n))[what] for n in (10, 47, 90)] == ["pass", "FAIL", "FAIL"]


def test_each_row_says_whether_it_holds() -> None:
    rows = verdicts(results(0))
    assert rows["caught: 6 % at ≥ 1/s, each volume"] == "pass"
    assert rows["decoy: ramp x1.8 over 3 days"] == "FAIL"
    assert rows["exact scope at the alarm: pair"] == "too few"


def test_results_are_shown_as_tables_data_and_a_plot() -> None:
    found = results(3)
    text = "\n".join(line for _, lines in report.sections(found, []) for line in lines)
    assert "| 100, 12% | 29 | 10 s | 10 s | 10 s | 1.00 |" in text
    assert json.loads(json.dumps(report.summary(found, [])))["false_alarms"]["0.01"][0] == 3
    assert ET.fromstring(plot.svg(found)).tag.endswith("svg")


@pytest.mark.soak
def test_the_tiny_form_runs_everything_and_says_so() -> None:
    said: list[str] = []
    done = run_all(FORMS["tiny"], 7, "a test", None, said.append)
    assert len(bars(done)) >= 20
    assert {s.kind for s in done.seen} == set(KINDS) and done.late and done.bias
    assert done.decoys.keys() >= {"mix shift", "retry loop", "blast echo", "night pattern", "stress"}
    assert "of 9" in said[-1]
