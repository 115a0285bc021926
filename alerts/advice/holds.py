"""Tells who sends from when to when an incident holds retries: a record on each partition of `retry-advice`.

What is told follows from the incident's spells, so that an owner who starts again tells the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from alerts.advice.records import Hold, Release
from alerts.records import Incident
from alerts.settings import Settings
from alerts.spells import Spell
from streams.errors import Unreachable
from streams.kafka_access import aiokafka
from streams.kafka_trouble import unreachable
from streams.records import BUCKET_S, encode
from streams.rules import RuleBook, named
from streams.topics import RETRY_ADVICE

log = logging.getLogger(__name__)

RETOLD_MS = 3_600_000
"""What ended longer ago than this was told by whoever owned the log then."""
AGAIN_S = 5.0
Told = tuple[bytes, bytes]
"""(key, value)"""
Publish = Callable[[Sequence[Told]], Awaitable[None]]
"""Returns once each partition has all of them."""


class Holds:
    """Hears of the station's incidents, and tells what has changed beside everything else: no decision and
    no page waits for it. What can not be told is told later, of each incident the newest alone."""

    def __init__(self, book: RuleBook, publish: Publish) -> None:
        self._book, self._publish = book, publish
        self._heard: dict[str, Spell] = {}
        self._due: dict[str, Incident] = {}
        self._any_due = asyncio.Event()

    def hear(self, incidents: Iterable[Incident], bucket_s: int) -> None:
        """Incidents as they are after `bucket_s`. What this process has not heard of is told, unless it is
        long over."""
        now_ms = (bucket_s + BUCKET_S) * 1000
        new = [i for i in incidents if i.spells and self._heard.get(i.key) != i.spells[-1]]
        self._due |= {i.key: i for i in new if i.key in self._heard or _is_recent(i.spells[-1], now_ms)}
        self._heard |= {i.key: i.spells[-1] for i in new}
        if self._due:
            self._any_due.set()

    async def run(self) -> None:
        """Tells until it is cancelled."""
        while True:
            await self._any_due.wait()
            try:
                await self.tell()
            except Unreachable as e:
                log.warning("%s; trying again", e)
                await asyncio.sleep(AGAIN_S)

    async def tell(self) -> None:
        """Tells what is due. Raises what `publish` raises, and all of it stays due."""
        due = list(self._due.values())
        await self._publish([(i.key.encode(), encode(told(i, self._book))) for i in due])
        log.info("retries are %s", ", ".join(f"{_word(i.spells[-1])} by {i.key}" for i in due))
        self._due = {key: i for key, i in self._due.items() if i not in due}
        if not self._due:
            self._any_due.clear()


def told(incident: Incident, book: RuleBook) -> Hold | Release:
    """What the newest spell of an incident says, of which there is one at least."""
    spell = incident.spells[-1]
    if spell.until_ms:
        return Release(incident.key, spell.from_ms, spell.until_ms)
    rule = named(book.rules, incident.rule)
    sources = book.sources_of(rule) if rule else ()
    codes, classes = (rule.codes, rule.classes) if rule else ((), ())
    return Hold(incident.key, incident.rule, *spell.where, sources, codes, classes, spell.from_ms)


def _is_recent(spell: Spell, now_ms: int) -> bool:
    return not spell.until_ms or spell.until_ms > now_ms - RETOLD_MS


def _word(spell: Spell) -> str:
    return "released" if spell.until_ms else "held"


def publisher(settings: Settings) -> Publish:
    """Writes with a producer of its own: incidents change seldom. Raises Unreachable without Kafka."""
    topic = settings.topic(RETRY_ADVICE)

    async def publish(records: Sequence[Told]) -> None:
        producer = AIOKafkaProducer(**aiokafka(settings), acks="all")
        try:
            await producer.start()
            partitions = sorted(await producer.partitions_for(topic))
            sent = [await producer.send(topic, v, k, p) for p in partitions for k, v in records]
            await asyncio.gather(*sent)
        except KafkaError as e:
            raise await asyncio.to_thread(unreachable, settings, f"telling of held retries: {e}") from e
        finally:
            await producer.stop()

    return publish
