"""The one list of metrics, and what a role shows of it.

The class body of `Metrics` is the list: name, type, help, unit, labels and the roles that export
it. Documentation, dashboards and rules are checked against `METRICS`; code reaches a metric as an
attribute, `metrics.records_received_total.labels("twilio").inc()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib import metadata
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_format

from streams.exposition import (
    PREFIX,
    Family,
    Metric,
    Rows,
    Table,
    counter,
    gauge,
    wide_counter,
    wide_gauge,
    wide_histogram,
)
from streams.label_values import (
    BLIND_OF_ALERTS,
    Answer,
    Asked,
    Beat,
    Blind,
    CarrierCheck,
    Heard,
    Sent,
)
from streams.metrics_recipients import RecipientMetrics
from streams.records import LATENCY_BOUNDS_S, Result

DISTRIBUTION = "carrier-health-monitor"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
WINDOW_LABELS = ("1m", "5m", "15m", "1h")
"""The values of the label `window`."""

# One more series for every counter, and nobody asks when a counter was born.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Role(StrEnum):
    INGEST = "ingest"
    WINDOWS = "windows"
    ALERTS = "alerts"
    GATEWAY = "gateway"


EVERY_ROLE = tuple(Role)
INGEST, WINDOWS, ALERTS, GATEWAY = (Role.INGEST,), (Role.WINDOWS,), (Role.ALERTS,), (Role.GATEWAY,)
CONSUMERS = INGEST + WINDOWS + ALERTS
REQUEST_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PAIR = ("carrier", "region")
RULED_WINDOW = (*PAIR, "window", "rule")
OPENED_AS = ("rule", "scope", *PAIR)


class Metrics(RecipientMetrics):
    """Everything one role exports. Raises AttributeError for a metric of another role."""

    # What providers post
    gateway_requests_total = counter(
        GATEWAY,
        "Requests answered; source is unknown where none is configured.",
        "source",
        "endpoint",
        "result",
        result=Answer,
    )
    gateway_request_duration_seconds = wide_histogram(
        GATEWAY, "Time from the head of a request to its answer.", "endpoint", bounds=REQUEST_BOUNDS_S
    )
    gateway_in_flight_records = gauge(GATEWAY, "Records that Kafka has not acknowledged yet.")

    # What came in, and what became of it
    records_received_total = counter(INGEST, "Records read, counted before they are decoded.", "source")
    records_total = counter(
        WINDOWS,
        "Records by result; the results add up to what was received.",
        "source",
        "result",
        result=Result,
    )
    outcomes_total = wide_counter(WINDOWS, "Final outcomes counted.", *PAIR, "outcome_class")
    outcome_codes_total = wide_counter(
        WINDOWS, "Final outcomes counted, by the provider's code.", "carrier", "source", "code"
    )
    intermediate_absent_total = wide_counter(
        WINDOWS,
        "Messages of which an intermediate receipt said that the subscriber is absent; they are not final.",
        *PAIR,
    )
    lost_records_total = counter(WINDOWS, "Records gone from the log before they could be counted.")
    carrier_unknown_ratio = gauge(
        WINDOWS, "Share of the last hour's final outcomes whose carrier is unknown.", "source"
    )
    carrier_checks_total = counter(
        INGEST,
        "Final outcomes whose carrier Lookup knows as well; ported: it knows another one.",
        "source",
        "result",
        result=CarrierCheck,
    )
    lookup_requests_total = counter(
        INGEST, "Numbers that Lookup was to be asked for, by what became of them.", "result", result=Asked
    )
    receipt_latency_seconds = wide_histogram(
        WINDOWS, "Time from send to receipt, where the source gives both.", "carrier", bounds=LATENCY_BOUNDS_S
    )
    series_limited_total = counter(
        WINDOWS,
        "Updates folded into the series 'other' at the cardinality cap.",
        "metric",
    )

    # What the windows hold
    window_outcomes = wide_gauge(WINDOWS, "Final outcomes in the sliding window.", *PAIR, "window")
    window_failures = wide_gauge(WINDOWS, "Numerator of the rule in the sliding window.", *RULED_WINDOW)
    window_eligible = wide_gauge(WINDOWS, "Denominator of the rule in the sliding window.", *RULED_WINDOW)
    window_failure_ratio = wide_gauge(
        WINDOWS, "Failures over eligible outcomes; left out where nothing is eligible.", *RULED_WINDOW
    )
    window_distinct_recipients = wide_gauge(
        WINDOWS, "Distinct recipients that failed by the rule in the last hour.", *PAIR, "rule"
    )
    receipts_missing = wide_gauge(
        WINDOWS,
        "Messages sent in the last hour without a final outcome, those on their way included; where the "
        "source tells of sends.",
        *PAIR,
    )

    # How far, and how well, the monitor sees
    watermark_lag_seconds = wide_gauge(
        WINDOWS, "Wall time less the clock of the source partition.", "partition"
    )
    last_event_timestamp_seconds = wide_gauge(
        WINDOWS, "Clock of the source partition, epoch seconds.", "partition"
    )
    low_water_age_seconds = gauge(WINDOWS, "Age of the oldest partial that an open bucket needs.")
    dedupe_horizon_seconds = gauge(
        INGEST, "Span of receipt time in which repeats are recognised.", "partition"
    )
    consumer_lag_records = wide_gauge(
        CONSUMERS,
        "Records between the role's position and the end of its log; none of a standby.",
        "role",
        "partition",
    )
    blind = gauge(
        WINDOWS + ALERTS, "1 while the monitor can not tell what carriers do.", "reason", reason=Blind
    )

    # What it decided
    baseline_failure_ratio = wide_gauge(
        ALERTS,
        "The failure ratio that is normal here and now, by the rule's baseline; over the cap of the flagged "
        "and the oldest series.",
        *PAIR,
        "rule",
    )
    flag_active = wide_gauge(
        ALERTS, "1 while the rule flags the series, then 0 for 10 min.", "rule", *PAIR, "severity"
    )
    incident_active = wide_gauge(
        ALERTS, "1 while the incident is open; labels as they were at opening.", *OPENED_AS
    )
    incident_info = wide_gauge(
        ALERTS, "Open incidents, labels as they are now.", "incident_id", *OPENED_AS, "severity"
    )
    incident_opened_timestamp_seconds = wide_gauge(
        ALERTS, "When the open incident was opened, event time, epoch seconds.", *OPENED_AS
    )
    incident_silenced = wide_gauge(
        ALERTS, "1 while a silence holds the open incident's pages back; labels as at opening.", *OPENED_AS
    )
    incident_commands_total = counter(
        ALERTS,
        "Commands of people and webhooks; unknown: about no incident or silence that there is.",
        "result",
        result=Heard,
    )

    pages_wanted = wide_gauge(
        ALERTS,
        "Pages wanted in the last 7 days of event time; in observe mode none was sent.",
        "severity",
        "scope",
    )

    # How paging does
    pager_attempts_total = counter(
        ALERTS, "Attempts to hand a page to the pager.", "route", "result", result=Sent
    )
    pager_oldest_unsent_seconds = gauge(
        ALERTS, "Age of the oldest page that the pager has not accepted; 0 when there is none.", "route"
    )
    pager_queue_length = gauge(ALERTS, "Pages that the pager has not accepted.", "route")
    pager_info = gauge(ALERTS, "The route that pages take.", "route")
    canary_last_seen_timestamp_seconds = wide_gauge(
        ALERTS,
        "End of the newest closed bucket with a canary, epoch seconds; 0 for none yet; the owner's alone.",
    )
    heartbeats_total = counter(
        ALERTS, "Calls to the dead man's switch; held_back: not well enough to call.", "result", result=Beat
    )
    redis_up = gauge(ALERTS, "1 while Redis answers.")
    build_info = gauge(EVERY_ROLE, "The build that runs.", "version", "role")

    def __init__(self, role: Role | str, **known: Iterable[str]) -> None:
        """`known`: label values of this installation, such as `source=["twilio"]`; see `expect`."""
        self.role = Role(role)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        mine = [m for m in METRICS if self.role in m.roles]
        self._made: dict[str, Any] = {m.name: m.make(m, self.registry) for m in mine}
        self._families = [made for made in self._made.values() if isinstance(made, Family)]
        self._expect_all({}, [m for m in mine if m.known])
        self.expect(**known)
        if self.role in CONSUMERS[1:]:
            for reason in Blind:
                if (reason in BLIND_OF_ALERTS) is not (self.role is Role.ALERTS):
                    self.blind.remove(reason)
        self.build_info.labels(version(), self.role.value).set(1)

    def get(self, name: str) -> Any:
        """The live metric. Raises AttributeError when this role does not export it."""
        if name not in self._made:
            raise AttributeError(f"the role {self.role} does not export {PREFIX}{name}")
        return self._made[name]

    def expect(self, **known: Iterable[str]) -> None:
        """Makes series exist at 0 wherever every label has known values.

        A counter born at 5000 has no increase in Prometheus; one that was 0 before has.
        """
        values = {label: tuple(given) for label, given in known.items()}
        self._expect_all(values, [m for m in METRICS if not values.keys().isdisjoint(m.labels)])

    def _expect_all(self, values: Mapping[str, Sequence[str]], metrics: Iterable[Metric[Any]]) -> None:
        for m in metrics:
            if m.name in self._made and m.kind != "histogram":
                self._expect(m, {**values, **m.known})

    def _expect(self, metric: Metric[Any], values: Mapping[str, Sequence[str]]) -> None:
        if any(label not in values for label in metric.labels):
            return
        made = self._made[metric.name]
        for key in product(*(values[label] for label in metric.labels)):
            if isinstance(made, Table):
                made.add(tuple(map(str, key)), 0)
            else:
                made.labels(*key)

    def provide_lag(self, lag: Callable[[], int | None]) -> None:
        """`lag` of the one partition that the role reads; None leaves the series out."""

        def rows() -> Rows:
            now = lag()
            return Rows([], []) if now is None else Rows([(self.role.value, "0")], [float(now)])

        self.consumer_lag_records.provide(rows)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics where `accept` names it, else text."""
        openmetrics = "application/openmetrics-text" in accept
        tables = "".join(family.render(openmetrics) for family in self._families).encode()
        if not openmetrics:
            return generate_latest(self.registry) + tables, TEXT
        small: bytes = openmetrics_format.generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return small.removesuffix(b"# EOF\n") + tables + b"# EOF\n", OPENMETRICS


METRICS: tuple[Metric[Any], ...] = tuple(
    m for part in Metrics.__mro__ for m in vars(part).values() if isinstance(m, Metric)
)
"""The list itself, in the order of the class bodies."""


def version() -> str:
    """Of what runs; `unknown` where it is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
