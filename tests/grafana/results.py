"""What the boards show of the simulated incident, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tests.grafana.prometheus import Found, Prometheus, filled
from tests.grafana.reading import BOARDS, QUERIES, Asked
from tests.grafana.simulated import AFTER_S, CALM_S, SPIKE_S

MOMENTS_S = (CALM_S, SPIKE_S, AFTER_S)
HIDDEN = {"since", "at_carrier", "at_region", "incident_id", "scope"}


def table(prometheus: Prometheus) -> str:
    """Markdown: a heading a board, a row a query, with its highest series at each moment."""
    parts = []
    for board, asked in groupby(QUERIES, key=lambda a: a.board):
        parts.append(f"### {BOARDS[board]['title']}\n\n")
        parts.append("| panel | series | before | at the spike | after |\n|---|---|---|---|---|\n")
        parts += [f"| {' | '.join(_row(prometheus, one))} |\n" for one in asked]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _row(prometheus: Prometheus, asked: Asked) -> Iterator[str]:
    found = [prometheus.at(filled(asked.expr, asked.board), moment_s) for moment_s in MOMENTS_S]
    yield asked.panel
    yield asked.legend.replace("{{", "").replace("}}", "") or ("" if asked.ref == "A" else asked.ref)
    yield from (_highest(series, asked.unit) for series in found)


def _highest(series: list[Found], unit: str) -> str:
    if not series:
        return "–"
    best = max(series, key=lambda one: (round(one.last, 9), sorted(one.labels.items())))
    shown = " ".join(value for name, value in sorted(best.labels.items()) if name not in HIDDEN)
    others = f" (of {len(series)})" if len(series) > 1 else ""
    return f"{_words(best.last, unit)} {shown}{others}".replace("  ", " ").strip()


def _words(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit == "dateTimeFromNow":
        minutes = (value / 1000 - SPIKE_S) / 60
        return f"{minutes:.0f} min from the spike"
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return text + {"s": " s", "cps": "/s", "reqps": "/s", "cpm": "/min"}.get(unit, "")
