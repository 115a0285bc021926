"""Writes a plan in real time, and keeps the truth of what it wrote."""

from __future__ import annotations

import threading
import time

import msgspec

from tests.faults.traffic import Plan, Planned, Truths
from tests.faults.writer import Writer

LATE_FEED_MS = 500
"""A test machine that is behind its own schedule by more stamps the receipt as it really is."""


class Feeder:
    """Writes a plan: what lies before now as fast as it goes, the rest when its time has come."""

    def __init__(self, plan: Plan, writer: Writer, start_ms: int) -> None:
        self._planned, self._writer = iter(plan), writer
        self.truths = Truths(start_ms)
        self.died_in_transaction = False
        self._next: Planned | None = None
        self._since_tick = 0
        self._thread = threading.Thread(target=self._feed_live, name="feed", daemon=True)
        self.error: BaseException | None = None

    def write_until(self, until_ms: int) -> None:
        """Everything due before `until_ms`, at once."""
        written = 0
        while (planned := self._next or next(self._planned, None)) is not None:
            self._next = planned
            if planned.truth.at_ms >= until_ms:
                return
            self._next = None
            self._write(planned)
            written += 1
            if written % 500 == 0:
                self._writer.tick()

    def start(self) -> None:
        self._thread.start()

    def is_done(self) -> bool:
        """Whether all is written. Raises what it died of."""
        if self.error is not None:
            raise self.error
        return not self._thread.is_alive()

    def leave_one_open(self) -> None:
        """Asks the feeding thread for a transaction that nobody ends."""
        self.died_in_transaction = True

    def _feed_live(self) -> None:
        try:
            while (planned := self._next or next(self._planned, None)) is not None:
                self._next = None
                self._wait(planned.truth.at_ms)
                behind_ms = int(time.time() * 1000) - planned.truth.at_ms
                self._write(_restamped(planned, behind_ms) if behind_ms > LATE_FEED_MS else planned)
            self._writer.close()
        except BaseException as e:
            self.error = e

    def _wait(self, at_ms: int) -> None:
        self._since_tick += 1
        if self._since_tick >= 200:
            self._since_tick = 0
            self._writer.tick()
        while (left_s := at_ms / 1000 - time.time()) > 0:
            time.sleep(min(left_s, 0.1) + 0.005)
            self._writer.tick()
            if self.died_in_transaction:
                self.died_in_transaction = False
                self._writer.leave_one_open()

    def _write(self, planned: Planned) -> None:
        self.truths.note(planned)
        self._writer.write(planned)


def _restamped(planned: Planned, behind_ms: int) -> Planned:
    truth = planned.truth
    received_ms = truth.received_ms + behind_ms
    return Planned(planned.lane, msgspec.structs.replace(truth, received_ms=received_ms))
