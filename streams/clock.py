"""Wall time as the one port through which stations may ask for it; event time is always passed in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streams.settings import Clock

log = logging.getLogger(__name__)

STEP_MS = 5_000
"""A clock that moves by more than this, beyond what has passed, was set."""
DOUBT_S = 60.0
"""For so long nobody follows a clock that was set, unless records show that it is right."""


class WallClock:
    """Epoch milliseconds. A demonstration may run it faster, from a start in the past."""

    def __init__(self, config: Clock) -> None:
        self._config = config

    def now_ms(self) -> int:
        wall_ms = time.time() * 1000
        c = self._config
        if c.speed == 1.0 and not c.anchor_ms:
            return int(wall_ms)
        return int(c.anchor_ms + (wall_ms - c.anchor_wall_ms) * c.speed)

    def wall_s(self, event_s: float) -> float:
        """How long `event_s` seconds of the running clock take on the wall."""
        return event_s / self._config.speed

    def event_ms(self, wall_s: float) -> float:
        """How far the running clock moves while so much passes on the wall."""
        return wall_s * 1000 * self._config.speed


class SteadyClock:
    """Wall time for what must not be taken back: it follows a clock that was set only when that is right.

    Whoever has read a partition to its end takes it for read up to now. With a clock that is minutes ahead by
    mistake, what comes in these minutes would be late, and nobody would be warned meanwhile. Records tell: as
    long as they are received by the time that was, the new one is wrong; where they are received by the new
    one, the machine had slept. Where none tells, or those that come are old, it is followed after DOUBT_S.
    """

    def __init__(self, clock: WallClock, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._monotonic_s = clock, monotonic_s
        self._at_ms, self._at_s = clock.now_ms(), monotonic_s()
        self._sure_s, self._doubts = self._at_s, False

    def now_ms(self, newest_ms: int) -> int:
        """Epoch ms. `newest_ms`: the newest receipt of what was read since the last call, 0 where there is
        none."""
        wall_ms, at_s = self._clock.now_ms(), self._monotonic_s()
        steady_ms = self._at_ms + round(self._clock.event_ms(at_s - self._at_s))
        self._at_s = at_s
        off_ms = wall_ms - steady_ms
        if abs(off_ms) <= STEP_MS or self._is_right(off_ms, steady_ms, newest_ms, at_s):
            self._at_ms, self._sure_s, self._doubts = wall_ms, at_s, False
            return wall_ms
        if not self._doubts:
            log.warning("the clock was set by %+.0f s: not followed yet", off_ms / 1000)
        self._at_ms, self._doubts = steady_ms, True
        return min(wall_ms, steady_ms)

    def _is_right(self, off_ms: int, steady_ms: int, newest_ms: int, at_s: float) -> bool:
        """Whether the clock that was set by `off_ms` is the one to go by."""
        if off_ms > 0 and newest_ms > steady_ms + off_ms // 2:
            return True
        if off_ms > 0 and newest_ms >= steady_ms - STEP_MS:
            self._sure_s = at_s
        return at_s - self._sure_s > DOUBT_S
