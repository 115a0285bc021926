"""One pager key: what it should say, what it was last told, and when it may be told again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from alerts.case import RANK
from alerts.paging import CRITICAL_SUFFIX as CRITICAL_SUFFIX
from alerts.records import Page, Severity

TRIGGER, RESOLVE, TELL = "trigger", "resolve", "tell"
MISSED_SUFFIX = ":missed"


class Remote(StrEnum):
    """What the pager has under a key, as far as we know."""

    CLOSED = "closed"
    OPEN = "open"
    DOUBT = "doubt"


GOAL = {TRIGGER: Remote.OPEN, RESOLVE: Remote.CLOSED, TELL: Remote.OPEN}


class Habits(NamedTuple):
    """How a route is told, beyond each change from open to resolved and back."""

    update_ms: int | None = None
    """An open page that has changed is sent again after so long, at once when it is worse; None: never."""
    repeat_ms: int | None = None
    """An open page is said again so often, whatever: a receiver that forgets who is silent."""
    repeat_resolved_ms: int = 0
    """So long after a resolve it is said again as well."""
    tells_missed: bool = False
    """Whether it is told afterwards of what opened and ended while it could not be reached."""


@dataclass(slots=True)
class Row:
    """One pager key. Times are wall milliseconds."""

    desired: Page
    wanted_ms: int
    """Since when this action is wanted."""
    remote: Remote = Remote.CLOSED
    attempts: int = 0
    next_try_ms: int = 0
    minimal: bool = False
    """The full page was refused for good: the next try carries only what must be there."""
    dead: bool = False
    """The minimal page was refused too: a dead letter until another action is wanted."""
    sent_seq: int = 0
    sent_action: str = ""
    sent_ms: int = 0
    sent_severity: Severity | None = None
    resolved_ms: int = 0
    """When its resolve was first accepted."""
    routing_key_id: str = ""
    ref: str = ""
    """Both as they were when the page was opened."""

    @property
    def settled(self) -> bool:
        return self.remote is GOAL[self.desired.action]

    def page(self) -> Page:
        """What to send: a resolve and an update go where the trigger went."""
        page = minimal(self.desired) if self.minimal else self.desired
        if self.remote is Remote.CLOSED and page.action != RESOLVE:
            return page
        ref = "" if self.minimal else self.ref
        return msgspec.structs.replace(page, routing_key_id=self.routing_key_id, ref=ref)

    def again_ms(self, habits: Habits) -> int | None:
        """When what the pager has is to be sent again, None: not at all."""
        if not self.settled or self.desired.action == TELL:
            return None
        if self.desired.action == RESOLVE:
            return self._resolved_again_ms(habits)
        due = [] if habits.repeat_ms is None else [self.sent_ms + habits.repeat_ms]
        if habits.update_ms is not None and self.desired.seq > self.sent_seq:
            due.append(self.sent_ms + (0 if self._worse() else habits.update_ms))
        return min(due, default=None)

    def _resolved_again_ms(self, habits: Habits) -> int | None:
        if habits.repeat_ms is None or not self.resolved_ms:
            return None
        again_ms = self.sent_ms + habits.repeat_ms
        return again_ms if again_ms <= self.resolved_ms + habits.repeat_resolved_ms else None

    def _worse(self) -> bool:
        return self.sent_severity is not None and RANK[self.desired.severity] > RANK[self.sent_severity]


class Backlog(NamedTuple):
    """What the pager has not accepted, dead letters included."""

    length: int
    oldest_wanted_ms: int | None


def minimal(page: Page) -> Page:
    """The page with nothing in it that the pager does not insist on."""
    return msgspec.structs.replace(page, component="", group="", event_class="", details={}, links=())
