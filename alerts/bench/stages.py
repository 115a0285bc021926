"""The stages, each as its real process: started, watched until the work is done, ended, checked."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.bench import config
from alerts.bench.broker import Broker
from alerts.bench.check import Closed, Counted
from alerts.bench.child import Child, Usage
from alerts.bench.errors import BenchFailed
from alerts.bench.rows import Row, row, with_cells
from alerts.bench.traffic import Truth, Workload
from alerts.progress import Progress
from alerts.settings import Settings
from streams.consumer import consumer_config
from streams.records import BUCKET_S
from streams.topic_admin import TopicAdmin
from streams.topics import OUTCOMES, PARTIALS, TOPICS, WINDOWS

IDLE_S = 2.0
"""How long a role runs over an empty topic, once it has its partitions, for its start-up CPU."""
STALL_S = 90.0
_POLL_S = 0.05


@dataclass
class Site:
    """The topics of one workload, under a prefix of their own, and what was written there."""

    settings: Settings
    config: Path
    work: Workload
    truth: Truth
    end_ms: int = 0
    cells: int = 0
    """Cells in the partials, once ingest has run."""

    @property
    def outcomes(self) -> str:
        return self.settings.topic(OUTCOMES)


class Bench:
    """Runs stages on one Kafka. Raises BenchFailed when one ends, stalls or counts wrong."""

    def __init__(self, broker: Broker, redis_url: str, home: Path, progress: Progress) -> None:
        self._broker, self._redis_url, self._home = broker, redis_url, home
        self._progress = progress
        self._run = uuid.uuid4().hex[:8]
        self._sites: list[Site] = []
        self.startup_s: dict[str, float] = {}
        """CPU seconds of each kind of process over an empty topic."""

    # -- topics and traffic --------------------------------------------------------------------

    def site(self, name: str, work: Workload) -> Site:
        """Makes the topics and writes the workload's records."""
        prefix = f"bench-{self._run}-{name}."
        path = self._home / f"{name}.toml"
        settings = config.write(path, self._broker.address, self._redis_url, prefix, work.source)
        site = Site(settings, path, work, Truth())
        self._sites.append(site)
        admin = TopicAdmin(settings)
        try:
            admin.apply()
        finally:
            admin.close()
        if work.records:
            self._progress.begin(f"{name}: writing {work.records:,} records")
            start_ms = work.start_ms(int(time.time() * 1000))
            site.truth = self._broker.produce(site.outcomes, work, start_ms, self._progress.update)
            site.end_ms = start_ms + work.duration_ms
        return site

    def clear(self, site: Site) -> None:
        """Gives the disk back, and leaves no topic and no group behind."""
        settings = site.settings
        groups = [settings.ingest.group, settings.windows.group, settings.alerts.group]
        self._broker.delete([settings.topic(t.name) for t in TOPICS], groups)
        self._sites.remove(site)

    def clear_all(self) -> None:
        for site in list(self._sites):
            self.clear(site)

    # -- the stages ----------------------------------------------------------------------------

    def idle(self, site: Site) -> None:
        """Learns what the start of each process takes. `site` is one without records."""
        self.startup_s["raw"] = self._run_raw(site)[0].cpu_s
        settings = site.settings
        for role, group in (  # ingest last: the others find their topics empty
            ("alerts", settings.alerts.group),
            ("windows", settings.windows.group),
            ("ingest", settings.ingest.group),
        ):
            self.startup_s[role] = self._idle_cpu_s(role, group, site)

    def _idle_cpu_s(self, role: str, group: str, site: Site) -> float:
        self._progress.begin(f"start-up of {role}")
        with self._role(role, site) as child:
            self._until(child, lambda: self._broker.joined(group), f"{role} to join")
            self._until(child, _passed(IDLE_S), f"{role} to idle")
            return child.end().cpu_s

    def raw(self, site: Site) -> Row:
        self._progress.begin(f"raw consumer: {site.truth.records:,} records")
        usage, wall_s = self._run_raw(site)
        truth = site.truth
        return row(truth.records, usage, self.startup_s["raw"], wall_s, truth.value_bytes // truth.records)

    def _run_raw(self, site: Site) -> tuple[Usage, float]:
        ends = self._broker.ends(site.outcomes)
        arguments = (
            json.dumps(_raw_config(site.settings)),
            site.outcomes,
            str(len(ends)),
            str(sum(ends.values())),
        )
        with Child("raw", ["alerts.bench.raw", *arguments], self._home) as child:
            self._until(child, lambda: child.log.stat().st_size > 0, "the raw consumer to read all")
            wall_s = child.age_s
            usage = child.end()
        if child.log.read_text().split() != [str(site.truth.value_bytes)]:
            raise BenchFailed(f"the raw consumer has not read what was written.{child.last_words()}")
        return usage, wall_s

    def ingest(self, name: str, site: Site) -> Row:
        """Until everything is committed; then until the clocks have passed the traffic."""
        self._progress.begin(f"{name}: {site.truth.records:,} records")
        with self._role("ingest", site) as child:
            wall_s = self._until_ingested(child, site)
            counted = self._counted(child, site)
            usage = child.end()
        counted.check(name, site.work.source.name, site.truth)
        site.cells = counted.cells
        truth = site.truth
        return row(truth.records, usage, self.startup_s["ingest"], wall_s, truth.value_bytes // truth.records)

    def windows(self, name: str, site: Site) -> Row:
        """Over the partials that ingest has left."""
        self._progress.begin(f"{name}: {site.cells:,} cells")
        with self._role("windows", site) as child:
            closed, wall_s = self._closed(child, site)
            usage = child.end()
        closed.check(name, site.truth)
        return with_cells(row(site.truth.records, usage, self.startup_s["windows"], wall_s), site.cells)

    def end_to_end(self, site: Site) -> Row:
        """All three at once over one topic, until alerts has kept its state after the last bucket."""
        self._progress.begin(f"end to end: {site.truth.records:,} records")
        with ExitStack() as stack:
            children = [stack.enter_context(self._role(r, site)) for r in ("alerts", "windows", "ingest")]
            alerts, windows, ingest = children
            self._until_ingested(ingest, site)
            counted = self._counted(ingest, site)
            closed, _ = self._closed(windows, site)
            self._until_decided(alerts, site, closed)
            wall_s = max(c.age_s for c in children)
            usages = [c.end() for c in reversed(children)]
        counted.check("end_to_end", site.work.source.name, site.truth)
        closed.check("end_to_end", site.truth)
        whole = Usage(sum(u.cpu_s for u in usages), sum(u.peak_rss_mb for u in usages))
        startup_s = sum(self.startup_s[r] for r in ("ingest", "windows", "alerts"))
        truth = site.truth
        return row(truth.records, whole, startup_s, wall_s, truth.value_bytes // truth.records)

    def _role(self, role: str, site: Site) -> Child:
        arguments = [role, "--config", str(site.config), "--log-level", "warning"]
        return Child(role, ["alerts.cli", *arguments], self._home)

    # -- until it is done ----------------------------------------------------------------------

    def _until_ingested(self, child: Child, site: Site) -> float:
        """Waits until the committed offsets are the ends; returns the age of the process then."""
        ends = self._broker.ends(site.outcomes)
        with closing(self._broker.offsets_of(site.settings.ingest.group)) as offsets:

            def left() -> int:
                found = offsets.of(site.outcomes, list(ends))
                return sum(end - max(found[p], 0) for p, end in ends.items())

            self._until_none(child, left, sum(ends.values()))
            return child.age_s

    def _counted(self, child: Child, site: Site) -> Counted:
        """The partials, up to one by which windows can close every bucket of the traffic."""
        lateness_ms = int(site.settings.windows.allowed_lateness_s * 1000)
        ends = self._broker.ends(site.outcomes)
        counted = Counted()
        with closing(self._broker.tail(site.settings.topic(PARTIALS))) as tail:

            def passed() -> bool:
                for _, value in tail.next(_POLL_S):
                    counted.add(value)
                through = counted.ends == ends and len(counted.clocks_ms) == len(ends)
                return through and counted.least_clock_ms >= site.end_ms + BUCKET_S * 1000 + lateness_ms

            self._until(child, passed, "the clocks to pass the traffic")
        return counted

    def _closed(self, child: Child, site: Site) -> tuple[Closed, float]:
        """The closed buckets up to the last of the traffic, and the age of the process then."""
        closed = Closed()
        with closing(self._broker.tail(site.settings.topic(WINDOWS))) as tail:

            def left() -> int:
                for offset, value in tail.next(_POLL_S):
                    closed.add(offset, value)
                return 0 if closed.is_through(site.end_ms) else max(site.truth.records - closed.finals, 1)

            self._until_none(child, left, site.truth.records)
        return closed, child.age_s

    def _until_decided(self, child: Child, site: Site, closed: Closed) -> None:
        topic = site.settings.topic(WINDOWS)
        with closing(self._broker.offsets_of(site.settings.alerts.group)) as offsets:
            self._until(child, lambda: offsets.of(topic, [0])[0] > closed.last_offset, "alerts to be through")

    def _until_none(self, child: Child, left: Callable[[], int], total: int) -> None:
        """Shows progress; fails when `left` stands still for STALL_S."""
        least, moved = total + 1, time.monotonic()
        while now_left := left():
            if now_left < least:
                least, moved = now_left, time.monotonic()
            if time.monotonic() - moved > STALL_S:
                raise BenchFailed(f"{child.name} stands still, {now_left:,} left.{child.last_words()}")
            self._progress.update(total - now_left, total)
            child.must_live()
            time.sleep(_POLL_S)

    def _until(self, child: Child, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + STALL_S
        while not reached():
            if time.monotonic() > deadline:
                raise BenchFailed(f"waited {STALL_S:.0f} s for {what}")
            child.must_live()
            time.sleep(_POLL_S)


def _raw_config(settings: Settings) -> dict[str, Any]:
    """As ingest reads, without its place in a group and without events that are no records."""
    own = consumer_config(settings) | {"group.id": "carrier-health-bench-raw"}
    return {k: v for k, v in own.items() if k not in ("group.instance.id", "enable.partition.eof")}


def _passed(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until
