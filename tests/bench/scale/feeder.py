"""Live traffic: a workload that is written as its time comes, until it is told to end."""

from __future__ import annotations

import threading
import time
from typing import Any

from alerts.bench.broker import Broker
from alerts.bench.traffic import Truth, Workload, batches

PARTITIONS = 12
ENDLESS = 10**9


class Feeder(threading.Thread):
    """Deals the records to all partitions in turn. What was begun, a batch of 20,000, is written to its end:
    only then the truth is that of the topic."""

    def __init__(self, broker: Broker, topic: str, work: Workload) -> None:
        super().__init__(name="feeder", daemon=True)
        self.truth, self.error = Truth(), ""
        self.start_ms = int(time.time() * 1000)
        self.end_ms = self.start_ms
        self._producer, self._topic, self._work = broker.producer(), topic, work
        self._ending = threading.Event()

    def run(self) -> None:
        name = self._work.source.name
        for batch in batches(self._work, self.start_ms, self.truth):
            for i, (key, value, ms) in enumerate(zip(*batch, strict=True)):
                if (ahead_s := ms / 1000 - time.time()) > 0:
                    self._producer.poll(0)
                    time.sleep(ahead_s + 0.01)
                headers: Any = [("source", name), ("received_ms", str(ms))]
                self._producer.produce(
                    self._topic, value, key, partition=i % PARTITIONS, timestamp=ms, headers=headers
                )
            self.end_ms = batch.received_ms[-1]
            if self._ending.is_set():
                break
        if self._producer.flush(30):
            self.error = "not all live records have arrived"

    def end(self) -> Truth:
        """Raises AssertionError when something was not written: nothing could be checked then."""
        self._ending.set()
        self.join()
        assert not self.error, self.error
        return self.truth
