"""Redis as a working set: the shared page budget and a copy of the pager rows.

Nothing here is the truth (the topics are), so everything fails open: while Redis is away the
budget is kept here, the copy is skipped, and nothing is raised into what decides or pages.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from alerts.notify.budget import LIMIT, WINDOW_MS, Budget, LocalBudget
from alerts.rows import Row
from streams import settings as configuration
from streams.errors import Unreachable
from streams.metrics import Metrics

log = logging.getLogger(__name__)

TIMEOUT_S = 1.0
FIRST_BACKOFF_MS = 500
BACKOFF_CAP_MS = 30_000
PREFIX = "carrier-health:"
T = TypeVar("T")

# The times of the last attempts, by member so that a repeat of the same call counts once.
TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1] - ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 0
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return math.max(1, math.ceil(oldest[2] + ARGV[3] - ARGV[1]))
"""


class RedisStore:
    """One connection pool, belonging to the event loop that uses it.

    `clock_ms` is a clock for backing off; `prefix` keeps installations apart. No command is tried
    twice by the client: a lost answer would count a page twice.
    """

    def __init__(
        self,
        redis: configuration.Redis,
        clock_ms: Callable[[], int],
        metrics: Metrics | None = None,
        prefix: str = PREFIX,
        limit: int = LIMIT,
    ) -> None:
        self.address = redis.address
        self._clock_ms, self._metrics, self._prefix = clock_ms, metrics, prefix
        self._redis = Redis.from_url(
            **redis.options(),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._limit = limit
        self._locals: dict[str, LocalBudget] = {}
        self._calls = itertools.count()
        self._failures, self._next_try_ms = 0, 0
        self.up = False
        self.last_error = "not tried yet"

    async def close(self) -> None:
        await self._redis.aclose()

    async def connect(self) -> None:
        """For start-up and `doctor`. Raises Unreachable with address and what was tried."""
        try:
            await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as e:
            self._failed(e)
            raise Unreachable("Redis", self.address, f"PING: {e}") from e
        self._worked()

    async def ping(self) -> bool:
        """Whether it answers; asked every few seconds, it is what brings a lost Redis back."""
        return await self._try(self._redis.ping, False)

    async def take(self, now_ms: int, route: str = "pagerduty", limit: int | None = None) -> int:
        """One attempt of the shared budget: 0, or milliseconds until one is free.

        The attempts of this process are counted here as well, so that losing Redis loosens nothing.
        """
        local = self._locals.setdefault(route, LocalBudget(limit or self._limit))
        wait_ms = local.wait_ms(now_ms)
        if wait_ms == 0:
            wait_ms = await self._try(lambda: self._take_shared(now_ms, route, local.limit), 0)
        if wait_ms == 0:
            local.spend(now_ms)
        return wait_ms

    def budget(self, route: str, limit: int | None = None) -> Budget:
        """The budget of one route; `limit` attempts a minute, by default PagerDuty's."""
        return RouteBudget(self, route, limit)

    async def put_row(self, route: str, row: Row) -> None:
        """Copies one row for others to look at; skipped while Redis is away."""
        key, value = f"{self._prefix}pager:{route}", msgspec.json.encode(row).decode()
        await self._try(lambda: self._hset(key, row.desired.dedup_key, value), 0)

    async def rows(self, route: str) -> dict[str, dict[str, Any]]:
        """The copies by pager key; empty while Redis is away."""
        key = f"{self._prefix}pager:{route}"
        found = await self._try(lambda: self._hgetall(key), dict[str, str]())
        return {name: msgspec.json.decode(value) for name, value in found.items()}

    async def _take_shared(self, now_ms: int, route: str, limit: int) -> int:
        key, member = f"{self._prefix}budget:{route}", f"{id(self)}-{next(self._calls)}-{now_ms}"
        args = [str(now_ms), str(limit), str(WINDOW_MS), member]
        return int(await self._redis.eval(TAKE, 1, key, *args))

    def _hset(self, key: str, field: str, value: str) -> Awaitable[int]:
        return self._redis.hset(key, field, value)

    def _hgetall(self, key: str) -> Awaitable[dict[str, str]]:
        return cast(Awaitable[dict[str, str]], self._redis.hgetall(key))

    async def _try(self, command: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """`otherwise` when it fails, and without asking while it is given time to come back."""
        if self._clock_ms() < self._next_try_ms:
            return otherwise
        try:
            answer = await command()
        except (RedisError, OSError, TimeoutError) as e:
            self._failed(e)
            return otherwise
        self._worked()
        return answer

    def _failed(self, error: Exception) -> None:
        if self.up or self._failures == 0:
            log.warning("Redis at %s is lost, going on without it: %s", self.address, error)
        self._failures += 1
        wait_ms = min(BACKOFF_CAP_MS, FIRST_BACKOFF_MS * 2 ** min(self._failures - 1, 16))
        self._next_try_ms = self._clock_ms() + wait_ms
        self._set_up(False, str(error) or type(error).__name__)

    def _worked(self) -> None:
        if self._failures:
            log.info("Redis at %s is back", self.address)
        self._failures, self._next_try_ms = 0, 0
        self._set_up(True, "")

    def _set_up(self, up: bool, error: str) -> None:
        self.up, self.last_error = up, error
        if self._metrics is not None:
            self._metrics.redis_up.set(int(up))


class RouteBudget(NamedTuple):
    """One route's part of the store."""

    store: RedisStore
    route: str
    limit: int | None

    async def take(self, now_ms: int) -> int:
        return await self.store.take(now_ms, self.route, self.limit)
