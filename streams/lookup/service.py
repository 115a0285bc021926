"""The thread of Lookup: takes what the hot path offers, asks cache and Twilio, keeps the answers.

Neither Redis nor Twilio being away slows anybody: carriers then stay unknown. Without Redis nothing
is asked, since answers could not be kept nor the day's cost be counted.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from streams.label_values import Asked
from streams.lookup.budget import Pace, daily_limit, day, until_tomorrow_s
from streams.lookup.cache import PREFIX, Cache
from streams.lookup.client import Reply, TwilioLookup
from streams.lookup.memory import Memory, Wanted
from streams.networks import Networks
from streams.privacy import RecipientHasher, canonical
from streams.settings import Settings

log = logging.getLogger("streams.lookup")

AT_ONCE = 4
"""Requests under way at a time."""
STOP_S = 5.0
_IDLE_S = 0.25
_EXPIRE_EVERY_S = 60.0
_REFUSED_HOLD_S = 600.0
_DAY_S = 86_400.0
_NUMBER = re.compile(r"\+[1-9]\d{7,14}", re.ASCII)


class LookupService:
    """What the hot path sees of Lookup (`streams.teller.Lookups`), and the thread behind it."""

    def __init__(
        self,
        settings: Settings,
        networks: Networks,
        hasher: RecipientHasher,
        metrics: Any,
        prefix: str = PREFIX,
    ) -> None:
        self._lookup, self._networks, self._metrics = settings.lookup, networks, metrics
        sampled = min(int(settings.lookup.sample_ratio * 2**64), 2**64)
        self._memory = Memory(settings.lookup.max_cached, sampled)
        self._redis = (settings.redis, hasher.key_id, prefix)
        self._pace = Pace(settings.lookup.requests_per_s)
        self._limit = daily_limit(settings.lookup)
        self._stop = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="lookup", daemon=True)

    @property
    def known(self) -> Mapping[int, str]:
        return self._memory.known

    @property
    def sampled_below(self) -> int:
        return self._memory.sampled_below

    def offer(self, recipient: int, number: str, failed: bool) -> None:
        """Takes international numbers alone: short codes and names have no carrier."""
        full = canonical(number)
        if _NUMBER.fullmatch(full):
            self._memory.offer(recipient, full, failed)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what is under way is given up."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    # -- in the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except Exception as e:  # ingest goes on without it; texts of errors may hold a number
            log.error(
                "Lookup has ended: %s; carriers stay unknown until ingest is started again", type(e).__name__
            )

    async def _work(self) -> None:
        cache = Cache(*self._redis)
        try:
            async with TwilioLookup(self._lookup) as client:
                await self._load(cache)
                async with asyncio.TaskGroup() as group:
                    for _ in range(AT_ONCE):
                        group.create_task(self._work_off(cache, client))
                    group.create_task(self._expire())
        finally:
            await cache.close()

    async def _load(self, cache: Cache) -> None:
        """Fills the memory from Redis, trying until it answers."""
        while not self._stop.is_set():
            try:
                async for kept in cache.load(self._lookup.max_cached):
                    carrier = kept.answer.carrier(self._networks)
                    self._memory.answer(kept.recipient, carrier, time.monotonic() + kept.left_s)
                return
            except (RedisError, OSError) as e:
                await self._redis_failed(e)

    async def _work_off(self, cache: Cache, client: TwilioLookup) -> None:
        while not self._stop.is_set():
            wanted = self._memory.take()
            if wanted is None:
                await self._sleep(_IDLE_S)
                continue
            try:
                await self._one(wanted, cache, client)
            except (RedisError, OSError) as e:
                self._memory.put_back(wanted)
                await self._redis_failed(e)

    async def _one(self, wanted: Wanted, cache: Cache, client: TwilioLookup) -> None:
        kept = await cache.get(wanted.recipient)
        if kept is not None:
            carrier = kept.answer.carrier(self._networks)
            self._memory.answer(wanted.recipient, carrier, time.monotonic() + kept.left_s)
            self._count(Asked.CACHED)
            return
        await self._wait_for_turn()
        if self._stop.is_set():
            return
        now_ms = time.time_ns() // 1_000_000
        if not await cache.spend(day(now_ms), self._limit):
            self._memory.forget(wanted.recipient)
            self._count(Asked.OVER_BUDGET)
            self._pace.hold(time.monotonic(), min(60.0, until_tomorrow_s(now_ms)))
            return
        reply = await client.ask(wanted.number)
        self._count(reply.asked)
        await self._take(wanted, reply, cache)

    async def _wait_for_turn(self) -> None:
        await self._sleep(self._pace.reserve(time.monotonic()))
        while not self._stop.is_set() and (held_s := self._pace.held_s(time.monotonic())) > 0:
            await self._sleep(held_s)

    async def _take(self, wanted: Wanted, reply: Reply, cache: Cache) -> None:
        if reply.answer is None:
            self._failed(wanted, reply)
            return
        self._pace.succeeded()
        told = reply.asked is Asked.OK
        ttl_s = (self._lookup.cache_ttl_days if told else self._lookup.negative_ttl_days) * _DAY_S
        carrier = reply.answer.carrier(self._networks)
        self._memory.answer(wanted.recipient, carrier, time.monotonic() + ttl_s)
        await cache.put(wanted.recipient, reply.answer, ttl_s)

    def _failed(self, wanted: Wanted, reply: Reply) -> None:
        """The number may be offered again; one that was only told to wait is asked for next."""
        if reply.asked is Asked.RATE_LIMITED:
            self._memory.put_back(wanted)
        else:
            self._memory.forget(wanted.recipient)
        hold_s = _REFUSED_HOLD_S if reply.asked is Asked.REFUSED else reply.retry_after_s
        self._pace.failed(time.monotonic(), hold_s)
        self._say(f"Lookup at {self._lookup.base_url}: {reply.why}; it is asked again later")

    async def _redis_failed(self, error: Exception) -> None:
        self._say(f"Redis does not answer ({type(error).__name__}): nothing is looked up meanwhile")
        await self._sleep(1.0)

    async def _expire(self) -> None:
        while not self._stop.is_set():
            self._memory.expire(time.monotonic())
            await self._sleep(_EXPIRE_EVERY_S)

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until it is stopped."""
        end_s = time.monotonic() + seconds
        while not self._stop.is_set() and (left_s := end_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, _IDLE_S))

    def _count(self, asked: Asked) -> None:
        self._metrics.lookup_requests_total.labels(asked).inc()

    def _say(self, text: str) -> None:
        """Each trouble once, until there is another."""
        if text != self._said:
            self._said = text
            log.warning("%s", text)
