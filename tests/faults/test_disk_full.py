"""The broker's disk is full: nobody says that all is well, and nothing is lost or doubled once there is room.

write | no file of the broker can grow: it halts | roles are not ready | room, started | all is counted

No rights are needed for it: the limit on the size of files (RLIMIT_FSIZE) makes each write of the running
broker fail, as ENOSPC would; to Java both are an IOException.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.errors import STARTS_ANEW
from streams.topics import WINDOWS
from tests.faults.audit import closed_buckets, read_all
from tests.faults.by_hand import SOURCE, fill_disk, send, tallied, write
from tests.faults.cluster import Cluster, wait_for

RECORDS, HALTS_WITHIN_S, WITHIN_S, AWAY_S = 100, 40.0, 90.0, 12.0


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_a_full_disk_of_the_broker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.start_servers({"outcomes": 2})
        roles = cluster.start_one_of_each()
        write(cluster, "before", RECORDS)
        fill_disk(cluster)
        unsent = send(cluster, "while-full", RECORDS)
        wait_for(lambda: not cluster.kafka.running, "the broker halts", HALTS_WITHIN_S, cluster.tend)
        time.sleep(AWAY_S)
        ingest = roles[0]
        wait_for(lambda: bool(ingest.reasons()), "ingest is not ready", WITHIN_S, cluster.tend)
        assert tuple(ingest.reasons()) and ingest.get("/readyz")[0] != 200
        print({role.name: role.reasons() for role in roles})
        cluster.kafka.start()
        assert unsent.flush(60) == 0
        write(cluster, "after", RECORDS)
        cluster.wait_ready(roles, WITHIN_S)
        now_s = time.time()
        wait_for(
            lambda: tallied(cluster)["counted"] >= 3 * RECORDS, "all is counted", WITHIN_S, cluster.tend, 1.0
        )

        def closed() -> list[int]:
            return [c.record.bucket_s for c in closed_buckets(read_all(cluster.settings, WINDOWS))]

        wait_for(lambda: max(closed(), default=0) > now_s, "buckets close", WITHIN_S, cluster.tend, 1.0)
        assert tallied(cluster) == {"counted": 3 * RECORDS}
        assert closed() == sorted(set(closed())), "buckets are closed in order"
        assert not [e for e in cluster.pager.log if e.notified]
        assert set().union(*(role.exits for role in roles)) <= {STARTS_ANEW}
