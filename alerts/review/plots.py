"""The plots of a review as shapes in user units; `chart.svg` draws them. Pure.

No plotting library: five plain charts need lines, areas and rectangles, must follow the page's colours in
the dark and in the light, and must open from one file without script or network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from alerts.review.evidence import Evidence
from alerts.review.grids import codes, heat
from alerts.review.report import Review
from alerts.review.series import NEIGHBOURS, OWN, Series, Span
from alerts.review.shapes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Mark, Shape, Tick
from alerts.review.strip import strip
from alerts.review.timeline import Milestone
from alerts.wording import clock, number, percent, words

MARK_ROOM = 14
"""Marks nearer than this to each other stand one above the other."""


class _Plane(NamedTuple):
    """From seconds and values to user units."""

    from_s: int
    to_s: int
    most: float

    def x(self, at_s: float) -> float:
        share = (at_s - self.from_s) / max(self.to_s - self.from_s, 1)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = min(max(value / self.most, 0.0), 1.0) if self.most else 0.0
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def charts(review: Review) -> tuple[Chart, ...]:
    """All that the evidence allows, in the order in which they are read."""
    best = review.best
    if best is None or not best.series.get(OWN, Series(0, 1, (), ())).outcomes:
        return ()
    best = msgspec.structs.replace(best, series=_begun(best.series))
    shown = (ratio(review, best), volume(review, best), codes(best), heat(best))
    drawn = (*shown, strip(review.timeline.milestones))
    return tuple(chart for chart in drawn if chart is not None)


def _begun(series: Mapping[str, Series]) -> dict[str, Series]:
    """From the first step on in which anything is known: the monitor may have been young."""
    most = max(series.values(), key=lambda s: sum(s.outcomes))
    first = next((i for i, n in enumerate(most.outcomes) if n), 0)
    span = Span(most.start_s + first * most.step_s, most.end_s)
    return {group: one.within(span) for group, one in series.items()}


def ratio(review: Review, evidence: Evidence) -> Chart:
    """The failure ratio of the scope and of its neighbours against what is normal."""
    own, near = evidence.series[OWN], evidence.series.get(NEIGHBOURS)
    normal = review.impact.healthy_ratio
    plane = _Plane(own.start_s, own.end_s, _nice(max([*_ratios(own), normal.high, 0.01])))
    left, right = plane.x(own.start_s), plane.x(own.end_s)
    top, bottom = plane.y(normal.high), plane.y(normal.low)
    legend = [("own", "this incident"), ("band", "normal in 95 of 100 cases")]
    shapes = [Shape("band", f"M{left},{top}H{right}V{bottom}H{left}Z"), *_doubt(evidence, plane)]
    if near is not None and any(near.outcomes):
        shapes.append(Shape("near", _line(near, plane)))
        legend.insert(1, ("near", "neighbours"))
    shapes.append(Shape("own", _line(own, plane)))
    return Chart(
        name="ratio",
        title="Failure ratio",
        says=(
            f"At most {percent(max(_ratios(own), default=0.0))} of outcomes failed in {_step(own)}; normal "
            f"is {percent(normal.value)} ({percent(normal.low)} to {percent(normal.high)})."
        ),
        height=HEIGHT,
        x_ticks=_times(plane),
        y_ticks=tuple(Tick(plane.y(v), percent(v)) for v in _steps(plane.most)),
        shapes=tuple(shapes),
        marks=_marks(review.timeline.milestones, plane),
        legend=tuple(legend),
    )


def volume(review: Review, evidence: Evidence) -> Chart:
    """Outcomes and failures a step."""
    own = evidence.series[OWN]
    plane = _Plane(own.start_s, own.end_s, _nice(max([*own.outcomes, 1])))
    return Chart(
        name="volume",
        title=f"Outcomes in {_step(own)}",
        says=f"{number(sum(own.outcomes))} outcomes, {number(sum(own.failed))} of them failed.",
        height=HEIGHT,
        x_ticks=_times(plane),
        y_ticks=tuple(Tick(plane.y(v), number(round(v))) for v in _steps(plane.most)),
        shapes=(
            Shape("outcomes", _area(own, own.outcomes, plane)),
            Shape("failed", _area(own, own.failed, plane)),
        ),
        marks=_marks(review.timeline.milestones, plane),
        legend=(("outcomes", "outcomes"), ("failed", "failed")),
    )


def _ratios(series: Series) -> list[float]:
    return [f / n for f, n in zip(series.failed, series.outcomes, strict=True) if n]


def _line(series: Series, plane: _Plane) -> str:
    """Broken where there were no outcomes."""
    path, drawing = "", False
    for i, (failed, outcomes) in enumerate(zip(series.failed, series.outcomes, strict=True)):
        if outcomes:
            x = plane.x(series.start_s + (i + 0.5) * series.step_s)
            path += f"{'L' if drawing else 'M'}{x},{plane.y(failed / outcomes)}"
        drawing = bool(outcomes)
    return path


def _area(series: Series, values: Sequence[int], plane: _Plane) -> str:
    path = f"M{plane.x(series.start_s)},{plane.y(0)}"
    for i, value in enumerate(values):
        path += f"V{plane.y(value)}H{plane.x(series.start_s + (i + 1) * series.step_s)}"
    return f"{path}V{plane.y(0)}Z"


def _doubt(evidence: Evidence, plane: _Plane) -> Iterator[Shape]:
    """Where onset and recovery may lie."""
    for change in (evidence.begun, evidence.ended):
        if change is not None:
            a, b = plane.x(change.early_s), plane.x(change.late_s)
            yield Shape("doubt", f"M{a},{TOP}H{b}V{HEIGHT - BOTTOM}H{a}Z")


def _marks(milestones: Sequence[Milestone], plane: _Plane) -> tuple[Mark, ...]:
    """Numbered as in the timeline."""
    marks = list[Mark]()
    for i, one in enumerate(milestones, 1):
        if not plane.from_s <= one.at_ms / 1000 <= plane.to_s:
            continue
        x = plane.x(one.at_ms / 1000)
        crowded = marks and x - marks[-1].x < MARK_ROOM
        y = marks[-1].y + 12 if crowded and marks[-1].y < TOP + 48 else TOP - 6
        marks.append(Mark(x, y, str(i), f"{words(one.name)}, {clock(one.at_ms)}"))
    return tuple(marks)


def _times(plane: _Plane) -> tuple[Tick, ...]:
    """About six, at round times."""
    span_s = plane.to_s - plane.from_s
    steps = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
    step_s = next((s for s in steps if span_s / s <= 7), steps[-1])
    first_s = -(-plane.from_s // step_s) * step_s
    return tuple(Tick(plane.x(s), clock(s * 1000)[11:16]) for s in range(first_s, plane.to_s, step_s))


def _nice(most: float) -> float:
    """A round number at or above."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(m * power for m in (1, 2, 3, 4, 5, 6, 8, 10) if m * power >= most * 0.9999)


def _steps(most: float) -> tuple[float, ...]:
    return tuple(most * i / 4 for i in range(5))


def _step(series: Series) -> str:
    return f"{series.step_s} s" if series.step_s < 60 else f"{series.step_s // 60} min"
