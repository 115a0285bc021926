"""Two hours of a network as Prometheus would have scraped it, with one incident in it. No chance in it.

minute  0 ............. 60 ==== 40 % of one carrier absent ==== 80 ............. 120
                          ^61 flagged, opened, paged            ^81 resolved; shown as 0 until 91

Values are what the code would export, by its own list of metrics: counters are integrals of constant
rates, windows are sums of the last minutes, so what a query must give can be worked out by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from streams.label_values import Answer, Asked, Beat, Blind, CarrierCheck, Heard, Ignored, Sent
from streams.metrics import METRICS, REQUEST_BOUNDS_S, WINDOW_LABELS
from streams.records import LATENCY_BOUNDS_S, Result

START_S, STEP_S, MINUTES = 1_793_620_800, 15, 120
"""2026-11-02 12:00 UTC; one scrape in 15 s."""
ONSET_S, END_S = START_S + 60 * 60, START_S + 80 * 60
FOUND_S, RESOLVED_S = ONSET_S + 60, END_S + 60
SHOWN_S = RESOLVED_S + 600
CALM_S, SPIKE_S, AFTER_S = START_S + 50 * 60, START_S + 75 * 60, START_S + 115 * 60
"""When queries are asked: before the incident, when its 5 min windows are full, long after."""

RATES = {("311-480", "US-CA"): 12, ("311-480", "US-NY"): 8, ("310-260", "US-CA"): 10, ("310-260", "US-TX"): 6}
"""Final outcomes a second of each carrier and region."""
ILL = "311-480"
RULE, OTHER_RULE = "twilio_30003", "smpp_absent_subscriber"
"""The rule that the incident is of, and one that stays normal on half as many outcomes."""
NORMAL, FAILING, OTHER = 0.02, 0.40, 0.01
"""Shares that are absent when well and when ill, and that fail otherwise."""
IN_FLIGHT = 0.5
"""Records that are no final outcomes yet, as a share of those that are."""
KEY = f"ch:{RULE}:carrier:{ILL}:all:{ONSET_S + 20}"
AS_OPENED = (RULE, "carrier", ILL, "all")
WINDOWS_S = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600}

Value = Callable[[int], float | None]
"""The value at a time; None where the series is not exported then."""


class Series(NamedTuple):
    """One series: `name` as exported without prefix, labels in the order of the metric's."""

    name: str
    labels: tuple[str, ...]
    at: Value
    le: str = ""


def overlap(from_s: float, to_s: float) -> float:
    """Seconds of the incident within an interval."""
    return max(0.0, min(to_s, END_S) - max(from_s, ONSET_S))


def absent(carrier: str, rate: float, from_s: float, to_s: float) -> float:
    """Absent subscribers of a series in an interval."""
    ill_s = overlap(from_s, to_s) if carrier == ILL else 0.0
    return rate * (NORMAL * (to_s - from_s) + (FAILING - NORMAL) * ill_s)


def during(from_s: int, to_s: int, value: float) -> Value:
    return lambda at: value if from_s <= at < to_s else None


def growing(per_s: float) -> Value:
    return lambda at: per_s * (at - START_S)


def always(value: float) -> Value:
    return lambda _: value


def outcomes() -> Iterator[Series]:
    """Counters of outcomes and codes, and the sliding windows."""
    for (carrier, region), rate in RATES.items():
        pair = (carrier, region)

        def gone(at: int, carrier: str = carrier, rate: float = rate) -> float:
            return absent(carrier, rate, START_S, at)

        def fine(at: int, rate: float = rate, gone: Value = gone) -> float:
            return rate * (1 - OTHER) * (at - START_S) - (gone(at) or 0)

        yield Series("outcomes_total", (*pair, "delivered"), fine)
        yield Series("outcomes_total", (*pair, "absent_subscriber"), gone)
        yield Series("outcomes_total", (*pair, "destination"), growing(rate * OTHER))
        yield Series("intermediate_absent_total", pair, growing(rate * 0.1))
        yield Series("receipts_missing", pair, _missing(carrier, rate))
        yield Series("baseline_failure_ratio", (*pair, RULE), always(NORMAL))
        yield Series("baseline_failure_ratio", (*pair, OTHER_RULE), always(NORMAL))
        yield Series("window_distinct_recipients", (*pair, RULE), _in_window(carrier, rate, 3600))
        yield Series("window_distinct_recipients", (*pair, OTHER_RULE), always(rate))
        for window, window_s in WINDOWS_S.items():
            k = _in_window(carrier, rate, window_s)
            n = rate * window_s
            yield Series("window_outcomes", (*pair, window), always(n))
            yield from _ruled((*pair, window, RULE), k, n)
            yield from _ruled((*pair, window, OTHER_RULE), always(n / 2 * NORMAL), n / 2)
    for carrier in {carrier: None for carrier, _ in RATES}:
        rate = sum(r for (c, _), r in RATES.items() if c == carrier)
        yield Series(
            "outcome_codes_total",
            (carrier, "twilio", "30003"),
            lambda at, carrier=carrier, rate=rate: absent(carrier, rate, START_S, at),
        )
        yield Series("outcome_codes_total", (carrier, "twilio", "30005"), growing(rate * OTHER))
        yield from _latency(carrier, rate)


