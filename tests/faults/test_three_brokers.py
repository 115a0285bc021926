"""Three brokers that each hold a copy of everything: one dies, or loses its disk, or two are gone at once.

traffic  past | well .. | one carrier ill ................................................... | well
brokers                 | 1 dies, back | 2 dies, back with an empty disk | 3 dies, back | 1, 2 gone | back
must                    | page | buckets close while one is away, the page stays open   | say so    | resolve
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from tests.faults.brokers import copies, start_brokers
from tests.faults.by_hand import SOURCE, closes_on
from tests.faults.cluster import Cluster, Role, wait_for
from tests.faults.outage import BACK_WITHIN_S, Outage, paged_once

NODES, EMPTIED = 3, 1
"""The second one comes back without its disk."""
PARTITIONS, SILENT = 6, 3
"""Each node leads one that nothing comes on: that nothing waits there is only known from its leader."""
SAID_WITHIN_S, IN_SYNC_WITHIN_S = 120.0, 120.0


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_with_three_brokers_none_is_missed_and_without_two_of_them_the_roles_say_so(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE], brokers=NODES) as cluster:
        cluster.start_servers({"outcomes": PARTITIONS})
        with paged_once(cluster, Outage(cluster, PARTITIONS - SILENT)) as roles:
            _all_in_sync(cluster)
            for number, broker in enumerate(cluster.brokers):
                broker.kill()
                began = time.monotonic()
                closes_on(cluster, BACK_WITHIN_S)
                print(f"without broker {number + 1}: closed after {time.monotonic() - began:.1f} s")
                broker.start(fresh=number == EMPTIED)
                _all_in_sync(cluster)
            gone = cluster.brokers[:2]
            for broker in gone:
                broker.kill()
            for role in roles:
                said = partial(_says_that_it_is_blind, role)
                wait_for(said, f"{role.name} says so", SAID_WITHIN_S, cluster.tend, 1.0)
            start_brokers(gone)
            _all_in_sync(cluster)
            cluster.wait_ready(roles, BACK_WITHIN_S)
            closes_on(cluster, BACK_WITHIN_S)
            assert not [role.name for role in roles if _says_that_it_is_blind(role)]


def _all_in_sync(cluster: Cluster) -> None:
    def holds() -> bool:
        found = copies(cluster.settings.kafka.bootstrap_servers)
        return all(pair == (NODES, NODES) for pair in found)

    wait_for(holds, "every node holds everything", IN_SYNC_WITHIN_S, cluster.tend, 1.0)


def _says_that_it_is_blind(role: Role) -> bool:
    """Ingest gets nowhere, and is not ready; to windows and alerts nothing comes."""
    if role.kind == "ingest":
        return any(reason.startswith("progress: none for") for reason in role.reasons())
    lines = role.get("/metrics")[1].decode().splitlines()
    return any(line.startswith("carrier_health_blind{") and line.endswith(" 1.0") for line in lines)
