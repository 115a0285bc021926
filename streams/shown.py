"""What the windows role shows: counters from the ledger, gauges from the closed buckets.

Counters begin at 0 with the process and count only what its own journal records cover anew: what a
partial tells is held back until then, so a replay adds nothing twice. Gauges are read from an immutable
snapshot by the HTTP thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.admission import OTHER, Admission
from streams.clock import WallClock
from streams.counted import Counted
from streams.exposition import Key, Rows
from streams.journal import Complete
from streams.label_values import Blind
from streams.metrics import Metrics
from streams.records import BUCKET_S, Cells, Partial, Position, Result
from streams.rules import RuleBook
from streams.sliding import WINDOWS_S, Sliding
from streams.unknown_share import UnknownShare
from streams.window import Closing, Windows

BLIND_AFTER_S = 60
REVIEW_EVERY_S = 60
"""So often is decided which series are named where there are more than the cap."""
MOST_SERIES = 20_000
BY_PAIR = (
    *("window_outcomes", "window_eligible", "window_failures", "window_failure_ratio"),
    *("window_distinct_recipients", "receipts_missing"),
)
"""Metrics of the sliding windows: a pair is named in all of them, or in none."""


class _View(NamedTuple):
    """One moment of the sliding windows; nobody changes it."""

    pairs: tuple[tuple[str, str], ...]
    sums: NDArray[np.int64]


class Shown:
    """Keeps the metrics of the windows role up to date."""

    def __init__(
        self, metrics: Metrics, book: RuleBook, clock: WallClock, most_series: int = MOST_SERIES
    ) -> None:
        """`most_series`: the cap of each metric."""
        self._metrics, self._book, self._clock = metrics, book, clock
        self._sliding = Sliding(book)
        self._view = _View((), self._sliding.snapshot())
        self._named = Admission(most_series // (len(WINDOWS_S) * max(1, len(book.names))))
        self._counted = Counted(metrics, most_series)
        self._told: Counter[tuple[str, str]] = Counter()
        """By source and result, of partials that no journal record covers yet."""
        self._lost_records = 0
        """As `_told`."""
        self._reviewed_s = 0
        self.flagged: Callable[[Key], bool] = lambda _: False
        """Whether (carrier, region) is flagged; the region is '' for any."""
        self.stand_by()
        metrics.expect(metric=[*BY_PAIR, *Counted.METRICS])
        self._provide()

    def stand_by(self) -> None:
        """The log is another's: gauges that would show what was are shown no more."""
        self._view = _View((), self._view.sums[:, :0])
        self._unknown, self._sources = UnknownShare(), set[str]()
        self._last_partial_ms = self._clock.now_ms()
        self._lost = 0
        self._holding: tuple[tuple[str, int], ...] = ()
        self._clocks_ms: dict[str, int] = {}

    def _provide(self) -> None:
        m = self._metrics
        m.window_outcomes.provide(self._outcomes)
        m.window_eligible.provide(lambda: self._ruled(0))
        m.window_failures.provide(lambda: self._ruled(1))
        m.window_failure_ratio.provide(self._ratios)
        m.window_distinct_recipients.provide(self._distinct)
        m.receipts_missing.provide(self._unanswered)
        m.watermark_lag_seconds.provide(self._lags)
        m.last_event_timestamp_seconds.provide(self._clocks)
        m.blind.labels(Blind.PARTIALS_SILENT).set_function(self._silent)
        m.blind.labels(Blind.CLOCK_HELD).set_function(lambda: float(bool(self._holding)))

    # -- what happens --------------------------------------------------------------------------

    def restart(self, windows: Windows, buckets: Sequence[Complete]) -> None:
        """Fills the sliding windows again from the journal; counts nothing."""
        self._lost, self._told, self._lost_records = 0, Counter(), 0
        self._sliding = Sliding(self._book)
        self._unknown = UnknownShare()
        previous_s: int | None = None
        for complete in buckets:
            bucket_s = complete.record.bucket_s
            for _ in range(0 if previous_s is None else (bucket_s - previous_s) // BUCKET_S - 1):
                self._sliding.add(Cells())
            self._slide(complete.cells)
            previous_s = bucket_s
        self._reviewed_s = previous_s or 0
        self._counted.begin((complete.cells for complete in buckets), self._reviewed_s)
        self._named.begin(self._volumes(self._sliding.snapshot()), self._reviewed_s)
        self.refresh()

    def partial(self, partial: Partial, windows: Windows) -> None:
        """Tallies and clocks of a partial; one that was known already tells only that ingest lives."""
        self._last_partial_ms = self._clock.now_ms()
        if partial.part == partial.parts and not windows.skipped:
            for r in partial.ranges:
                for source, results in r.tally.items():
                    for result, n in results.items():
                        if result != Result.COUNTED:  # counted or late: known when the bucket closes
                            self._told[source, result] += n
        self._holding = tuple(windows.where.holding)
        self._lost_records += sum(lost.end - lost.start for lost in windows.lost[self._lost :])
        self._lost = len(windows.lost)
        self._counted.sight(partial.cells)
        self._clocks_ms = _least_clocks_ms(windows.where.positions)
        self._metrics.low_water_age_seconds.set(windows.low_water_age_s)

    def closed(self, closing: Closing) -> None:
        """One bucket that this process closed and the journal holds; `refresh` shows it."""
        self._slide(closing.cells)
        self._counted.add(closing.cells)
        for (source, result), n in self._told.items():
            self._metrics.records_total.labels(source, result).inc(n)
        self._metrics.lost_records_total.inc(self._lost_records)
        self._told, self._lost_records = Counter(), 0
        for i, n in enumerate(closing.late.finals):
            key = closing.late.keys[closing.late.key[i]]
            self._metrics.records_total.labels(key.source, Result.LATE).inc(n)
        if closing.bucket_s - self._reviewed_s >= REVIEW_EVERY_S:
            self._review(closing.bucket_s)

    def refresh(self) -> None:
        """Shows the gauges as they are now. Once after all buckets that closed together: in a backlog that
        is hundreds, of which nobody could see but the last."""
        self._show_unknown()
        self._take_view()

    @property
    def limited(self) -> bool:
        """Whether there are more series than the cap."""
        return self._named.waits or self._counted.limited

    def _slide(self, cells: Cells) -> None:
        self._sliding.add(cells)
        self._unknown.add(cells)

    def _show_unknown(self) -> None:
        ratios = {share.source: share.ratio for share in self._unknown.shares()}
        for source in self._sources - ratios.keys():  # nothing came of it for an hour
            self._metrics.carrier_unknown_ratio.labels(source).set(0)
        for source, ratio in ratios.items():
            self._metrics.carrier_unknown_ratio.labels(source).set(ratio)
        self._sources = set(ratios)

    def _review(self, bucket_s: int) -> None:
        self._reviewed_s = bucket_s
        self._counted.review(bucket_s, self.flagged)
        self._named.review(bucket_s, self.flagged)

    def _volumes(self, sums: NDArray[np.int64]) -> dict[Key, int]:
        """Outcomes of the last minute by pair."""
        return dict(zip(self._sliding.pairs, sums[0, :, 0].tolist(), strict=True))

    def _take_view(self) -> None:
        pairs, sums = tuple(self._sliding.pairs), self._sliding.snapshot()
        named = [self._named.see(pair, n) for pair, n in self._volumes(sums).items()]
        if not all(named):
            pairs, sums = self._folded(pairs, sums, np.array(named))
        self._view = _View(pairs, sums)

    def _folded(
        self, pairs: Sequence[Key], sums: NDArray[np.int64], named: NDArray[np.bool_]
    ) -> tuple[tuple[tuple[str, str], ...], NDArray[np.int64]]:
        """The named pairs, and the sum of the others as a last one."""
        for metric in BY_PAIR:
            self._metrics.series_limited_total.labels(metric).inc(int((~named).sum()))
        rest = sums[:, ~named].sum(axis=1, keepdims=True)
        kept = (pairs[i] for i in np.flatnonzero(named).tolist())
        return (*((c, r) for c, r in kept), (OTHER, OTHER)), np.concatenate([sums[:, named], rest], axis=1)

    # -- what a scrape reads -------------------------------------------------------------------

    def _silent(self) -> float:
        return float(self._clock.now_ms() - self._last_partial_ms > BLIND_AFTER_S * 1000)

    def _outcomes(self) -> Rows:
        view, names, values = self._view, [], []
        for w, window in enumerate(WINDOWS_S):
            for i in np.flatnonzero(view.sums[w, :, 0]).tolist():
                names.append((*view.pairs[i], window))
                values.append(float(view.sums[w, i, 0]))
        return Rows(names, values)

    def _ruled(self, which: int) -> Rows:
        """Column `which` of each rule (0 eligible, 1 failed), where the pair is eligible."""
        view, names, values = self._view, [], []
        for r, rule in enumerate(self._book.names):
            columns = self._sliding.columns_of(r)
            for w, window in enumerate(WINDOWS_S):
                for i in np.flatnonzero(view.sums[w, :, columns[0]]).tolist():
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
            for i in np.flatnonzero(view.sums[hour, :, eligible]).tolist():
                names.append((*view.pairs[i], rule))
                values.append(float(view.sums[hour, i, distinct]))
        return Rows(names, values)

    def _unanswered(self) -> Rows:
        """Sends of the last hour without a final outcome; of pairs whose sources tell of sends."""
        view, hour = self._view, list(WINDOWS_S).index("1h")
        sent, missing = (view.sums[hour, :, i] for i in self._sliding.sent)
        told = np.flatnonzero(sent).tolist()
        return Rows([view.pairs[i] for i in told], np.maximum(missing[told], 0).astype(float))

    def _lags(self) -> Rows:
        now_ms, clocks = self._clock.now_ms(), self._clocks_ms
        return Rows([(p,) for p in clocks], [max(0.0, (now_ms - ms) / 1000) for ms in clocks.values()])

    def _clocks(self) -> Rows:
        clocks = self._clocks_ms
        return Rows([(p,) for p in clocks], [ms / 1000 for ms in clocks.values()])


def _least_clocks_ms(positions: Sequence[Position]) -> dict[str, int]:
    """By number of the partition, the least of all topics: windows wait for it."""
    least: dict[str, int] = {}
    for p in positions:
        if p.clock_ms is not None:
            least[str(p.partition)] = min(p.clock_ms, least.get(str(p.partition), p.clock_ms))
    return least
