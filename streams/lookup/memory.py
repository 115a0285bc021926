"""What is known of carriers by recipient hash, and what is to be asked. Shared by two threads.

The hot path reads `known` without a lock and offers; the thread of Lookup takes and answers.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from typing import NamedTuple

QUEUE = 10_000
"""Most numbers that wait in memory."""


class Wanted(NamedTuple):
    """A number to ask for."""

    recipient: int
    number: str
    failed: bool

    def __repr__(self) -> str:
        return f"Wanted({self.recipient:016x})"  # never the number, whoever prints it


class Memory:
    """Bounded: the answer that ends first leaves when there are too many."""

    def __init__(self, most: int, sampled_below: int) -> None:
        self.known: dict[int, str] = {}
        """Carrier id; '' while it is asked for, or when there is none."""
        self.sampled_below = sampled_below
        self._most = most
        self._ends: list[tuple[float, int]] = []
        self._lock = threading.Lock()
        self._failed: deque[Wanted] = deque()
        self._others: deque[Wanted] = deque()

    def offer(self, recipient: int, number: str, failed: bool) -> None:
        """Asks for it when there is room; a number that is asked for or known is left alone."""
        if recipient in self.known:
            return
        with self._lock:
            if len(self._failed) + len(self._others) >= QUEUE and not self._make_room(failed):
                return
            self.known[recipient] = ""
            (self._failed if failed else self._others).append(Wanted(recipient, number, failed))

    def _make_room(self, failed: bool) -> bool:
        """A failed number takes the place of one that was only sampled."""
        if not failed or not self._others:
            return False
        self.known.pop(self._others.popleft().recipient, None)
        return True

    def take(self) -> Wanted | None:
        """The next to ask for: failed ones first, the oldest first."""
        with self._lock:
            queue = self._failed or self._others
            return queue.popleft() if queue else None

    def put_back(self, wanted: Wanted) -> None:
        """To be asked for next: it was not its turn after all."""
        with self._lock:
            (self._failed if wanted.failed else self._others).appendleft(wanted)

    def answer(self, recipient: int, carrier: str, ends_s: float) -> None:
        """Keeps an answer ('' for none) until `ends_s`."""
        with self._lock:
            self.known[recipient] = carrier
            heapq.heappush(self._ends, (ends_s, recipient))
            if len(self._ends) > self._most:
                self.known.pop(heapq.heappop(self._ends)[1], None)

    def forget(self, recipient: int) -> None:
        """As if it had never been asked for."""
        with self._lock:
            self.known.pop(recipient, None)

    def expire(self, now_s: float) -> None:
        """Lets go of what has ended; it may be asked for again."""
        with self._lock:
            while self._ends and self._ends[0][0] <= now_s:
                self.known.pop(heapq.heappop(self._ends)[1], None)
