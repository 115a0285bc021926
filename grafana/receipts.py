"""Receipts of one carrier over hours: what has no end, how much has one, what expires, and how late it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana.look import EXPIRIES
from grafana.panels import COUNT, PER_SECOND, RATIO, SECONDS, THIRD, Query, coloured, lines, stacked
from grafana.queries import carrier_late, class_latency, coverage

PAIR = "carrier, region"


def panels(place: str, carrier: str) -> Iterator[Any]:
    """`place` matches carrier and region, `carrier` the carrier alone."""
    yield from _without_an_end(place)
    yield from _late(place, carrier)


def _without_an_end(place: str) -> Iterator[Any]:
    missing = f"max by ({PAIR}, age) (carrier_health_receipts_missing_by_age{{{place}}})"
    yield lines(
        "Without an end, by age",
        "Messages sent at least 1, 4 and 12 hours ago, less than a day, that nobody has said the end of: "
        "an estimate (docs/receipts.md).",
        COUNT,
        [Query(f"sum by (age) ({missing})", "{{age}}")],
        w=THIRD,
    )
    yield lines(
        "Receipts that come",
        "Of what was sent one to two hours ago, the share that has an end; the other line is what that share "
        "has been in the last days.",
        RATIO,
        [
            Query(coverage("receipt_coverage_ratio", place), "now"),
            Query(coverage("receipt_coverage_usual_ratio", place), "usual"),
        ],
        w=THIRD,
        top=1,
    )
    yield lines(
        "Given up",
        "Messages a second that had no end a day after they were sent.",
        PER_SECOND,
        [
            Query(
                f"sum(rate(carrier_health_receipts_given_up_total{{{place}}}[$__rate_interval]))", "given up"
            )
        ],
        w=THIRD,
    )


def _late(place: str, carrier: str) -> Iterator[Any]:
    expired = f"rate(carrier_health_outcomes_expired_total{{{place}}}[$__rate_interval])"
    yield coloured(
        stacked(
            "Expired",
            "Messages whose validity period ended: in the provider's queue, never sent; at an absent phone; "
            "in the network without a reason.",
            PER_SECOND,
            [Query(f"sum by (expiry) ({expired})", "{{expiry}}")],
            w=THIRD,
        ),
        EXPIRIES,
    )
    yield lines(
        "Later than four hours",
        "Share of the outcomes that came more than four hours after the send.",
        RATIO,
        [Query(carrier_late(carrier), "later than 4 h")],
        w=THIRD,
    )
    yield lines(
        "Receipt latency by traffic class (p99)",
        "Within this time 99 % of the receipts come, by the traffic class of the message. `carrier-health "
        "validity` makes a validity period of it.",
        SECONDS,
        [Query(class_latency(0.99, carrier), "{{traffic_class}}")],
        w=THIRD,
    )
