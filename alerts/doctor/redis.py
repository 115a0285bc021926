"""Redis: version, persistence, eviction, and its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from alerts.doctor.finding import Finding, clock_finding, fail, ok, warn
from alerts.settings import Settings

OLDEST_REDIS = (6, 2)
_TIMEOUT_S = 5.0


def check_redis(settings: Settings) -> Iterator[Finding]:
    redis = None
    try:
        redis = Redis.from_url(
            **settings.redis.options(),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        info: dict[str, Any] = redis.info()
        yield from judge_redis(info)
        seconds, micros = redis.time()
        yield clock_finding("Redis", time.time() - (seconds + micros / 1e6))
    except (RedisError, OSError, ValueError) as e:
        todo = "check redis.url; until it is back the page budget is each process's own, nothing is lost"
        yield fail("redis", f"does not answer: {_masked(str(e), settings.redis.url)}", todo)
    finally:
        if redis is not None:
            redis.close()


def judge_redis(info: dict[str, Any]) -> Iterator[Finding]:
    """From the answer to INFO."""
    valkey = str(info.get("valkey_version", ""))
    version = valkey or str(info.get("redis_version", "0"))
    name = f"{'Valkey' if valkey else 'Redis'} {version}"
    if _numbers(str(info.get("redis_version", version))) < OLDEST_REDIS:
        yield fail("redis", name, "6.2 or newer is needed")
    else:
        yield ok("redis", f"answers, {name}")
    if not int(info.get("aof_enabled", 0)):
        yield warn("redis", "appendonly is off: a restart forgets the page budget", "set `appendonly yes`")
    else:
        yield ok("redis", "appendonly is on")
    policy, limit = str(info.get("maxmemory_policy", "noeviction")), int(info.get("maxmemory", 0))
    if policy != "noeviction":
        todo = "set `maxmemory-policy noeviction`, or give the monitor a Redis of its own"
        yield warn("redis", f"maxmemory-policy is {policy}: keys may vanish", todo)
    else:
        yield ok("redis", f"maxmemory-policy is noeviction, maxmemory {limit or 'without limit'}")


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(p) for p in parts if p.isdecimal())


def _masked(text: str, url: str) -> str:
    """Without the password of the URL."""
    password = url.rpartition("@")[0].rpartition(":")[2]
    return text.replace(password, "****") if password and "@" in url else text
