"""The wall clock of one role after the other steps, and steps back: nothing is lost, doubled, stuck or paged.

write | ingest +5 min: write | back: write | ingest -5 min: write, dead letters | back: write
      | windows +5 min, -5 min, back | alerts +5 min, -5 min, back
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from alerts.records import Incident
from streams.records import ClosedBucket
from streams.topics import DEAD_LETTERS
from tests.faults.audit import incidents, read_all
from tests.faults.by_hand import SOURCE, closes_on, newest_bucket_s, tallied, write
from tests.faults.cluster import Cluster, wait_for

STEP_S, HOLDS_S, RECORDS, WITHIN_S = 300.0, 8.0, 100, 60.0


def _tallied_are(cluster: Cluster, counted: int, malformed: int) -> None:
    wanted = {"counted": counted, "malformed": malformed} if malformed else {"counted": counted}
    wait_for(
        lambda: sum(tallied(cluster).values()) >= counted + malformed,
        f"{counted} are counted and {malformed} refused",
        WITHIN_S,
        cluster.tend,
        1.0,
    )
    assert tallied(cluster) == wanted


def _paged(cluster: Cluster) -> list[Incident]:
    return [i for i in incidents(cluster.settings) if i.plain_key_used or i.critical_key_used]


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_a_clock_that_steps_loses_doubles_and_pages_nothing(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.steppable = True
        cluster.start_servers({"outcomes": 2})
        roles = cluster.start_one_of_each()
        ingest, windows, alerts = roles
        counted = malformed = 0
        for step_s, refused in ((0.0, False), (STEP_S, False), (0.0, False), (-STEP_S, True), (0.0, False)):
            ingest.step_clock(step_s)
            write(cluster, f"ingest-{step_s}-{counted}", RECORDS)
            counted, malformed = counted + RECORDS * (not refused), malformed + RECORDS * refused
            _tallied_are(cluster, counted, malformed)
        assert newest_bucket_s(cluster) < time.time(), "no bucket is closed before it is over"
        letters = [dict(m.headers() or []) for m in read_all(cluster.settings, DEAD_LETTERS)]
        ours = [h["reason"] for h in letters if h.get("source") == SOURCE.name.encode()]
        assert ours == [b"future_receipt"] * RECORDS, "what a slow clock refused is not lost"
        for role in (windows, alerts):
            for step_s in (STEP_S, -STEP_S, 0.0):
                role.step_clock(step_s)
                write(cluster, f"{role.name}-{step_s}", RECORDS)
                time.sleep(HOLDS_S)
                counted += RECORDS
        _tallied_are(cluster, counted, malformed)
        closes_on(cluster, 90)
        cluster.wait_ready(roles)
        written = read_all(cluster.settings, "windows")
        records = [msgspec.json.decode(m.value() or b"", type=ClosedBucket) for m in written]
        places = [(r.bucket_s, r.part) for r in records]
        assert places == sorted(set(places)), "a bucket is closed once, in order"
        assert _paged(cluster) == []
        assert not [e for e in cluster.pager.log if e.notified]
        assert [role.exits for role in roles] == [[], [], []]
