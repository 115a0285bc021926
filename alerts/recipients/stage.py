"""Follows recipients beside everything else of the alerts role, while this instance is the owner.

failed-recipients, delivered-recipients -> in order of time -> Redis (merged) -> one transaction:
                                                                  advice, and how far it has read
Redis comes first: what is merged and not committed is read again, and merging twice is merging once.
What goes wrong ends a life of the stage, not the process: the next one begins after a while.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaException
from redis.exceptions import RedisError

from alerts.recipients.batch import Batch, Reader
from alerts.recipients.entry import Seen
from alerts.recipients.growth import Campaign
from alerts.recipients.log import RecipientLog, Record
from alerts.recipients.order import Item
from alerts.recipients.store import Lost, Merged, RecipientStore
from alerts.settings import Settings
from streams.clock import WallClock
from streams.errors import MonitorError
from streams.http import Readiness
from streams.metrics import Metrics
from streams.privacy import RecipientHasher
from streams.records import FailedRecipient
from streams.settings import Clock

log = logging.getLogger(__name__)

NAME = "recipients"
"""Of the condition of `/readyz`."""
MOST = 1_000
"""Records in one go."""
READ_S = 0.2
ROUND_S = 3_600
"""In so long all that is kept has been swept once."""
FIRST_WAIT_S, MOST_WAIT_S = 1.0, 30.0
STOP_S = 15.0
Advise = Callable[[Sequence[FailedRecipient], Sequence[Seen]], Sequence[Record]]
"""What to write to `retry-advice` of these failures; called with none about once a second."""
_WALL = WallClock(Clock())


def no_advice(failed: Sequence[FailedRecipient], seen: Sequence[Seen]) -> Sequence[Record]:
    return ()


class RecipientStage:
    """`start` once this instance is the owner, `stop` when it is no longer."""

    def __init__(
        self, settings: Settings, metrics: Metrics, readiness: Readiness, advise: Advise = no_advice
    ) -> None:
        self._settings, self._metrics, self._readiness, self._advise = settings, metrics, readiness, advise
        self._clock = WallClock(settings.clock)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins, in a thread of its own; returns at once."""
        if self._thread is not None or not self._settings.recipients.track:
            return
        if not self._settings.privacy.recipient_key:
            log.warning(
                "recipients are not followed: privacy.recipient_key is empty here, which tells whose they are"
            )
            self._metrics.recipients_rebuilding.set(1)
            return
        self._tell("not known yet whether all of them are there")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, args=(self._stopping,), name=NAME, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns once it has ended; it may finish what it was about."""
        if self._thread is None:
            return
        self._stopping.set()
        self._thread.join(STOP_S)
        self._thread = None

    def _live(self, stopping: threading.Event) -> None:
        """One life after the other."""
        wait_s = FIRST_WAIT_S
        while not stopping.is_set():
            began_s = time.monotonic()
            try:
                Life(self._settings, self._metrics, self._tell, self._advise, self._clock).run(stopping)
            except Exception as e:  # whatever it is, it must reach nobody who decides or pages
                known = isinstance(e, MonitorError | RedisError | KafkaException | Lost)
                why = f"{type(e).__name__}: {e}"
                log.log(
                    logging.WARNING if known else logging.ERROR, "recipients: %s", why, exc_info=not known
                )
                self._tell(why)
                traceback.clear_frames(e.__traceback__)  # they would hold the life's clients
                wait_s = (
                    FIRST_WAIT_S if time.monotonic() - began_s > MOST_WAIT_S else min(2 * wait_s, MOST_WAIT_S)
                )
                stopping.wait(wait_s)
        self._tell("")
        for gauge in ("listed", "tracked", "lag_records", "growing_campaigns"):
            self._metrics.get(f"recipients_{gauge}").set(0)

    def _tell(self, why: str) -> None:
        """Why the list is not whole; '' when it is."""
        self._readiness.set(NAME, not why, why)
        self._metrics.recipients_rebuilding.set(int(bool(why)))


class Life:
    """From finding out how far the last one was until something goes wrong."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        tell: Callable[[str], None],
        advise: Advise,
        clock: WallClock,
    ) -> None:
        self._settings, self._metrics, self._tell, self._advise = settings, metrics, tell, advise
        self._clock = clock
        self._key_id = RecipientHasher(settings.privacy.recipient_key).key_id
        self._reader = Reader(self._key_id, metrics)
        self._building = False
        self._let_go, self._swept_s = 0, time.monotonic()

    def run(self, stopping: threading.Event) -> None:
        """Until it is stopped. Raises what has gone wrong."""
        self._log = RecipientLog(self._settings)
        self._store = RecipientStore(self._settings.redis, self._key_id, self._settings.recipients)
        try:
            self._begin()
            while not stopping.is_set():
                self._turn()
        finally:
            self._log.close()
            self._store.close()

    def _begin(self) -> None:
        self._log.begin(_WALL.now_ms())
        self._building = not self._store.restore(self._log.sequence, self._now_s)
        if self._building:
            self._tell("being built anew from the topics")
            self._store.clear()
        self._growth = self._store.growth()
        self._log.start(anew=self._building)
        self._settle()

    @property
    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000

    def _turn(self) -> None:
        self._log.read(READ_S)
        items = self._log.take(_WALL.now_ms(), MOST)
        if items:
            self._take(items)
        elif not self._building and (records := self._advise([], [])):
            self._log.commit(records, self._store.sequence)
        self._settle()
        self._sweep()
        self._show()

    def _take(self, items: Sequence[Item]) -> None:
        batch = self._reader.read(items, self._log.is_failure)
        merged = self._store.take(batch.failed, batch.delivered, building=self._building)
        for recipients, until_s in batch.forget:
            self._store.forget(recipients, until_s)
        self._grow(batch, merged)
        new = [i for i, item in enumerate(batch.items) if self._log.is_new(item)]
        records = self._advise([batch.failed[i] for i in new], [merged.seen[i] for i in new]) if new else ()
        if records or not self._building:
            self._log.commit(records, self._store.sequence)

    def _settle(self) -> None:
        """Says that the list is whole, once it is."""
        if self._building and self._log.is_caught_up:
            self._store.built()
            self._building = False
            log.info("recipients: built anew, %d tracked, %d listed", self._store.tracked, self._store.listed)
        if not self._building:
            self._tell("")

    def _grow(self, batch: Batch, merged: Merged) -> None:
        entered = [batch.failed[i] for i in merged.entered]
        if entered:
            told = [(f.received_ms // 1000, Campaign(f.sender or "", f.traffic_class or "")) for f in entered]
            self._store.note_growth(told)
            for at_s, campaign in told:
                self._growth.add(at_s, campaign)
        if not self._building:
            self._metrics.recipients_entered_total.inc(len(entered))
        self._metrics.recipients_refused_total.inc(merged.refused)

    def _sweep(self) -> None:
        passed_s = time.monotonic() - self._swept_s
        if passed_s < 1 or self._building:
            return
        self._swept_s += passed_s
        if not self._store.is_built:
            raise Lost("Redis has lost what it kept of recipients")
        self._store.sweep(passed_s / ROUND_S, self._now_s)
        self._metrics.recipients_pruned_total.inc(self._store.let_go - self._let_go)
        self._let_go = self._store.let_go
        self._growth.forget(self._now_s)
        self._store.forget_growth(self._now_s)
        self._metrics.recipients_growing_campaigns.set(len(self._growth.growing(self._now_s)))

    def _show(self) -> None:
        self._metrics.recipients_listed.set(self._store.listed)
        self._metrics.recipients_tracked.set(self._store.tracked)
        self._metrics.recipients_lag_records.set(self._log.lag)
