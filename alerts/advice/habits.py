"""Who sends again too soon or too often, by sender, from what was advised. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.advice.records import Advice

MOST_SENDERS = 20


class Habit(msgspec.Struct, frozen=True):
    """One sender's failed messages, and how many of them should not have been sent when they were."""

    source: str
    sender: str
    """As in advice: a number is masked."""
    failed: int
    too_soon: int
    too_often: int


def habits(advices: Iterable[Advice], most: int = MOST_SENDERS) -> list[Habit]:
    """The senders with any, the worst first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for advice in advices:
        own = counts.setdefault((advice.source, advice.sender), [0, 0, 0])
        own[0] += 1
        own[1] += advice.too_soon
        own[2] += advice.too_often
    found = [Habit(*who, *n) for who, n in counts.items() if n[1] or n[2]]
    return sorted(found, key=lambda h: (-h.too_soon - h.too_often, h.source, h.sender))[:most]