def _missing(carrier: str, rate: float) -> Value:
    """Receipts take 8 s on average; of the ill carrier a tenth more never comes while it is ill."""
    return lambda at: rate * (8 + (0.1 * overlap(at - 3600, at) if carrier == ILL else 0))


def _ruled(labels: tuple[str, ...], k: Value, n: float) -> Iterator[Series]:
    yield Series("window_failures", labels, k)
    yield Series("window_eligible", labels, always(n))
    yield Series("window_failure_ratio", labels, lambda at: (k(at) or 0) / n)


def _in_window(carrier: str, rate: float, window_s: int) -> Value:
    return lambda at: absent(carrier, rate, at - window_s, at)


def _latency(carrier: str, rate: float) -> Iterator[Series]:
    """Half of the receipts within 5 s, all within 60 s."""
    shares = [0.1, 0.5, 0.8, 0.95, *[1.0] * (len(LATENCY_BOUNDS_S) - 4)]
    yield from histogram("receipt_latency_seconds", (carrier,), LATENCY_BOUNDS_S, shares, rate)


def histogram(
    name: str, labels: tuple[str, ...], bounds: tuple[float, ...], shares: list[float], rate: float
) -> Iterator[Series]:
    for bound, share in zip((*map(float, bounds), "+Inf"), (*shares, 1.0), strict=True):
        yield Series(f"{name}_bucket", labels, growing(rate * share), str(bound))
    yield Series(f"{name}_count", labels, growing(rate))
    yield Series(f"{name}_sum", labels, growing(rate * 8))


def decided() -> Iterator[Series]:
    """Flags, the incident, its page."""

    def live(at: int) -> float | None:
        return float(at < RESOLVED_S) if FOUND_S <= at < SHOWN_S else None

    for carrier, region in RATES:
        if carrier == ILL:
            yield Series("flag_active", (RULE, carrier, region, "critical"), live)
    yield Series("incident_active", AS_OPENED, live)
    yield Series("incident_info", (KEY, *AS_OPENED, "critical"), during(FOUND_S, RESOLVED_S, 1))
    yield Series("incident_opened_timestamp_seconds", AS_OPENED, during(FOUND_S, RESOLVED_S, FOUND_S))
    yield Series("incident_silenced", AS_OPENED, during(FOUND_S, RESOLVED_S, 0))
    yield Series("pages_wanted", ("critical", "carrier"), lambda at: float(at >= FOUND_S))
    for result in Sent:
        pages = _at(FOUND_S, RESOLVED_S) if result is Sent.ACCEPTED else always(0)
        yield Series("pager_attempts_total", ("pagerduty", result), pages)
    for name, value in (("oldest_unsent_seconds", 0), ("queue_length", 0), ("info", 1)):
        yield Series(f"pager_{name}", ("pagerduty",), always(value))


def listed() -> Iterator[Series]:
    """Whom nothing reaches; one sender's list goes bad as the spike ends."""
    yield Series("recipients_listed", (), lambda at: 400 + growing(0.01)(at))
    yield Series("recipients_entered_total", (), growing(0.01))
    yield Series("recipients_tracked", (), always(52_000))
    yield Series("recipients_pruned_total", (), growing(0.1))
    yield Series("recipients_refused_total", (), always(0))
    for reason in Ignored:
        yield Series("recipients_ignored_total", (reason,), always(0))
    yield Series("recipients_lag_records", (), always(3))
    yield Series("recipients_rebuilding", (), always(0))
    yield Series("recipients_growing_campaigns", (), lambda at: float(at >= RESOLVED_S))


