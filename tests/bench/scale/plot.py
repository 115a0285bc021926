"""Four plots in one SVG by hand: cost by processes, cost and memory by series, a backlog, kills."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from tests.bench.scale.figures import Backlog, Crew, Result, Size, Strike
from tests.bench.scale.report import FLAT_WITHIN, by_processes, by_role

WIDTH, HEIGHT = 900, 640
RED, BLUE, GREEN, GREY = "#d62728", "#1f77b4", "#2ca02c", "#888888"
Points = Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """From 0 to `top`, or in powers of ten from `low` where `log`."""

    top: float
    low: float = 0.0
    log: bool = False

    def share(self, value: float) -> float:
        if self.log:
            return math.log10(max(value, self.low) / self.low) / math.log10(self.top / self.low)
        return (value - self.low) / (self.top - self.low)

    def ticks(self) -> list[float]:
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.top))
            return [10.0**power for power in range(first, last + 1)]
        step = _step(self.top - self.low)
        return [self.low + step * i for i in range(int((self.top - self.low) / step) + 1)]


class Panel(NamedTuple):
    """One plot at its place, pixels of its lower left corner and its size."""

    x: Axis
    y: Axis
    left: float
    bottom: float
    wide: float = 340
    high: float = 210

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.left + self.wide * self.x.share(x), self.bottom - self.high * self.y.share(y)

    def frame(self, title: str, across: str, x_words: Sequence[tuple[float, str]]) -> Iterator[str]:
        yield _text(self.left - 40, self.bottom - self.high - 14, title, size=13)
        for value in self.y.ticks():
            _, y = self.at(self.x.low, value)
            yield _line(self.left, y, self.left + self.wide, y, "#dddddd")
            yield _text(self.left - 6, y + 4, f"{value:,.6g}", anchor="end")
        for value, words in x_words:
            yield _text(self.at(value, 0)[0], self.bottom + 16, words, anchor="middle")
        yield _text(self.left + self.wide / 2, self.bottom + 34, across, anchor="middle")
        yield _line(self.left, self.bottom, self.left + self.wide, self.bottom, "black")

    def dots(self, points: Points, colour: str) -> Iterator[str]:
        for x, y in (self.at(*p) for p in points):
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}" fill-opacity="0.7"/>'

    def curve(self, points: Points, colour: str) -> Iterator[str]:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*p) for p in points))
        yield f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'

    def key(self, i: int, words: str, colour: str) -> str:
        return _text(self.left + 10, self.bottom - self.high + 14 + 16 * i, words, colour=colour)


def svg(result: Result) -> str:
    """A part that has not run leaves its place empty."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    if result.crews:
        parts += _ingests(result.crews, 60, 250)
    if result.sizes:
        parts += _series(result.sizes, 520, 250)
    if result.backlog:
        parts += _backlog(result.backlog, 60, 570)
    if result.takeovers:
        parts += _takeovers(result.takeovers.strikes, 520, 570)
    return "\n".join([*parts, "</svg>\n"])


def _ingests(crews: Sequence[Crew], left: float, bottom: float) -> Iterator[str]:
    groups = by_processes(crews)
    panel = Panel(Axis(max(groups) + 0.5, 0.5), Axis(_above(max(c.us for c in crews))), left, bottom)
    medians = [(float(n), median(c.us for c in runs)) for n, runs in groups.items()]
    bar = medians[0][1] * (1 + FLAT_WITHIN)
    yield from panel.frame("CPU of all ingests, µs a record", "processes", [(n, str(n)) for n in groups])
    yield from panel.dots([(c.processes, c.us) for c in crews], RED)
    yield from panel.curve(medians, RED)
    yield from panel.curve([(panel.x.low, bar), (panel.x.top, bar)], GREY)
    yield _text(*panel.at(panel.x.low, bar), f"the bar, {FLAT_WITHIN:.0%} above one", colour=GREY, up=6)


def _series(sizes: Sequence[Size], left: float, bottom: float) -> Iterator[str]:
    least, most = sizes[0].series, sizes[-1].series
    panel = Panel(Axis(most, least, log=True), Axis(1000, 1, log=True), left, bottom)
    words = [(s.series, f"{s.series:,}") for s in sizes]
    yield from panel.frame("By series: cost and memory", "series", words)
    for i, (name, colour, points) in enumerate(
        (
            ("ingest, µs a record", RED, [(s.series, 1e6 * s.ingest_cpu_s / s.records) for s in sizes]),
            (
                "windows, µs a cell",
                BLUE,
                [(s.series, 1e6 / s.cells_per_cpu_s) for s in sizes if s.cells_per_cpu_s],
            ),
            ("detector's tick, ms", GREEN, [(s.series, s.tick_calm_ms) for s in sizes]),
            ("windows, memory, MB", GREY, [(s.series, s.windows_rss_mb) for s in sizes]),
        )
    ):
        yield from panel.curve(points, colour)
        yield from panel.dots(points, colour)
        yield _text(left + 190, bottom - 48 + 13 * i, name, colour=colour)


def _backlog(b: Backlog, left: float, bottom: float) -> Iterator[str]:
    end_s = max(look.at_s for look in b.looks)
    panel = Panel(Axis(end_s), Axis(_above(max(b.ingest_rss_mb, b.windows_rss_mb, 100))), left, bottom)
    ticks = [(s, f"{s:,.0f}") for s in panel.x.ticks()]
    yield from panel.frame("A day's backlog on partition 0, the others live", "seconds from the start", ticks)
    percent = [(look.at_s, look.left / b.records * panel.y.top) for look in b.looks]
    yield from panel.curve(percent, GREY)
    yield from panel.curve([(look.at_s, look.ingest_rss_mb) for look in b.looks], RED)
    yield from panel.curve([(look.at_s, look.windows_rss_mb) for look in b.looks], BLUE)
    for i, (words, colour) in enumerate(
        (("left to read (top: all)", GREY), ("ingest, MB", RED), ("windows, MB", BLUE))
    ):
        yield _text(left + 195, bottom - 46 + 16 * i, words, colour=colour)


def _takeovers(strikes: Sequence[Strike], left: float, bottom: float) -> Iterator[str]:
    roles = by_role(strikes)
    high = _above(max(max(s.late_s, s.ready_s) for s in strikes))
    panel = Panel(Axis(len(roles) + 0.5, 0.5), Axis(high), left, bottom)
    words = [(i, who) for i, who in enumerate(roles, start=1)]
    yield from panel.frame("After a SIGKILL, seconds", "who was killed", words)
    for i, runs in enumerate(roles.values(), start=1):
        yield from panel.dots([(i - 0.12, s.ready_s) for s in runs], BLUE)
        yield from panel.dots([(i + 0.12, max(s.late_s, 0.0)) for s in runs], RED)
    yield panel.key(0, "ready again", BLUE)
    yield panel.key(1, "the next bucket is late by", RED)


def _step(span: float) -> float:
    """1, 2 or 5 by a power of ten, so that there are four to ten steps."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= 10 and power * k >= span / 10)


def _above(value: float) -> float:
    """The next whole step above, with room."""
    step = _step(value * 1.1)
    return step * math.ceil(value * 1.1 / step)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 11,
    anchor: str = "start",
    colour: str = "black",
    up: float = 0,
) -> str:
    place = f'x="{x:.1f}" y="{y - up:.1f}" font-size="{size}"'
    return f'<text {place} text-anchor="{anchor}" fill="{colour}">{words}</text>'
