"""Everybody over the same traffic: who runs when, and over which topic."""

from __future__ import annotations

import time

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
SHORT = 10
"""What part of the traffic the short runs are over."""
OUR_GRACE_S = DISORDER_MS // 1000


class Heats:
    """Runs one density after the other. Pairs every peer with a run of ours just before it."""

    def __init__(self, topics: Topics, race: Race, progress: Progress, wanted: str) -> None:
        """`wanted`: part of the names of the peers that take part; '' for all."""
        self._topics, self._race, self._progress = topics, race, progress
        self._short: dict[str, Run] = {}
        self._tracks = 0
        self._peers = [p for p in PEERS if wanted.lower() in p.name.lower()]

    def run(self, name: str, outcomes: int) -> Heat:
        job = Job(name, outcomes, DENSITIES[name])
        whole = sorted((p for p in self._peers if p.most >= outcomes), key=lambda p: bool(p.group))
        self._run_short(job._replace(outcomes=outcomes // SHORT), whole)
        track = self._track(job)
        entries = [self._entry(e, track, "limit") for e in LIMITS]
        entries.append(self._ours(ours.WITHOUT_DEDUPE, track))
        for peer in whole:  # the ones that let time jump come last
            entries.append(self._ours(ours.WITH_DEDUPE, track))
            entries.append(self._entry(peer, track, "peer", entries[-1].rate))
        own = [e.rate for e in entries if e.name == ours.WITH_DEDUPE.name]
        for peer in self._peers:
            if peer not in whole:
                short = self._track(job._replace(outcomes=peer.most))
                entries.append(self._entry(peer, short, "peer", own[-1] if own else None))
        return Heat(
            name=name,
            per_s=round(job.per_s, 1),
            windows=int((expected(track.buckets)[:, :, 0] > 0).sum()),
            bytes_per_outcome=round(track.buckets.value_bytes / outcomes, 1),
            entries=entries,
        )

    def _run_short(self, job: Job, whole: list[Entrant]) -> None:
        """A tenth of it, for the start of the processes."""
        track = self._track(job)
        for which in (ours.WITHOUT_DEDUPE, ours.WITH_DEDUPE):
            self._short[which.name] = self._ours(which, track).run
        for peer in whole:
            self._short[peer.name] = self._entry(peer, track, "peer").run

    def _track(self, job: Job) -> Track:
        """A topic of its own, and everything else gone."""
        self._progress.begin(f"{job.name}: writing {job.outcomes:,} outcomes")
        self._tracks += 1
        topic = ours.topic_of(f"{job.name}-{self._tracks}")
        start_ms = job.start_ms(int(time.time() * 1000))
        self._topics.make(topic, PARTITIONS)
        buckets = self._topics.write(topic, job, start_ms, self._progress.update)
        self._topics.tick(topic, job, start_ms, OUR_GRACE_S)
        return Track(topic, job, start_ms, buckets)

    def _entry(self, e: Entrant, track: Track, kind: str, own: float | None = None) -> Entry:
        self._progress.begin(f"{track.job.name}: {e.name}, {track.job.outcomes:,} outcomes")
        run = self._race.run(e, track)
        self._topics.drop_all_but({track.topic})
        return self._told(Entry(e.name, e.version, e.how, e.grace_s, kind, run, self._short.get(e.name), own))

    def _ours(self, which: ours.Ours, track: Track) -> Entry:
        self._progress.begin(f"{track.job.name}: {which.name}, {track.job.outcomes:,} outcomes")
        course = self._race.course(track)
        run = self._race.run_all(ours.commands(which, course), course, track)
        self._topics.drop_all_but({track.topic})
        return self._told(Entry(which.name, "", "", OUR_GRACE_S, "ours", run, self._short.get(which.name)))

    def _told(self, entry: Entry) -> Entry:
        self._progress.begin(f"  {entry.run.per_cpu_s:,.0f} a CPU-second, {entry.run}")
        return entry
