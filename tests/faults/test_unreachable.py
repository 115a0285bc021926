"""Roles that start before their servers say what they wait for, and go on when it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.settings import Source
from tests.faults.cluster import Cluster, Role, wait_for

SOURCE = Source(name="router", format="canonical", codes="twilio")


def _reason(role: Role, of: str) -> str:
    return next((r for r in role.reasons() if r.startswith(f"{of}: ")), "")


def _says(role: Role, of: str, *words: str) -> bool:
    reason = _reason(role, of)
    return bool(reason) and all(word in reason for word in words)


def test_roles_wait_for_kafka_and_say_so(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.valkey.start()
        address = cluster.kafka.bootstrap_servers
        roles = [cluster.role(kind, "a") for kind in ("ingest", "windows", "alerts")]
        for role in roles:
            role.start()
        for role in roles:
            wait_for(lambda role=role: _says(role, "kafka", address), f"{role.name} names the address", 90)
            status, _ = role.get("/readyz")
            assert status == 503
            assert role.get("/healthz")[0] == 200
            assert address in role.output
        cluster.kafka.start()
        wait_for(lambda: _says(roles[0], "kafka", "topics --apply"), "ingest asks for the topics", 60)
        cluster.make_topics({"outcomes": 4})
        wait_for(lambda: roles[0].get("/readyz")[0] == 200, "ingest is ready", 60)
        cluster.wait_ready(roles, 90)
        assert [role.exits for role in roles] == [[], [], []]


def test_alerts_goes_on_without_redis_and_says_so(tmp_path: Path) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        cluster.start_servers({"outcomes": 4})
        _, _, alerts = cluster.start_one_of_each()
        address = f"127.0.0.1:{cluster.valkey.port}"
        cluster.valkey.kill()
        wait_for(lambda: _says(alerts, "redis", address), "alerts names the address", 90)
        assert alerts.get("/readyz")[0] == 503
        assert alerts.running
        cluster.valkey.start()
        wait_for(lambda: alerts.get("/readyz")[0] == 200, "alerts is ready again", 60)
        assert alerts.exits == []


@pytest.mark.parametrize("kind", ["ingest", "windows", "alerts"])
def test_a_role_that_waits_ends_when_it_is_told_to(tmp_path: Path, kind: str) -> None:
    with Cluster(tmp_path, [SOURCE]) as cluster:
        role = cluster.role(kind, "a")
        role.start()
        wait_for(lambda: _says(role, "kafka", cluster.kafka.bootstrap_servers), "it waits", 60)
        assert role.stop(15.0) is not None, "it had to be killed"
