"""Figures and times as people read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from alerts.records import ALL


def words(reason: str) -> str:
    """A named reason as people write it: `ratio_above_warning` is `ratio above warning`."""
    return reason.replace("_", " ")


def percent(ratio: float) -> str:
    return f"{ratio * 100:.1f} %"


def number(n: int) -> str:
    return f"{n:,}".replace(",", "\u202f")


def clock(ms: int) -> str:
    """`2026-01-01 00:00:10 UTC`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def span(ms: int) -> str:
    """`40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`: the two largest units that say something."""
    seconds = max(0, ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def where(carrier: str, region: str, display: Callable[[str], str]) -> str:
    """`T-Mobile US (310-260), all regions`."""
    place = "all regions" if region == ALL else region
    return f"{'all carriers' if carrier == ALL else display(carrier)}, {place}"
