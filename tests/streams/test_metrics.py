"""What a role exports: the one list, its names, and both formats."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from streams.exposition import Bins, Histogram, Metric, Rows, Table
from streams.metrics import METRICS, OPENMETRICS, TEXT, WINDOW_LABELS, Metrics, Role
from streams.records import LATENCY_BOUNDS_S, Result

PAIRS = (("310-260", "US", "1m"), ("310-410", "US", "1m"))
ASKS_OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"


def text(metrics: Metrics, accept: str = "") -> str:
    return metrics.render(accept)[0].decode()


def filled(role: Role) -> Metrics:
    """Every family of the role with at least one series."""
    metrics = Metrics(role, source=["twilio"], route=["pagerduty"], partition=["outcomes-0"])
    for m in METRICS:
        if role in m.roles and m.kind != "histogram" and m.labels:
            made = metrics.get(m.name)
            key = tuple("x" for _ in m.labels)
            made.add(key, 1) if isinstance(made, Table) else made.labels(*key)
    if role is Role.WINDOWS:
        counts = np.ones((1, len(LATENCY_BOUNDS_S) + 1), dtype=np.int64)
        metrics.receipt_latency_seconds.provide(lambda: Bins((("310-260",),), counts))
    return metrics


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_every_metric_is_named_by_the_customs_and_explained(metric: Metric[object]) -> None:
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.text.endswith(".") and metric.roles
    assert set(metric.known) <= set(metric.labels)
    assert not metric.unit or metric.name.endswith(f"_{metric.unit}")


@pytest.mark.parametrize("role", Role)
def test_both_formats_hold_the_same_series(role: Role) -> None:
    metrics = filled(role)
    plain, open_ = text(metrics), text(metrics, ASKS_OPENMETRICS)

    def series(families: object) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        return {
            (s.name, tuple(sorted(s.labels.items())))
            for family in families  # type: ignore[attr-defined]
            for s in family.samples
        }

    assert series(parse_text(plain)) == series(parse_openmetrics(open_))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("role", Role)
def test_promtool_finds_nothing_to_complain_about(role: Role) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=filled(role).render()[0], capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_accept_header_chooses_the_format() -> None:
    metrics = Metrics(Role.INGEST)
    assert metrics.render("")[1] == TEXT
    assert metrics.render("text/plain")[1] == TEXT
    body, content_type = metrics.render(ASKS_OPENMETRICS)
    assert content_type == OPENMETRICS
    assert body.endswith(b"# EOF\n") and body.count(b"# EOF") == 1


def test_label_values_known_at_start_exist_at_0() -> None:
    shown = text(Metrics(Role.WINDOWS, source=["twilio", "smpp-east"]))
    for result in Result:
        assert f'carrier_health_records_total{{result="{result}",source="smpp-east"}} 0.0' in shown
    assert 'carrier_health_blind{reason="partials_silent"} 0.0' in shown


def test_a_table_expects_its_series_too() -> None:
    metrics = Metrics(Role.WINDOWS, carrier=["310-260"], region=["US"], outcome_class=["delivered"])
    assert metrics.outcomes_total.items() == [(("310-260", "US", "delivered"), 0)]
    metrics.expect(carrier=["310-260"], region=["US"], window=WINDOW_LABELS)
    assert len(list(metrics.window_outcomes.items())) == 4


def test_no_series_says_when_it_was_created() -> None:
    for role in Role:
        assert "_created" not in text(filled(role), ASKS_OPENMETRICS)


def test_a_metric_of_another_role_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="role ingest does not export carrier_health_redis_up"):
        _ = Metrics(Role.INGEST).redis_up


def test_two_roles_in_one_process_share_nothing() -> None:
    one, other = Metrics(Role.INGEST), Metrics(Role.INGEST)
    one.records_received_total.labels("twilio").inc(5)
    assert 'records_received_total{source="twilio"}' not in text(other)


def test_a_provider_is_read_anew_at_each_scrape() -> None:
    metrics = Metrics(Role.WINDOWS)
    values = np.array([10.0, 20.0])
    metrics.window_outcomes.provide(lambda: Rows(PAIRS, values))
    assert '{carrier="310-410",region="US",window="1m"} 20.0' in text(metrics)
    values = np.array([10.0, 21.0])
    assert '{carrier="310-410",region="US",window="1m"} 21.0' in text(metrics)


def test_a_ratio_without_a_denominator_is_left_out() -> None:
    metrics = Metrics(Role.WINDOWS)
    keys = (("310-260", "US", "1m", "r"), ("310-410", "US", "1m", "r"))
    metrics.window_failure_ratio.provide(lambda: Rows(keys, np.array([np.nan, 0.25])))
    lines = [line for line in text(metrics).splitlines() if line.startswith("carrier_health_window_failure_")]
    assert lines == [
        'carrier_health_window_failure_ratio{carrier="310-410",region="US",window="1m",rule="r"} 0.25'
    ]


def test_a_removed_series_is_gone_at_the_next_scrape() -> None:
    table = Metrics(Role.ALERTS).incident_active
    table.set(("r", "carrier", "310-260", "all"), 1)
    table.remove(("r", "carrier", "310-260", "all"))
    assert list(table.items()) == []


def test_label_values_are_escaped() -> None:
    metrics = Metrics(Role.WINDOWS)
    metrics.outcomes_total.add(('a"b\\c\nd', "US", "delivered"))
    families = {f.name: f for f in parse_text(text(metrics))}
    (sample,) = families["carrier_health_outcomes"].samples
    assert sample.labels["carrier"] == 'a"b\\c\nd'


def test_a_key_that_does_not_fit_the_labels_is_refused() -> None:
    metrics = Metrics(Role.WINDOWS)
    metrics.outcomes_total.add(("310-260",))
    with pytest.raises(ValueError):
        metrics.render()


def test_the_label_text_of_gone_series_is_forgotten() -> None:
    table = Table("x", "gauge", "X.", ["carrier"])
    for i in range(3000):
        table.set((str(i),), 1)
        table.render(False)
        table.remove((str(i),))
    assert len(table._label_text) < 1100


def test_a_histogram_cumulates_and_counts() -> None:
    metrics = Metrics(Role.WINDOWS)
    counts = np.arange(12).reshape(1, 12)
    metrics.receipt_latency_seconds.provide(lambda: Bins((("310-260",),), counts, [600.0]))
    samples = {
        (s.name, s.labels.get("le")): s.value
        for family in parse_text(text(metrics))
        if family.name == "carrier_health_receipt_latency_seconds"
        for s in family.samples
    }
    name = "carrier_health_receipt_latency_seconds"
    assert samples[f"{name}_bucket", "5.0"] == 1
    assert samples[f"{name}_bucket", "+Inf"] == samples[f"{name}_count", None] == 66
    assert samples[f"{name}_sum", None] == 600.0


def test_a_histogram_without_sums_estimates_them_from_the_middles_of_its_bins() -> None:
    histogram = Histogram("x", "X.", [], "", [1, 5])
    histogram.provide(lambda: Bins([()], [[2, 1, 1]]))
    assert "x_sum 9.0\n" in histogram.render(True)  # 2 * 0.5 + 1 * 3 + 1 * 5
