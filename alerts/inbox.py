"""Reads `incident-commands`: what is unread when the log is taken over, then what comes.

    committed offset -> take -> written by the ledger -> commit

At least once: a command is committed after what it changed is written, and its id makes a repeat
harmless. A consumer of its own beside the Faust agent: commands must be taken before the first page
of a new owner, which no agent could promise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka_access import aiokafka
from streams.kafka_trouble import unreachable
from streams.label_values import Heard
from streams.metrics import Metrics
from streams.settings import Settings
from streams.topics import INCIDENT_COMMANDS

log = logging.getLogger("alerts.inbox")

BACKOFF_S = 1.0
POLL_MS = 500
GROUP_SUFFIX = "-commands"

Take = Callable[[bytes | None], Awaitable[Heard]]
"""Takes one record of `incident-commands`; returns once what it changed is written."""


class Inbox:
    """One reader a term of ownership. Belongs to the event loop that runs it.

    `failed` is told once when `take` fails: what it could not write must not be read past.
    """

    def __init__(
        self, settings: Settings, group: str, failed: Callable[[BaseException], None], metrics: Metrics
    ) -> None:
        self._tp = TopicPartition(settings.topic(INCIDENT_COMMANDS), 0)
        self._settings, self._group = settings, group + GROUP_SUFFIX
        self._failed, self._metrics = failed, metrics
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def catch_up(self, take: Take) -> None:
        """Takes all that is unread. Raises Unreachable when Kafka does not answer."""
        await self.end()
        try:
            consumer = await self._started()
            end = (await consumer.end_offsets([self._tp]))[self._tp]
            while await consumer.position(self._tp) < end:
                for record in await self._read(consumer):
                    await self._one(consumer, record, take)
        except KafkaError as e:
            what = f"reading {self._tp.topic}: {e}"
            raise await asyncio.to_thread(unreachable, self._settings, what) from e

    def begin(self, take: Take) -> None:
        """Takes what comes from now on."""
        self._task = asyncio.create_task(self._run(take))
        self._task.add_done_callback(self._ended)

    async def end(self) -> None:
        """Takes no more; what is under way is read again by the next owner."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._stopped()

    async def _run(self, take: Take) -> None:
        while True:
            try:
                consumer = self._consumer or await self._started()
                records = await self._read(consumer)
            except KafkaError as e:
                log.warning("incident-commands can not be read, trying again: %s", e)
                await self._stopped()
                await asyncio.sleep(BACKOFF_S)
                continue
            for record in records:
                await self._one(consumer, record, take)

    async def _read(self, consumer: AIOKafkaConsumer) -> Sequence[Any]:
        batch: dict[TopicPartition, Sequence[Any]] = await consumer.getmany(self._tp, timeout_ms=POLL_MS)
        return batch.get(self._tp, ())

    async def _one(self, consumer: AIOKafkaConsumer, record: Any, take: Take) -> None:
        heard = await take(record.value)
        self._metrics.incident_commands_total.labels(heard).inc()
        if heard is not Heard.TAKEN:  # never what it holds
            log.warning("the command at offset %d is %s: it changes nothing", record.offset, heard)
        try:
            await consumer.commit({self._tp: record.offset + 1})
        except KafkaError as e:  # the next commit covers it; until then it may come again
            log.warning("the command at offset %d is not committed: %s", record.offset, e)

    async def _started(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **aiokafka(self._settings),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        self._consumer = consumer
        await consumer.start()
        consumer.assign([self._tp])
        return consumer

    async def _stopped(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                await consumer.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)
