"""Everybody over the same traffic: who runs when, and over which topic."""

from __future__ import annotations

import time
from collections.abc import Iterator

from alerts.progress import Progress
from tests.bench.peers import ours
from tests.bench.peers.check import expected
from tests.bench.peers.entrants import LIMITS, PEERS, Entrant
from tests.bench.peers.outcomes import DISORDER_MS, PARTITIONS, Job
from tests.bench.peers.race import Race, Run, Track
from tests.bench.peers.report import Entry, Heat
from tests.bench.peers.topics import Topics

DENSITIES = {"dense": 1e9 / 86_400, "sparse": 1e8 / 86_400}
"""Outcomes a second of event time: a thousand million a day, and a hundred million, over 3,000 pairs."""
OUR_GRACE_S = DISORDER_MS // 1000


class Heats:
    """Runs one density after the other. Pairs every peer with a run of ours just before it."""

    def __init__(self, topics: Topics, race: Race, progress: Progress, wanted: str) -> None:
        """`wanted`: part of the names of the peers that take part; '' for all."""
        self._topics, self._race, self._progress = topics, race, progress
        self._peers = [p for p in PEERS if wanted.lower() in p.name.lower()]

    def run(self, name: str, outcomes: int) -> Heat:
        track = self._track(Job(name, outcomes, DENSITIES[name]))
        entries = [self._entry(e, track, "limit") for e in LIMITS]
        entries += self._whole(track)
        entries += self._prefixes(track, entries)
        heat = Heat(
            name=name,
            per_s=round(track.job.per_s, 1),
            windows=int((expected(track.buckets)[:, :, 0] > 0).sum()),
            bytes_per_outcome=round(track.buckets.value_bytes / outcomes, 1),
            entries=entries,
        )
        self._topics.drop_all_but(set())
        return heat

    def _whole(self, track: Track) -> Iterator[Entry]:
        """Those who read all of it, each after a run of ours; the ones that let time jump come last."""
        yield self._ours(ours.WITHOUT_DEDUPE, track)
        whole = [p for p in self._peers if p.most >= track.job.outcomes]
        for peer in sorted(whole, key=lambda p: bool(p.group)):
            own = self._ours(ours.WITH_DEDUPE, track)
            yield own
            yield self._entry(peer, track, "peer", own.run.per_cpu_s)
            self._clear(track.topic)

    def _prefixes(self, track: Track, before: list[Entry]) -> Iterator[Entry]:
        """Those who would take hours, over less of the same traffic and a topic of their own."""
        own = [e.run.per_cpu_s for e in before if e.name == ours.WITH_DEDUPE.name]
        for peer in self._peers:
            if peer.most < track.job.outcomes:
                short = self._track(track.job._replace(outcomes=peer.most), f"-{len(peer.name)}{peer.most}")
                yield self._entry(peer, short, "peer", own[-1] if own else None)
                self._clear(track.topic)

    def _track(self, job: Job, suffix: str = "") -> Track:
        self._progress.begin(f"{job.name}: writing {job.outcomes:,} outcomes")
        topic = ours.topic_of(job.name + suffix)
        start_ms = job.start_ms(int(time.time() * 1000))
        self._topics.make(topic, PARTITIONS)
        buckets = self._topics.write(topic, job, start_ms, self._progress.update)
        self._topics.tick(topic, job, start_ms, OUR_GRACE_S)
        return Track(topic, job, start_ms, buckets)

    def _entry(self, e: Entrant, track: Track, kind: str, own: float | None = None) -> Entry:
        self._progress.begin(f"{track.job.name}: {e.name}, {track.job.outcomes:,} outcomes")
        run = self._race.run(e, track)
        return self._told(Entry(e.name, e.version, e.how, e.grace_s, kind, run, own))

    def _ours(self, which: ours.Ours, track: Track) -> Entry:
        self._progress.begin(f"{track.job.name}: {which.name}, {track.job.outcomes:,} outcomes")
        course = self._race.course(track)
        run: Run = self._race.run_all(ours.commands(which, course, track.job.name), course, track)
        self._clear(track.topic)
        return self._told(Entry(which.name, "", "", OUR_GRACE_S, "ours", run))

    def _told(self, entry: Entry) -> Entry:
        self._progress.begin(f"  {entry.run.per_cpu_s:,.0f} a CPU-second, {entry.run}")
        return entry

    def _clear(self, kept: str) -> None:
        self._topics.drop_all_but({kept})
