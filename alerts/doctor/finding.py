"""What a check says: one line, with what to do where it is not fine."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

MAX_SKEW_S = 2.0
"""Between the clock of this machine and another one, before it is worth a warning."""


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One line: what was looked at, what was found, and what to do where it is not fine."""

    level: Level
    what: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<4}  {self.what}: {self.found}"
        return f"{line} -> {self.todo}" if self.todo else line


def ok(what: str, found: str) -> Finding:
    return Finding(Level.OK, what, found)


def warn(what: str, found: str, todo: str) -> Finding:
    return Finding(Level.WARN, what, found, todo)


def fail(what: str, found: str, todo: str) -> Finding:
    return Finding(Level.FAIL, what, found, todo)


def clock_finding(whose: str, skew_s: float, grain_s: float = 0.0) -> Finding:
    """`skew_s`: this machine's clock less the other one, known to `grain_s`."""
    side = "ahead of" if skew_s > 0 else "behind"
    if abs(skew_s) > MAX_SKEW_S + grain_s:
        found = f"this machine is {abs(skew_s):.1f} s {side} {whose}"
        return warn(
            "clock", found, "synchronise clocks with NTP; receipts stamped ahead of now are cut to now"
        )
    return ok("clock", f"within {MAX_SKEW_S + grain_s:g} s of {whose}")
