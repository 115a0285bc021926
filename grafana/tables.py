"""Tables: a row for each label set, the newest values as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, ValueMapping

from grafana.look import Steps, thresholds
from grafana.panels import HALF, MIDDLE, Query, dress


@dataclass(frozen=True)
class Column:
    """One field as a column. `name` is a label, or the letter of a query for its value."""

    name: str
    title: str
    unit: str = ""
    steps: Steps = ()
    """Colours the text by value."""
    mappings: Sequence[ValueMapping] = ()
    links: Sequence[tuple[str, str]] = ()
    """(title, address); an address elsewhere opens beside the board."""
    width: int = 0
    shown: bool = True

    @property
    def pattern(self) -> str:
        return f"/^Value( #{self.name})?$/" if len(self.name) == 1 else f"/^{self.name}$/"

    def properties(self) -> list[DynamicConfigValue]:
        """How Grafana is told of all that."""
        given: list[tuple[str, Any]] = [("displayName", self.title)]
        if self.unit:
            given.append(("unit", self.unit))
        if self.steps:
            given += [("thresholds", thresholds(self.steps).build()), ("color", {"mode": "thresholds"})]
        if self.mappings:
            given.append(("mappings", list(self.mappings)))
        if self.steps or self.mappings:
            given.append(("custom.cellOptions", {"type": "color-text"}))
        if self.links:
            given.append(("links", [_link(*link) for link in self.links]))
        if self.width:
            given.append(("custom.width", self.width))
        if not self.shown:
            given += [("custom.hidden", True), ("custom.hideFrom", {"viz": True})]
        return [DynamicConfigValue(name, value) for name, value in given]


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "url": url, "targetBlank": not url.startswith("/d/")}


def rows(
    title: str,
    says: str,
    queries: Sequence[Query],
    columns: Sequence[Column],
    *,
    unit: str = "short",
    w: int = HALF,
    h: int = MIDDLE,
    sort_by: str = "",
    none: str = "nothing to show",
    reshaped: Sequence[DataTransformerConfig] = (),
) -> table.Panel:
    """A table of several queries, joined where their labels are equal. `reshaped` comes before the order."""
    made = dress(table.Panel(), title, says, unit, queries, w, h).no_value(none)
    if len(queries) > 1:
        made.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    for step in reshaped:
        made.with_transformation(step)
    made.with_transformation(_in_order(columns, len(queries)))
    for column in columns:
        made.override_by_regexp(column.pattern, column.properties())
    if sort_by:
        made.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(True)])
    return made.show_header(True).cell_height(c.TableCellHeight.SM)


def _in_order(columns: Sequence[Column], queries: int) -> DataTransformerConfig:
    """Columns as they are listed; the time of evaluation and values without a column left out."""
    listed = {column.name for column in columns}
    left_out = {"Time": True}
    if not listed & set("ABCDEFGH"):
        left_out |= {"Value": True, "Value #A": True}
    order = [f"Value #{c.name}" if len(c.name) == 1 and queries > 1 else c.name for c in columns]
    order = ["Value" if len(name) == 1 else name for name in order]
    options = {"excludeByName": left_out, "indexByName": {n: i for i, n in enumerate(order)}}
    return DataTransformerConfig(id_val="organize", options={**options, "renameByName": {}})
