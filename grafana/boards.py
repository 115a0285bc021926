"""The four boards as JSON in Grafana's classic format, which file provisioning takes in 10 to 13."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from grafana import carrier, health, incident, overview, variables
from grafana.variables import CARRIER, HEALTH, INCIDENT, OVERVIEW, TAG, TITLES

REFRESH = "30s"
PLACE = ("datasource", "carrier", "region")
SHARED = {
    OVERVIEW: (*PLACE, "rule", "pages"),
    CARRIER: PLACE,  # its rules are many
    INCIDENT: (*PLACE, "rule", "pages"),
    HEALTH: ("datasource",),
}
"""Variables that mean the same on all boards that name them here: links between boards keep them."""


class Board(NamedTuple):
    """What makes one board. `incidents` are the matchers of the open incidents that it marks."""

    uid: str
    says: str
    panels: Callable[[], Iterable[Any]]
    variables: tuple[Any, ...]
    incidents: str
    since: str


def boards() -> tuple[Board, ...]:
    """In the order in which one goes from a page to its cause."""
    here = 'carrier=~"$carrier|all", region=~"$region|all"'
    v = variables
    many, single = (v.carrier(True), v.region()), (v.carrier(False), v.region())
    return (
        Board(
            OVERVIEW,
            "What fires now, which carriers are worst, how much is sent and where.",
            overview.panels,
            (*many, v.rule(False), v.pages()),
            here,
            "now-3h",
        ),
        Board(
            CARRIER,
            "One carrier: outcomes, ratios against the baseline, receipts, codes, regions.",
            carrier.panels,
            (*single, v.rule(True)),
            here,
            "now-6h",
        ),
        Board(
            INCIDENT,
            "One incident; links set time, carrier, region and rule.",
            incident.panels,
            (*many, v.rule(False), v.pages()),
            f'{here}, rule=~"$rule"',
            "now-3h",
        ),
        Board(
            HEALTH,
            "Whether the monitor itself can be trusted: sight, exactness, progress, pages, lists.",
            health.panels,
            (v.source(),),
            "",
            "now-3h",
        ),
    )


def rendered() -> Mapping[str, str]:
    """Name of the file -> its text."""
    return {f"{board.uid}.json": render(board) for board in boards()}


def render(board: Board) -> str:
    """One board, sorted and indented, so that a change shows as a small difference."""
    made = build.Dashboard(TITLES[board.uid]).uid(board.uid).description(board.says).tags([TAG])
    made.readonly().timezone("browser").refresh(REFRESH).time(board.since, "now")
    made.tooltip(DashboardCursorSync.CROSSHAIR).with_variable(variables.datasource())
    for variable in board.variables:
        made.with_variable(variable)
    made.annotation(variables.incidents(board.incidents))
    made.links(variables.to_boards(board.uid, SHARED))
    for number, panel in enumerate(board.panels(), 1):
        made.with_panel(panel.id(number))
    plain = json.loads(JSONEncoder().encode(made.build()))
    for one in (*plain["links"], *plain["annotations"]["list"]):
        del one["placement"]  # the builder's only value hides it in a menu
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
