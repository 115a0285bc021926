"""The stages of the benchmark, in more than one process and over a backlog."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path

from alerts.bench.check import Closed
from alerts.bench.child import Child
from alerts.bench.errors import BenchFailed
from alerts.bench.formats import CANONICAL
from alerts.bench.stages import Bench, Site
from alerts.bench.traffic import Truth, Workload, source_of
from streams.topics import WINDOWS
from tests.bench.scale.feeder import ENDLESS, Feeder
from tests.bench.scale.figures import Backlog, Crew, Look

LOOK_EVERY_S = 2.0
HOURS = 24.0
LIVE_PER_S = 2_000
PATIENCE_S = 900.0


class Scale(Bench):
    """Everything of Bench, and what only this benchmark asks."""

    def crew(self, n: int, site: Site) -> Crew:
        """`n` ingests over the whole topic, until every record is committed and every clock has passed."""
        self._progress.begin(f"{n} ingests: {site.truth.records:,} records")
        with ExitStack() as stack:
            children = [stack.enter_context(self._one_of_many(i, site)) for i in range(n)]
            wall_s = self._until_ingested(children[0], site)
            counted = self._counted(children[0], site)
            usages = [child.end() for child in children]
        counted.check(f"{n} ingests", site.work.source.name, site.truth)
        cpu_s = [round(u.cpu_s - self.startup_s["ingest"], 3) for u in usages]
        rss_mb = [round(u.peak_rss_mb, 1) for u in usages]
        return Crew(n, site.truth.records, cpu_s, round(wall_s, 2), counted.cells, rss_mb)

    def _one_of_many(self, i: int, site: Site) -> Child:
        text = site.config.read_text(encoding="utf-8")
        path = site.config.with_name(f"{site.config.stem}-{i}.toml")
        path.write_text(text.replace("[ingest]\n", f'[ingest]\ninstance = "ingest-{i}"\n'), encoding="utf-8")
        return Child(f"ingest-{i}", ["alerts.cli", "ingest", "--config", str(path)], self._home)

    # -- a backlog -----------------------------------------------------------------------------

    def backlog(self, records: int) -> Backlog:
        """One ingest and one windows from nothing: a day on partition 0, and all twelve live meanwhile."""
        site = self.site("backlog", Workload(source_of(CANONICAL), CANONICAL, 0))
        past = Workload(source_of(CANONICAL), CANONICAL, records, per_s=max(1, round(records / HOURS / 3600)))
        self._progress.begin(f"backlog: writing {records:,} records")
        start_ms = past.start_ms(int(time.time() * 1000))
        behind = self._broker.produce(site.outcomes, past, start_ms, self._progress.update, partition=0)
        live = Workload(source_of(CANONICAL), CANONICAL, ENDLESS, LIVE_PER_S, seed=2)
        feeder = Feeder(self._broker, site.outcomes, live)
        feeder.start()
        with ExitStack() as stack:
            windows, ingest = (stack.enter_context(self._role(r, site)) for r in ("windows", "ingest"))
            catching = Catching(self, site, records, feeder.start_ms / 1000, windows, ingest)
            catching.run()
            site.truth, site.end_ms = _together(behind, feeder.end()), feeder.end_ms
            counted = self._counted(ingest, site)
            closed, _ = self._closed(windows, site)
            used = {c.name: c.end() for c in (ingest, windows)}
        counted.check("backlog", site.work.source.name, site.truth)
        closed.check("backlog", site.truth)
        cpu_s = {name: round(u.cpu_s - self.startup_s[name], 2) for name, u in used.items()}
        return Backlog(
            records=records,
            hours=HOURS,
            live_records=feeder.truth.records,
            live_per_s=LIVE_PER_S,
            read_s=round(catching.read_s, 1),
            closed_s=round(catching.closed_s, 1),
            live_closed_while_behind=catching.live_closed,
            ingest_cpu_s=cpu_s["ingest"],
            windows_cpu_s=cpu_s["windows"],
            ingest_rss_mb=round(used["ingest"].peak_rss_mb, 1),
            windows_rss_mb=round(used["windows"].peak_rss_mb, 1),
            cells=counted.cells,
            looks=catching.looks,
        )


class Catching:
    """Watches how partition 0 is read, and which buckets are closed meanwhile."""

    def __init__(
        self, bench: Scale, site: Site, records: int, live_s: float, windows: Child, ingest: Child
    ) -> None:
        self._bench, self._site, self._records, self._live_s = bench, site, records, live_s
        self._children = {"ingest": ingest, "windows": windows}
        self.tail = bench._broker.tail(site.settings.topic(WINDOWS))
        self.closed, self.looks = Closed(), list[Look]()
        self.read_s = self.closed_s = 0.0
        self.live_closed = 0

    def run(self) -> None:
        """Until a bucket that began after the start of the live traffic is closed."""
        ingest, looked = self._children["ingest"], 0.0
        self._bench._progress.begin(f"backlog: {self._records:,} records, 12 partitions live")
        offsets_of = self._bench._broker.offsets_of(self._site.settings.ingest.group)
        with closing(self.tail), closing(offsets_of) as offsets:
            while not self.closed_s:
                for child in self._children.values():
                    child.must_live()
                at_s = ingest.age_s
                if at_s > PATIENCE_S:
                    raise BenchFailed(f"the backlog is not through after {PATIENCE_S:.0f} s")
                left = max(0, self._records - max(0, offsets.of(self._site.outcomes, [0])[0]))
                if not left and not self.read_s:
                    self.read_s = at_s
                self._take(at_s, left)
                if at_s - looked >= LOOK_EVERY_S:
                    looked = at_s
                    self._look(at_s, left)

    def _take(self, at_s: float, left: int) -> None:
        for offset, value in self.tail.next(0.1):
            before = self.closed.last_bucket_s
            self.closed.add(offset, value)
            if self.closed.last_bucket_s > before and self.closed.last_bucket_s > self._live_s:
                self.live_closed += bool(left)
                self.closed_s = self.closed_s or at_s

    def _look(self, at_s: float, left: int) -> None:
        last_s = self.closed.last_bucket_s
        behind_s = time.time() - last_s if last_s > 0 else HOURS * 3600
        rss_mb = {name: _rss_mb(child.pid) for name, child in self._children.items()}
        look = Look(round(at_s, 1), left, round(behind_s), rss_mb["ingest"], rss_mb["windows"])
        self.looks.append(look)
        self._bench._progress.update(self._records - left, self._records)


def _rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kb,) = (int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return round(kb * 1024 / 1e6, 1)


def _together(one: Truth, other: Truth) -> Truth:
    counts = {s: one.counts.get(s, 0) + other.counts.get(s, 0) for s in one.counts.keys() | other.counts}
    return Truth(
        one.records + other.records,
        one.value_bytes + other.value_bytes,
        one.start_ms,
        one.failed + other.failed,
        counts,
    )
