"""What the boards show of the simulated incident, as a table for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.grafana.prometheus import CHOSEN, Found, Prometheus, filled, with_values
from tests.grafana.reading import BOARDS, QUERIES, Asked, panels
from tests.grafana.simulated import AFTER_S, CALM_S, RULE, SPIKE_S

MOMENTS_S = (CALM_S, SPIKE_S, AFTER_S)
ORDER = ("overview", "carrier", "incident", "monitor")
HIDDEN = {"since", "at_carrier", "at_region", "incident_id"}


def table(prometheus: Prometheus) -> str:
    """Markdown: a heading a board, a row a query, with its highest series at each moment."""
    parts = []
    for name in ORDER:
        board = f"carrier-health-{name}"
        parts.append(f"### {BOARDS[board]['title']}\n\n")
        parts.append("| panel | shown | before | at the spike | after |\n|---|---|---|---|---|\n")
        parts += [f"| {' | '.join(_row(prometheus, q))} |\n" for q in QUERIES if q.board == board]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _row(prometheus: Prometheus, asked: Asked) -> Iterator[str]:
    (panel,) = [p for p in panels(BOARDS[asked.board]) if p["title"] == asked.panel]
    field = _field(panel, asked.ref)
    yield with_values(asked.panel, {**CHOSEN[asked.board], "rule": RULE})
    yield field.get("displayName") or re.sub(r"\{\{(\w+)\}\}", r"\1", asked.legend)
    for moment_s in MOMENTS_S:
        yield _highest(prometheus.at(filled(asked), moment_s), field)


def _field(panel: dict[str, Any], ref: str) -> dict[str, Any]:
    """How Grafana writes the values of a query: the panel's way, or that of its column."""
    config = panel["fieldConfig"]
    own = [o["properties"] for o in config["overrides"] if o["matcher"]["options"] == f"/^Value( #{ref})?$/"]
    return {**config["defaults"], **{p["id"]: p["value"] for p in (own[0] if own else ())}}


def _highest(series: list[Found], field: dict[str, Any]) -> str:
    if not series:
        return "–"
    best = max(series, key=lambda one: (round(one.last, 9), sorted(one.labels.items())))
    shown = ", ".join(value for name, value in sorted(best.labels.items()) if name not in HIDDEN)
    others = f"; highest of {len(series)}" if len(series) > 1 else ""
    return _words(best.last, field) + (f" ({shown}{others})" if shown else "")


def _words(value: float, field: dict[str, Any]) -> str:
    for mapping in field.get("mappings", ()):
        if f"{value:.0f}" in mapping["options"]:
            word: str = mapping["options"][f"{value:.0f}"]["text"]
            return word
    if field["unit"] == "percentunit":
        return f"{value:.1%}"
    if field["unit"] == "dateTimeFromNow":
        return f"{(SPIKE_S - value / 1000) / 60:.0f} min ago"
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return text + {"s": " s", "cps": "/s", "reqps": "/s", "cpm": "/min"}.get(field["unit"], "")
