"""Names that somebody chose to break a query, a page, a command or a metric: what they become of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from streams import settings
from streams.metrics import Metrics, Role
from streams.networks import built_in
from tests.pipeline import Pipeline, canonical

HOSTILE = (
    'x"} or up{job="',
    'x",carrier=~".*',
    "x\n# HELP evil\nevil 1",
    "x\\",
    "${__all}",
    "$__interval",
    ".*|310-260",
    "x\r\nSET evil 1\r\n",
    "x\0y",
    "carrier-health:budget:pagerduty",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "=HYPERLINK(0)",
    "+cmd|' /C calc'!A0",
    "\u202e\u2066evil",
    "‮gro.elpmaxe",
    "a" * 5000,
    "ТелеМобиль",
    "移动",
)
READ_BY_OTHERS = set("\"'\\{}$|*()<>=\r\n\0 :/%&;`,")
"""Signs that mean something in a query, a page, a path or a command."""


@pytest.mark.parametrize("name", HOSTILE)
@given(more=st.text(max_size=20))
@hypothesis_settings(max_examples=20, deadline=None)
def test_a_carrier_name_becomes_letters_digits_and_hyphens(name: str, more: str) -> None:
    known = built_in().id_of(name + more)
    assert known
    assert not set(known) & set("\"'\\{}$|*()<>=\r\n\0 :/%&;`,"), (
        "nothing that a query, a page or a path reads"
    )
    assert len(known) <= 100 and known.isprintable()


def read(fields: dict[str, Any]) -> Pipeline:
    source = settings.Source(name="api", format="canonical")
    line = Pipeline(source)
    line.read(canonical("m1", "failed", **fields)).flush()
    return line.close(60.0)


FIELDS = ("carrier", "region", "code", "sender", "traffic_class")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_in_any_field_is_one_outcome_of_harmless_labels(field: str, name: str) -> None:
    line = read({field: name})
    assert line.results == {"counted": 1}
    (series,) = line.counted
    labels = (series.carrier, series.region, series.outcome_class, series.code)
    for label in labels:
        assert label.isprintable() and len(label) <= 100
        assert not set(label) & set('"\\{}\r\n\0<>$`'), field


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4, unique=True))
@hypothesis_settings(max_examples=100, deadline=None)
def test_whatever_a_label_holds_a_scrape_reads_it_back(values: list[str]) -> None:
    metrics = Metrics(Role.WINDOWS)
    for value in values:
        metrics.outcomes_total.add((value, "US", "delivered"), 1.0)
    for accept, parse in (("text/plain", plain_text), ("application/openmetrics-text", open_metrics)):
        body, _ = metrics.render(accept)
        families = {f.name: f for f in parse(body.decode())}
        family = next(f for name, f in families.items() if name.startswith("carrier_health_outcomes"))
        assert {s.labels["carrier"] for s in family.samples if s.value == 1.0} == set(values)
