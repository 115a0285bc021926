"""Overview: what fires now, who is worst, how much is sent, where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build

from grafana.fires import fires
from grafana.look import ANY_IS_BAD, ANY_IS_NOTABLE, MEASURED, RATIO, SEES
from grafana.panels import (
    COUNT,
    HALF,
    HIGH,
    PER_SECOND,
    Query,
    bars,
    coloured,
    lines,
    now,
    one,
    stacked,
    with_band,
)
from grafana.panels import RATIO as SHARE
from grafana.queries import (
    BLIND,
    EVERYWHERE,
    LEAF,
    LEAST,
    band,
    baseline,
    busy_ratio,
    eligible,
    open_incidents,
    ratio,
)
from grafana.tables import Column, rows
from grafana.variables import CARRIER, link
from grafana.world import world

PLACE = 'carrier=~"$carrier", region=~"$region"'
OPEN_HERE = 'carrier=~"$carrier|all", region=~"$region|all", rule=~"$rule"'
OUTCOMES = f"carrier_health_outcomes_total{{{PLACE}}}"
TOP = 8
TO_CARRIER = link(CARRIER, **{"var-carrier": "${__field.labels.carrier}"})


def panels() -> Iterator[Any]:
    """In reading order, from the left and from the top."""
    yield from _numbers()
    yield fires(OPEN_HERE)
    yield _ratio()
    worst = bars(
        "Worst carriers",
        f"Share that fails by the rule in the last 5 min, the ten worst with {LEAST} outcomes or more. "
        "Colours are the detector's warning and critical lines; a carrier may be normal above them.",
        SHARE,
        Query(f"topk(10, {busy_ratio('carrier', EVERYWHERE)})", "{{carrier}}", instant=True),
        RATIO,
        w=HALF,
        h=HIGH,
    )
    yield worst.data_links([build.DashboardLink("Carrier board").url(TO_CARRIER)])
    yield stacked(
        "Volume by carrier",
        f"Final outcomes a second, of the {TOP} carriers with most of them in this time range.",
        PER_SECOND,
        [Query(_largest(), "{{carrier}}")],
    )
    yield _regions()
    yield world(
        "Where it fails",
        "Countries and states of the US with traffic in the last 5 min, by the share that fails by the rule. "
        "Regions that have no place here are in the table.",
        busy_ratio("region", EVERYWHERE),
    )


def _numbers() -> Iterator[Any]:
    yield one(
        "Open incidents",
        "How many incidents are open now.",
        COUNT,
        f"sum({open_incidents(OPEN_HERE)}) or vector(0)",
        ANY_IS_BAD,
    )
    yield one(
        "Critical",
        "How many of the open incidents are critical.",
        COUNT,
        "count(max by (incident_id) (carrier_health_incident_info"
        f'{{severity="critical", {OPEN_HERE}}})) or vector(0)',
        ANY_IS_BAD,
    )
    yield one(
        "Flagged series",
        "Pairs of carrier and region that a rule flags now; a few may be flagged without an incident.",
        COUNT,
        f"count(max by ({LEAF}) (carrier_health_flag_active{{{EVERYWHERE}}} == 1)) or vector(0)",
        ANY_IS_NOTABLE,
    )
    yield one(
        "Failing now",
        "Share of outcomes that fail by the rule, last 5 min, over all that is chosen.",
        SHARE,
        ratio("rule", EVERYWHERE),
        RATIO,
    )
    yield one(
        "Outcomes",
        "Final outcomes counted a second.",
        PER_SECOND,
        f"sum(rate({OUTCOMES}[$__rate_interval]))",
    )
    yield one(
        "Monitor",
        "Whether the monitor sees what carriers do. While it is blind nothing opens and nothing resolves.",
        "none",
        BLIND,
        ANY_IS_BAD,
        SEES,
        none="nobody runs it",
    )


def _ratio() -> Any:
    made = lines(
        "Failure ratio against its baseline",
        "What fails by the rule in the last 5 min, over all that is chosen. The dashed line is what the "
        "detector takes for normal now, the band what chance makes of it in 95 of 100 windows.",
        SHARE,
        [
            Query(ratio("rule", EVERYWHERE), "failing"),
            Query(baseline("rule", EVERYWHERE), "normal"),
            Query(band("rule", EVERYWHERE, "-"), "low"),
            Query(band("rule", EVERYWHERE, "+"), "high"),
        ],
        h=HIGH,
    )
    return coloured(with_band(made, "low", "high", "normal"), {"failing": MEASURED})


def _largest() -> str:
    largest = f"topk({TOP}, sum by (carrier) (increase({OUTCOMES}[$__range] @ end())))"
    return f"sum by (carrier) (rate({OUTCOMES}[$__rate_interval])) and {largest}"


def _regions() -> Any:
    return rows(
        "By region",
        "Regions with traffic in the last 5 min: what fails by the rule, what is normal there now, how many "
        "outcomes that is of, and how many series are flagged.",
        [
            now(busy_ratio("region", EVERYWHERE)),
            now(baseline("region", EVERYWHERE)),
            now(eligible("region", EVERYWHERE)),
            now(f"sum by (region) (max by (carrier, region) (carrier_health_flag_active{{{EVERYWHERE}}}))"),
        ],
        (
            Column("region", "Region"),
            Column("A", "Failing", unit=SHARE, steps=RATIO),
            Column("B", "Normal", unit=SHARE),
            Column("C", "Outcomes in 5 min"),
            Column("D", "Flagged"),
        ),
        sort_by="Failing",
    )
