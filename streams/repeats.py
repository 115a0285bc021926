"""What Kafka's client says over and over while a broker is away, now and then instead.

aiokafka logs each attempt to connect: hundreds of lines a second, for as long as it lasts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

EVERY_S = 10.0


class Repeats(logging.Filter):
    """For a handler: lets one record of a kind through every `EVERY_S`, with how many it held back since.

    Of a kind are records of one logger with the same words before anything is filled in. Only loggers below
    `name` are looked at; all others pass.
    """

    def __init__(self, name: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._monotonic_s = monotonic_s
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        """By kind: when one was let through, and how many were held back since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        kind, now_s = (record.name, str(record.msg)), self._monotonic_s()
        at_s, held = self._told.get(kind, (-math.inf, 0))
        if now_s - at_s < EVERY_S:
            self._told[kind] = at_s, held + 1
            return False
        self._told[kind] = now_s, 0
        if held:
            record.msg, record.args = f"{record.getMessage()} ({held} more like it before)", ()
        return True
