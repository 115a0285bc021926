"""Counters of outcomes: each at 0 as soon as its series is seen, and at most so many of them.

A series is seen in a partial some seconds before its bucket closes and counts, so that a scrape
between the two finds it at 0: of a counter born at 5000, Prometheus makes no increase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from streams.admission import OTHER, Admission, Capped, IsFlagged
from streams.exposition import Bins, Key
from streams.metrics import Metrics
from streams.records import LATENCY_BOUNDS_S, Cells, Result, SeriesKey

COLUMNS = len(LATENCY_BOUNDS_S) + 1
LATENCY_LINES = len(LATENCY_BOUNDS_S) + 3
"""What a histogram's series takes of the cap: its buckets, sum and count."""


class Counted:
    """Adds closed buckets to the counters of the windows role."""

    METRICS = (
        *("outcomes_total", "outcome_codes_total", "intermediate_absent_total"),
        "receipt_latency_seconds",
    )
    """What it caps."""

    def __init__(self, metrics: Metrics, most: int) -> None:
        self._records = metrics.records_total
        limited = metrics.series_limited_total.labels
        self._outcomes = Capped(metrics.outcomes_total, most, _any_pair, limited("outcomes_total"))
        self._codes = Capped(metrics.outcome_codes_total, most, _any_code, limited("outcome_codes_total"))
        signals = metrics.intermediate_absent_total
        self._signals = Capped(signals, most, _any_pair, limited("intermediate_absent_total"))
        self._limited_latency = limited("receipt_latency_seconds")
        self._carriers = Admission(most // LATENCY_LINES)
        self._latency: dict[str, NDArray[np.int64]] = {}
        self._seen: set[SeriesKey] = set()
        metrics.receipt_latency_seconds.provide(self._latencies)

    def begin(self, buckets: Iterable[Cells], now_s: int) -> None:
        """Makes what the journal knows exist at 0; in a new process the largest are named."""
        volume: Counter[SeriesKey] = Counter()
        for cells in buckets:
            for k, n in zip(cells.key, cells.finals, strict=True):
                volume[cells.keys[k]] += n
        if not self._seen:
            for capped, label in ((self._outcomes, _outcome), (self._codes, _code)):
                capped.admission.begin(_summed(volume, label), now_s)
            self._carriers.begin(_summed(volume, lambda key: (key.carrier,)), now_s)
        self._sighted({key for key, n in volume.items() if n})

    def sight(self, cells: Cells) -> None:
        """Makes the counters of series with final outcomes exist."""
        self._sighted({cells.keys[k] for k, n in zip(cells.key, cells.finals, strict=True) if n})

    def _sighted(self, keys: set[SeriesKey]) -> None:
        for key in sorted(keys - self._seen):
            self._add(key, 0)
        self._seen |= keys

    def add(self, cells: Cells) -> None:
        """One closed bucket."""
        by_source: Counter[str] = Counter()
        for k, n in zip(cells.key, cells.finals, strict=True):
            if n:
                by_source[cells.keys[k].source] += n
                self._add(cells.keys[k], n)
        for k, n in zip(cells.key, cells.signals, strict=False):  # none at all where there are none
            if n:
                self._signals.add(cells.keys[k][1:3], n)
        for source, n in by_source.items():
            self._records.labels(source, Result.COUNTED).inc(n)
        self._add_latency(cells)

    def _add_latency(self, cells: Cells) -> None:
        number: dict[str, int] = {}
        of_key = np.array([number.setdefault(key.carrier, len(number)) for key in cells.keys], np.int64)
        of_cell = of_key[np.array(cells.key, np.int64)]
        flat = of_cell[np.array(cells.latency_cell, np.int64)] * COLUMNS
        flat += np.array(cells.latency_bin, np.int64)
        sums = np.bincount(flat, cells.latency_n, len(number) * COLUMNS).astype(np.int64)
        for carrier, bins in zip(number, sums.reshape(-1, COLUMNS), strict=True):
            if bins.any():
                self._bins(carrier, int(bins.sum()))[:] += bins

    def review(self, now_s: int, flagged: IsFlagged) -> None:
        """Once in a while: who is named from now on. `flagged` is asked for (carrier, region)."""
        self._outcomes.review(now_s, lambda key: flagged(key[:2]))
        self._codes.review(now_s, lambda key: flagged((key[0], "")))
        self._signals.review(now_s, flagged)
        for (carrier,) in self._carriers.review(now_s, lambda key: flagged((key[0], ""))):
            self._latency.pop(carrier, None)

    @property
    def limited(self) -> bool:
        capped = (self._outcomes, self._codes, self._signals)
        return self._carriers.waits or any(c.admission.waits for c in capped)

    def _add(self, key: SeriesKey, n: int) -> None:
        self._outcomes.add(_outcome(key), n)
        if key.code:
            self._codes.add(_code(key), n)

    def _bins(self, carrier: str, n: int) -> NDArray[np.int64]:
        if not self._carriers.see((carrier,), n):
            self._limited_latency.inc()
            carrier = OTHER
        bins = self._latency.get(carrier)
        if bins is None:
            bins = self._latency[carrier] = np.zeros(COLUMNS, np.int64)
        return bins

    def _latencies(self) -> Bins:
        kept = list(self._latency.items())
        return Bins([(carrier,) for carrier, _ in kept], [bins.tolist() for _, bins in kept])


def _outcome(key: SeriesKey) -> Key:
    return key.carrier, key.region, key.outcome_class


def _code(key: SeriesKey) -> Key:
    return (key.carrier, key.source, key.code) if key.code else ()


def _summed(volume: Mapping[SeriesKey, int], label: Callable[[SeriesKey], Key]) -> Counter[Key]:
    sums: Counter[Key] = Counter()
    for key, n in volume.items():
        if label(key):
            sums[label(key)] += n
    return sums


def _any_pair(key: Key) -> Key:
    return OTHER, OTHER, *key[2:]


def _any_code(key: Key) -> Key:
    return OTHER, key[1], OTHER
