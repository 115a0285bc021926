"""What a board can be narrowed to, what is drawn across its time axis, and where it leads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlencode

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.look import CRITICAL
from grafana.queries import open_incidents

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OVERVIEW, CARRIER, INCIDENT, HEALTH = (
    f"carrier-health-{name}" for name in ("overview", "carrier", "incident", "monitor")
)
"""Uids of the boards; links from elsewhere rely on them."""
TITLES = {
    OVERVIEW: "Carrier health: overview",
    CARRIER: "Carrier health: carrier",
    INCIDENT: "Carrier health: incident",
    HEALTH: "Carrier health: monitor",
}
TAG = "carrier-health"
PAGES_AT = "http://127.0.0.1:9103"
ALL = VariableOption(selected=True, text="All", value="$__all")


def datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def carrier(many: bool) -> build.QueryVariable:
    return _with_all(_labels("carrier", "Carrier", "carrier_health_window_outcomes", many))


def region() -> build.QueryVariable:
    """Of the chosen carriers."""
    return _with_all(_labels("region", "Region", 'carrier_health_window_outcomes{carrier=~"$carrier"}', True))


def rule(many: bool) -> build.QueryVariable:
    """Many: each of them is drawn. One: the one of which ratios are."""
    made = _labels("rule", "Rule", "carrier_health_window_eligible", many)
    return _with_all(made) if many else made


def source() -> build.QueryVariable:
    return _with_all(_labels("source", "Source", "carrier_health_records_received_total", True))


def _labels(label: str, title: str, series: str, many: bool) -> build.QueryVariable:
    made = build.QueryVariable(label).label(title).datasource(SOURCE)
    made.query(f"label_values({series}, {label})").definition(f"label_values({series}, {label})")
    made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_DESC)
    return made.multi(many)


def _with_all(made: build.QueryVariable) -> build.QueryVariable:
    return made.include_all(True).all_value(".*").current(ALL)


def pages() -> build.TextBoxVariable:
    """Where the alerts role serves its incident pages, for links."""
    option = VariableOption(selected=True, text=PAGES_AT, value=PAGES_AT)
    made = build.TextBoxVariable("pages").label("Incident pages at").default_value(PAGES_AT)
    return made.current(option).options([option])


def incidents(where: str = "") -> build.AnnotationQuery:
    """Open incidents as coloured regions; drawn from the metric, so they outlive Grafana's database."""
    query = (
        prometheus.Dataquery().datasource(SOURCE).expr(f"{open_incidents(where)} == 1").ref_id("Anno").range()
    )
    made = build.AnnotationQuery().name("Incidents").datasource(SOURCE).enable(True).hide(False)
    made.icon_color(CRITICAL).target(query).expr(f"{open_incidents(where)} == 1").step("30s")
    return made.title_format("{{rule}}").text_format("{{scope}}: carrier {{carrier}}, region {{region}}")


def link(uid: str, **variables: str) -> str:
    """The address of a board within the same Grafana. Values are Grafana's templates, left as they are."""
    return f"/d/{uid}?{urlencode({'var-datasource': '${datasource}', **variables}, safe='${}._:')}"


def to_boards(uid: str, known: Mapping[str, Collection[str]]) -> list[Builder[DashboardLink]]:
    """To the other boards, by name, with the same time and the variables that both know.

    `known`: uid -> its variables. A value that one board takes and the other does not would be an empty
    board, so a variable that only one of them has with "All" must not be among them.
    """
    shared = {other: [name for name in known[uid] if name in names] for other, names in known.items()}
    return [
        build.DashboardLink(title.removeprefix("Carrier health: ").capitalize())
        .type(DashboardLinkType.LINK)
        .url(f"/d/{other}?" + "&".join(f"${{{name}:queryparam}}" for name in shared[other]))
        .icon("dashboard")
        .tooltip(title)
        .keep_time(True)
        for other, title in TITLES.items()
        if other != uid
    ]
