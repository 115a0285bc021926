"""Monitor: whether it sees, counts exactly, keeps up, gets its pages out, and knows whom nothing reaches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana import recipients
from grafana.look import ANY_IS_BAD, ANY_IS_NOTABLE, CRITICAL, MUST_BE_UP, SEES, UP, WARNING, late
from grafana.panels import COUNT, PER_SECOND, SECONDS, Query, coloured, lines, now, one, stacked, states
from grafana.panels import RATIO as SHARE
from grafana.queries import BLIND
from grafana.tables import Column, rows
from streams.records import UNKNOWN

BY_SOURCE = 'source=~"$source"'
RECEIVED = f"carrier_health_records_received_total{{{BY_SOURCE}}}"
RECORDS = f"carrier_health_records_total{{{BY_SOURCE}}}"
RESULT_COLOURS = {"counted": "green", "malformed": "red", "late": "orange", "conflict": "purple"}


def panels() -> Iterator[Any]:
    """In reading order, from the left and from the top."""
    yield from _numbers()
    yield from _flow()
    yield from _progress()
    yield from _paging()
    yield from recipients.panels()
    yield from _edges()


def _numbers() -> Iterator[Any]:
    yield one(
        "Sight",
        "Whether the monitor sees what carriers do. While it is blind nothing opens and nothing resolves.",
        "none",
        BLIND,
        ANY_IS_BAD,
        SEES,
        none="nobody runs it",
    )
    yield one(
        "Canary came back",
        "Age of the newest test record of the monitor's own that went all the way; more than 3 min alerts.",
        SECONDS,
        "time() - max(carrier_health_canary_last_seen_timestamp_seconds)",
        late(90, 180),
    )
    yield one(
        "Newest outcome",
        "Age of the newest record that any source partition has shown to the windows.",
        SECONDS,
        "time() - max(carrier_health_last_event_timestamp_seconds)",
        late(60, 300),
    )
    yield one(
        "Oldest unsent page",
        "Age of the oldest page that no pager has accepted yet; 5 min alerts.",
        SECONDS,
        "max(carrier_health_pager_oldest_unsent_seconds)",
        late(60, 300),
    )
    yield one(
        "Redis",
        "Whether the alerts role reaches Redis. Without it detection and paging go on.",
        "none",
        "max(carrier_health_redis_up)",
        MUST_BE_UP,
        UP,
    )
    yield one(
        "Lost records",
        "Records that were gone from Kafka before they were counted, in this time range. It should be 0.",
        COUNT,
        "sum(increase(carrier_health_lost_records_total[$__range]))",
        ANY_IS_BAD,
    )


def _flow() -> Iterator[Any]:
    results = stacked(
        "Records by result",
        "What became of records a second. All results together are what was received.",
        PER_SECOND,
        [Query(f"sum by (result) (rate({RECORDS}[$__rate_interval]))", "{{result}}")],
    )
    yield coloured(results, RESULT_COLOURS)
    yield lines(
        "Exactness balance",
        "Received, and what the results add up to. The lines lie on each other, the second one a bucket "
        "later; what stays apart for minutes is in flight or lost.",
        PER_SECOND,
        [
            Query(f"sum(rate({RECEIVED}[$__rate_interval]))", "received"),
            Query(f"sum(rate({RECORDS}[$__rate_interval]))", "sum of results"),
        ],
    )
    yield lines(
        "Can not be read, or came late",
        "Shares of the records of a source that went to dead letters or missed their bucket. More than 5 % "
        "alerts: the provider may have changed its format. Records of no known source are left out: all of "
        "them are dead letters.",
        SHARE,
        [
            Query(
                "sum by (source, result) (rate(carrier_health_records_total"
                f'{{{BY_SOURCE}, source!="{UNKNOWN}", result=~"malformed|late"}}[$__rate_interval])) '
                f"/ on (source) group_left () (sum by (source) (rate({RECORDS}[$__rate_interval])) > 0)",
                "{{source}} {{result}}",
            )
        ],
    )
    yield lines(
        "Carrier unknown",
        "Share of the last hour's final outcomes whose carrier nobody said: they are in no carrier's ratio.",
        SHARE,
        [Query(f"max by (source) (carrier_health_carrier_unknown_ratio{{{BY_SOURCE}}})", "{{source}}")],
    )


def _progress() -> Iterator[Any]:
    yield lines(
        "Watermark lag",
        "How far each source partition is behind the wall clock. Windows wait for the slowest; 2 min alerts.",
        SECONDS,
        [
            Query("max by (partition) (carrier_health_watermark_lag_seconds)", "partition {{partition}}"),
        ],
        steps=late(60, 120),
    )
    yield lines(
        "Consumer lag",
        "Records between each role's position and the end of its topics.",
        COUNT,
        [Query("sum by (role) (max by (role, partition) (carrier_health_consumer_lag_records))", "{{role}}")],
    )
    yield states(
        "Why it is blind",
        "One lane a reason. partials_silent and windows_silent count only where no instance sees more.",
        Query("min by (reason) (carrier_health_blind)", "{{reason}}"),
        SEES,
        w=12,
        h=8,
    )
    yield lines(
        "Memory of the log",
        "Age of the oldest partial that an open bucket needs, and the shortest span in which ingest still "
        "recognises a repeat.",
        SECONDS,
        [
            Query("max(carrier_health_low_water_age_seconds)", "oldest partial needed"),
            Query("min(carrier_health_dedupe_horizon_seconds)", "repeats recognised for"),
        ],
    )


def _paging() -> Iterator[Any]:
    yield lines(
        "Pages that wait",
        "Pages that a route has not accepted yet.",
        COUNT,
        [Query("max by (route) (carrier_health_pager_queue_length)", "{{route}}")],
    )
    attempts = lines(
        "Attempts to page",
        "Attempts a minute by result; refused ones are not tried again.",
        "cpm",
        [
            Query(
                "60 * sum by (route, result) (rate(carrier_health_pager_attempts_total[$__rate_interval]))",
                "{{route}} {{result}}",
            )
        ],
    )
    yield attempts.override_by_regexp("/refused$/", [_colour(CRITICAL)]).override_by_regexp(
        "/retry$/", [_colour(WARNING)]
    )
    yield rows(
        "Routes and pages wanted",
        "The route that pages take, and how many pages of each severity the last 7 days wanted. In observe "
        "mode none of them was sent.",
        [
            now("max by (route) (carrier_health_pager_info)"),
            now("max by (severity, scope) (carrier_health_pages_wanted)"),
        ],
        (
            Column("route", "Route"),
            Column("severity", "Severity"),
            Column("scope", "Scope"),
            Column("A", "In use", shown=False),
            Column("B", "Wanted in 7 days"),
        ),
    )
    yield lines(
        "Heartbeats and commands",
        "Calls to the dead man's switch, and commands of people and webhooks, a minute.",
        "cpm",
        [
            Query(
                "60 * sum by (result) (rate(carrier_health_heartbeats_total[$__rate_interval]))",
                "heartbeat {{result}}",
            ),
            Query(
                "60 * sum by (result) (rate(carrier_health_incident_commands_total[$__rate_interval]))",
                "command {{result}}",
            ),
        ],
    )


def _colour(name: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": name})


def _edges() -> Iterator[Any]:
    for panel in _gateway():
        yield panel.no_value("no gateway runs")
    yield from _lookup_and_limits()


def _gateway() -> Iterator[Any]:
    yield stacked(
        "Gateway: requests by answer",
        "What providers post, by how the gateway answered.",
        "reqps",
        [
            Query(
                "sum by (result) (rate(carrier_health_gateway_requests_total[$__rate_interval])) > 0",
                "{{result}}",
            )
        ],
    )
    seconds = "carrier_health_gateway_request_duration_seconds_bucket[$__rate_interval]"
    yield lines(
        "Gateway: time to answer",
        "99 % of requests are answered within this time; Twilio gives up after 15 s.",
        SECONDS,
        [Query(f"histogram_quantile(0.99, sum by (le, endpoint) (rate({seconds})))", "{{endpoint}}")],
    )
    yield lines(
        "Gateway: not acknowledged yet",
        "Records that Kafka has not acknowledged; at the limit the gateway answers 503.",
        COUNT,
        [Query("sum(carrier_health_gateway_in_flight_records)", "records")],
    )


def _lookup_and_limits() -> Iterator[Any]:
    yield lines(
        "Lookup",
        "Numbers that Lookup was to be asked for, a second, by what became of them, and final outcomes of "
        "which Lookup knows another carrier than the one told.",
        PER_SECOND,
        [
            Query(
                "sum by (result) (rate(carrier_health_lookup_requests_total[$__rate_interval]))", "{{result}}"
            ),
            Query(
                "sum by (result) (rate(carrier_health_carrier_checks_total"
                f"{{{BY_SOURCE}}}[$__rate_interval]))",
                "carrier {{result}}",
            ),
        ],
    )
    yield one(
        "Series at the limit",
        "Updates in this time range that were folded into the series `other`, as a metric has too many; the "
        "label `metric` of series_limited_total says which.",
        COUNT,
        "sum(increase(carrier_health_series_limited_total[$__range])) or vector(0)",
        ANY_IS_NOTABLE,
        w=6,
    )
    yield rows(
        "What runs",
        "Instances by role and version.",
        [now("count by (role, version) (carrier_health_build_info)")],
        (Column("role", "Role"), Column("version", "Version"), Column("A", "Instances")),
        w=18,
        h=6,
    )
