"""Answers in Redis by keyed hash, shared by all ingests, and what the day has cost so far.

Keys name the key of the hash, so that hashes of two keys are never taken for one another:

    carrier-health:lookup:KEY_ID:HASH      an answer, as JSON, with its time to live
    carrier-health:lookup:spent:DAY        requests made on that day (UTC)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streams import settings as configuration
from streams.lookup.answer import Answer, decode, encode

PREFIX = "carrier-health:lookup:"
TIMEOUT_S = 2.0
_SPENT_TTL_S = 2 * 86_400
_SCAN = 1_000


class Kept(NamedTuple):
    """A cached answer and how long it still holds."""

    recipient: int
    answer: Answer
    left_s: float


class Cache:
    """Raises RedisError (or OSError) when Redis does not answer in 2 s; the owner backs off."""

    def __init__(self, redis: configuration.Redis, key_id: str, prefix: str = PREFIX) -> None:
        """`prefix` keeps installations apart."""
        self._redis = Redis.from_url(
            **redis.options(),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._prefix, self._own = prefix, f"{prefix}{key_id}:"

    async def get(self, recipient: int) -> Kept | None:
        key = self._key(recipient)
        async with self._redis.pipeline(transaction=False) as both:
            both.get(key)
            both.pttl(key)
            value, left_ms = await both.execute()
        return _kept(recipient, value, left_ms)

    async def put(self, recipient: int, answer: Answer, ttl_s: float) -> None:
        await self._redis.set(self._key(recipient), encode(answer), px=max(1, int(ttl_s * 1000)))

    async def spend(self, day: str, limit: int) -> bool:
        """Counts one request to that day; False when its budget is used up, and nothing is to be asked."""
        key = f"{self._prefix}spent:{day}"
        async with self._redis.pipeline(transaction=True) as both:
            both.incr(key)
            both.expire(key, _SPENT_TTL_S)
            spent, _ = await both.execute()
        return int(spent) <= limit

    async def load(self, most: int) -> AsyncIterator[Kept]:
        """Up to `most` answers with the key of the hash in force."""
        found = 0
        cursor = 0
        while found < most:
            cursor, keys = await self._redis.scan(cursor, match=f"{self._own}*", count=_SCAN)
            for kept in await self._values([key for key in keys if isinstance(key, bytes)]):
                yield kept
            found += len(keys)
            if cursor == 0:
                return

    async def _values(self, keys: list[bytes]) -> list[Kept]:
        if not keys:
            return []
        async with self._redis.pipeline(transaction=False) as all_of_them:
            for key in keys:
                all_of_them.get(key)
                all_of_them.pttl(key)
            flat = await all_of_them.execute()
        hashes = [key.decode().removeprefix(self._own) for key in keys]
        read = zip(hashes, flat[::2], flat[1::2], strict=True)
        return [k for h, value, left in read if (k := _kept(int(h, 16), value, left)) is not None]

    async def close(self) -> None:
        await self._redis.aclose()

    def _key(self, recipient: int) -> str:
        return f"{self._own}{recipient:016x}"


def _kept(recipient: int, value: bytes | None, left_ms: int) -> Kept | None:
    """None for what is gone, has no end, or was written by another version."""
    if value is None or left_ms <= 0:
        return None
    try:
        return Kept(recipient, decode(value), left_ms / 1000)
    except msgspec.MsgspecError:
        return None
