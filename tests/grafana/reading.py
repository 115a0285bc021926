"""The committed boards as tests read them: panels, queries, and what PromQL names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from streams.exposition import Metric

FOLDER = Path(__file__).parents[2] / "grafana/dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}
SELECTOR = re.compile(r"(?<![:\w])carrier_health_(\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
GROUPED = re.compile(r"\b(?:by|without|on|ignoring) \(([^)]*)\) ?(?:group_left \(\) ?)?")
SUFFIXES = ("_bucket", "_sum", "_count")


class Asked(NamedTuple):
    """One query of one panel, or of an annotation or variable."""

    board: str
    panel: str
    expr: str
    legend: str = ""
    instant: bool = False
    unit: str = ""
    ref: str = "A"

    @property
    def place(self) -> str:
        return f"{self.board} / {self.panel} / {self.ref}"


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board["panels"]
    return found


def of_panels() -> Iterator[Asked]:
    """What panels ask."""
    for uid, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                unit = panel["fieldConfig"]["defaults"]["unit"]
                legend, instant = target.get("legendFormat", ""), target["instant"]
                yield Asked(uid, panel["title"], target["expr"], legend, instant, unit, target["refId"])


def others() -> Iterator[Asked]:
    """What annotations and variables ask."""
    for uid, board in BOARDS.items():
        for one in board["annotations"]["list"]:
            yield Asked(uid, f"annotation {one['name']}", one["expr"])
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                yield Asked(uid, f"variable {one['name']}", one["query"])


QUERIES = tuple(of_panels())
EVERYTHING = (*QUERIES, *others())


class Named(NamedTuple):
    """One selector: the metric as exported, without prefix, and the labels that it matches."""

    name: str
    labels: tuple[str, ...]


def named(expr: str) -> list[Named]:
    return [Named(m[1], tuple(MATCHER.findall(m[2] or ""))) for m in SELECTOR.finditer(expr)]


def labels_of(name: str, metrics: Iterable[Metric[Any]]) -> tuple[str, ...] | None:
    """The labels of what is exported under a name; None where the code has no such metric."""
    by_name = {m.name: m for m in metrics}
    if name in by_name:
        return by_name[name].labels
    for suffix in SUFFIXES:
        base = by_name.get(name.removesuffix(suffix))
        if name.endswith(suffix) and base is not None and base.kind == "histogram":
            return (*base.labels, "le") if suffix == "_bucket" else base.labels
    return None


def complaints(metrics: Iterable[Metric[Any]], queries: Iterable[Asked] = EVERYTHING) -> list[str]:
    """Every metric and label that a board asks for and the code does not export, with its place."""
    known, found = tuple(metrics), []
    for asked in queries:
        for selector in named(asked.expr):
            labels = labels_of(selector.name, known)
            if labels is None:
                found.append(f"{asked.place}: no metric {selector.name}")
            else:
                strange = set(selector.labels) - set(labels)
                found += [f"{asked.place}: {selector.name} has no label {label}" for label in strange]
        found += _grouping(asked, known)
    return found


def _grouping(asked: Asked, known: tuple[Metric[Any], ...]) -> Iterator[str]:
    """Labels in `by` and `on` that what they group does not have."""
    for match in GROUPED.finditer(asked.expr):
        inside = _in_brackets(asked.expr, match.end())
        for selector in named(inside):
            labels = labels_of(selector.name, known)
            for label in filter(None, match[1].replace(" ", "").split(",")):
                if labels is not None and label not in labels:
                    yield f"{asked.place}: {selector.name} is grouped by {label}, which it has not"


def _in_brackets(text: str, start: int) -> str:
    """What the bracket that opens at `start` holds; '' where none does."""
    if text[start : start + 1] != "(":
        return ""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start : at + 1]
    return text[start:]
