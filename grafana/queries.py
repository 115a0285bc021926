"""PromQL that several panels share.

Ratios are sums over sums, never averages of ratios. Gauges are taken with `max by` first, so that two
instances that show the same for a moment, as during a handover, are not added up.
"""

from __future__ import annotations

LEAF = "carrier, region, rule"
SHORT = 'window="5m"'
LEAST = 20
"""Fewer outcomes than this in 5 min make no ratio that is worth a row."""
BAND_Z = 1.96
"""The band holds 95 of 100 windows of a series that only chance moves."""

Matchers = str
EVERYWHERE: Matchers = 'carrier=~"$carrier", region=~"$region", rule=~"$rule"'


def failures(by: str, where: Matchers) -> str:
    return f"sum by ({by}) (max by ({LEAF}) (carrier_health_window_failures{{{SHORT}, {where}}}))"


def eligible(by: str, where: Matchers) -> str:
    return f"sum by ({by}) (max by ({LEAF}) (carrier_health_window_eligible{{{SHORT}, {where}}}))"


def ratio(by: str, where: Matchers) -> str:
    """What fails of what could, in the last 5 min."""
    return f"{failures(by, where)} / ({eligible(by, where)} > 0)"


def busy_ratio(by: str, where: Matchers) -> str:
    """The same, only where there is enough traffic."""
    return f"{failures(by, where)} / ({eligible(by, where)} >= {LEAST})"


def baseline(by: str, where: Matchers) -> str:
    """The ratio that is normal now, of several series by their traffic."""
    weighted = (
        f"max by ({LEAF}) (carrier_health_baseline_failure_ratio{{{where}}}) "
        f"* max by ({LEAF}) (carrier_health_window_eligible{{{SHORT}, {where}}})"
    )
    return f"sum by ({by}) ({weighted}) / ({eligible(by, where)} > 0)"


def band(by: str, where: Matchers, sign: str) -> str:
    """One edge of what chance alone makes of the baseline: `sign` is + or -."""
    p = baseline(by, where)
    reach = f"{BAND_Z} * sqrt(({p}) * (1 - ({p})) / ({eligible(by, where)} > 0))"
    edge = f"({p}) {sign} {reach}"
    return f"clamp_min({edge}, 0)" if sign == "-" else f"clamp_max({edge}, 1)"


def flag_state(by: str, where: Matchers) -> str:
    """0 normal, 1 info, 2 warning, 3 critical; 0 also where nothing is flagged but traffic is."""
    levels = [
        f'{level} * max by ({by}) (carrier_health_flag_active{{severity="{severity}", {where}}} == 1)'
        for level, severity in ((3, "critical"), (2, "warning"), (1, "info"))
    ]
    normal = f"0 * max by ({by}) (carrier_health_window_eligible{{{SHORT}, {where}}})"
    return " or ".join([*levels, normal])


def open_incidents(where: Matchers = "") -> str:
    """By what they are called, 1 while open; labels as they were at opening."""
    named = f"carrier_health_incident_active{{{where}}}" if where else "carrier_health_incident_active"
    return f"max by (rule, scope, carrier, region) ({named})"


def latency(quantile: float, where: Matchers) -> str:
    """Seconds between send and receipt that so many of 1 stay below."""
    buckets = f"carrier_health_receipt_latency_seconds_bucket{{{where}}}"
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[$__rate_interval])))"


def class_latency(quantile: float, where: Matchers) -> str:
    """The same by traffic class."""
    buckets = f"carrier_health_class_latency_seconds_bucket{{{where}}}"
    return f"histogram_quantile({quantile}, sum by (le, traffic_class) (rate({buckets}[$__rate_interval])))"


def carrier_late(where: Matchers) -> str:
    """Share of the receipts that took more than four hours."""
    buckets = "carrier_health_receipt_latency_seconds_bucket"
    within, all_ = (
        f'sum(rate({buckets}{{le="{le}", {where}}}[$__rate_interval]))' for le in ("14400.0", "+Inf")
    )
    return f"1 - {within} / ({all_} > 0)"


def coverage(metric: str, where: Matchers) -> str:
    """A share of messages that have an end, over several pairs by their messages."""
    shares = f"max by (carrier, region) (carrier_health_{metric}{{{where}}})"
    messages = f"max by (carrier, region) (carrier_health_receipt_coverage_messages{{{where}}})"
    return f"sum({shares} * {messages}) / sum(({messages} and {shares}) > 0)"


BLIND = (
    'max(min by (reason) (carrier_health_blind{reason=~"partials_silent|windows_silent"}) '
    'or max by (reason) (carrier_health_blind{reason=~"clock_held|no_outcomes"}))'
)
"""1 while the monitor can not tell: of what a standby does not see either, one must see it."""
