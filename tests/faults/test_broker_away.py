"""A broker that is away for longer than a session lives, twice: what was written before and after is counted.

write | broker killed ... 12 s ... started | write | all of it in committed partials
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.errors import STARTS_ANEW
from tests.faults.by_hand import SOURCE, tallied, write
from tests.faults.cluster import Cluster, wait_for

AWAY_S, ROUNDS, RECORDS, WITHIN_S = 12.0, 2, 100, 90.0


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_ingest_counts_on_after_a_broker_that_was_away_for_longer_than_a_session(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.start_servers({"outcomes": 3})
        ingest = cluster.role("ingest", "a")
        ingest.start()
        cluster.wait_ready([ingest])
        for number in range(ROUNDS):
            write(cluster, f"before-{number}", RECORDS)
            cluster.kafka.kill()
            time.sleep(AWAY_S)
            assert any(reason.startswith("progress: none for") for reason in ingest.reasons())
            cluster.kafka.start()
            write(cluster, f"after-{number}", RECORDS)
            written = 2 * RECORDS * (number + 1)
            wait_for(
                lambda n=written: tallied(cluster).total() >= n,
                "all is counted",
                WITHIN_S,
                cluster.tend,
                1.0,
            )
            assert tallied(cluster) == {"counted": written}
        assert set(ingest.exits) <= {STARTS_ANEW}
        print(f"ended by itself: {ingest.exits}")
