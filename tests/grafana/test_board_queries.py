"""Every query of every board, on a real Prometheus, before, in and after a simulated incident.

With UPDATE_DOCS=1 the table in docs/dashboards.md is written anew.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grafana.prometheus import Prometheus, filled, running
from tests.grafana.reading import QUERIES, Asked, others
from tests.grafana.results import table
from tests.grafana.simulated import (
    AFTER_S,
    CALM_S,
    FAILING,
    FOUND_S,
    ILL,
    IN_FLIGHT,
    NORMAL,
    ONSET_S,
    OTHER_RULE,
    RATES,
    RULE,
    SPIKE_S,
    START_S,
)

pytestmark = pytest.mark.needs_promtool
PAGE = Path(__file__).parents[2] / "docs/dashboards.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"
MOST_SERIES = 60
ALL_RATE, ILL_RATE = sum(RATES.values()), sum(r for (carrier, _), r in RATES.items() if carrier == ILL)
MIXED = (ILL_RATE * FAILING + (ALL_RATE - ILL_RATE) * NORMAL) / ALL_RATE
OVERVIEW, CARRIER, INCIDENT, MONITOR = (
    f"carrier-health-{name}" for name in ("overview", "carrier", "incident", "monitor")
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.mark.parametrize("asked", QUERIES, ids=lambda a: a.place)
def test_a_query_has_an_answer_at_the_spike_and_few_series(prometheus: Prometheus, asked: Asked) -> None:
    expr = filled(asked)
    found = prometheus.at(expr, SPIKE_S)
    assert 0 < len(found) <= MOST_SERIES
    assert all(math.isfinite(one.last) for one in found)
    if not asked.instant:
        drawn = prometheus.over(expr, START_S + 300, AFTER_S)
        assert 0 < len(drawn) <= MOST_SERIES
        assert max(len(one.values) for one in drawn) > 1


@pytest.mark.parametrize("asked", [*others()], ids=lambda a: a.place)
def test_annotations_and_variables_find_something(prometheus: Prometheus, asked: Asked) -> None:
    expr = filled(asked)
    values = re.fullmatch(r"label_values\((.*), (\w+)\)", expr)
    if values is not None:
        assert prometheus.label_values(values[1], values[2])
    else:
        (incident,) = prometheus.over(expr, START_S + 300, AFTER_S)
        first, last = incident.values[0][0], incident.values[-1][0]
        assert abs(first - FOUND_S) <= 60 and last < AFTER_S


VALUES: list[tuple[str, str, str, dict[str, str], float, float]] = [
    # board, panel, query, labels, before, at the spike
    (OVERVIEW, "Open incidents", "A", {}, 0, 1),
    (OVERVIEW, "Critical", "A", {}, 0, 1),
    (OVERVIEW, "Flagged series", "A", {}, 0, 2),
    (OVERVIEW, "Failing now", "A", {}, NORMAL, MIXED),
    (OVERVIEW, "Outcomes", "A", {}, ALL_RATE, ALL_RATE),
    (OVERVIEW, "Monitor", "A", {}, 0, 0),
    (OVERVIEW, "Failure ratio against its baseline", "A", {}, NORMAL, MIXED),
    (OVERVIEW, "Failure ratio against its baseline", "B", {}, NORMAL, NORMAL),
    (OVERVIEW, "Worst carriers", "A", {"carrier": ILL}, NORMAL, FAILING),
    (OVERVIEW, "Worst carriers", "A", {"carrier": "310-260"}, NORMAL, NORMAL),
    (OVERVIEW, "Volume by carrier", "A", {"carrier": ILL}, ILL_RATE, ILL_RATE),
    (OVERVIEW, "By region", "A", {"region": "US-NY"}, NORMAL, FAILING),
    (OVERVIEW, "By region", "A", {"region": "US-TX"}, NORMAL, NORMAL),
    (OVERVIEW, "By region", "C", {"region": "US-TX"}, 6 * 300, 6 * 300),
    (CARRIER, "Outcomes by class", "A", {"outcome_class": "absent_subscriber"}, 20 * NORMAL, 20 * FAILING),
    (CARRIER, "$rule against its baseline", "A", {}, NORMAL, FAILING),
    (CARRIER, "$rule against its baseline", "B", {}, NORMAL, FAILING),
    (CARRIER, "$rule against its baseline", "C", {}, NORMAL, NORMAL),
    (CARRIER, "Flags by rule and region", "A", {"region": "US-CA", "rule": RULE}, 0, 3),
    (CARRIER, "Flags by rule and region", "A", {"region": "US-CA", "rule": OTHER_RULE}, 0, 0),
    (CARRIER, "By region and rule", "A", {"region": "US-CA", "rule": RULE}, NORMAL, FAILING),
    (CARRIER, "By region and rule", "A", {"region": "US-CA", "rule": OTHER_RULE}, NORMAL, NORMAL),
    (CARRIER, "Worst region now", "A", {}, NORMAL, FAILING),
    (CARRIER, "Receipt latency, quantiles", "A", {}, 5, 5),
    (CARRIER, "Receipt latency", "A", {"le": "5.0"}, 10, 10),
    (CARRIER, "Codes in this time range", "A", {"code": "30005"}, 20 * 0.01 * 1800, 20 * 0.01 * 1800),
    (INCIDENT, "Severity", "A", {}, 0, 3),
    (INCIDENT, "Failing now", "A", {}, NORMAL, FAILING),
    (INCIDENT, "Peak", "A", {}, NORMAL, FAILING),
    (INCIDENT, "This carrier and the others", "A", {"carrier": ILL}, NORMAL, FAILING),
    (INCIDENT, "This carrier and the others", "B", {"carrier": "310-260"}, NORMAL, NORMAL),
    (INCIDENT, "Silenced", "A", {}, 0, 0),
    (MONITOR, "Exactness balance", "A", {}, ALL_RATE * (1 + IN_FLIGHT), ALL_RATE * (1 + IN_FLIGHT)),
    (MONITOR, "Exactness balance", "B", {}, ALL_RATE * (1 + IN_FLIGHT), ALL_RATE * (1 + IN_FLIGHT)),
    (MONITOR, "Canary came back", "A", {}, 25, 25),
    (MONITOR, "Watermark lag", "A", {"partition": "1"}, 2, 2),
    (MONITOR, "Redis", "A", {}, 1, 1),
    (MONITOR, "Recipients on the list", "A", {}, 400 + 30, 400 + 45),
]


@pytest.mark.parametrize(
    ("board", "panel", "ref", "labels", "before", "spike"), VALUES, ids=lambda v: str(v)[:40]
)
def test_the_value_is_the_right_one(
    prometheus: Prometheus,
    board: str,
    panel: str,
    ref: str,
    labels: dict[str, str],
    before: float,
    spike: float,
) -> None:
    (asked,) = [a for a in QUERIES if (a.board, a.panel, a.ref) == (board, panel, ref)]
    for moment_s, wanted in ((CALM_S, before), (SPIKE_S, spike)):
        found = prometheus.at(filled(asked), moment_s)
        (value,) = [one.last for one in found if labels.items() <= one.labels.items()]
        assert value == pytest.approx(wanted, rel=1e-3, abs=1e-9)


def test_the_band_is_what_chance_makes_of_the_baseline(prometheus: Prometheus) -> None:
    by_ref = {a.ref: a for a in QUERIES if a.panel == "Failure ratio against its baseline"}
    reach = 1.96 * math.sqrt(NORMAL * (1 - NORMAL) / (ALL_RATE * 300))
    for ref, edge in (("C", NORMAL - reach), ("D", NORMAL + reach)):
        (found,) = prometheus.at(filled(by_ref[ref]), SPIKE_S)
        assert found.last == pytest.approx(edge, rel=1e-3)


def test_what_fires_can_be_followed(prometheus: Prometheus) -> None:
    (asked,) = [a for a in QUERIES if a.panel == "What fires now"]
    (row,) = prometheus.at(filled(asked), SPIKE_S)
    assert row.labels["since"] == str((ONSET_S + 20) * 1000)
    assert (row.labels["at_carrier"], row.labels["at_region"]) == (ILL, "$__all")
    assert prometheus.at(filled(asked), CALM_S) == []


def test_the_page_is_seen_when_it_was_sent(prometheus: Prometheus) -> None:
    (asked,) = [a for a in QUERIES if a.panel == "Pages sent"]
    drawn = prometheus.over(filled(asked), START_S, AFTER_S, 30)
    (accepted,) = [one for one in drawn if one.labels["result"] == "accepted"]
    sent = [at for at, value in accepted.values if value > 0]
    assert FOUND_S <= sent[0] <= FOUND_S + 60 and len(sent) < 10


def test_an_incident_that_has_ended_is_gone(prometheus: Prometheus) -> None:
    for board, panel in ((OVERVIEW, "Open incidents"), (CARRIER, "Open incidents"), (INCIDENT, "Severity")):
        (asked,) = [a for a in QUERIES if (a.board, a.panel) == (board, panel)]
        assert [one.last for one in prometheus.at(filled(asked), AFTER_S)] == [0]


def test_the_results_in_the_documentation_are_these(prometheus: Prometheus) -> None:
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    wanted = before + BEGIN + table(prometheus) + END + rest.split(END)[1]
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted, "old: UPDATE_DOCS=1 make test ARGS=tests/grafana"
