"""What people ask of the incident desk: the one record of `incident-commands`.

CLI, pages and the gateway write it, the alerts role reads it, at least once: the id makes a repeat
harmless. Texts are masked and cut before they are written: no number reaches the topic.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from streams.privacy import mask_numbers
from streams.records import VERSION

MOST_TEXT = 2_000
"""Characters of a note or a reason."""
MOST_URL = 500
MOST_NAME = 100
"""Characters of an author."""


class Ask(StrEnum):
    """What is asked for."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    NOTE = "note"
    VERDICT = "verdict"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    LINK = "link"
    """A pager has an incident of its own for ours: its id is worth knowing, as notes name only that."""
    SILENCE = "silence"
    END_SILENCE = "end_silence"
    SET_TIME = "set_time"


class Via(StrEnum):
    """Which way it came."""

    CLI = "cli"
    PAGE = "page"
    PAGERDUTY = "pagerduty"


class Verdict(StrEnum):
    """What a page was worth to whom it woke."""

    USEFUL = "useful"
    TOO_LATE = "too_late"
    FALSE = "false"


class SilenceKind(StrEnum):
    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    """Somebody works on the network, announced before."""


class Matcher(msgspec.Struct, frozen=True):
    """`name op value` on an incident, as in Alertmanager: `=`, `!=`, `=~`, `!~`; regular expressions
    match the whole value."""

    name: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.op}{self.value}"


class Silence(msgspec.Struct, frozen=True):
    """Who wants no pages about what, and how long: the value of `silences`. Wall milliseconds,
    [begin, end)."""

    id: str
    matchers: tuple[Matcher, ...]
    author: str
    reason: str
    begin_ms: int
    end_ms: int
    kind: SilenceKind = SilenceKind.SILENCE
    created_ms: int = 0
    ended_by: str = ""
    """Who ended it before its time."""
    v: int = VERSION


MILESTONES = ("onset", "delivered", "acknowledged", "mitigated", "recovered")
"""What a person may know better than the monitor."""
LAST_MS = 253_402_300_799_999
"""The end of the year 9999: no calendar here goes further."""


class ToldTime(msgspec.Struct, frozen=True):
    """When a milestone of an incident was, by somebody who knows better than the monitor. Epoch ms."""

    name: str
    at_ms: int
    """0 takes back what was said before."""
    author: str = ""
    reason: str = ""
    told_ms: int = 0

    @property
    def valid(self) -> bool:
        return self.name in MILESTONES and 0 <= self.at_ms <= LAST_MS


class Command(msgspec.Struct, frozen=True):
    """One thing asked for. `at_ms` is when it was done, wall time of whoever tells it."""

    id: str
    what: Ask
    at_ms: int
    author: str
    via: Via
    key: str = ""
    """An incident's key, or one of its pager keys; '' where the pager told `pager_id` alone."""
    by_person: bool = True
    """False for what a machine did, such as the pager's echo of our own resolve."""
    text: str = ""
    """A note, or why."""
    verdict: Verdict | None = None
    silence: Silence | None = None
    silence_id: str = ""
    """Which silence ends."""
    time: ToldTime | None = None
    """Its name and time alone; the rest is the command's own."""
    pager_id: str = ""
    """The pager's own id of its incident."""
    pager_url: str = ""
    v: int = VERSION

    @property
    def record_key(self) -> bytes:
        """The key of its record: one partition keeps all of them in order."""
        return (self.key or self.silence_id or self.pager_id or self.id).encode()


def safe_url(url: str) -> str:
    """A link that pages may show, '' for any other."""
    return url if url.startswith("https://") and len(url) <= MOST_URL and url.isprintable() else ""


def safe(text: str, most: int = MOST_TEXT) -> str:
    """Text that people wrote, for the topics: numbers masked, no control characters, cut."""
    masked = mask_numbers(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in masked).strip()
    return plain if len(plain) <= most else plain[: most - 1] + "…"
