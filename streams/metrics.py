"""The one list of metrics, and what a role shows of it.

The class body of `Metrics` is the list: name, type, help, unit, labels and the roles that export
it. Documentation, dashboards and rules are checked against `METRICS`; code reaches a metric as an
attribute, `metrics.records_received_total.labels("twilio").inc()`.
"""

from __future__ import annotations

from streams.exposition import counter, gauge, wide_counter, wide_gauge, wide_histogram
from streams.label_values import Advised, Answer, Asked, Beat, Blind, CarrierCheck, Heard, Sent
from streams.metric_set import CONSUMERS, EVERY_ROLE, MetricSet
from streams.metric_set import OPENMETRICS as OPENMETRICS
from streams.metric_set import TEXT as TEXT
from streams.metric_set import Role as Role
from streams.metric_set import version as version
from streams.metrics_recipients import RecipientMetrics
from streams.records import LATENCY_BOUNDS_S, Result

WINDOW_LABELS = ("1m", "5m", "15m", "1h")
"""The values of the label `window`."""

INGEST, WINDOWS, ALERTS, GATEWAY = (Role.INGEST,), (Role.WINDOWS,), (Role.ALERTS,), (Role.GATEWAY,)
REQUEST_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PAIR = ("carrier", "region")
RULED_WINDOW = (*PAIR, "window", "rule")
OPENED_AS = ("rule", "scope", *PAIR)


class Metrics(RecipientMetrics, MetricSet):
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

    # What it advises
    retry_advice_total = counter(
        ALERTS, "Failed messages advised on, by what to do.", "source", "decision", decision=Advised
    )
    retry_too_soon_total = counter(
        ALERTS,
        "Messages that failed within advice.min_wait_s of their recipient's failure before.",
        "source",
    )
    retry_too_often_total = counter(
        ALERTS,
        "Messages that failed although advice.max_attempts tries in a row had failed before.",
        "source",
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


METRICS = Metrics.listed()
"""The list, in the order of the class bodies."""
