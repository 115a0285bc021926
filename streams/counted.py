"""Counters of outcomes: each at 0 as soon as its series is seen, and at most so many of them.

A series is seen in a partial some seconds before its bucket closes and counts, so that a scrape
between the two finds it at 0: of a counter born at 5000, Prometheus makes no increase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter as Limited

from streams.admission import OTHER, Admission, Capped, IsFlagged
from streams.exposition import Bins, Key
from streams.label_values import Expiry
from streams.metrics import Metrics
from streams.records import LATENCY_BOUNDS_S, Cells, Result, SeriesKey
from streams.source import ABSENT_CLASS

COLUMNS = len(LATENCY_BOUNDS_S) + 1
LATENCY_LINES = len(LATENCY_BOUNDS_S) + 3
"""What a histogram's series takes of the cap: its buckets, sum and count."""


class Counted:
    """Adds closed buckets to the counters of the windows role."""

    METRICS = (
        *("outcomes_total", "outcome_codes_total", "intermediate_absent_total", "outcomes_expired_total"),
        *("receipt_latency_seconds", "class_latency_seconds"),
    )
    """What it caps."""

    def __init__(self, metrics: Metrics, most: int) -> None:
        self._records = metrics.records_total
        limited = metrics.series_limited_total.labels
        self._outcomes = Capped(metrics.outcomes_total, most, _any_pair, limited("outcomes_total"))
        self._codes = Capped(metrics.outcome_codes_total, most, _any_code, limited("outcome_codes_total"))
        signals = metrics.intermediate_absent_total
        self._signals = Capped(signals, most, _any_pair, limited("intermediate_absent_total"))
        expired = metrics.outcomes_expired_total
        self._expired = Capped(expired, most, _any_pair, limited("outcomes_expired_total"))
        self._latency = CappedBins(most // LATENCY_LINES, limited("receipt_latency_seconds"))
        self._class_latency = CappedBins(most // LATENCY_LINES, limited("class_latency_seconds"))
        self._seen: set[SeriesKey] = set()
        metrics.receipt_latency_seconds.provide(self._latency.bins)
        metrics.class_latency_seconds.provide(self._class_latency.bins)

    def begin(self, buckets: Iterable[Cells], now_s: int) -> None:
        """Makes what the journal knows exist at 0; in a new process the largest are named."""
        volume: Counter[SeriesKey] = Counter()
        for cells in buckets:
            for k, n in zip(cells.key, cells.finals, strict=True):
                volume[cells.keys[k]] += n
        if not self._seen:
            for capped, label in ((self._outcomes, _outcome), (self._codes, _code)):
                capped.admission.begin(_summed(volume, label), now_s)
            self._latency.admission.begin(_summed(volume, lambda key: (key.carrier,)), now_s)
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
        self._add_expired(cells)

    def _add_latency(self, cells: Cells) -> None:
        carrier = [(key.carrier,) for key in cells.keys]
        of_row = np.array(cells.key, np.int64)[np.array(cells.latency_cell, np.int64)]
        self._latency.add(carrier, of_row, cells)
        if cells.latency_class:
            labels = [(key.carrier, name) for key in cells.keys for name in cells.classes]
            self._class_latency.add(
                labels, of_row * len(cells.classes) + np.array(cells.latency_class), cells
            )

    def _add_expired(self, cells: Cells) -> None:
        for column, never_sent in ((cells.unsent, True), (cells.expired, False)):
            for i in np.flatnonzero(column).tolist():
                key = cells.keys[cells.key[i]]
                self._expired.add((*key[1:3], _expiry(key, never_sent)), column[i])

    def review(self, now_s: int, flagged: IsFlagged) -> None:
        """Once in a while: who is named from now on. `flagged` is asked for (carrier, region)."""
        self._outcomes.review(now_s, lambda key: flagged(key[:2]))
        self._codes.review(now_s, lambda key: flagged((key[0], "")))
        self._signals.review(now_s, flagged)
        self._expired.review(now_s, lambda key: flagged(key[:2]))
        for bins in (self._latency, self._class_latency):
            bins.review(now_s, lambda key: flagged((key[0], "")))

    @property
    def limited(self) -> bool:
        counters = (self._outcomes, self._codes, self._signals, self._expired)
        return any(c.admission.waits for c in (*counters, self._latency, self._class_latency))

    def _add(self, key: SeriesKey, n: int) -> None:
        self._outcomes.add(_outcome(key), n)
        if key.code:
            self._codes.add(_code(key), n)


class CappedBins:
    """A histogram family with at most so many series, and `other` beside."""

    def __init__(self, most: int, limited: Limited) -> None:
        self.admission = Admission(most)
        self._limited = limited
        self._bins: dict[Key, NDArray[np.int64]] = {}

    def add(self, labels: Sequence[Key], of_row: NDArray[np.int64], cells: Cells) -> None:
        """Latencies of one bucket, row j of which is under `labels[of_row[j]]`; without a class left out."""
        number: dict[Key, int] = {}
        of_label = np.array([number.setdefault(key, len(number)) for key in labels], np.int64)
        flat = of_label[of_row] * COLUMNS + np.array(cells.latency_bin, np.int64)
        sums = np.bincount(flat, cells.latency_n, len(number) * COLUMNS).astype(np.int64)
        for key, bins in zip(number, sums.reshape(-1, COLUMNS), strict=True):
            if key[-1] and bins.any():
                self._add(key, bins)

    def _add(self, key: Key, bins: NDArray[np.int64]) -> None:
        if not self.admission.see(key, int(bins.sum())):
            self._limited.inc()
            key = (OTHER,) * len(key)
        self._bins[key] = self._bins.get(key, 0) + bins

    def review(self, now_s: int, flagged: IsFlagged) -> None:
        for key in self.admission.review(now_s, flagged):
            self._bins.pop(key, None)

    def bins(self) -> Bins:
        kept = list(self._bins.items())
        return Bins([key for key, _ in kept], [bins.tolist() for _, bins in kept])


def _expiry(key: SeriesKey, never_sent: bool) -> Expiry:
    if never_sent:
        return Expiry.QUEUE
    return Expiry.ABSENT if key.outcome_class == ABSENT_CLASS else Expiry.NETWORK


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
