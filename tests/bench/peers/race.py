"""One run of one entrant over one topic: started, watched until its output stands still, ended, checked."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from alerts.bench.child import Child
from tests.bench.peers.check import Verdict, check, expected
from tests.bench.peers.entrants import Command, Course, Entrant
from tests.bench.peers.outcomes import LONGEST_GRACE_S, Buckets, Job
from tests.bench.peers.topics import Topics

STILL_S = 5.0
"""So long the output stands still before an entrant that has written all its rows is done."""
STUCK_S = 120.0
"""So long it stands still before one that has not is taken at its word."""
NO_END_S = 1_800.0
_POLL_S = 0.5


class Track(NamedTuple):
    """One topic, and what is in it."""

    topic: str
    job: Job
    start_ms: int
    buckets: Buckets


class Run(msgspec.Struct, frozen=True):
    """What one entrant took: CPU seconds and peak memory (MB of 10^6 bytes) by process, the wall to its last
    row, and what came out; None where it is no peer but a limit."""

    outcomes: int
    cpu_s: dict[str, float]
    peak_rss_mb: dict[str, float]
    wall_s: float
    load_1m: float
    verdict: Verdict | None = None

    @property
    def all_cpu_s(self) -> float:
        return sum(self.cpu_s.values())

    @property
    def per_cpu_s(self) -> float:
        return self.outcomes / self.all_cpu_s

    @property
    def per_wall_s(self) -> float:
        return self.outcomes / self.wall_s

    @property
    def memory_mb(self) -> float:
        return sum(self.peak_rss_mb.values())


class Race:
    """Runs entrants on one Kafka. Raises BenchFailed when one ends by itself."""

    def __init__(self, topics: Topics, home: Path) -> None:
        self._topics, self._home, self._runs = topics, home, 0

    def course(self, track: Track) -> Course:
        """Topic and folder of the next run."""
        self._runs += 1
        folder = self._home / str(self._runs)
        folder.mkdir()
        counts = f"counts-{self._runs}"
        self._topics.make(counts, 1)
        records = self._topics.end(track.topic)
        return Course(self._topics.address, track.topic, counts, folder, records)

    def run(self, entrant: Entrant, track: Track) -> Run:
        course = self.course(track)
        command = entrant.command(course, entrant.grace_s)
        return self.run_all([command], course, track, entrant.group, counts=entrant.counts)

    def run_all(
        self,
        commands: Sequence[Command],
        course: Course,
        track: Track,
        group: str = "",
        *,
        counts: bool = True,
    ) -> Run:
        load_1m = round(os.getloadavg()[0], 1)
        with ExitStack() as stack:
            children = [
                stack.enter_context(Child(c.name, c.arguments, course.folder, c.program)) for c in commands
            ]
            wall_s = self._until_still(children, course, track, group) if counts else _until_told(children[0])
            usages = {child.name: child.end() for child in children}
        verdict = check(track.buckets, self._topics.values(course.counts)) if counts else None
        return Run(
            outcomes=track.job.outcomes,
            cpu_s={name: round(u.cpu_s, 2) for name, u in usages.items()},
            peak_rss_mb={name: round(u.peak_rss_mb, 1) for name, u in usages.items()},
            wall_s=round(wall_s, 1),
            load_1m=load_1m,
            verdict=verdict,
        )

    def _until_still(self, children: Sequence[Child], course: Course, track: Track, group: str) -> float:
        """The age of the first process at the last row that came."""
        wanted = int((expected(track.buckets)[:, :, 0] > 0).sum())
        rows, last_s, ticked = 0, 0.0, not group
        readers = self._topics.group(course.counts + group)
        while True:
            now, age_s = self._topics.end(course.counts), children[0].age_s
            if not ticked and self._topics.behind(readers, track.topic, course.counts) == 0:
                self._topics.tick(track.topic, track.job, track.start_ms, LONGEST_GRACE_S)
                ticked, last_s = True, age_s
            if now > rows:
                rows, last_s = now, age_s
            still_s = STILL_S if rows >= wanted else STUCK_S if ticked else NO_END_S
            if age_s - last_s > still_s:
                readers.close()
                return last_s
            for child in children:
                child.must_live()
            time.sleep(_POLL_S)


def _until_told(child: Child) -> float:
    while not child.log.stat().st_size:
        child.must_live()
        time.sleep(_POLL_S)
    return child.age_s
