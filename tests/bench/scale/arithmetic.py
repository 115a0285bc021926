"""What a day's volume needs, from the figures that were measured and a few assumptions that are named."""

from __future__ import annotations

import math
from statistics import median
from typing import NamedTuple

from alerts.bench.traffic import FAILED_SHARE
from streams.records import BUCKET_S
from streams.topics import OUTCOMES, PARTIALS, WINDOWS
from tests.bench.scale.figures import Result, Size

DAILY = (1e9, 1e10, 1e11)
DAY_S = 86_400
PEAK = 3.0
"""The busiest minutes have so many times the mean."""
BUSY = 0.5
"""Of its core that an ingest may use at the peak: the rest is what it catches up with."""
SERIES = 10_000
FLUSH_S = 1.0


class Need(NamedTuple):
    """`_core`: the share of the one core that the one owner has."""

    daily: float
    mean_per_s: float
    peak_per_s: float
    ingest_cores: float
    processes: int
    cells_per_s: float
    windows_core: float
    alerts_core: float
    outcomes_gb: float
    partials_gb: float
    windows_gb: float


def need(result: Result, daily: float) -> Need:
    """For SERIES series. The CPU a record is the median of all runs of ingest over 12 partitions."""
    size = next(s for s in result.sizes if s.series == SERIES)
    us = median(c.us for c in result.crews)
    mean, peak = daily / DAY_S, PEAK * daily / DAY_S
    cores = peak * us / 1e6
    processes = math.ceil(cores / BUSY)
    peak_cells = cells_per_s(peak, processes)
    assert size.cells_per_cpu_s, "too short to say what windows takes a cell"
    partial_bytes = size.topic_bytes[PARTIALS] / size.cells
    return Need(
        daily=daily,
        mean_per_s=mean,
        peak_per_s=peak,
        ingest_cores=cores,
        processes=processes,
        cells_per_s=peak_cells,
        windows_core=peak_cells / size.cells_per_cpu_s,
        alerts_core=size.tick_ill_ms / 1000 / BUCKET_S,
        outcomes_gb=daily * size.topic_bytes[OUTCOMES] / size.records / 1e9,
        partials_gb=cells_per_s(mean, processes) * partial_bytes * DAY_S / 1e9,
        windows_gb=size.topic_bytes[WINDOWS] / buckets(size) * DAY_S / BUCKET_S / 1e9,
    )


def buckets(size: Size) -> float:
    """With traffic, of the run."""
    return size.records / size.per_s / BUCKET_S


def cells_per_s(
    records_per_s: float, processes: int, series: int = SERIES, failed: float = FAILED_SHARE
) -> float:
    """Of all ingests: each writes, each second, one cell for each series and class that it has seen. Evenly
    spread traffic has the most."""
    each = records_per_s * FLUSH_S / processes / series
    seen = sum(-math.expm1(-each * share) for share in (1 - failed, failed))
    return processes * series * seen / FLUSH_S
