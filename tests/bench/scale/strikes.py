"""How long it takes until the work goes on: each role is killed under live traffic."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from alerts.bench.broker import Broker
from alerts.bench.check import Closed
from alerts.bench.formats import CANONICAL
from alerts.bench.traffic import Workload, source_of
from alerts.progress import Progress
from streams.records import BUCKET_S
from tests.bench.scale.feeder import ENDLESS, Feeder
from tests.bench.scale.figures import Strike, Takeovers
from tests.faults.cluster import Cluster, Role, wait_for

RECORDS_PER_S = 1_000
BEFORE_DUE_S = 2.0
WITHIN_S = 90.0
OUT_OF_STEP_S = 1.5
"""Ingest flushes each second, so that a bucket may close a little before or after the 10 s."""
CANARIES = "[alerting]\ncanary_s = 2\n"
"""One in each bucket: the owner of the incidents tells the end of the newest bucket with one."""
_CANARY = re.compile(rb"^carrier_health_canary_last_seen_timestamp_seconds (\S+)$", re.M)


def strikes(home: Path, rounds: int, progress: Progress) -> Takeovers:
    """Each of four kinds of kill `rounds` times, one after the other."""
    with Cluster(home, [source_of(CANONICAL)], CANARIES) as cluster:
        cluster.start_servers({})
        work = Workload(source_of(CANONICAL), CANONICAL, ENDLESS, RECORDS_PER_S)
        feeder = Feeder(Broker(cluster.kafka.bootstrap_servers), cluster.settings.topic("outcomes"), work)
        feeder.start()
        monitor = Monitor(cluster)
        done = []
        for i in range(rounds):
            for strike in (monitor.ingest, monitor.windows, monitor.standby, monitor.alerts):
                progress.begin(f"kill {i + 1} of {rounds}: {strike.__name__}")
                done.append(strike())
        feeder.end()
        return Takeovers(RECORDS_PER_S, done)


class Monitor:
    """One ingest, two windows, one alerts; all of them work when it is made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._log = cluster, Closed()
        self._tail = Broker(cluster.kafka.bootstrap_servers).tail(cluster.settings.topic("windows"))
        self._ingest, self._alerts = cluster.role("ingest", "a"), cluster.role("alerts", "a")
        self._windows = [cluster.role("windows", letter) for letter in "ab"]
        roles = [self._ingest, *self._windows, self._alerts]
        for role in roles:
            role.start()
        cluster.wait_ready([self._ingest, self._alerts], WITHIN_S)
        wait_for(lambda: cluster.members("windows") == 2, "a standby of windows", WITHIN_S)

    def ingest(self) -> Strike:
        """Killed and started again at once, under its own name."""
        return self._strike("ingest", self._ingest, [self._ingest], self._closed_s)

    def alerts(self) -> Strike:
        return self._strike("alerts", self._alerts, [self._alerts], self._decided_s)

    def windows(self) -> Strike:
        """The owner, started again at once: a member that is back within its session keeps its place."""
        return self._strike("windows", self._owner(), self._windows, self._closed_s)

    def standby(self) -> Strike:
        """The owner of windows, which stays down: the standby takes over once the session has passed."""
        owner = self._owner()
        (heir,) = (role for role in self._windows if role is not owner)
        return self._strike("standby", owner, [heir], self._closed_s, stays_down=True)

    def _owner(self) -> Role:
        owners = [role for role in self._windows if not role.reasons()]
        assert len(owners) == 1, "not one of the windows is ready, the owner"
        return owners[0]

    def _strike(
        self,
        who: str,
        role: Role,
        heirs: Sequence[Role],
        reached_s: Callable[[], float],
        *,
        stays_down: bool = False,
    ) -> Strike:
        """One of `heirs` goes on with the work. `reached_s`: the end of the newest bucket that is through,
        epoch seconds. `stays_down`: until another works, else it is started again at once."""
        before_s, came_at = _in_step(reached_s)
        time.sleep(BUCKET_S - BEFORE_DUE_S)
        assert reached_s() == before_s, "a bucket came before its time"
        killed_at = time.time()
        role.kill()
        if not stays_down:
            role.start()
        ready_at: list[float] = []

        def look() -> bool:
            if not ready_at and any(not heir.reasons() for heir in heirs):
                ready_at.append(time.time())
            return bool(ready_at)

        _, next_at = _next(reached_s, before_s, look)
        wait_for(look, f"{who} is ready", WITHIN_S, every_s=0.05)
        if stays_down:
            role.start()
        wait_for(lambda: self._cluster.members("windows") == 2, "a standby of windows", WITHIN_S)
        next_s, late_s = next_at - killed_at, next_at - came_at - BUCKET_S
        return Strike(who, round(ready_at[0] - killed_at, 2), round(next_s, 2), round(late_s, 2))

    def _closed_s(self) -> float:
        for offset, value in self._tail.next(0.05):
            self._log.add(offset, value)
        return float(self._log.last_bucket_s + BUCKET_S)

    def _decided_s(self) -> float:
        found = _CANARY.search(self._alerts.get("/metrics")[1])
        return float(found[1]) if found else 0.0


def _in_step(reached_s: Callable[[], float]) -> tuple[float, float]:
    """A bucket that came 10 s after the one before it, as the next will: nothing is behind any more."""
    before_s, came_at = _next(reached_s, 0.0)
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        now_s, now_at = _next(reached_s, before_s)
        if now_s - before_s == BUCKET_S and abs(now_at - came_at - BUCKET_S) < OUT_OF_STEP_S:
            return now_s, now_at
        before_s, came_at = now_s, now_at
    raise AssertionError(f"buckets did not come each {BUCKET_S} s within {WITHIN_S:.0f} s")


def _next(
    reached_s: Callable[[], float], after_s: float, meanwhile: Callable[[], object] = lambda: None
) -> tuple[float, float]:
    """The next end after `after_s`, and the wall time when it was seen."""
    deadline = time.monotonic() + WITHIN_S
    while (now_s := reached_s()) <= after_s:
        assert time.monotonic() < deadline, f"waited {WITHIN_S:.0f} s for the next bucket"
        meanwhile()
        time.sleep(0.05)
    return now_s, time.time()
