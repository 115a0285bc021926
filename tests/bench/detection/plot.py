"""One plot, as SVG by hand: delay by volume, of the detector, the limit, the oracle and two rivals."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tests.bench.detection.bars import cells
from tests.bench.detection.jobs import Results
from tests.bench.detection.numbers import median
from tests.bench.detection.quiet import VOLUMES
from tests.bench.detection.report import choose, rival_delays

WIDTH, HEIGHT, LEFT, TOP, ROOM = 720, 380, 70, 30, 200
LOWEST_S, HIGHEST_S = 5.0, 100_000.0
SIZE = 0.12
TICKS = {10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36_000: "10 h"}
COLOURS = {
    "limit ln(ARL)/KL": "#888888",
    "oracle": "#2ca02c",
    "this detector": "#d62728",
    "Grafana adaptive": "#1f77b4",
    "static, n >= 50": "#9467bd",
}


def svg(results: Results) -> str:
    """Medians at 12 %; rivals at at most one false alarm in 1,000 series-weeks, where they catch half."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    ]
    parts += [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *_axes()]
    for i, (name, points) in enumerate(_lines(results).items()):
        parts += _line(name, points, i)
    return "\n".join([*parts, "</svg>\n"])


def _lines(results: Results) -> dict[str, list[tuple[float, float]]]:
    """(volume, seconds) by name."""
    steps = [c for c in results.cases if c.shape == "step"]
    chosen, lines = choose(results), {name: list[tuple[float, float]]() for name in COLOURS}
    for volume in VOLUMES:
        own = cells(steps)[volume, SIZE]
        medians = {
            "limit ln(ARL)/KL": median(c.limit_s for c in own),
            "oracle": median(c.oracle_s for c in own),
            "this detector": median(c.delay_s for c in own),
        }
        for name in ("Grafana adaptive", "static, n >= 50"):
            place = chosen.get((name, volume))
            medians[name] = math.inf if place is None else median(rival_delays(own, name, place))
        for name, value in medians.items():
            if math.isfinite(value):
                lines[name].append((volume, value))
    return lines


def _x(volume: float) -> float:
    return LEFT + (math.log10(volume) + 2) / 6 * (WIDTH - LEFT - ROOM)


def _y(s: float) -> float:
    share = math.log(max(s, LOWEST_S) / LOWEST_S) / math.log(HIGHEST_S / LOWEST_S)
    return HEIGHT - 50 - share * (HEIGHT - 50 - TOP)


def _axes() -> Iterator[str]:
    title = f"Median delay of a {SIZE:.0%} incident, by outcomes a second"
    yield f'<text x="{LEFT}" y="18" font-size="13">{title}</text>'
    right = WIDTH - ROOM
    for s, words in TICKS.items():
        yield f'<line x1="{LEFT}" x2="{right}" y1="{_y(s):.1f}" y2="{_y(s):.1f}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 8}" y="{_y(s) + 4:.1f}" font-size="11" text-anchor="end">{words}</text>'
    for v in VOLUMES:
        yield f'<text x="{_x(v):.1f}" y="{HEIGHT - 30}" font-size="11" text-anchor="middle">{v:g}</text>'
    yield f'<line x1="{LEFT}" x2="{right}" y1="{HEIGHT - 50}" y2="{HEIGHT - 50}" stroke="black"/>'


def _line(name: str, points: list[tuple[float, float]], i: int) -> Iterator[str]:
    colour, y = COLOURS[name], TOP + 20 + 22 * i
    path = " ".join(f"{_x(v):.1f},{_y(s):.1f}" for v, s in points)
    dash = ' stroke-dasharray="5 4"' if name.startswith("limit") else ""
    if points:
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    for v, s in points:
        yield f'<circle cx="{_x(v):.1f}" cy="{_y(s):.1f}" r="3" fill="{colour}"/>'
    x = WIDTH - ROOM + 14
    yield f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dash}/>'
    yield f'<text x="{x + 28}" y="{y + 4}" font-size="12">{name.replace(">", "&gt;")}</text>'
