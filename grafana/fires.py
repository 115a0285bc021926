"""The table of open incidents, and the links from its rows."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from grafana.look import SEVERITIES
from grafana.panels import SINCE, WHOLE, now
from grafana.tables import Column, rows
from grafana.variables import CARRIER, INCIDENT, link

BEFORE_MS = 1_800_000
"""A link to an incident begins so long before it."""

_OPEN = "max by (severity, rule, scope, carrier, region, incident_id) (carrier_health_incident_info{%s})"
_SAYS = (
    "Every open incident, its labels as they are now. The carrier leads to its board, the incident to its "
    "board with time, carrier and region set, or to its page with the evidence."
)


def fires(where: str, title: str = "What fires now", h: int = 7) -> table.Panel:
    """The open incidents that match."""
    columns = (
        Column("severity", "Severity", mappings=SEVERITIES, width=110),
        Column("carrier", "Carrier", links=[_carrier()], width=140),
        Column("region", "Region", width=120),
        Column("rule", "Rule"),
        Column("scope", "Scope", width=100),
        Column("since", "First bad bucket", unit=SINCE, width=160),
        Column("incident_id", "Incident", links=[_board(), _page()]),
        *(Column(name, name, shown=False) for name in ("from", "at_carrier", "at_region")),
    )
    reshaped = (
        _transformed("convertFieldType", conversions=[{"targetField": "since", "destinationType": "number"}]),
        _transformed(
            "calculateField",
            mode="binary",
            binary={"left": "since", "operator": "-", "right": str(BEFORE_MS)},
            alias="from",
        ),
    )
    return rows(
        title,
        _SAYS,
        [now(_linked(where))],
        columns,
        w=WHOLE,
        h=h,
        sort_by="First bad bucket",
        none="No incident is open",
        reshaped=reshaped,
    )


def _linked(where: str) -> str:
    """With the start out of the incident's key, in ms, and with `all` as Grafana's word for it."""
    query = f'label_replace({_OPEN % where}, "since", "${{1}}000", "incident_id", ".*:([0-9]+)")'
    for label in ("carrier", "region"):
        query = f'label_replace({query}, "at_{label}", "$1", "{label}", "(.*)")'
        query = f'label_replace({query}, "at_{label}", "$$__all", "{label}", "all")'
    return query


def _place(*labels: str) -> dict[str, str]:
    return {f"var-{label.removeprefix('at_')}": f"${{__data.fields.{label}}}" for label in labels}


def _carrier() -> tuple[str, str]:
    return "Carrier board", link(CARRIER, **_place("at_carrier"))


def _board() -> tuple[str, str]:
    since = {"from": "${__data.fields.from.numeric}", "to": "now"}
    return "Incident board", link(INCIDENT, **_place("at_carrier", "at_region", "rule"), **since)


def _page() -> tuple[str, str]:
    return "Incident page", "${pages:raw}/incidents/${__data.fields.incident_id:percentencode}"


def _transformed(kind: str, **options: object) -> DataTransformerConfig:
    return DataTransformerConfig(id_val=kind, options=options)
