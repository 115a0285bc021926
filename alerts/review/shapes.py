"""What a chart is made of, in user units of an SVG: `chart.svg` draws it."""

from __future__ import annotations

from typing import NamedTuple

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 30, 26


class Tick(NamedTuple):
    at: float
    text: str


class Shape(NamedTuple):
    """A path and what it is drawn as."""

    kind: str
    path: str


class Bar(NamedTuple):
    kind: str
    x: float
    y: float
    width: float
    height: float
    opacity: float = 1.0
    says: str = ""


class Label(NamedTuple):
    x: float
    y: float
    anchor: str
    text: str


class Mark(NamedTuple):
    """A milestone: a line at x with its number at y."""

    x: float
    y: float
    text: str
    says: str


class Chart(NamedTuple):
    """One picture; `says` is what it shows, for those who do not see it."""

    name: str
    title: str
    says: str
    height: float
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    shapes: tuple[Shape, ...] = ()
    bars: tuple[Bar, ...] = ()
    labels: tuple[Label, ...] = ()
    marks: tuple[Mark, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    """(kind, words)"""
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM
