"""Whose list it is that goes bad: which senders, and campaigns, put recipients on it. Pure.

A campaign is the traffic class of the record. Counted by the hour of the message that was one too many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

HOUR_S, DAY_H, WEEK_H = 3_600, 24, 7 * 24
LEAST = 20
"""Recipients in a day, below which nothing is said to grow."""
TIMES = 4.0
"""So many times its usual day is sudden."""


class Campaign(NamedTuple):
    """Who sent it, and what it was; '' where that is not told."""

    sender: str
    traffic_class: str


class Growing(NamedTuple):
    """A campaign that puts far more recipients on the list than it used to."""

    campaign: Campaign
    day: int
    """Recipients that it put there in the last 24 h."""
    usual: float
    """A day, in the six days before."""


class Growth:
    """Counts of a week."""

    def __init__(self, counts: Iterable[tuple[int, Campaign, int]] = ()) -> None:
        """`counts`: hour (since the epoch), campaign, recipients."""
        self._counts: Counter[tuple[int, Campaign]] = Counter()
        for hour, campaign, n in counts:
            self._counts[hour, campaign] += n

    def add(self, at_s: int, campaign: Campaign) -> None:
        """One recipient more, by a message that failed at that epoch second."""
        self._counts[at_s // HOUR_S, campaign] += 1

    def forget(self, now_s: int) -> None:
        """What is older than a week."""
        oldest = now_s // HOUR_S - WEEK_H
        self._counts = Counter({key: n for key, n in self._counts.items() if key[0] > oldest})

    def days(self, now_s: int) -> list[Growing]:
        """Every campaign of the week with its last day and its usual one, the worst first."""
        since = now_s // HOUR_S - DAY_H
        day, before = Counter[Campaign](), Counter[Campaign]()
        for (hour, campaign), n in self._counts.items():
            if hour > since - WEEK_H + DAY_H:
                (day if hour > since else before)[campaign] += n
        found = [Growing(c, day[c], before[c] * DAY_H / (WEEK_H - DAY_H)) for c in day.keys() | before.keys()]
        return sorted(found, key=lambda g: (-g.day, g.campaign))

    def growing(self, now_s: int) -> list[Growing]:
        """Those that grow suddenly."""
        return [g for g in self.days(now_s) if g.day >= LEAST and g.day >= TIMES * g.usual]
