"""One plot, as SVG by hand: outcomes a CPU-second of everybody, dense and sparse, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from tests.bench.peers.report import Heat, Result

WIDTH, LEFT, TOP, BAR, ROW = 760, 220, 56, 13, 38
LOWEST, HIGHEST = 10.0, 1_000_000.0
COLOURS = {"limit": ("#888888", "#bbbbbb"), "ours": ("#d62728", "#ee8888"), "peer": ("#1f77b4", "#86b8dc")}


def svg(result: Result) -> str:
    names = list(dict.fromkeys(e.name for heat in result.heats for e in heat.entries))
    height = TOP + ROW * len(names) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_axes(result, height),
    ]
    for i, name in enumerate(names):
        y = TOP + ROW * i
        parts.append(f'<text x="{LEFT - 8}" y="{y + BAR + 4}" font-size="12" text-anchor="end">{name}</text>')
        for j, heat in enumerate(result.heats):
            parts += _bar(heat, name, y + j * (BAR + 2), j)
    return "\n".join([*parts, "</svg>\n"])


def _x(rate: float) -> float:
    share = math.log10(max(rate, LOWEST) / LOWEST) / math.log10(HIGHEST / LOWEST)
    return LEFT + share * (WIDTH - LEFT - 70)


def _axes(result: Result, height: int) -> Iterator[str]:
    kinds = " and ".join(
        f"{heat.name} ({shade})" for heat, shade in zip(result.heats, ("dark", "light"), strict=False)
    )
    title = f"Outcomes a CPU-second, {kinds}; without the start of those that read all; hatched: not exact"
    yield f'<text x="8" y="18" font-size="13">{title}</text>'
    yield (
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="3" height="6" fill="white" fill-opacity="0.6"/>'
        "</pattern></defs>"
    )
    for power in range(1, 7):
        x = _x(10.0**power)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 20}" stroke="#dddddd"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 14}" font-size="11" text-anchor="middle">{10**power:,}</text>'


def _bar(heat: Heat, name: str, y: int, shade: int) -> Iterator[str]:
    own = [e for e in heat.entries if e.name == name]
    if not own:
        return
    rate = median(e.rate for e in own)
    x, width = LEFT, _x(rate) - LEFT
    fills = [COLOURS[own[0].kind][shade]]
    if own[0].kind != "limit" and not all(e.exact for e in own):
        fills.append("url(#hatch)")
    for fill in fills:
        yield f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{fill}"/>'
    yield f'<text x="{x + width + 5:.1f}" y="{y + BAR - 2}" font-size="11">{rate:,.0f}</text>'
