"""Carrier: one carrier's outcomes, ratios, receipts, codes and regions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana import receipts
from grafana.look import ANY_IS_BAD, CLASS_COLOURS, FLAGS, MEASURED, RATIO, late
from grafana.panels import (
    COUNT,
    HALF,
    PER_SECOND,
    SECONDS,
    THIRD,
    WHOLE,
    Query,
    coloured,
    heat,
    lines,
    now,
    one,
    stacked,
    states,
    with_band,
)
from grafana.panels import RATIO as SHARE
from grafana.queries import (
    EVERYWHERE,
    LEAF,
    LEAST,
    SHORT,
    band,
    baseline,
    busy_ratio,
    eligible,
    flag_state,
    latency,
    open_incidents,
    ratio,
)
from grafana.tables import Column, rows

PLACE = 'carrier=~"$carrier", region=~"$region"'
OPEN_HERE = 'carrier=~"$carrier|all", region=~"$region|all"'
OUTCOMES = f"carrier_health_outcomes_total{{{PLACE}}}"
CODES = 'carrier_health_outcome_codes_total{carrier=~"$carrier"}'
RECEIPTS = 'carrier_health_receipt_latency_seconds_bucket{carrier=~"$carrier"}'
WORST_REGION = (
    f"max(max by ({LEAF}) (carrier_health_window_failure_ratio{{{SHORT}, {EVERYWHERE}}}) "
    f"and max by ({LEAF}) (carrier_health_window_eligible{{{SHORT}, {EVERYWHERE}}}) >= {LEAST})"
)


def panels() -> Iterator[Any]:
    """In reading order, from the left and from the top."""
    yield from _numbers()
    yield ratio_panel().repeat("rule").repeat_direction("h").max_per_row(2)
    yield states(
        "Flags by rule and region",
        "What the detector flags, and how badly. Green lanes have traffic and are normal.",
        Query(flag_state("rule, region", EVERYWHERE), "{{rule}} {{region}}"),
        FLAGS,
    )
    yield classes()
    yield stacked(
        "Volume by region",
        "Final outcomes a second.",
        PER_SECOND,
        [Query(f"sum by (region) (rate({OUTCOMES}[$__rate_interval]))", "{{region}}")],
    )
    yield heat(
        "Receipt latency",
        "Receipts a second by the time from send to receipt, where the source gives both. A dark band that "
        "moves up is a queue that grows at the carrier.",
        f"sum by (le) (rate({RECEIPTS}[$__rate_interval]))",
        w=THIRD,
    )
    yield lines(
        "Receipt latency, quantiles",
        "Half, 90 % and 99 % of receipts come within this time after the send.",
        SECONDS,
        [Query(latency(q, 'carrier=~"$carrier"'), f"p{q * 100:.0f}") for q in (0.5, 0.9, 0.99)],
        w=THIRD,
    )
    yield lines(
        "Receipts missing",
        "Messages sent in the last hour that nobody has said the end of, those on their way included. Only "
        "of sources that report sends. A line that climbs means receipts are late or lost.",
        COUNT,
        [
            Query(
                f"sum by (region) (max by (carrier, region) (carrier_health_receipts_missing{{{PLACE}}}))",
                "{{region}}",
            )
        ],
        w=THIRD,
    )
    yield from receipts.panels(PLACE, 'carrier=~"$carrier"')
    yield codes(h=10)
    yield _regions()


def _numbers() -> Iterator[Any]:
    yield one(
        "Open incidents",
        "Incidents that are open about this carrier, or about all carriers.",
        COUNT,
        f"sum({open_incidents(OPEN_HERE)}) or vector(0)",
        ANY_IS_BAD,
    )
    yield one(
        "Worst region now",
        f"Share that fails, last 5 min, in the worst region with {LEAST} outcomes or more, by any rule.",
        SHARE,
        WORST_REGION,
        RATIO,
    )
    yield one(
        "Final outcomes in 5 min",
        "All final outcomes of the last 5 min, of every source.",
        COUNT,
        f'sum(max by (carrier, region) (carrier_health_window_outcomes{{window="5m", {PLACE}}}))',
    )
    yield one(
        "Recipients that failed",
        "Distinct recipients that failed in the last hour by the rule that counts most of them.",
        COUNT,
        "max(sum by (rule) (max by (carrier, region, rule) "
        f"(carrier_health_window_distinct_recipients{{{EVERYWHERE}}})))",
    )
    yield one(
        "Receipts within (p90)",
        "Nine of ten receipts come within this time after the send.",
        SECONDS,
        latency(0.9, 'carrier=~"$carrier"'),
        late(120, 600),
    )
    yield one(
        "Absent for now",
        "Messages a second of which an intermediate receipt says that the subscriber is absent; they are "
        "not final yet, so they come before the failures.",
        PER_SECOND,
        f"sum(rate(carrier_health_intermediate_absent_total{{{PLACE}}}[$__rate_interval])) or vector(0)",
    )


def ratio_panel(w: int = WHOLE) -> Any:
    """What fails by the rule, with what is normal."""
    made = lines(
        "$rule against its baseline",
        "What fails by the rule: in 5 min, and in the last minute, which moves first. The dashed line is "
        "what the detector takes for normal now, the band what chance makes of it in 95 of 100 windows.",
        SHARE,
        [
            Query(ratio("rule", EVERYWHERE), "5 min"),
            Query(ratio("rule", EVERYWHERE).replace('window="5m"', 'window="1m"'), "1 min"),
            Query(baseline("rule", EVERYWHERE), "normal"),
            Query(band("rule", EVERYWHERE, "-"), "low"),
            Query(band("rule", EVERYWHERE, "+"), "high"),
        ],
        w=w,
    )
    return coloured(with_band(made, "low", "high", "normal"), {"5 min": MEASURED, "1 min": "light-blue"})


def classes() -> Any:
    """Shares of the outcome classes."""
    made = stacked(
        "Outcomes by class",
        "What becomes of messages, as shares of all final outcomes. Green is delivered.",
        PER_SECOND,
        [Query(f"sum by (outcome_class) (rate({OUTCOMES}[$__rate_interval]))", "{{outcome_class}}")],
        percent=True,
    )
    return coloured(made, CLASS_COLOURS)


def codes(*, w: int = HALF, h: int = 8) -> Any:
    """The providers' own codes over the time range."""
    counted = f"sum by (source, code) (increase({CODES}[$__range]))"
    return rows(
        "Codes in this time range",
        "The twenty codes that the providers gave most often, with their share of all codes. "
        "`carrier-health codes CODE` explains them.",
        [
            now(f"topk(20, {counted} > 0)"),
            now(f"topk(20, {counted} > 0) / scalar(sum(increase({CODES}[$__range])))"),
        ],
        (
            Column("source", "Source"),
            Column("code", "Code"),
            Column("A", "Outcomes", unit="short"),
            Column("B", "Share", unit=SHARE),
        ),
        w=w,
        h=h,
        sort_by="Outcomes",
    )


def _regions() -> Any:
    return rows(
        "By region and rule",
        "Regions with traffic in the last 5 min: what fails, what is normal there now, of how many outcomes, "
        "and how many distinct recipients failed in an hour.",
        [
            now(busy_ratio("region, rule", EVERYWHERE)),
            now(baseline("region, rule", EVERYWHERE)),
            now(eligible("region, rule", EVERYWHERE)),
            now(
                "sum by (region, rule) (max by (carrier, region, rule) "
                f"(carrier_health_window_distinct_recipients{{{EVERYWHERE}}}))"
            ),
        ],
        (
            Column("region", "Region", width=110),
            Column("rule", "Rule"),
            Column("A", "Failing", unit=SHARE, steps=RATIO),
            Column("B", "Normal", unit=SHARE),
            Column("C", "Outcomes"),
            Column("D", "Recipients"),
        ),
        h=10,
        sort_by="Failing",
    )