def _at(*moments_s: int) -> Value:
    return lambda at: sum(at >= moment for moment in moments_s)


def flow() -> Iterator[Series]:
    """What came in, and how far the monitor is."""
    rate = sum(RATES.values())
    received = rate * (1 + IN_FLIGHT)
    yield Series("records_received_total", ("twilio",), growing(received))
    for result in Result:
        share = {Result.COUNTED: rate, Result.IN_FLIGHT: rate * IN_FLIGHT}.get(result, 0)
        yield Series("records_total", ("twilio", result), growing(share))
    yield Series("carrier_unknown_ratio", ("twilio",), always(0.004))
    yield Series("lost_records_total", (), always(0))
    yield Series("series_limited_total", ("outcomes_total",), always(0))
    for partition in ("0", "1"):
        yield Series("watermark_lag_seconds", (partition,), always(2))
        yield Series("last_event_timestamp_seconds", (partition,), lambda at: at - 2)
        yield Series("dedupe_horizon_seconds", (partition,), always(86_400))
    for role in ("ingest", "windows", "alerts"):
        yield Series("consumer_lag_records", (role, "0"), always(40))
    yield Series("low_water_age_seconds", (), always(12))
    yield Series("canary_last_seen_timestamp_seconds", (), lambda at: at - 25)
    yield Series("redis_up", (), always(1))
    for role in ("gateway", "ingest", "windows", "alerts"):
        yield Series("build_info", ("0.1.0", role), always(1))


def edges() -> Iterator[Series]:
    """The gateway, Lookup, people."""
    yield Series("gateway_in_flight_records", (), always(3))
    counted = (
        ("gateway_requests_total", product(("twilio",), ("status",), Answer), growing(54)),
        ("carrier_checks_total", product(("twilio",), CarrierCheck), growing(4)),
        ("lookup_requests_total", product(Asked), growing(5)),
        ("incident_commands_total", product(Heard), _at(FOUND_S + 120)),
        ("heartbeats_total", product(Beat), growing(1 / 60)),
    )
    for name, keys, well in counted:
        for i, key in enumerate(keys):
            yield Series(name, tuple(map(str, key)), well if i == 0 else always(0))
    shares = [0.2, 0.6, 0.9, 0.97, 0.99, *[1.0] * (len(REQUEST_BOUNDS_S) - 5)]
    yield from histogram("gateway_request_duration_seconds", ("status",), REQUEST_BOUNDS_S, shares, 54.0)
    for reason in Blind:
        yield Series("blind", (reason,), always(0))


def everything() -> list[Series]:
    return [*outcomes(), *decided(), *listed(), *flow(), *edges()]


def openmetrics() -> str:
    """The file that `promtool tsdb create-blocks-from openmetrics` takes."""
    by_metric = _by_metric(everything())
    lines: list[str] = []
    for metric in METRICS:
        family = metric.full_name.removesuffix("_total")
        lines.append(f"# TYPE {family} {metric.kind}")
        for series in by_metric[metric.name]:
            names = (*metric.labels, "le") if series.le else metric.labels
            values = (*series.labels, series.le) if series.le else series.labels
            pairs = ",".join(f'{n}="{v}"' for n, v in zip(names, values, strict=True))
            lines += _samples(f"carrier_health_{series.name}{{{pairs}}}", series.at)
    return "\n".join([*lines, "# EOF", ""])


def _by_metric(all_series: list[Series]) -> Mapping[str, list[Series]]:
    """Raises KeyError for a series that the code does not export."""
    found: dict[str, list[Series]] = {m.name: [] for m in METRICS}
    for series in all_series:
        name = series.name
        if name not in found:
            name = name.rsplit("_", 1)[0]
        found[name].append(series)
    return found


def _samples(series: str, at: Value) -> Iterator[str]:
    for moment in range(START_S, START_S + MINUTES * 60 + 1, STEP_S):
        value = at(moment)
        if value is not None:
            yield f"{series} {float(value)!r} {moment}"


assert set(WINDOWS_S) == set(WINDOW_LABELS)
