"""Boards, rules and the code's list of metrics fit each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.metrics import METRICS
from tests.grafana.reading import EVERYTHING, Asked, complaints, labels_of, named

RULES = sorted((Path(__file__).parents[2] / "deploy/prometheus").glob("*.rules.yaml"))
NOBODY_LOOKS_AT: dict[str, str] = {}
"""Metrics that no board and no rule uses, and why they are exported all the same."""


def base(name: str) -> str:
    """The metric behind a name as exported: histograms have several."""
    return next(m.name for m in METRICS if labels_of(name, [m]) is not None)


def users() -> dict[str, set[str]]:
    """Metric -> the boards and files of rules that use it."""
    used: dict[str, set[str]] = {}
    for asked in EVERYTHING:
        for selector in named(asked.expr):
            used.setdefault(base(selector.name), set()).add(asked.board)
    for path in RULES:
        for name in re.findall(r"(?<![:\w])carrier_health_(\w+)", path.read_text()):
            used.setdefault(base(name), set()).add(path.name)
    return used


def test_every_metric_and_label_that_a_board_asks_for_is_exported() -> None:
    assert complaints(METRICS) == []


def test_every_metric_is_looked_at_or_says_why_not() -> None:
    unused = {m.name for m in METRICS} - users().keys()
    assert unused == set(NOBODY_LOOKS_AT)
    assert all(NOBODY_LOOKS_AT.values())


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_without_a_metric_every_board_that_uses_it_is_named(metric) -> None:  # type: ignore[no-untyped-def]
    found = complaints(m for m in METRICS if m is not metric)
    boards = {line.split(" / ")[0] for line in found}
    assert boards == {user for user in users().get(metric.name, set()) if not user.endswith(".yaml")}


@pytest.mark.parametrize(
    ("expr", "says"),
    [
        ("sum(carrier_health_no_such_metric)", "no metric no_such_metric"),
        ('carrier_health_redis_up{carrier="x"}', "redis_up has no label carrier"),
        ("sum by (route) (carrier_health_redis_up)", "redis_up is grouped by route"),
        ("carrier_health_outcomes_total_bucket", "no metric outcomes_total_bucket"),
    ],
)
def test_what_does_not_fit_is_found(expr: str, says: str) -> None:
    (found,) = complaints(METRICS, [Asked("board", "panel", expr)])
    assert says in found


def test_counters_are_rated_and_gauges_are_not() -> None:
    kinds = {m.name: m.kind for m in METRICS}
    for asked in EVERYTHING:
        for match in re.finditer(r"(\w+\()?carrier_health_(\w+)", asked.expr):
            rated = match[1] in ("rate(", "increase(")
            gauge = kinds[base(match[2])] == "gauge"
            if not asked.panel.startswith("variable"):
                assert rated is not gauge, f"{asked.place}: {match[2]}"
