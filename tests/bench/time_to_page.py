"""How long a page takes: from the closed bucket that decides it to the arrival of its POST.

Real Kafka, real Valkey, the alerts role as its own process, a receiver on loopback. One incident after
the other opens and ends, over minutes. A bucket counts as there once Kafka has acknowledged it, so that
the way from Kafka into the role is in the figure.

    python -m tests.bench.time_to_page [INCIDENTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alerts.demo.receiver import Entry
from alerts.records import Incident
from alerts.settings import Settings
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.records import BUCKET_S
from tests.alerts.traffic import Fault, Network, names
from tests.faults.audit import incidents, read_all
from tests.faults.buckets import Log
from tests.faults.cluster import Pager, wait_for
from tests.faults.doomed import NEVER
from tests.faults.pages import Doomed, configured
from tests.faults.troubles import CAP_S

LEAD_S, ILL_S, APART_S, REST_S = 300, 120, 30, 60
PACE_S = 0.5
"""Seconds between two buckets: 40 incidents a minute, whose pages and resolves the budget lets pass."""
LEAST_CARRIERS = 12
"""Each is ill once, so that none is opened again; few of them at a time, so that nothing is common to all."""
RATE_EACH = 5.0
WITHIN_S = 60.0


class Delays(NamedTuple):
    """Milliseconds from the bucket to the POST, one an incident that was paged."""

    ms: tuple[int, ...]
    opened: int

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.ms, share))

    def __str__(self) -> str:
        return (
            f"{len(self.ms)} pages of {self.opened} incidents: p50 {self.percentile(50):.0f} ms, "
            f"p99 {self.percentile(99):.0f} ms, max {max(self.ms)} ms"
        )


def delays(found: Iterable[Incident], log: Iterable[Entry], there_ms: Mapping[int, int]) -> Delays:
    """`there_ms`: wall time of each bucket by its begin. What opened before them is left out."""
    first_ms: dict[str, int] = {}
    for entry in log:
        if entry.event["event_action"] == "trigger":
            first_ms.setdefault(entry.event["dedup_key"], entry.at_ms)
    due = {i.key: max(i.opened_bucket_s, i.page_from_s) for i in found}
    timed = {key: bucket_s for key, bucket_s in due.items() if bucket_s in there_ms}
    paged = [first_ms[key] - there_ms[bucket_s] for key, bucket_s in timed.items() if key in first_ms]
    return Delays(tuple(paged), len(timed))


def measured(kafka: str, redis: str, directory: Path, count: int, name: str = "time-to-page") -> Delays:
    """`count` incidents, one each `APART_S` of event time, through topics named after `name`."""
    seconds = LEAD_S + count * APART_S + ILL_S + REST_S
    base_s = int(time.time()) // BUCKET_S * BUCKET_S - seconds
    pager = Pager().start()
    config = directory / f"{name}.toml"
    settings = configured(config, kafka, redis, pager)
    role = Doomed(config, CAP_S)
    try:
        written = Log(settings, base_s, network(count), seconds)
        written.until(LEAD_S)
        role.start(NEVER, "none")
        _wait_owned(settings)
        there_ms = _written(written, base_s, range(LEAD_S, seconds, BUCKET_S))
        wait_for(lambda: _all_paged(settings, pager, count), "every incident is paged", WITHIN_S)
        return delays(incidents(settings), pager.log, there_ms)
    except AssertionError as e:
        raise AssertionError(f"{e}\n{role.output[-4000:]}") from None
    finally:
        role.stop()
        pager.stop()


def network(count: int) -> Network:
    """One carrier after the other fails, for `ILL_S` each."""
    carriers = names("c", max(count, LEAST_CARRIERS))
    faults = tuple(
        Fault(begin, begin + ILL_S, 0.4, carrier=f"c{i}")
        for i, begin in enumerate(range(LEAD_S + BUCKET_S, LEAD_S + BUCKET_S + count * APART_S, APART_S))
    )
    rate = RATE_EACH * len(carriers)
    return Network(seed=5, carriers=carriers, regions=("r0",), rate=rate, spread=0.0, faults=faults)


def _wait_owned(settings: Settings) -> None:
    """Until the role reads and has kept its state, so that its start is in no figure."""

    def kept() -> bool:
        return bool(read_all(settings, "detector-state"))

    wait_for(kept, "the role has decided what lay there", WITHIN_S, every_s=0.5)


def _written(written: Log, base_s: int, begins: range) -> dict[int, int]:
    """Writes a bucket each `PACE_S`; when Kafka had acknowledged each, epoch milliseconds."""
    there_ms = {}
    for begin_s in begins:
        written.until(begin_s + BUCKET_S)
        there_ms[base_s + begin_s] = int(time.time() * 1000)
        time.sleep(PACE_S)
    return there_ms


def _all_paged(settings: Settings, pager: Pager, least: int) -> bool:
    keys = {i.key for i in incidents(settings) if i.plain_key_used or i.critical_key_used}
    return len(keys) >= least and keys <= {e.event["dedup_key"] for e in pager.log}


def main(count: int) -> None:
    with (
        EmbeddedKafka(jvm_options=("-Xmx1g", "-XX:+UseSerialGC")) as kafka,
        EmbeddedValkey() as valkey,
        tempfile.TemporaryDirectory(prefix="carrier-health-time-to-page-") as directory,
    ):
        print(measured(kafka.bootstrap_servers, valkey.url, Path(directory), count), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
