"""Incident: opened by a link that sets time, carrier, region and rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.carrier import OUTCOMES, PLACE, classes, codes, ratio_panel
from grafana.fires import fires
from grafana.look import FLAGS, HELD_BACK, OPEN, PLAIN, RATIO
from grafana.panels import COUNT, HALF, PER_SECOND, SINCE, Query, coloured, lines, one, stacked, states
from grafana.panels import RATIO as SHARE
from grafana.queries import EVERYWHERE, LEAST, busy_ratio, open_incidents, ratio

OPEN_HERE = 'carrier=~"$carrier|all", region=~"$region|all", rule=~"$rule"'
ADVICE_COLOURS = {"retry": "green", "hold": "orange", "other_channel": "purple", "stop": "red"}
ELSEWHERE = 'carrier!~"$carrier", region=~"$region", rule=~"$rule"'


def panels() -> Iterator[Any]:
    """In reading order, from the left and from the top."""
    yield from _numbers()
    yield fires(OPEN_HERE, "The incident, while it is open", h=5)
    yield states(
        "When it was open",
        "Incidents about this place and rule: red while open. An ended one is shown for ten minutes more.",
        Query(open_incidents(OPEN_HERE), "{{rule}} {{scope}} {{carrier}} {{region}}"),
        OPEN,
        h=4,
    )
    yield ratio_panel(HALF)
    yield _carriers()
    yield classes()
    yield lines(
        "Failing by region",
        f"The same ratio by region, with {LEAST} outcomes or more in 5 min: is it one place, or all.",
        SHARE,
        [Query(busy_ratio("region", EVERYWHERE), "{{region}}")],
    )
    yield lines(
        "Recipients that failed",
        "Distinct recipients that failed in the last hour: an outage reaches many, a retry loop few.",
        COUNT,
        [
            Query(
                "sum by (region) (max by (carrier, region, rule) "
                f"(carrier_health_window_distinct_recipients{{{EVERYWHERE}}}))",
                "{{region}}",
            )
        ],
    )
    yield stacked(
        "Volume by class",
        "Final outcomes a second: whether traffic fell away, or only fails now.",
        PER_SECOND,
        [Query(f"sum by (outcome_class) (rate({OUTCOMES}[$__rate_interval]))", "{{outcome_class}}")],
    )
    yield codes()
    yield from _advised()
    yield lines(
        "Pages sent",
        "Attempts to page a minute, by route and result: whether anybody was told, and when. A dot is an "
        "attempt with its incident_id, where Prometheus keeps exemplars.",
        "cpm",
        [
            Query(
                "60 * sum by (route, result) (rate(carrier_health_pager_attempts_total[$__rate_interval]))",
                "{{route}} {{result}}",
                exemplars=True,
            )
        ],
    )


def _numbers() -> Iterator[Any]:
    levels = [
        f'{level} * max(carrier_health_incident_info{{severity="{severity}", {OPEN_HERE}}})'
        for level, severity in ((3, "critical"), (2, "warning"), (1, "info"))
    ]
    yield one(
        "Severity",
        "How bad the open incident is now; normal when none is open.",
        "none",
        " or ".join([*levels, "vector(0)"]),
        mappings=FLAGS,
    )
    yield one(
        "Opened",
        "When the oldest open incident of this place and rule was opened, by event time.",
        SINCE,
        f"min(carrier_health_incident_opened_timestamp_seconds{{{OPEN_HERE}}}) * 1000",
        none="not open",
    )
    yield one(
        "Failing now",
        "Share of outcomes that fail by the rule, last 5 min.",
        SHARE,
        ratio("rule", EVERYWHERE),
        RATIO,
    )
    yield one(
        "Peak",
        "The highest ratio of 5 min in this time range.",
        SHARE,
        f"max_over_time(({ratio('rule', EVERYWHERE)})[$__range:30s])",
        RATIO,
    )
    yield one(
        "Not delivered",
        "Final outcomes other than delivered in this time range, by whatever cause: an upper bound of the "
        "harm. The incident page has the exact count by the rule.",
        COUNT,
        f'sum(increase(carrier_health_outcomes_total{{{PLACE}, outcome_class!="delivered"}}[$__range]))',
        PLAIN,
    )
    yield one(
        "Silenced",
        "Whether a silence of the desk holds pages of this incident back.",
        "none",
        f"max(carrier_health_incident_silenced{{{OPEN_HERE}}}) or vector(0)",
        mappings=HELD_BACK,
    )


def _advised() -> Iterator[Any]:
    yield _advice()
    yield lines(
        "Sent again too soon or too often",
        "Messages a minute that failed within half an hour of their recipient's failure before, or after all "
        "their tries: quick and many repeats look like spam. All carriers, by source; who sends them is in "
        "`carrier-health recipients retries`.",
        "cpm",
        [
            Query(_per_minute("carrier_health_retry_too_soon_total", "source"), "{{source}} too soon"),
            Query(_per_minute("carrier_health_retry_too_often_total", "source"), "{{source}} too often"),
        ],
    )


def _advice() -> Any:
    made = stacked(
        "Advice on failed messages",
        "What senders are told to do, messages a minute over all carriers: send again later, hold until the "
        "incident resolves, use another channel, or stop.",
        "cpm",
        [Query(_per_minute("carrier_health_retry_advice_total", "decision"), "{{decision}}")],
    )
    return coloured(made, ADVICE_COLOURS)


def _per_minute(metric: str, label: str) -> str:
    return f"60 * sum by ({label}) (rate({metric}[$__rate_interval]))"


def _carriers() -> Any:
    made = lines(
        "This carrier and the others",
        f"The same rule at the carriers with the highest ratio, {LEAST} outcomes or more in 5 min. When all "
        "rise at once, look at your own connection first.",
        SHARE,
        [
            Query(f"topk(10, {busy_ratio('carrier', EVERYWHERE)})", "{{carrier}}"),
            Query(f"topk(10, {busy_ratio('carrier', ELSEWHERE)})", "{{carrier}}"),
        ],
    )
    return made.override_by_query("A", [DynamicConfigValue("custom.lineWidth", 4)])
