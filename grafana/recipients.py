"""Recipients that messages do not reach: how long the list is, whose grows, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana.look import WHOLE_LIST
from grafana.panels import COUNT, HALF, Query, lines, states


def panels() -> Iterator[Any]:
    """Only the owner among the alerts roles follows recipients; what a standby shows is 0."""
    yield lines(
        "Recipients on the list",
        "Recipients that failed time and again; the command carrier-health recipients export names them.",
        COUNT,
        [Query("max(carrier_health_recipients_listed)", "on the list")],
    )
    yield lines(
        "Lists that grow",
        "Senders and traffic classes that put far more recipients on the list in a day than they used to: a "
        "list of numbers is bad. The command carrier-health recipients senders names them.",
        COUNT,
        [Query("max(carrier_health_recipients_growing_campaigns)", "senders and classes")],
    )
    yield states(
        "List of recipients is whole",
        "While the list is built anew from the topics, or Redis or Kafka is away, no command answers for it.",
        Query("max(carrier_health_recipients_rebuilding)", "list"),
        WHOLE_LIST,
        w=HALF,
        h=8,
    )
    yield lines(
        "Recipients followed",
        "Of how many recipients failures are kept in Redis; recipients.max_tracked is the most.",
        COUNT,
        [Query("max(carrier_health_recipients_tracked)", "followed")],
    )
    yield lines(
        "Records about recipients not taken yet",
        "How many records of failed-recipients and delivered-recipients the list is behind.",
        COUNT,
        [Query("max(carrier_health_recipients_lag_records)", "records")],
    )
    yield lines(
        "Came to the list, let go of, refused, ignored",
        "Recipients a minute that came to the list or, 8 days after their newest failure, are let go of; "
        "failures refused, as recipients.max_tracked is too few, and records that could not be used.",
        "cpm",
        [
            Query(_per_minute("recipients_entered_total"), "came to the list"),
            Query(_per_minute("recipients_pruned_total"), "let go of"),
            Query(_per_minute("recipients_refused_total"), "refused"),
            Query(_per_minute("recipients_ignored_total", "reason"), "ignored: {{reason}}"),
        ],
    )


def _per_minute(metric: str, *labels: str) -> str:
    by = f" by ({', '.join(labels)}) " if labels else ""
    return f"60 * sum{by}(rate(carrier_health_{metric}[$__rate_interval]))"
