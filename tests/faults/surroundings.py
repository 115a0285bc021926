"""What happens around the roles: to the broker, to Redis, to the pager, to the machine of one role.

kafka          SIGKILL of the broker, back after a while
redis          SIGKILL, back with what it had
redis_lost     emptied
pager_down     503 to everything
pager_slow     each answer takes three seconds
frozen         SIGSTOP of one role for longer than its session lives: it wakes as a ghost
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable

from redis import Redis

from alerts.demo.receiver import Mood
from tests.faults.cluster import Cluster, Role

KINDS = ("kafka", "redis", "redis_lost", "pager_down", "pager_slow", "frozen")
LASTS_S = {
    "kafka": 4.0,
    "redis": 5.0,
    "redis_lost": 0.0,
    "pager_down": 20.0,
    "pager_slow": 20.0,
    "frozen": 25.0,
}
SLOW_S = 3.0

Undo = Callable[[], object]


def disturb(cluster: Cluster, kind: str, rng: random.Random) -> tuple[str, Undo]:
    """Does it; returns who was struck, and what ends it."""
    if kind == "frozen":
        role = rng.choice([r for r in cluster.roles.values() if r.running])
        return role.name, freeze(role)
    match kind:
        case "kafka":
            cluster.kafka.kill()
            return kind, cluster.kafka.start
        case "redis":
            cluster.valkey.kill()
            return kind, cluster.valkey.start
        case "redis_lost":
            with Redis.from_url(cluster.valkey.url) as redis:
                redis.flushall()
            return kind, lambda: None
        case "pager_down":
            cluster.pager.meet(Mood("refuse", status=503))
        case "pager_slow":
            cluster.pager.meet(Mood("stall", seconds=SLOW_S))
        case _:
            raise ValueError(kind)
    return kind, lambda: cluster.pager.meet(Mood())


def freeze(role: Role) -> Undo:
    """SIGSTOP to the process of a role; the same process goes on where it stood, if it is still there."""
    pid = role.pid
    os.kill(pid, signal.SIGSTOP)

    def thaw() -> None:
        if role.running and role.pid == pid:
            os.kill(pid, signal.SIGCONT)

    return thaw
