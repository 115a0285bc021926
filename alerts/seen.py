"""What pages and scrapes see of the alerts role."""

from __future__ import annotations

from typing import Any

from alerts import coverage, observe, silences
from alerts.flags import SHOWN_AFTER_END_S, TICKETS
from alerts.pages import PageData
from alerts.records import State, Transition, is_live
from alerts.settings import Settings
from alerts.station import Station
from alerts.vitals import unwell
from streams.clock import WallClock
from streams.exposition import Rows
from streams.http import Readiness
from streams.label_values import Blind
from streams.metrics import Metrics
from streams.records import BUCKET_S

BLIND_AFTER_S = 60


class Seen:
    """What pages and scrapes see of the station, from other threads: immutable boards only."""

    def __init__(self, station: Station, readiness: Readiness, clock: WallClock, settings: Settings) -> None:
        self._station, self._readiness, self._clock = station, readiness, clock
        self._settings = settings
        self._blind_after_s = BLIND_AFTER_S + BUCKET_S + settings.windows.allowed_lateness_s

    def owns(self) -> bool:
        """Whether this instance is the one that decides."""
        return not any(reason.startswith("partitions") for reason in self._readiness.reasons)

    def unwell(self, metrics: Metrics) -> list[str]:
        """Why the heartbeat must be held back."""
        sight, waiting = self._station.board.sight, self._readiness.reasons
        return unwell(self._settings, sight, self.silent(), waiting, metrics, self._clock.now_ms())

    def blind(self) -> str | None:
        """Why nothing can be said about now, or None."""
        return self.silent() or self.without_outcomes()

    def without_outcomes(self) -> str | None:
        """Buckets come, but there is nothing in them: nobody knows how carriers do."""
        board, most_s = self._station.board, self._settings.alerting.no_outcomes_s
        for_s = board.sight.without_outcomes_s(board.bucket_s)
        return f"no outcome has come for {for_s} s" if most_s and for_s > most_s else None

    def silent(self) -> str | None:
        """Closed buckets do not come, and why we think so."""
        bucket_s = self._station.board.bucket_s
        if bucket_s < 0:
            return "no closed bucket has been read by this instance yet"
        behind_s = self._clock.now_ms() / 1000 - bucket_s - BUCKET_S
        if behind_s > self._blind_after_s:
            return f"the newest closed bucket ended {behind_s:.0f} s ago"
        return None

    def page_data(self) -> PageData:
        board = self._station.board
        transitions: dict[str, tuple[Transition, ...]] = dict(board.transitions)
        now_ms = self._clock.now_ms()
        observed = "" if self._settings.pages_somebody else observe.words(self._week())
        tickets = tuple(f for f in board.flags if f.nature in TICKETS)
        return PageData(
            board.incidents,
            transitions,
            self.blind(),
            now_ms,
            board.unknown,
            self._station.display,
            observed,
            tickets,
            tuple(silences.in_force(board.silences, now_ms)),
        )

    def provide(self, metrics: Metrics) -> None:
        metrics.flag_active.provide(self._flags)
        metrics.baseline_failure_ratio.provide(self._baselines)
        metrics.incident_active.provide(lambda: self._incidents(lambda i: float(is_live(i))))
        metrics.incident_silenced.provide(
            lambda: self._incidents(lambda i: float(i.people.silence is not None), only_open=True)
        )
        metrics.incident_info.provide(self._info)
        metrics.incident_opened_timestamp_seconds.provide(
            lambda: self._incidents(lambda i: float(i.opened_bucket_s), only_open=True)
        )
        metrics.pages_wanted.provide(self._wanted)
        most = self._settings.metrics.max_series
        coverage.provide(metrics, lambda: self._station.board.outstanding, self._flagged_pairs, most)
        metrics.blind.labels(Blind.WINDOWS_SILENT).set_function(lambda: float(self.silent() is not None))
        metrics.blind.labels(Blind.NO_OUTCOMES).set_function(
            lambda: float(self.without_outcomes() is not None)
        )
        metrics.canary_last_seen_timestamp_seconds.provide(self._canary)

    def _flagged_pairs(self) -> set[tuple[str, str]]:
        return {(flag.carrier, flag.region) for flag in self._station.board.flags}

    def _canary(self) -> Rows:
        """A standby says nothing about it."""
        if not self._settings.alerting.canary_s or not self.owns():
            return Rows([], [])
        return Rows([()], [float(self._station.board.sight.canary_seen_s)])

    def _week(self) -> observe.Week:
        board = self._station.board
        return observe.of_week(board.incidents, board.bucket_s + BUCKET_S)

    def _wanted(self) -> Rows:
        week = self._week()
        return Rows([(severity.value, scope.value) for severity, scope in week], [*map(float, week.values())])

    def _flags(self) -> Rows:
        board = self._station.board
        now = [float(at_s == board.bucket_s) for at_s in board.flagged.values()]
        return Rows(list(board.flagged), now)

    def _baselines(self) -> Rows:
        board, most = self._station.board, self._settings.metrics.max_series
        keys = [(*leaf, one.rule) for one in board.expected for leaf in one.leaves]
        values = [ratio for one in board.expected for ratio in one.ratio.tolist()]
        if len(keys) > most:
            flagged = {(f.carrier, f.region, f.rule) for f in board.flags}
            first = sorted(range(len(keys)), key=lambda i: keys[i] not in flagged)[:most]
            keys, values = [keys[i] for i in first], [values[i] for i in first]
        return Rows(keys, values)

    def _incidents(self, value: Any, only_open: bool = False) -> Rows:
        board = self._station.board
        shown: dict[tuple[str, ...], float] = {}
        for i in board.incidents:
            ended_s = i.resolved_bucket_s or board.bucket_s
            recent = i.state is State.OPEN or board.bucket_s - ended_s <= SHOWN_AFTER_END_S
            if i.state is State.OPEN or (recent and not only_open):
                labels = (i.rule, i.scope, i.carrier, i.region)
                shown[labels] = max(shown.get(labels, 0.0), value(i))
        return Rows(list(shown), list(shown.values()))

    def _info(self) -> Rows:
        shown = [
            (i.key, i.rule, i.current_scope, i.current_carrier, i.current_region, i.severity.value)
            for i in self._station.board.incidents
            if i.state is State.OPEN
        ]
        return Rows(shown, [1.0] * len(shown))
