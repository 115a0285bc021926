"""Traffic of four carriers, of which one falls ill and gets well when the test says so."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

from streams.errors import STARTS_ANEW
from streams.topics import OUTCOMES
from tests.faults.audit import incidents
from tests.faults.by_hand import SOURCE, closes_on, tallied
from tests.faults.cluster import Cluster, Role, wait_for

CARRIERS = ("001-01", "001-02", "001-03", "001-04")
"""Of the country code for tests. The first one falls ill."""
RATE, TICKS = 80, 10
"""Records a second, of all; ticks a second."""
PARTITION_BY_KEY = -1
WELL_FAILS_ONE_OF, ILL_FAILS_OF_FIVE = 40, 3

PAST_S = 300
PAGED_WITHIN_S, BACK_WITHIN_S, RESOLVED_WITHIN_S = 60.0, 120.0, 240.0


class Outage:
    """Writes in a thread of its own; what its broker can not take waits in it. `ill`: how it goes.

    `partitions`: it writes to so many, the first ones, in turn; None: to all, by key.
    """

    def __init__(self, cluster: Cluster, partitions: int | None = None) -> None:
        self._topic, self._partitions = cluster.settings.topic(OUTCOMES), partitions
        self._producer = Producer(
            {
                "bootstrap.servers": cluster.settings.kafka.bootstrap_servers,
                "log_level": 0,
                "enable.idempotence": True,
                "linger.ms": 20,
            }
        )
        self.ill = False
        self.written = 0

    def write_past(self, seconds: int) -> None:
        """What came in the `seconds` before now, at once."""
        now_ms = time.time_ns() // 1_000_000
        for at_ms in range(now_ms - seconds * 1000, now_ms, 1000 // RATE):
            self._write(at_ms)
        self.flush()

    def feed(self, until: threading.Event) -> None:
        due_s = time.monotonic()
        while not until.is_set():
            for _ in range(RATE // TICKS):
                self._write(time.time_ns() // 1_000_000)
            self._producer.poll(0)
            due_s += 1 / TICKS
            until.wait(max(0.0, due_s - time.monotonic()))

    def flush(self) -> None:
        assert self._producer.flush(90) == 0

    def _write(self, at_ms: int) -> None:
        n, self.written = self.written, self.written + 1
        carrier, turn = CARRIERS[n % len(CARRIERS)], n // len(CARRIERS)
        fails = turn % WELL_FAILS_ONE_OF == 0
        if self.ill and carrier == CARRIERS[0]:
            fails = turn % 5 < ILL_FAILS_OF_FIVE
        status = '"status":"undelivered","code":"30003"' if fails else '"status":"delivered"'
        value = f'{{"message_id":"{n}",{status},"carrier":"{carrier}","region":"US-NY",'
        value += f'"provider_time_ms":{at_ms}}}'
        headers = {"source": SOURCE.name, "received_ms": str(at_ms)}
        partition = n % self._partitions if self._partitions else PARTITION_BY_KEY
        self._producer.produce(self._topic, value, str(n), partition, headers=headers)


@contextmanager
def feeding(outage: Outage) -> Iterator[None]:
    """Ends when everything is in Kafka."""
    enough = threading.Event()
    thread = threading.Thread(target=outage.feed, args=(enough,), name="feed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
    outage.flush()


@contextmanager
def paged_once(cluster: Cluster, outage: Outage) -> Iterator[list[Role]]:
    """The block runs while an incident is open and paged. The page stays open in it, nobody is paged again,
    it is resolved once afterwards, and all records are counted once."""
    outage.write_past(PAST_S)
    with feeding(outage):
        roles = cluster.start_one_of_each()
        closes_on(cluster, BACK_WITHIN_S)
        outage.ill = True
        wait_for(lambda: bool(cluster.pager.still_open), "a page", PAGED_WITHIN_S, cluster.tend)
        key = cluster.pager.still_open
        yield roles
        assert cluster.pager.still_open == key
        assert [e.event["dedup_key"] for e in cluster.pager.log if e.notified] == key
        outage.ill = False
        wait_for(lambda: not cluster.pager.still_open, "it is resolved", RESOLVED_WITHIN_S, cluster.tend)
    wait_for(lambda: tallied(cluster).total() >= outage.written, "all is counted", 90, cluster.tend, 1.0)
    assert tallied(cluster).total() == outage.written
    effects = Counter(e.effect for e in cluster.pager.log)
    print(dict(effects), {role.name: role.exits for role in roles})
    assert (effects["opened"], effects["resolved"]) == (1, 1)
    assert [i.key for i in incidents(cluster.settings) if i.deliveries] == key
    assert set().union(*(role.exits for role in roles)) <= {STARTS_ANEW}
