"""What a pager should know and what it knows: the pure half of the reconciler.

One row a pager key: the newest desired page on one side, what the pager was last told on the
other. Only the difference is ever sent, so a retry never carries a stale trigger, what opened and
resolved during an outage is never sent at all, and a restart just compares again.

    desired    trigger ---------------- resolve
    remote     CLOSED -> (202) OPEN --> (202) CLOSED
                  \\-> DOUBT: sent without an answer; either side must be sent again
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import msgspec

from alerts.records import Delivery, Incident, Page, Severity, State
from alerts.rows import (
    CRITICAL_SUFFIX,
    GOAL,
    MISSED_SUFFIX,
    RESOLVE,
    TELL,
    TRIGGER,
    Backlog,
    Habits,
    Remote,
    Row,
    minimal,
)

__all__ = ["CRITICAL_SUFFIX", "RESOLVE", "TRIGGER", "Backlog", "Desk", "Habits", "Remote", "Row", "minimal"]

BACKOFF_CAP_S = 60.0
RETRY_AFTER_CAP_S = 300.0
"""A pager that asks for more silence than this is asked again all the same."""
DOUBT_MS = 3_600_000
"""So long after its end an incident without deliveries may have been sent by a crashed owner."""
GIVE_UP_MS = 86_400_000
"""A resolve that was not taken for so long is given up; a trigger never is."""


class Desk:
    """The rows of one route. `rng` draws the jitter of retries."""

    def __init__(
        self,
        route: str,
        routing_key_id: str = "",
        rng: random.Random | None = None,
        habits: Habits = Habits(),  # noqa: B008 - frozen
    ) -> None:
        self.route, self.routing_key_id, self.habits = route, routing_key_id, habits
        self.rows: dict[str, Row] = {}
        self._rng = rng or random.Random()
        self._hold_until_ms = 0

    def restore(self, incident: Incident, pages: Iterable[Page], now_ms: int, event_now_ms: int) -> None:
        """Takes up where the last owner stopped. `pages` is what the incident wants by now.

        What is recorded and still wanted is not sent again. Where the record differs from what is
        wanted, the last owner may have died between the 202 and its record: that is in doubt.
        """
        for page in pages:
            mine = [d for d in incident.deliveries if (d.route, d.dedup_key) == (self.route, page.dedup_key)]
            row = Row(_since_detected(page, incident), now_ms)
            _recall(row, mine)
            row.remote = self._remembered(incident, page, mine, event_now_ms)
            self.rows[page.dedup_key] = row

    def _remembered(
        self, incident: Incident, page: Page, mine: Sequence[Delivery], event_now_ms: int
    ) -> Remote:
        ended_ms = (incident.resolved_bucket_s or 0) * 1000
        recent = incident.state is State.OPEN or event_now_ms - ended_ms < DOUBT_MS
        if not mine:
            return Remote.DOUBT if recent else Remote.CLOSED
        told = GOAL[mine[-1].action]
        if told is not GOAL[page.action]:
            return Remote.DOUBT
        return Remote.DOUBT if recent and _misses_one(incident, mine, page.action) else told

    def want(self, pages: Iterable[Page], now_ms: int) -> None:
        """The newest desired state of some keys; what is not newer than what is known is ignored."""
        for page in pages:
            row = self.rows.get(page.dedup_key)
            if row is None:
                self.rows[page.dedup_key] = Row(page, now_ms)
            elif page.seq > row.desired.seq:
                self._renew(row, page, now_ms)

    def _renew(self, row: Row, page: Page, now_ms: int) -> None:
        if page.action == row.desired.action:
            row.desired = msgspec.structs.replace(page, decided_ms=row.desired.decided_ms)
            return
        tried = row.desired.action == TRIGGER and row.attempts > 0
        if self.habits.tells_missed and tried and not row.settled:
            self._tell_missed(row, page, now_ms)
        row.wanted_ms, row.attempts, row.next_try_ms = now_ms, 0, 0
        row.minimal = row.dead = False
        row.desired = page

    def _tell_missed(self, row: Row, page: Page, now_ms: int) -> None:
        """Tried, not known to be taken, over: nobody is woken for it, but it does not vanish."""
        key = page.incident_key + MISSED_SUFFIX
        missed = "Missed" if row.remote is Remote.CLOSED else "Perhaps missed"
        summary = f"{missed} while the pager could not be reached, over by now: {row.desired.summary}"
        told = msgspec.structs.replace(row.desired, dedup_key=key, action=TELL, seq=page.seq, summary=summary)
        self.rows[key] = Row(told, now_ms)

    def heard(self, dedup_key: str, action: str) -> None:
        """The pager says that somebody has opened or resolved it there: not to be sent again."""
        row = self.rows.get(dedup_key)
        if row is not None:
            row.remote = GOAL[action]

    def due(self, now_ms: int) -> list[Page]:
        """What to send now: critical triggers, then resolves, then the rest, oldest first."""
        if now_ms < self._hold_until_ms:
            return []
        rows = [row for row in self._sendable() if self._due_ms(row) <= now_ms]
        return [row.page() for row in sorted(rows, key=_urgency)]

    def next_due_ms(self) -> int | None:
        """When the next row may be tried, None when nothing is to be sent."""
        tries = [max(self._due_ms(row), self._hold_until_ms) for row in self._sendable()]
        return min(tries, default=None)

    def still_wanted(self, page: Page) -> bool:
        """Whether nothing newer came since `due` handed the page out: asked right before the POST."""
        row = self.rows.get(page.dedup_key)
        return row is not None and row.desired.seq == page.seq and self._to_send(row)

    def late(self, page: Page) -> bool:
        """Whether a page handed out is the first that the pager hears of it."""
        return page.action == TRIGGER and not self.rows[page.dedup_key].settled

    def accepted(self, page: Page, at_ms: int, ref: str = "") -> Delivery | None:
        """The pager has taken it: the delivery to record, None when it was only said again.

        `ref` is what the pager calls it. The row may want something newer already.
        """
        row = self.rows[page.dedup_key]
        known = row.remote is GOAL[page.action]
        said_before = known and (page.action != TRIGGER or row.sent_seq == page.seq)
        if page.action == RESOLVE and not (said_before and row.resolved_ms):
            row.resolved_ms = at_ms
        key_id = page.routing_key_id or self.routing_key_id
        if page.action == TRIGGER:
            row.routing_key_id, row.ref = key_id, ref or page.ref
        row.remote = GOAL[page.action]
        row.sent_seq, row.sent_action, row.sent_ms, row.sent_severity = (
            page.seq,
            page.action,
            at_ms,
            page.severity,
        )
        row.attempts, row.next_try_ms, row.minimal, row.dead = 0, 0, False, False
        if said_before:
            return None
        return Delivery(self.route, page.dedup_key, page.action, page.seq, at_ms, key_id, ref or page.ref)

    def refused(self, page: Page, status: int, retry_after_s: float | None, now_ms: int) -> None:
        """An answer that says no; 0 when there was no connection. For good when `permanent`."""
        self._hold(retry_after_s, now_ms)
        row = self.rows[page.dedup_key]
        if row.desired.action != page.action:
            return  # turned while it was under way: the new action starts afresh
        if not permanent(status):
            self._back_off(row, now_ms)
        elif row.minimal and self.habits.repeat_ms is not None:
            row.minimal, row.next_try_ms = False, now_ms + self.habits.repeat_ms
        elif row.minimal:
            row.dead = True
        else:
            row.minimal = True

    def in_doubt(self, page: Page, now_ms: int, retry_after_s: float | None = None) -> None:
        """Sent, no answer: the pager may have it or not, so whatever is wanted must be sent."""
        self._hold(retry_after_s, now_ms)
        row = self.rows[page.dedup_key]
        row.remote = Remote.DOUBT
        if row.desired.action == page.action:
            self._back_off(row, now_ms)

    def backlog(self) -> Backlog:
        """Counts rows that wait for nothing but the pager."""
        rows = [r for r in self.rows.values() if r.desired.action != TELL]
        wanted = [r.wanted_ms for r in rows if not r.settled and not self._waits(r)]
        return Backlog(len(wanted), min(wanted, default=None))

    def dead_letters(self) -> list[Page]:
        return [row.desired for row in self.rows.values() if row.dead]

    def forget(self, now_ms: int) -> list[Page]:
        """Drops what ended a day ago; returns what the pager never took of it."""
        over = [
            row
            for row in self.rows.values()
            if row.desired.action != TRIGGER and now_ms - row.wanted_ms > GIVE_UP_MS
        ]
        for row in over:
            del self.rows[row.desired.dedup_key]
        return [row.desired for row in over if not row.settled]

    def _sendable(self) -> list[Row]:
        return [row for row in self.rows.values() if self._to_send(row)]

    def _to_send(self, row: Row) -> bool:
        again = not row.settled or row.again_ms(self.habits) is not None
        return again and not row.dead and not self._waits(row)

    def _due_ms(self, row: Row) -> int:
        return max(row.next_try_ms, row.again_ms(self.habits) or 0)

    def _waits(self, row: Row) -> bool:
        """The warning stays open until the critical page that replaces it has its 202."""
        if row.desired.action != RESOLVE:
            return False
        critical = self.rows.get(row.desired.dedup_key + CRITICAL_SUFFIX)
        return critical is not None and critical.desired.action == TRIGGER and not critical.settled

    def _back_off(self, row: Row, now_ms: int) -> None:
        row.attempts += 1
        ceiling_s = min(BACKOFF_CAP_S, 2.0 ** min(row.attempts - 1, 16))
        row.next_try_ms = now_ms + int(self._rng.uniform(0, ceiling_s) * 1000)

    def _hold(self, retry_after_s: float | None, now_ms: int) -> None:
        """Retry-After is about the key, not the event: everything waits."""
        if retry_after_s is not None and retry_after_s > 0:
            wait_ms = int(min(retry_after_s, RETRY_AFTER_CAP_S) * 1000)
            self._hold_until_ms = max(self._hold_until_ms, now_ms + wait_ms)


def _misses_one(incident: Incident, told: Sequence[Delivery], action: str) -> bool:
    """Whether the opposite of `action` may have been sent without a record since it was told.

    An incident that was re-opened n times ended n times before: with a resolve for each on record,
    nothing came between the last of them and now.
    """
    resolves = sum(d.action == RESOLVE and not d.by for d in told)
    return resolves < incident.reopened + (action == RESOLVE)


def _since_detected(page: Page, incident: Incident) -> Page:
    """An incident of which nobody has heard yet wants its page since it was detected."""
    if page.action != TRIGGER or incident.deliveries or incident.reopened:
        return page
    return msgspec.structs.replace(page, decided_ms=incident.detected_ms)


def _recall(row: Row, mine: Sequence[Delivery]) -> None:
    """What the deliveries of its key tell of the row, oldest first."""
    for told in mine:
        if told.action == TRIGGER:
            row.routing_key_id, row.ref = told.routing_key_id, told.ref
        row.resolved_ms = told.at_ms if told.action == RESOLVE else 0
        row.sent_seq, row.sent_action, row.sent_ms = told.seq, told.action, told.at_ms


def permanent(status: int) -> bool:
    """Whether sending the same again is pointless (PagerDuty: 4xx but 429 is never to be retried)."""
    return 300 <= status < 500 and status not in (408, 429)


def _urgency(row: Row) -> tuple[int, int]:
    if row.desired.action == RESOLVE:
        return 1, row.wanted_ms
    if row.desired.action == TELL:
        return 3, row.wanted_ms
    return (0 if row.desired.severity is Severity.CRITICAL else 2), row.wanted_ms
