"""The timeline as a picture: how long after the onset each milestone was. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.review.grids import NAMES, ROW
from alerts.review.shapes import TOP, WIDTH, Bar, Chart, Label
from alerts.review.telling import name, precise
from alerts.review.timeline import Milestone, Name

WORDS = 100.0
"""Room for lengths of time on the right."""
THIN = 2.0
"""So wide is at least drawn what is shorter."""


def strip(milestones: Sequence[Milestone]) -> Chart | None:
    """A bar for each milestone, from the onset on; None where there is but one."""
    if len(milestones) < 2:
        return None
    begun = next((m for m in milestones if m.name is Name.ONSET), milestones[0])
    most_ms = max(m.at_ms for m in milestones) - begun.at_ms or 1
    room = WIDTH - NAMES - WORDS
    bars, labels = list[Bar](), list[Label]()
    for i, one in enumerate(milestones):
        y, after_ms = TOP + i * ROW, max(0, one.at_ms - begun.at_ms)
        width = round(max(THIN, after_ms / most_ms * room), 1)
        said = "onset" if one is begun else f"+ {precise(after_ms)}"
        bars.append(Bar(one.by.value.lower(), NAMES, y, width, ROW * 0.6, says=f"{name(one.name)}: {said}"))
        labels.append(Label(NAMES - 8, y + ROW * 0.5, "end", f"{i + 1} {name(one.name)}"))
        labels.append(Label(round(NAMES + width + 6, 1), y + ROW * 0.5, "start", said))
    return Chart(
        name="timeline",
        title="Timeline, from the onset on",
        says=f"{_said(milestones, begun)}.",
        height=TOP + len(milestones) * ROW + 8,
        bars=tuple(bars),
        labels=tuple(labels),
        legend=tuple((by, by) for by in dict.fromkeys(m.by.value.lower() for m in milestones)),
    )


def _said(milestones: Sequence[Milestone], begun: Milestone) -> str:
    """`First flag after 40 s, page sent after 42 s`."""
    later = [m for m in milestones if m is not begun]
    words = ", ".join(f"{name(m.name).lower()} after {precise(max(0, m.at_ms - begun.at_ms))}" for m in later)
    return words[:1].upper() + words[1:]
