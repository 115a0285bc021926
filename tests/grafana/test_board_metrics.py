"""Boards, rules and the code's list of metrics fit each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from streams.exposition import Metric, gauge
from streams.metrics import EVERY_ROLE, METRICS
from tests.deploy.rules import ASKED as RULES
from tests.grafana.reading import EVERYTHING, Asked, complaints, labels_of, named

NOBODY_LOOKS_AT: dict[str, str] = {}
"""Metrics that no board and no rule uses, and why they are exported all the same."""


def base(name: str) -> str:
    """The metric behind a name as exported: histograms have several."""
    return next(m.name for m in METRICS if labels_of(name, [m]) is not None)


def users() -> dict[str, set[str]]:
    """Metric -> the panels and rules that use it."""
    used: dict[str, set[str]] = {}
    for asked in (*EVERYTHING, *RULES):
        for selector in named(asked.expr):
            used.setdefault(base(selector.name), set()).add(asked.place)
    return used


def unused(metrics: Iterable[Metric[Any]]) -> set[str]:
    return {m.name for m in metrics} - users().keys()


def test_every_metric_and_label_that_a_board_asks_for_is_exported() -> None:
    assert complaints(METRICS) == []


def test_every_metric_is_looked_at_or_says_why_not() -> None:
    assert unused(METRICS) == set(NOBODY_LOOKS_AT)
    assert all(NOBODY_LOOKS_AT.values())


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_without_a_metric_every_panel_and_rule_that_uses_it_is_named(metric) -> None:  # type: ignore[no-untyped-def]
    found = complaints((m for m in METRICS if m is not metric), (*EVERYTHING, *RULES))
    assert {line.split(": no metric ")[0] for line in found} == users().get(metric.name, set())


def test_a_metric_that_nobody_uses_is_reported() -> None:
    odd = gauge(EVERY_ROLE, "Nobody looks at it.")
    odd.name = "odd"
    assert unused([*METRICS, odd]) - set(NOBODY_LOOKS_AT) == {"odd"}


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
