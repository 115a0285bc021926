"""The producer: what requests hold goes to Kafka, and each request learns what became of it.

    loop thread: send -> librdkafka -> poll thread: acknowledgements, gathered -> loop thread: settled

A request is settled once all in-sync replicas have all of its records. While Kafka is away nothing
is taken: the poll thread looks once in a while whether it is back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.errors import MonitorError
from streams.http import Readiness
from streams.kafka_access import librdkafka
from streams.kafka_trouble import Heard
from streams.rights import Rights
from streams.settings import Settings
from streams.topic_facts import TopicFacts
from streams.topics import LARGE_BYTES

log = logging.getLogger("streams.gateway")

POLL_S = 0.1
PROBE_TIMEOUT_S = 0.5
BETWEEN_PROBES_S = 0.25
KAFKA = "kafka"
"""The condition of readiness."""

OF_THE_RECORD = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
"""Errors that say nothing about Kafka: the next record may be fine, this one never will be."""

Headers = Sequence[tuple[str, bytes]]


class Item(NamedTuple):
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class _Write:
    """One request under way: settled when the last of its records is told."""

    __slots__ = ("done", "error", "left", "writer")

    def __init__(self, writer: Writer, left: int) -> None:
        self.writer, self.left, self.error = writer, left, 0
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def heard(self, error: KafkaError | None, _: object) -> None:
        """librdkafka's word on one record, in the poll thread."""
        self.writer.hear(self, error)


class Writer:
    """Use from one event loop. `start` and `stop` frame it; `readiness` gets the condition `kafka`."""

    def __init__(self, settings: Settings, readiness: Readiness, rights: Rights) -> None:
        self._settings, self._rights = settings, rights
        self._most = settings.gateway.max_in_flight
        self._heard = Heard(settings)
        self._readiness = readiness
        self._told: deque[tuple[_Write, int]] = deque()
        self._up = False
        self._ending = threading.Event()
        self._producer = Producer(producer_config(settings) | {"error_cb": self._hear_trouble})
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._poll, name="producer", daemon=True)
        self.in_flight = 0
        """Records that are not acknowledged yet."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Waits for what is under way, at most as long as Kafka may take to acknowledge."""
        self._ending.set()
        await asyncio.to_thread(self._thread.join)
        self._settle()

    def send(self, items: Sequence[Item]) -> asyncio.Future[int] | None:
        """Hands records over; the future holds 0 once all are written, else Kafka's error code.

        None: it takes nothing now. Records above the limit are taken only as the rest of a request.
        """
        if not self._up or self.in_flight >= self._most:
            return None
        write = _Write(self, len(items))
        self.in_flight += len(items)
        for item in items:
            try:
                self._producer.produce(
                    item.topic, item.value, item.key, headers=cast(Any, item.headers), on_delivery=write.heard
                )
            except BufferError:
                self._told.append((write, KafkaError._QUEUE_FULL))
            except KafkaException as e:
                self._told.append((write, e.args[0].code()))
        return write.done

    # -- the poll thread ---------------------------------------------------------------------------

    def _poll(self) -> None:
        assert self._loop is not None
        while not self._ending.is_set() or len(self._producer):
            self._producer.poll(POLL_S)
            if self._told:
                self._loop.call_soon_threadsafe(self._settle)
            if not self._up and not self._ending.is_set():
                self._look()
                self._ending.wait(0 if self._up else BETWEEN_PROBES_S)

    def hear(self, write: _Write, error: KafkaError | None) -> None:
        """One record is written, or given up."""
        self._told.append((write, error.code() if error else 0))
        if error and error.code() not in OF_THE_RECORD:
            self._away(error.str())

    def _hear_trouble(self, error: KafkaError) -> None:
        self._heard.hear(error)
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away(self._heard.beside(error.str()))

    def _look(self) -> None:
        """Asks Kafka whether it is there, has the topics, and lets us write to them."""
        try:
            self._producer.list_topics(timeout=PROBE_TIMEOUT_S)
            TopicFacts(self._settings, (), self._rights).load()
        except KafkaException as e:
            self._readiness.set(KAFKA, False, self._heard.beside(e.args[0].str()))
            return
        except MonitorError as e:
            self._readiness.set(KAFKA, False, str(e))
            return
        self._up, self._heard.advice = True, ""
        self._readiness.set(KAFKA, True)
        log.info("Kafka takes records")

    def _away(self, why: str) -> None:
        if self._up:
            self._up = False
            self._readiness.set(KAFKA, False, why)
            log.warning("Kafka does not take records: %s; requests are told to come again", why)

    # -- the loop thread ---------------------------------------------------------------------------

    def _settle(self) -> None:
        """Tells requests what the poll thread has gathered: one wake-up for many."""
        while self._told:
            write, error = self._told.popleft()
            self.in_flight -= 1
            write.left -= 1
            write.error = write.error or error
            if not write.left and not write.done.done():
                write.done.set_result(write.error)


def producer_config(settings: Settings) -> dict[str, Any]:
    """librdkafka settings of the gateway. What times out may still be written: ingest drops repeats."""
    timeout_ms = int(settings.gateway.delivery_timeout_s * 1000)
    return {
        **librdkafka(settings),
        "acks": "all",
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": timeout_ms,
        "request.timeout.ms": timeout_ms,
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": LARGE_BYTES,
        "queue.buffering.max.messages": 2_000_000,  # the limit is ours, in records in flight
        "queue.buffering.max.kbytes": 262_144,
        # Quick to notice that Kafka is back: the providers' repeats wait for it.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "log_level": 2,  # it says the same, each second, while Kafka is away
    }
