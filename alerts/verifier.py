"""Some of the failed numbers are looked up when an incident opens: beside everything else, never before it.

    opened, escalated --> ask (returns at once) --> failed-recipients: some failed messages
         --> outcomes: their numbers, by message id --> cache, budget, Lookup --> incident

Numbers are in memory alone while they are looked up; nothing is written or logged but how many are what.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from alerts.advice.records import series_of
from alerts.causes import Verified
from alerts.measure import scope_of
from alerts.records import Decision, Incident, Severity
from alerts.settings import Settings
from alerts.verification import Kind, kind_of, verified
from streams.codes import CodeBook
from streams.errors import MonitorError
from streams.label_values import Asked
from streams.log_reader import read_keyed, read_some
from streams.lookup.answer import Answer
from streams.lookup.budget import Pace, daily_limit, day
from streams.lookup.cache import PREFIX, Cache
from streams.lookup.client import TwilioLookup
from streams.networks import networks_of
from streams.privacy import canonical
from streams.records import BUCKET_S, FailedRecipient, Malformed
from streams.rules import RuleBook, named
from streams.source import Source
from streams.topics import FAILED_RECIPIENTS, OUTCOMES

log = logging.getLogger(__name__)

WHEN = frozenset({"opened", "escalated"})
MOST_WAITING = 10
"""Incidents that wait to be verified; in a storm the rest goes without."""
TIMEOUT_S = 120.0
MOST_LOOKED_AT = 2_000
"""Failed messages of each partition that are looked at for a sample."""
MOST_READ = 100_000
"""Records of `outcomes` that are read for the numbers of a sample."""
AROUND_MS = 15_000
"""So far from its receipt a record may have been given to Kafka."""
_NUMBER = re.compile(r"\+[1-9]\d{7,14}", re.ASCII)
_DAY_S = 86_400.0
Attach = Callable[[str, Verified], Awaitable[None]]
"""(incident key, what was found)"""


class Stopped(Exception):
    """No more numbers are looked up, and why; holds no number."""


class Verifier:
    """Belongs to the event loop of the station. `clock_ms` is the wall clock."""

    def __init__(
        self,
        settings: Settings,
        attach: Attach,
        clock_ms: Callable[[], int],
        metrics: Any,
        prefix: str = PREFIX,
    ) -> None:
        self._settings, self._attach, self._clock_ms = settings, attach, clock_ms
        self._metrics, self._prefix = metrics, prefix
        self._networks = networks_of(settings.carriers.file, settings.carriers.roll_up)
        self._one_by_one = asyncio.Semaphore(1)
        self._asked: dict[str, asyncio.Task[None]] = {}

    def ask(self, incident: Incident, what: str) -> None:
        """Has an incident that pages verified once, sometime soon; returns at once."""
        wanted = what in WHEN and incident.severity is not Severity.INFO and incident.verified is None
        if not wanted or incident.reason is Decision.OVERDUE or incident.key in self._asked:
            return
        if len(self._asked) < MOST_WAITING:
            task = asyncio.create_task(self._verify(incident))
            self._asked[incident.key] = task
            task.add_done_callback(lambda _: self._asked.pop(incident.key, None))

    async def _verify(self, incident: Incident) -> None:
        try:
            async with self._one_by_one, asyncio.timeout(TIMEOUT_S):
                found = await asyncio.to_thread(lambda: asyncio.run(self.look(incident)))
            await self._attach(incident.key, found)
        except Exception as e:  # whatever it is, it must reach nobody who decides; its text may hold a number
            log.warning("%s is not verified: %s", incident.key, type(e).__name__)

    async def look(self, incident: Incident) -> Verified:
        """What Lookup says of some of its failed numbers."""
        now_ms, kinds = self._clock_ms(), list[Kind]()
        try:
            failed = await sampled(self._settings, incident)
            if not failed:
                raise Stopped("no failed message of it is in failed-recipients")
            numbers = await numbers_of(self._settings, failed)
            if not numbers:
                raise Stopped("their numbers are not in outcomes")
            await self._look_up(failed, numbers, kinds)
        except Stopped as e:
            return verified(kinds, now_ms, str(e))
        except (MonitorError, KafkaError):
            return verified(kinds, now_ms, "Kafka could not be read")
        except (RedisError, OSError):
            return verified(kinds, now_ms, "Redis does not answer, so that cost can not be counted")
        return verified(kinds, now_ms)

    async def _look_up(
        self, failed: Sequence[FailedRecipient], numbers: Mapping[str, str], kinds: list[Kind]
    ) -> None:
        """Adds to `kinds` as answers come. Raises Stopped, RedisError."""
        pace = Pace(self._settings.lookup.requests_per_s)
        caches = {key: Cache(self._settings.redis, key, self._prefix) for key in {o.key_id for o in failed}}
        try:
            async with TwilioLookup(self._settings.lookup) as client:
                for one in failed:
                    number = numbers.get(one.message_id)
                    if number is not None:
                        answer = await self._answer(caches[one.key_id], one, number, client, pace)
                        kinds.append(kind_of(answer, one.carrier, self._networks))
        finally:
            for cache in caches.values():
                await cache.close()

    async def _answer(
        self, cache: Cache, one: FailedRecipient, number: str, client: TwilioLookup, pace: Pace
    ) -> Answer | None:
        recipient = int(one.recipient, 16)
        kept = await cache.get(recipient)
        if kept is not None:
            self._count(Asked.CACHED)
            return kept.answer
        await self._pay(cache)
        await asyncio.sleep(pace.reserve(time.monotonic()))
        reply = await client.ask(number)
        self._count(reply.asked)
        if reply.asked in (Asked.RATE_LIMITED, Asked.ERROR):
            raise Stopped(f"Lookup: {reply.why}")
        if reply.answer is None:
            raise Stopped("Lookup refuses: check lookup.account_sid and lookup.auth_token")
        lookup, told = self._settings.lookup, reply.asked is Asked.OK
        ttl_s = (lookup.cache_ttl_days if told else lookup.negative_ttl_days) * _DAY_S
        await cache.put(recipient, reply.answer, ttl_s)
        return reply.answer

    async def _pay(self, cache: Cache) -> None:
        """Raises Stopped once either budget of the day is used up."""
        today = day(self._clock_ms())
        own = await cache.spend(f"verification:{today}", self._settings.verification.daily_requests)
        if not own or not await cache.spend(today, daily_limit(self._settings.lookup)):
            self._count(Asked.OVER_BUDGET)
            raise Stopped("the budget of the day is used up")

    def _count(self, asked: Asked) -> None:
        self._metrics.lookup_requests_total.labels(asked).inc()


async def sampled(settings: Settings, incident: Incident) -> list[FailedRecipient]:
    """The newest failed messages of an incident, one of each recipient, `verification.sample` at most.

    Raises MonitorError, KafkaError."""
    rule = named(settings.rules, incident.rule)
    if rule is None:
        return []
    book, scope = RuleBook.of(settings.rules, settings.sources, settings.code_tables), scope_of(incident)
    until_ms = (incident.last_bucket_s + BUCKET_S) * 1000
    newest: dict[str, FailedRecipient] = {}
    async for value in read_some(settings, FAILED_RECIPIENTS, incident.onset_ms, MOST_LOOKED_AT):
        try:
            one = msgspec.json.decode(value, type=FailedRecipient)
        except msgspec.MsgspecError:
            continue
        own = scope.covers(one.carrier, one.region) and book.failing(rule, series_of(one))
        if own and incident.onset_ms <= one.received_ms < until_ms:
            newest[one.recipient] = one
    ranked = sorted(newest.values(), key=lambda one: (-one.received_ms, one.recipient))
    return ranked[: settings.verification.sample]


class _Wanted(NamedTuple):
    """What of one topic is to be read."""

    source: Source
    messages: dict[bytes, FailedRecipient]


async def numbers_of(settings: Settings, failed: Iterable[FailedRecipient]) -> dict[str, str]:
    """By message id, the international numbers of failed messages, as far as `outcomes` holds them: records
    are found by their key, the message id. Raises MonitorError, KafkaError."""
    codes, wanted = CodeBook(settings.code_tables), dict[str, _Wanted]()
    configured = {source.name: source for source in settings.sources}
    for one in failed:
        config = configured.get(one.source)
        if config is not None:
            of = wanted.setdefault(one.source, _Wanted(Source.of(config, codes), {}))
            of.messages[one.message_id.encode()] = one
    numbers: dict[str, str] = {}
    for source, messages in wanted.values():
        topic = source.config.topic or settings.topic(OUTCOMES)
        times = [one.received_ms for one in messages.values()]
        around = min(times) - AROUND_MS, max(times) + AROUND_MS
        async for key, value in read_keyed(settings, topic, frozenset(messages), around, MOST_READ):
            number = _number(source, value, key.decode())
            if number:
                numbers[key.decode()] = number
    return numbers


def _number(source: Source, value: bytes, message_id: str) -> str:
    """The recipient's number in a record, '' where it names none."""
    pieces = source.open(value) if source.open else [value]
    for reading in source.decoder.decode_batch(pieces):
        if not isinstance(reading, Malformed) and reading.message_id == message_id and reading.to:
            number = canonical(reading.to)
            return number if _NUMBER.fullmatch(number) else ""
    return ""
