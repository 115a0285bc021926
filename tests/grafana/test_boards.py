"""What every board must have, whoever changes it next."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from grafana.boards import rendered
from tests.grafana.reading import BOARDS, FOLDER, QUERIES, panels

EACH_BOARD = pytest.mark.parametrize("uid", BOARDS)
COLUMNS = 24
UNITS = {
    "none", "short", "percentunit", "cps", "cpm", "reqps", "s", "dateTimeFromNow",
}  # fmt: skip


def test_the_boards_are_as_the_code_makes_them() -> None:
    made, kept = rendered(), {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    old = sorted({*made, *kept} - {name for name in made if kept.get(name) == made[name]})
    assert old == [], "old boards: make dashboards"


@EACH_BOARD
def test_a_board_can_be_provisioned_and_linked(uid: str) -> None:
    board = BOARDS[uid]
    assert board["uid"] == uid and board["schemaVersion"] <= 42
    assert board["editable"] is False and "id" not in board and "version" not in board
    assert board["description"] and board["refresh"] and board["tags"]


@EACH_BOARD
def test_every_panel_says_what_it_shows_and_in_what_unit(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"] and panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


@EACH_BOARD
def test_titles_and_ids_are_unique(uid: str) -> None:
    for key in ("title", "id"):
        values = [panel[key] for panel in panels(BOARDS[uid])]
        assert len(set(values)) == len(values), key


def test_titles_of_boards_are_unique() -> None:
    assert len({board["title"] for board in BOARDS.values()}) == len(BOARDS) == 4


@EACH_BOARD
def test_every_data_source_is_the_variable(uid: str) -> None:
    sources = [s for s in found(BOARDS[uid], "datasource") if s != {}]
    assert sources
    assert all(s == {"type": "prometheus", "uid": "${datasource}"} for s in sources)
    for panel in panels(BOARDS[uid]):
        assert "datasource" in panel and all("datasource" in t for t in panel["targets"]), panel["title"]


def found(value: Any, key: str) -> list[Any]:
    """Everything under a key, at any depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value[key]] if isinstance(value, dict) and key in value else []
    return own + [one for part in inner for one in found(part, key)]


@EACH_BOARD
def test_panels_lie_within_the_grid_and_none_on_another(uid: str) -> None:
    boxes = [(p["title"], p["gridPos"]) for p in panels(BOARDS[uid])]
    for title, g in boxes:
        assert g["x"] >= 0 and g["x"] + g["w"] <= COLUMNS and g["w"] >= 4 and g["h"] >= 4, title
    for (one, a), (other, b) in combinations(boxes, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one} lies on {other}"


def test_ranges_fit_the_function_that_takes_them() -> None:
    for asked in QUERIES:
        for call, window in re.findall(r"\b(i?rate|increase)\([^\[\]]*\[([^\]]*)\]", asked.expr):
            wanted = {"rate": "$__rate_interval", "increase": "$__range"}.get(call)
            assert window == wanted, asked.place
        assert not re.search(r"\[\d+[smhd]", asked.expr), f"{asked.place}: a range that no zoom changes"


@EACH_BOARD
def test_all_variables_are_used_and_all_that_are_used_exist(uid: str) -> None:
    board = BOARDS[uid]
    names = {v["name"] for v in board["templating"]["list"]}
    text = repr([board["panels"], board["annotations"], board["templating"]["list"]])
    used = set(re.findall(r"\$\{?([a-z]+)\b(?![\w.])", text))
    assert used == names


@EACH_BOARD
def test_variables_that_take_all_are_matched_as_patterns(uid: str) -> None:
    for expr in found(BOARDS[uid], "expr"):
        assert not re.search(r'[^=!]=\s*"\$', expr), expr


def test_links_lead_to_boards_with_the_variables_that_they_set() -> None:
    links = [(uid, url) for uid, board in BOARDS.items() for url in found(board, "url")]
    assert links
    for uid, url in links:
        if url.startswith("${pages:raw}"):
            continue
        to = urlsplit(url)
        target = BOARDS.get(to.path.removeprefix("/d/"))
        assert target is not None, f"{uid}: {url}"
        names = {v["name"] for v in target["templating"]["list"]}
        given = {name.removeprefix("var-") for name, _ in parse_qsl(to.query) if name.startswith("var-")}
        assert given <= names, f"{uid}: {url}"
        assert set(re.findall(r"\$\{(\w+):queryparam\}", to.query)) <= names, f"{uid}: {url}"


@EACH_BOARD
def test_every_board_leads_to_every_other(uid: str) -> None:
    paths = {urlsplit(link["url"]).path for link in BOARDS[uid]["links"]}
    assert paths == {f"/d/{other}" for other in BOARDS if other != uid}


@EACH_BOARD
def test_incidents_are_marked_on_every_board(uid: str) -> None:
    (mark,) = BOARDS[uid]["annotations"]["list"]
    assert "carrier_health_incident_active" in mark["expr"] and mark["enable"] is True


def test_series_are_named_by_labels_that_the_query_keeps() -> None:
    for asked in QUERIES:
        for label in re.findall(r"\{\{(\w+)\}\}", asked.legend):
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", asked.expr))))
            assert label in kept, asked.place


def test_colours_are_few() -> None:
    fixed = {c for board in BOARDS.values() for c in found(board, "fixedColor")}
    limits = {s["color"] for board in BOARDS.values() for t in found(board, "thresholds") for s in t["steps"]}
    assert limits <= {"green", "orange", "red", "blue"}
    assert len(fixed) <= 14
