"""Calls that may never come back: one that is overdue ends the process, and its supervisor starts it anew.

librdkafka does not look at the timeout of `send_offsets_to_transaction` while it asks for the group's
coordinator (confluentinc/librdkafka issue 5456, open with 2.16), and does not ask again when that has left
the cluster (issue 5511): after a broker was away, or was stopped in order, the call may wait for ever, and
nothing else in the process says so. Nobody can end a call in C from within, and what was not committed counts
for nothing, so a new start loses nothing.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from streams.errors import STARTS_ANEW

log = logging.getLogger(__name__)

GRACE_S = 5.0
"""Beyond a call's own timeout."""

R = TypeVar("R")


def end_process(what: str) -> None:
    log.error("%s has not come back, long after its timeout; starting anew", what)
    leave(STARTS_ANEW)  # the thread in that call would hold up any other end


def leave(code: int) -> NoReturn:
    """Ends the process at once: no client of librdkafka is taken down, which may never come back either."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def renew_watch(for_s: float) -> None:
    """Ends the process, with exit code 1, when `for_s` pass and this is not called again; stderr has where
    each thread stood, by files and lines, no values. What watches is a thread in C: it also ends a process
    whose Python is held up, in which no timer of `within` comes to its turn."""
    faulthandler.dump_traceback_later(for_s, exit=True)


def within(
    timeout_s: float, what: str, call: Callable[..., R], *args: Any, end: Callable[[str], None] = end_process
) -> R:
    """What the call returns or raises; `end` is told `what` when it has not come back GRACE_S after
    `timeout_s`, which is its own limit."""
    timer = threading.Timer(timeout_s + GRACE_S, end, [what])
    timer.daemon = True
    timer.start()
    try:
        return call(*args)
    finally:
        timer.cancel()
