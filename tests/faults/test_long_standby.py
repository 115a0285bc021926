"""A standby that has fetched nothing for hours, as aiokafka counts: it takes over when the owner dies.

two of each, a second is a thousand | 25 s | owners killed | standbys own the logs, buckets close
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.by_hand import SOURCE, closes_on
from tests.faults.cluster import Cluster, Role, wait_for

IDLE_S = 25.0
"""More than Faust's limit, 1 s of these, and the session after which a group forgets who has left it."""
OWNS_WITHIN_S, CLOSES_WITHIN_S = 60.0, 60.0


def _owner(pair: list[Role]) -> Role | None:
    return next((role for role in pair if not role.reasons()), None)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_standby_that_was_idle_for_hours_takes_over(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.start_servers({"outcomes": 2})
        ingest = cluster.role("ingest", "a")
        pairs = {kind: [cluster.role(kind, letter) for letter in "ab"] for kind in ("windows", "alerts")}
        for role in cluster.roles.values():
            role.hurried = True
            role.start()
        cluster.wait_ready([ingest])
        for kind, pair in pairs.items():
            wait_for(lambda k=kind: cluster.members(k) == 2, f"two {kind} are in their group", 60, every_s=1)
            wait_for(lambda p=pair: _owner(p) is not None, f"one of {kind} owns its log", OWNS_WITHIN_S)
        closes_on(cluster, CLOSES_WITHIN_S)
        time.sleep(IDLE_S)
        for kind, pair in pairs.items():
            assert cluster.members(kind) == 2
            owner = _owner(pair)
            assert owner is not None
            owner.kill()
            (standby,) = (role for role in pair if role is not owner)
            took = wait_for(lambda r=standby: not r.reasons(), f"{standby.name} takes over", OWNS_WITHIN_S)
            print(f"{standby.name} owns the log after {took:.1f} s")
        closes_on(cluster, CLOSES_WITHIN_S)
        assert not any(role.exits for role in cluster.roles.values())
