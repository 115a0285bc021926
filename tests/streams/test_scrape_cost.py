"""A scrape of many series stays cheap, and is never rendered in the loop that the role works in.

Figures in milliseconds: `python -m tests.bench.scrape`, docs/benchmark.md. Here only a ratio, which a
busy machine does not change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from urllib.request import urlopen

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from streams.exposition import Rows, Table
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from tests.bench.scrape import filled, series

KEYS = [(f"310-{i // 50:03}", f"US-{i % 50}") for i in range(20_000)]
LABELS = ("carrier", "region")


def cpu_s(render: Callable[[], object]) -> float:
    """The least of five runs."""
    times = []
    for _ in range(5):
        begun = time.process_time()
        render()
        times.append(time.process_time() - begun)
    return min(times)


def test_twenty_thousand_series_cost_less_than_a_third_of_what_the_client_takes() -> None:
    table, registry = Table("wide", "gauge", "", LABELS), CollectorRegistry()
    table.provide(lambda: Rows(KEYS, [1.5] * len(KEYS)))
    gauge = Gauge("wide", "", LABELS, registry=registry)
    for key in KEYS:
        gauge.labels(*key).set(1.5)
    ours = cpu_s(lambda: table.render(openmetrics=False))
    clients = cpu_s(lambda: generate_latest(registry))
    assert table.render(openmetrics=False).count("\nwide{") == generate_latest(registry).count(b"\nwide{")
    assert ours < clients / 3


def test_the_benchmark_fills_the_exporter_as_the_role_does() -> None:
    metrics, found = filled(2_000)
    assert found == series(metrics) >= 2_000
    wide = [
        line for line in metrics.render()[0].decode().splitlines() if "window_" in line or "_total{" in line
    ]
    assert len(wide) > 0.9 * 2_000


def test_a_scrape_is_rendered_in_the_servers_own_thread() -> None:
    metrics, threads = Metrics(Role.WINDOWS), set[str]()

    def read() -> Rows:
        threads.add(threading.current_thread().name)
        return Rows([], [])

    metrics.window_outcomes.provide(read)
    with HttpServer(metrics, Readiness()) as server, urlopen(f"{server.url}/metrics", timeout=10) as answer:
        assert answer.status == 200
    assert threads == {"http"} != {threading.current_thread().name}
