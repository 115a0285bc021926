"""What a scrape of the windows role costs it: how long its event loop is held, and CPU.

The role's own exporter and HTTP server, filled by closed buckets; the scraper is another process. A
heart beats in the main event loop each millisecond, where the role would work: the longest gap between
two beats is what a scrape holds it for. An idle run beside shows what is the machine's.

    python -m tests.bench.scrape [SERIES]
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import NamedTuple

import numpy as np

from streams.clock import WallClock
from streams.http import HttpServer, Readiness
from streams.metrics import OPENMETRICS, TEXT, Metrics, Role
from streams.records import SeriesKey
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES, Clock, Source
from streams.shown import Shown
from streams.window import Windows
from tests.streams.logs import T0_S, partial, reach

SERIES = 20_000
SCRAPES = 200
BEAT_S = 0.001
CLASSES = (("delivered", ""), ("absent_subscriber", "30003"), ("route", "30006"))
SOURCES = (Source(name="twilio", format="canonical", codes="twilio"),)
REGIONS = 5
SCRAPER = """
import sys, urllib.request
for _ in range(int(sys.argv[3])):
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"Accept": sys.argv[2]})).read()
"""


class Cost(NamedTuple):
    """Of some scrapes: the longest gap between two beats of each, and CPU of the process, ms each."""

    gaps_ms: tuple[float, ...]
    cpu_ms: float

    def __str__(self) -> str:
        p50, p95, worst = np.percentile(self.gaps_ms, (50, 95, 100))
        held = f"loop held p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {worst:.1f} ms"
        return f"{held}; CPU {self.cpu_ms:.1f} ms a scrape"


def filled(least: int) -> tuple[Metrics, int]:
    """Metrics of the windows role with at least so many series, and how many."""
    metrics = Metrics(Role.WINDOWS)
    pairs = 0
    while series(metrics) < least:
        pairs += max(REGIONS, (least - series(metrics)) // 24 // REGIONS * REGIONS)
        metrics = _with_pairs(pairs)
    return metrics, series(metrics)


def series(metrics: Metrics) -> int:
    return sum(not line.startswith("#") for line in metrics.render()[0].decode().splitlines())


def _with_pairs(pairs: int) -> Metrics:
    """Each pair has outcomes of three classes, as the journal holds them."""
    metrics = Metrics(Role.WINDOWS)
    shown = Shown(metrics, RuleBook.of(DEFAULT_RULES, SOURCES), WallClock(Clock()), 10**6)
    windows = Windows(lateness_ms=0)
    places = [(f"310-{i // REGIONS:03}", f"US-{i % REGIONS}") for i in range(pairs)]
    rows = [(SeriesKey("twilio", *place, *what), T0_S, 9, ()) for place in places for what in CLASSES]
    one = partial([reach(0, 0, len(rows), 10)], rows)
    closings = windows.apply(0, one)
    shown.partial(one, windows)
    for closing in closings:
        shown.closed(closing)
    return metrics


async def cost(url: str, accept: str, scrapes: int) -> Cost:
    """`scrapes` scrapes one after the other by another process; with 0, as long without any."""
    gaps: list[float] = []
    begun = time.process_time()
    for _ in range(scrapes):
        command = [sys.executable, "-c", SCRAPER, url, accept, "1"]
        scraper = await asyncio.create_subprocess_exec(*command)
        gaps.append(await _longest_gap(asyncio.create_task(scraper.wait())))
        assert scraper.returncode == 0
    return Cost(tuple(gaps), (time.process_time() - begun) * 1000 / scrapes)


async def _longest_gap(until: asyncio.Task[int]) -> float:
    longest, last = 0.0, time.perf_counter()
    while not until.done():
        await asyncio.sleep(BEAT_S)
        now = time.perf_counter()
        longest, last = max(longest, now - last - BEAT_S), now
    return longest * 1000


async def measure(least: int) -> None:
    metrics, found = filled(least)
    with HttpServer(metrics, Readiness()) as server:
        print(f"{found} series, {SCRAPES} scrapes each")
        for name, path, accept in (
            ("nothing to scrape", "/healthz", TEXT),
            ("text", "/metrics", TEXT),
            ("OpenMetrics", "/metrics", OPENMETRICS),
        ):
            print(f"{name}: {await cost(server.url + path, accept, SCRAPES)}", flush=True)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else SERIES))
