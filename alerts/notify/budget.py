"""How many pages a minute: below what the pager throttles at, shared where a store is there."""

from __future__ import annotations

from collections import deque
from typing import Protocol

LIMIT = 100
"""PagerDuty throttles at about 120 a minute and key; what is left is for other senders."""
WINDOW_MS = 60_000


class Budget(Protocol):
    """`take` spends one attempt and returns 0, or the milliseconds until one is free."""

    async def take(self, now_ms: int) -> int: ...


class LocalBudget:
    """At most `limit` in any `window_ms`, bursts allowed: the times of the last ones are kept.

    A bucket that refills would let through twice its size in the first minute.
    """

    def __init__(self, limit: int = LIMIT, window_ms: int = WINDOW_MS) -> None:
        self.limit, self.window_ms = limit, window_ms
        self._taken: deque[int] = deque()

    async def take(self, now_ms: int) -> int:
        wait_ms = self.wait_ms(now_ms)
        if wait_ms == 0:
            self.spend(now_ms)
        return wait_ms

    def wait_ms(self, now_ms: int) -> int:
        """0 when an attempt is free. A clock that went back forgets what lies ahead of it."""
        while self._taken and self._taken[0] <= now_ms - self.window_ms:
            self._taken.popleft()
        while self._taken and self._taken[-1] > now_ms:
            self._taken.pop()
        if len(self._taken) < self.limit:
            return 0
        return self._taken[0] + self.window_ms - now_ms

    def spend(self, now_ms: int) -> None:
        """Counts an attempt that somebody else has granted."""
        self._taken.append(now_ms)
