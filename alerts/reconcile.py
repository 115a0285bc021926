"""The reconciler: tells the pager the difference, and the incident what the pager has accepted.

want(pages) --> Desk --due--> budget --> still wanted? --> Pager.send --202--> record(delivery)
                  ^------------ refused, in doubt ------------/
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from alerts.desk import Backlog, Desk, Row
from alerts.notify import Accepted, InDoubt, Pager, Refused, Retry, SendResult
from alerts.notify.budget import Budget
from alerts.paging import delayed
from alerts.records import Delivery, Incident, Page
from streams.errors import Unreachable
from streams.label_values import Sent
from streams.metrics import Metrics

__all__ = ["Desk", "Reconciler"]

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0
"""A wall clock that jumps can not make it sleep longer than this."""
EXEMPLAR_CHARACTERS = 128
RECORD_BACKOFF_CAP_S = 30.0
SENT = {
    Accepted: Sent.ACCEPTED,
    Retry: Sent.RETRY,
    Refused: Sent.REFUSED,
    InDoubt: Sent.IN_DOUBT,
}

Record = Callable[[Delivery], Awaitable[None]]
"""Writes a delivery into its incident. `Unreachable`, OSError and TimeoutError are tried again
without end; anything else ends the reconciler. Asked in the order of the acceptances."""


class Cache(Protocol):
    """A copy of the rows for others to look at; never raises, may forget."""

    async def put_row(self, route: str, row: Row) -> None: ...


class Reconciler:
    """One route, one loop, one attempt at a time. Belongs to the event loop that runs it."""

    def __init__(
        self,
        desk: Desk,
        pager: Pager,
        record: Record,
        budget: Budget,
        clock_ms: Callable[[], int],
        metrics: Metrics | None = None,
        cache: Cache | None = None,
        age_ms: Callable[[int], int] | None = None,
    ) -> None:
        """`clock_ms` is the wall clock, epoch milliseconds; `age_ms` says how long ago, on the wall,
        a moment of event time was: without it no page says that it is late."""
        self.desk, self._pager, self._record, self._budget = desk, pager, record, budget
        self._clock_ms, self._metrics, self._cache, self._age_ms = clock_ms, metrics, cache, age_ms
        self._changed = asyncio.Event()
        self._accepted: asyncio.Queue[Delivery] = asyncio.Queue()
        self._backlog = Backlog(0, None)
        self.unrecorded = 0
        """Accepted deliveries whose record is still under way."""
        self._export()

    def restore(self, incident: Incident, pages: Iterable[Page], event_now_ms: int) -> None:
        """Before `run`: see `Desk.restore`."""
        self.desk.restore(incident, pages, self._clock_ms(), event_now_ms)
        self._changed.set()

    def want(self, pages: Iterable[Page]) -> None:
        """The newest desired state of some keys; returns at once."""
        self.desk.want(pages, self._clock_ms())
        self._changed.set()

    def heard(self, delivery: Delivery) -> None:
        """What somebody did at the pager. What is wanted of it by now is told right after."""
        if delivery.route == self.desk.route:
            self.desk.heard(delivery.dedup_key, delivery.action)

    async def run(self) -> None:
        """Until it is cancelled. Raises what `record` raises and is not to be tried again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._record_all())
                tasks.create_task(self._send_all())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _send_all(self) -> None:
        while True:
            self._changed.clear()
            self._look()
            due = self.desk.due(self._clock_ms())
            if not due:
                await self._wait_until(self.desk.next_due_ms())
                continue
            wait_ms = await self._budget.take(self._clock_ms())
            if wait_ms:
                await self._wait_until(self._clock_ms() + wait_ms)
            elif self.desk.still_wanted(due[0]):
                await self._send(due[0])

    async def _send(self, page: Page) -> None:
        result = await self._pager.send(self._with_delay(page))
        told = self._settle(page, result, self._clock_ms())
        self._note(page, result, told)
        if self._cache is not None and told:
            await self._cache.put_row(self.desk.route, self.desk.rows[page.dedup_key])

    def _with_delay(self, page: Page) -> Page:
        if self._age_ms is None or not page.decided_ms or not self.desk.late(page):
            return page
        return delayed(page, self._age_ms(page.decided_ms))

    def _settle(self, page: Page, result: SendResult, now_ms: int) -> bool:
        """False when the pager has only been told again what it knew."""
        match result:
            case Accepted(ref):
                delivery = self.desk.accepted(page, now_ms, ref)
                if delivery is None:
                    return False
                self.unrecorded += 1
                self._accepted.put_nowait(delivery)
            case Retry(status, after_s):
                self.desk.refused(page, status, after_s, now_ms)
            case Refused(status):
                self.desk.refused(page, status, None, now_ms)
            case InDoubt(_, after_s):
                self.desk.in_doubt(page, now_ms, after_s)
        return True

    def _note(self, page: Page, result: SendResult, told: bool) -> None:
        sent = SENT[type(result)]
        if self._metrics is not None:
            attempts = self._metrics.pager_attempts_total.labels(self.desk.route, sent)
            attempts.inc(exemplar=_exemplar(page.incident_key))
        level = logging.WARNING if sent is not Sent.ACCEPTED else logging.INFO if told else logging.DEBUG
        log.log(level, "%s: %s %s seq %d: %s", self.desk.route, page.action, page.dedup_key, page.seq, result)
        row = self.desk.rows[page.dedup_key]
        if row.dead:
            log.error(
                "%s: %s %s is refused for good, even without details: do by hand what it says",
                self.desk.route,
                page.action,
                page.dedup_key,
            )

    async def _record_all(self) -> None:
        """Apart from sending: while Kafka is away, what is held still goes out."""
        while True:
            delivery = await self._accepted.get()
            attempt = 0
            while not await self._recorded(delivery, attempt):
                attempt += 1
            self.unrecorded -= 1

    async def _recorded(self, delivery: Delivery, attempt: int) -> bool:
        try:
            await self._record(delivery)
        except (Unreachable, OSError, TimeoutError) as e:
            delay_s = min(RECORD_BACKOFF_CAP_S, 0.5 * 2.0 ** min(attempt, 16))
            log.warning("delivery of %s is not recorded yet: %s", delivery.dedup_key, e)
            await asyncio.sleep(delay_s)
            return False
        return True

    async def _wait_until(self, due_ms: int | None) -> None:
        """Until something changes or `due_ms` (wall) has come."""
        delay_s = LONGEST_WAIT_S
        if due_ms is not None:
            delay_s = min(delay_s, max(0.0, (due_ms - self._clock_ms()) / 1000))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._changed.wait()

    def _look(self) -> None:
        """A scrape reads this snapshot from another thread, never the rows."""
        for page in self.desk.forget(self._clock_ms()):
            log.error("%s: %s %s is given up after a day", self.desk.route, page.action, page.dedup_key)
        self._backlog = self.desk.backlog()
        if self._metrics is not None:
            self._metrics.pager_queue_length.labels(self.desk.route).set(self._backlog.length)

    def _export(self) -> None:
        if self._metrics is None:
            return
        route = self.desk.route
        self._metrics.expect(route=[route])
        self._metrics.pager_info.labels(route).set(1)
        self._metrics.pager_oldest_unsent_seconds.labels(route).set_function(self._oldest_unsent_s)

    def _oldest_unsent_s(self) -> float:
        oldest_ms = self._backlog.oldest_wanted_ms
        return 0.0 if oldest_ms is None else max(0.0, (self._clock_ms() - oldest_ms) / 1000)


def _exemplar(incident: str) -> dict[str, str] | None:
    """The incident that an attempt was for, where it is within what OpenMetrics allows."""
    labels = {"incident_id": incident}
    fits = sum(len(name) + len(value) for name, value in labels.items()) <= EXEMPLAR_CHARACTERS
    return labels if fits else None
