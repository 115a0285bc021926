"""Charts of names: the code mix before and during, carriers by regions. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from alerts.review.evidence import Evidence, Leaf
from alerts.review.shapes import RIGHT, TOP, WIDTH, Bar, Chart, Label
from alerts.wording import number, percent

MOST_CODES, MOST_ROWS, MOST_COLUMNS = 8, 12, 10
ROW = 24
NAMES = 120.0
"""Room for names on the left."""


def codes(evidence: Evidence) -> Chart | None:
    """The share of each code in the failures before and during the incident."""
    during = {c.code or c.outcome_class: c.failed for c in reversed(evidence.impact.by_code)}
    before = {c.code or c.outcome_class: c.failed for c in reversed(evidence.before)}
    names = sorted(during | before, key=lambda c: (-during.get(c, 0), -before.get(c, 0), c))[:MOST_CODES]
    if not names:
        return None
    room = WIDTH - NAMES - 70
    bars, labels = list[Bar](), list[Label]()
    for i, name in enumerate(names):
        top = TOP + i * 2 * ROW
        labels.append(Label(NAMES - 8, top + ROW * 0.9, "end", name))
        for j, (kind, mix) in enumerate((("before", before), ("during", during))):
            share = mix.get(name, 0) / (sum(mix.values()) or 1)
            y, width = top + j * ROW * 0.8, round(share * room, 1)
            bars.append(Bar(kind, NAMES, y, width, ROW * 0.7, says=f"{name} {kind}: {percent(share)}"))
            labels.append(Label(NAMES + width + 6, y + ROW * 0.55, "start", percent(share)))
    top_code = names[0]
    share = during.get(top_code, 0) / (sum(during.values()) or 1)
    return Chart(
        name="codes",
        title="Codes of the failures, before and during",
        says=f"{top_code} is {percent(share)} of the failures during the incident.",
        height=TOP + len(names) * 2 * ROW + 8,
        bars=tuple(bars),
        labels=tuple(labels),
        legend=(("before", "half an hour before"), ("during", "during")),
    )


def heat(evidence: Evidence) -> Chart | None:
    """The failure ratio by carrier and region, the largest of both."""
    carriers = _largest((leaf.carrier, leaf.outcomes) for leaf in evidence.leaves)[:MOST_ROWS]
    regions = _largest((leaf.region, leaf.outcomes) for leaf in evidence.leaves)[:MOST_COLUMNS]
    if not carriers:
        return None
    width = (WIDTH - NAMES - RIGHT) / len(regions)
    labels = [Label(NAMES - 8, TOP + (i + 1.65) * ROW, "end", c) for i, c in enumerate(carriers)]
    labels += [
        Label(round(NAMES + (j + 0.5) * width, 1), TOP + ROW * 0.65, "middle", r)
        for j, r in enumerate(regions)
    ]
    shown = [leaf for leaf in evidence.leaves if leaf.carrier in carriers and leaf.region in regions]
    bars = [_cell(leaf, carriers.index(leaf.carrier), regions.index(leaf.region), width) for leaf in shown]
    labels += [
        Label(round(b.x + width / 2, 1), b.y + ROW * 0.65, "middle", percent(_ratio(leaf)))
        for b, leaf in zip(bars, shown, strict=True)
    ]
    worst = max(shown, key=_ratio)
    return Chart(
        name="heat",
        title="Failure ratio by carrier and region",
        says=f"Highest: {percent(_ratio(worst))} at {worst.carrier} in {worst.region}.",
        height=TOP + (len(carriers) + 1) * ROW + 8,
        bars=tuple(bars),
        labels=tuple(labels),
    )


def _cell(leaf: Leaf, row: int, column: int, width: float) -> Bar:
    x, y, share = NAMES + column * width, TOP + (row + 1) * ROW, _ratio(leaf)
    says = f"{leaf.carrier}, {leaf.region}: {percent(share)} of {number(leaf.outcomes)}"
    shade = round(0.06 + 0.45 * math.sqrt(share), 3)  # small ratios differ, and the darkest can be read
    return Bar("heat", round(x, 1), y, round(width - 2, 1), ROW - 2, shade, says)


def _ratio(leaf: Leaf) -> float:
    return leaf.failed / leaf.outcomes if leaf.outcomes else 0.0


def _largest(weights: Iterable[tuple[str, int]]) -> list[str]:
    sums: dict[str, int] = {}
    for name, weight in weights:
        sums[name] = sums.get(name, 0) + weight
    return sorted(sums, key=lambda name: (-sums[name], name))
