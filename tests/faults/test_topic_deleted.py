"""A topic that somebody deletes: the roles say which one is missing, and go on when it is there again."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import STARTS_ANEW
from streams.topics import INCIDENTS, WINDOWS
from tests.faults.by_hand import SOURCE, delete, names, newest_bucket_s, tallied, write
from tests.faults.cluster import Cluster, wait_for

RECORDS, SAID_WITHIN_S, BACK_WITHIN_S = 100, 40.0, 90.0
PARTITIONS = {"outcomes": 2}


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_roles_name_a_topic_that_was_deleted_and_go_on_when_it_is_back(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.start_servers(PARTITIONS)
        roles = cluster.start_one_of_each()
        for number, short in enumerate((WINDOWS, INCIDENTS), 1):
            write(cluster, f"before-{short}", RECORDS)
            topic = cluster.settings.topic(short)
            delete(cluster, topic)
            for role in roles[1:]:
                wait_for(
                    lambda r=role, t=topic: names(r, t),
                    f"{role.name} names {topic}",
                    SAID_WITHIN_S,
                    cluster.tend,
                )
                assert role.get("/readyz")[0] == 503
                assert topic in role.output
            cluster.make_topics(PARTITIONS)
            cluster.wait_ready(roles, BACK_WITHIN_S)
            before_s = newest_bucket_s(cluster)
            write(cluster, f"after-{short}", RECORDS)
            wait_for(
                lambda b=before_s: newest_bucket_s(cluster) > b,
                "buckets close",
                BACK_WITHIN_S,
                cluster.tend,
                1.0,
            )
            wait_for(
                lambda n=number: tallied(cluster)["counted"] >= 2 * n * RECORDS,
                "all is counted",
                60,
                cluster.tend,
            )
            assert tallied(cluster) == {"counted": 2 * number * RECORDS}
        assert not [e for e in cluster.pager.log if e.notified]
        assert set().union(*(role.exits for role in roles)) <= {STARTS_ANEW}
