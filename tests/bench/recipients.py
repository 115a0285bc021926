"""What following recipients costs: memory of Redis for each, and CPU of ingest with it on and off.

    python -m tests.bench.recipients memory [RECIPIENTS]
    python -m tests.bench.recipients ingest [RECORDS]

Memory: recipients are really merged into a Valkey of their own; 4 in 10 have failed twice, 15 in 100 three
times, 5 in 100 four times. Ingest: the benchmark's dense canonical records, 3 % of them failed; the role
runs in turns with `recipients.track` on and off over the same topic.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from redis import Redis

from alerts.bench.broker import Broker
from alerts.bench.formats import CANONICAL
from alerts.bench.rows import Row
from alerts.bench.stages import Bench, Site
from alerts.bench.traffic import Workload, source_of
from alerts.progress import Progress
from alerts.recipients.store import RecipientStore
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.records import FailedRecipient
from streams.settings import Recipients
from tests.alerts.recipients.plain import T0_S, failure

RECIPIENTS, RECORDS, TURNS = 10_000_000, 1_000_000, 3
AGAIN = (1.0, 0.40, 0.15, 0.05)
"""Share of recipients that have failed at least so often."""
BATCH = 250_000


class Memory(NamedTuple):
    """Of Redis, with so many recipients in it."""

    recipients: int
    used_bytes: int
    """By its own count, less what it used empty."""
    rss_bytes: int

    @property
    def bytes_each(self) -> float:
        return self.used_bytes / self.recipients


def memory(valkey: EmbeddedValkey, recipients: int, progress: Progress) -> Memory:
    """Merges them batch by batch. The Valkey must be empty."""
    store = RecipientStore(valkey.url, "key", Recipients(max_tracked=max(recipients, 1_000) * 2))
    store.clear()
    store.built()
    with Redis.from_url(valkey.url) as redis:
        empty = redis.info("memory")["used_memory"]
        done, total = 0, int(recipients * sum(AGAIN))
        progress.begin(f"merging {recipients:,} recipients")
        for batch in _batches(recipients):
            store.take(batch)
            done += len(batch)
            progress.update(done, total)
        found = redis.info("memory")
    assert store.tracked == recipients
    store.close()
    return Memory(recipients, found["used_memory"] - empty, found["used_memory_rss"])


def _batches(recipients: int) -> Iterator[list[FailedRecipient]]:
    hashes = np.random.default_rng(1).permutation(recipients).astype(np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    for nth, share in enumerate(AGAIN):
        some = hashes[: int(recipients * share)].tolist()
        for start in range(0, len(some), BATCH):
            part = some[start : start + BATCH]
            yield [failure(h, T0_S + nth * 3600, h + nth & 0xFFFF_FFFF) for h in part]


class Cost(NamedTuple):
    """Records a CPU-second of ingest, without what its start takes: the best of the turns."""

    off: float
    on: float

    @property
    def share(self) -> float:
        """Of its throughput that is lost."""
        return 1 - self.on / self.off


def ingest(records: int, progress: Progress) -> Cost:
    """In turns, so that both meet the same machine."""
    with EmbeddedKafka() as kafka, EmbeddedValkey() as valkey, tempfile.TemporaryDirectory() as home:
        bench = Bench(Broker(kafka.bootstrap_servers), valkey.url, Path(home), progress)
        work = Workload(source_of(CANONICAL), CANONICAL, records)
        idle = bench.site("idle", Workload(source_of(CANONICAL), CANONICAL, 0))
        bench.idle(idle)
        figures: dict[str, list[float]] = {"false": [], "true": []}
        for turn in range(TURNS):
            for track, found in figures.items():
                site = bench.site(f"{turn}-{track}", work)
                found.append(_steady(_tracked(bench, site, track)))
                bench.clear(site)
        bench.clear_all()
    return Cost(max(figures["false"]), max(figures["true"]))


def _tracked(bench: Bench, site: Site, track: str) -> Row:
    with site.config.open("a") as config:
        config.write(f"[recipients]\ntrack = {track}\n")
    return bench.ingest(f"ingest, track = {track}", site)


def _steady(row: Row) -> float:
    return row.records / (row.cpu_s - row.startup_cpu_s)


def main() -> None:
    what, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began_s = time.monotonic()
    if what == "memory":
        with EmbeddedValkey() as valkey:
            found = memory(valkey, n or RECIPIENTS, Progress())
        told = f"{found.recipients:,} recipients: {found.used_bytes / 1e6:,.0f} MB used"
        print(f"{told}, {found.bytes_each:.0f} bytes each; resident {found.rss_bytes / 1e6:,.0f} MB")
    else:
        cost = ingest(n or RECORDS, Progress())
        print(f"off {cost.off:,.0f}, on {cost.on:,.0f} records a CPU-second: {cost.share:.1%} less")
    print(f"in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
