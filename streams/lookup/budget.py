"""How much may be asked, and when. Pure: time is passed in."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from streams.settings import Lookup

DAY_MS = 86_400_000
MAX_BACKOFF_S = 60.0


def daily_limit(lookup: Lookup) -> int:
    """Requests that may be made in a day: the lesser of the number and what the cost allows."""
    if not lookup.daily_cost:
        return lookup.daily_requests
    affordable = lookup.daily_cost / lookup.price_per_request
    return min(lookup.daily_requests, math.floor(affordable + 1e-9))


def day(now_ms: int) -> str:
    """`2026-07-17`: the day, UTC, that a request at `now_ms` is counted under."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d")


def until_tomorrow_s(now_ms: int) -> float:
    """Seconds until the next day begins; above 0."""
    return (DAY_MS - now_ms % DAY_MS) / 1000


class Pace:
    """Spreads requests evenly, and holds all of them when somebody asks for silence. Times are seconds
    of one monotonic clock."""

    def __init__(self, per_s: float) -> None:
        self._gap_s = 1 / per_s
        self._next_s = self._held_until_s = -math.inf
        self._failures = 0

    def reserve(self, now_s: float) -> float:
        """Takes the next place; how long to wait for it."""
        at_s = max(self._next_s, now_s)
        self._next_s = at_s + self._gap_s
        return at_s - now_s

    def held_s(self, now_s: float) -> float:
        """How long everybody is still to be silent; 0 when nobody is."""
        return max(0.0, self._held_until_s - now_s)

    def hold(self, now_s: float, wait_s: float) -> None:
        """Nobody asks before that has passed."""
        self._held_until_s = max(self._held_until_s, now_s + wait_s)

    def failed(self, now_s: float, retry_after_s: float | None = None) -> None:
        """Waits as long as was asked for, else twice as long each time, 60 s at most."""
        self._failures += 1
        backoff_s = min(MAX_BACKOFF_S, 2.0 ** min(self._failures - 1, 16))
        self.hold(now_s, backoff_s if retry_after_s is None else retry_after_s)

    def succeeded(self) -> None:
        self._failures = 0
