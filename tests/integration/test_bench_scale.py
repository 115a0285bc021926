"""The benchmark of scale, small, on the shared Kafka. No timing is asserted."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.bench.broker import Broker
from alerts.bench.errors import BenchFailed
from alerts.bench.formats import CANONICAL
from alerts.bench.traffic import Workload, source_of
from alerts.progress import Progress
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from tests.bench.scale.stages import Scale

RECORDS = 20_000


@pytest.mark.timeout(300)
def test_two_ingests_count_what_was_written_and_a_crew_that_counts_wrong_gives_no_figure(
    kafka: EmbeddedKafka, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    bench = Scale(Broker(kafka.bootstrap_servers), valkey.url, tmp_path, Progress())
    bench.startup_s["ingest"] = 0.0
    site = bench.site("crew", Workload(source_of(CANONICAL), CANONICAL, RECORDS))
    try:
        crew = bench.crew(2, site)
        assert (crew.processes, crew.records, len(crew.cpu_s)) == (2, RECORDS, 2)
        assert min(*crew.cpu_s, *crew.peak_rss_mb, crew.wall_s, crew.us) > 0
        assert crew.cells > 0
        site.truth.records += 1
        with pytest.raises(BenchFailed, match="the tallies are"):
            bench.crew(1, site)
    finally:
        bench.clear(site)
