"""What the windows role shows: counters from the ledger, gauges from the closed buckets.

Counters begin at 0 with the process and count only what its own journal records cover anew, so a
replay adds nothing twice. Gauges are read from an immutable snapshot by the HTTP thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.clock import WallClock
from streams.exposition import Bins, Rows
from streams.journal import Complete
from streams.label_values import Blind
from streams.metrics import Metrics
from streams.records import BUCKET_S, LATENCY_BOUNDS_S, Cells, Partial, Result
from streams.rules import RuleBook
from streams.sliding import WINDOWS_S, Sliding
from streams.unknown_share import UnknownShare
from streams.window import Closing, Windows

BLIND_AFTER_S = 60


class _View(NamedTuple):
    """One moment of the sliding windows; nobody changes it."""

    pairs: tuple[tuple[str, str], ...]
    sums: NDArray[np.int64]


class Shown:
    """Keeps the metrics of the windows role up to date."""

    def __init__(self, metrics: Metrics, book: RuleBook, clock: WallClock) -> None:
        self._metrics, self._book, self._clock = metrics, book, clock
        self._sliding = Sliding(book)
        self._view = _View((), self._sliding.snapshot())
        self._latency: dict[str, NDArray[np.int64]] = {}
        self._unknown = UnknownShare()
        self._last_partial_ms = clock.now_ms()
        self._lost = 0
        self._holding: tuple[tuple[str, int], ...] = ()
        self._provide()

    def _provide(self) -> None:
        m = self._metrics
        m.window_outcomes.provide(self._outcomes)
        m.window_eligible.provide(lambda: self._ruled(0))
        m.window_failures.provide(lambda: self._ruled(1))
        m.window_failure_ratio.provide(self._ratios)
        m.window_distinct_recipients.provide(self._distinct)
        m.receipt_latency_seconds.provide(self._latencies)
        m.blind.labels(Blind.PARTIALS_SILENT).set_function(self._silent)
        m.blind.labels(Blind.CLOCK_HELD).set_function(lambda: float(bool(self._holding)))

    # -- what happens --------------------------------------------------------------------------

    def restart(self, windows: Windows, buckets: Sequence[Complete]) -> None:
        """Fills the sliding windows again from the journal; counts nothing."""
        self._lost = 0
        self._sliding = Sliding(self._book)
        self._unknown = UnknownShare()
        previous_s: int | None = None
        for complete in buckets:
            bucket_s = complete.record.bucket_s
            for _ in range(0 if previous_s is None else (bucket_s - previous_s) // BUCKET_S - 1):
                self._sliding.add(Cells())
            self._slide(complete.cells)
            previous_s = bucket_s
        self._take_view()

    def partial(self, partial: Partial, windows: Windows) -> None:
        """Tallies and clocks of a partial; one that was known already tells only that ingest lives."""
        self._last_partial_ms = self._clock.now_ms()
        if partial.part == partial.parts and not windows.skipped:
            for r in partial.ranges:
                for source, results in r.tally.items():
                    for result, n in results.items():
                        if result != Result.COUNTED:  # counted or late: known when the bucket closes
                            self._metrics.records_total.labels(source, result).inc(n)
        self._holding = tuple(windows.where.holding)
        for lost in windows.lost[self._lost :]:
            self._metrics.lost_records_total.inc(lost.end - lost.start)
        self._lost = len(windows.lost)
        for p in windows.where.positions:
            if p.clock_ms is not None:
                lag = (self._clock.now_ms() - p.clock_ms) / 1000
                self._metrics.watermark_lag_seconds.labels(str(p.partition)).set(max(0.0, lag))
                self._metrics.last_event_timestamp_seconds.labels(str(p.partition)).set(p.clock_ms / 1000)
        self._metrics.low_water_age_seconds.set(windows.low_water_age_s)
        self._metrics.consumer_lag_records.labels("windows", "0").set(0)

    def closed(self, closing: Closing) -> None:
        """One bucket that this process closed and the journal holds."""
        self._slide(closing.cells)
        self._count(closing.cells)
        for i, n in enumerate(closing.late.finals):
            key = closing.late.keys[closing.late.key[i]]
            self._metrics.records_total.labels(key.source, Result.LATE).inc(n)
        self._take_view()

    def _slide(self, cells: Cells) -> None:
        self._sliding.add(cells)
        self._unknown.add(cells)
        for share in self._unknown.shares():
            self._metrics.carrier_unknown_ratio.labels(share.source).set(share.ratio)

    def _count(self, cells: Cells) -> None:
        by_source: Counter[str] = Counter()
        for key, n in zip(cells.key, cells.finals, strict=True):
            k = cells.keys[key]
            if n:
                by_source[k.source] += n
                self._metrics.outcomes_total.add((k.carrier, k.region, k.outcome_class), n)
            if n and k.code:
                self._metrics.outcome_codes_total.add((k.carrier, k.source, k.code), n)
        for key, n in zip(cells.key, cells.signals, strict=False):  # none at all where there are none
            if n:
                self._metrics.intermediate_absent_total.add(cells.keys[key][1:3], n)
        for source, n in by_source.items():
            self._metrics.records_total.labels(source, Result.COUNTED).inc(n)
        for i, column, n in zip(cells.latency_cell, cells.latency_bin, cells.latency_n, strict=True):
            carrier = cells.keys[cells.key[i]].carrier
            bins = self._latency.get(carrier)
            if bins is None:
                bins = self._latency[carrier] = np.zeros(len(LATENCY_BOUNDS_S) + 1, np.int64)
            bins[column] += n

    def _take_view(self) -> None:
        self._view = _View(tuple(self._sliding.pairs), self._sliding.snapshot())

    # -- what a scrape reads -------------------------------------------------------------------

    def _silent(self) -> float:
        return float(self._clock.now_ms() - self._last_partial_ms > BLIND_AFTER_S * 1000)

    def _outcomes(self) -> Rows:
        view, names, values = self._view, [], []
        for w, window in enumerate(WINDOWS_S):
            for i in np.flatnonzero(view.sums[w, : len(view.pairs), 0]).tolist():
                names.append((*view.pairs[i], window))
                values.append(float(view.sums[w, i, 0]))
        return Rows(names, values)

    def _ruled(self, which: int) -> Rows:
        """Column `which` of each rule (0 eligible, 1 failed), where the pair is eligible."""
        view, names, values = self._view, [], []
        for r, rule in enumerate(self._book.names):
            columns = self._sliding.columns_of(r)
            for w, window in enumerate(WINDOWS_S):
                for i in np.flatnonzero(view.sums[w, : len(view.pairs), columns[0]]).tolist():
                    names.append((*view.pairs[i], window, rule))
                    values.append(float(view.sums[w, i, columns[which]]))
        return Rows(names, values)

    def _ratios(self) -> Rows:
        eligible, failed = self._ruled(0), self._ruled(1)
        return Rows(eligible.keys, [f / e for f, e in zip(failed.values, eligible.values, strict=True)])

    def _distinct(self) -> Rows:
        view, names, values = self._view, [], []
        hour = list(WINDOWS_S).index("1h")
        for r, rule in enumerate(self._book.names):
            eligible, _, distinct = self._sliding.columns_of(r)
            for i in np.flatnonzero(view.sums[hour, : len(view.pairs), eligible]).tolist():
                names.append((*view.pairs[i], rule))
                values.append(float(view.sums[hour, i, distinct]))
        return Rows(names, values)

    def _latencies(self) -> Bins:
        kept = list(self._latency.items())
        return Bins([(carrier,) for carrier, _ in kept], [bins.tolist() for _, bins in kept])
