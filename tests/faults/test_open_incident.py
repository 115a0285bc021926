"""An incident is open, and something else goes wrong: it is paged once, stays open, and is resolved once.

traffic  past | well ...... | one carrier ill ........................ | well
                            | paged | a clock, a disk, a topic | healed | resolved
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.topics import DETECTOR_STATE, INCIDENTS, WINDOWS
from tests.faults.by_hand import SOURCE, closes_on, delete, fill_disk, names, newest_bucket_s
from tests.faults.cluster import Cluster, wait_for
from tests.faults.outage import BACK_WITHIN_S, Outage, paged_once

PARTITIONS = {"outcomes": 2}
STEP_S, HOLDS_S, AWAY_S = 300.0, 12.0, 12.0

Strike = Callable[[Cluster], None]


def _clock(kind: str) -> Strike:
    """The role's wall clock is five minutes ahead, then behind, then right."""

    def strike(cluster: Cluster) -> None:
        for off_s in (STEP_S, -STEP_S, 0.0):
            cluster.of(kind)[0].step_clock(off_s)
            _let_pass(cluster, HOLDS_S)

    return strike


def _full_disk(cluster: Cluster) -> None:
    fill_disk(cluster)
    wait_for(lambda: not cluster.kafka.running, "the broker halts", 40, cluster.tend)
    _let_pass(cluster, AWAY_S)
    cluster.kafka.start()


def _deleted(short: str, *kinds: str) -> Strike:
    """A topic is gone until each of the roles has named it."""

    def strike(cluster: Cluster) -> None:
        topic = cluster.settings.topic(short)
        delete(cluster, topic)
        for role in (cluster.of(kind)[0] for kind in kinds):
            wait_for(lambda r=role: names(r, topic), f"{role.name} names {topic}", 60, cluster.tend)
        cluster.make_topics(PARTITIONS)

    return strike


STRIKES: dict[str, Strike] = {
    "the clock of ingest steps": _clock("ingest"),
    "the clock of windows steps": _clock("windows"),
    "the clock of alerts steps": _clock("alerts"),
    "the disk of the broker is full": _full_disk,
    "windows is deleted": _deleted(WINDOWS, "windows", "alerts"),
    "incidents is deleted": _deleted(INCIDENTS, "alerts"),
    "detector-state is deleted": _deleted(DETECTOR_STATE, "alerts"),
}


def _let_pass(cluster: Cluster, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        cluster.tend()
        time.sleep(0.2)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES)
def test_what_goes_wrong_while_an_incident_is_open_pages_nobody_again(tmp_path: Path, strike: Strike) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.steppable = True
        cluster.start_servers(PARTITIONS)
        with paged_once(cluster, Outage(cluster)) as roles:
            strike(cluster)
            assert newest_bucket_s(cluster) < time.time(), "no bucket is closed before it is over"
            cluster.wait_ready(roles, BACK_WITHIN_S)
            closes_on(cluster, BACK_WITHIN_S)
