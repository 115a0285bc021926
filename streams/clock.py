"""Wall time as the one port through which stations may ask for it; event time is always passed in."""

from __future__ import annotations

import time

from streams.settings import Clock


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
