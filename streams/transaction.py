"""One Kafka transaction a flush: the partial, whom it failed and whom it reached, dead letters, offsets.

All of it becomes visible, or none of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from streams.batch import DeadLetter, Headers
from streams.errors import Fenced, Unreachable
from streams.kafka_access import librdkafka
from streams.kafka_trouble import not_allowed
from streams.overdue import GRACE_S, within
from streams.pieces import split
from streams.records import Cells, DeliveredRecipients, FailedRecipient, Partial, Range, encode
from streams.settings import Settings
from streams.topics import DEAD_LETTERS, DELIVERED_RECIPIENTS, FAILED_RECIPIENTS, LARGE_BYTES, PARTIALS

MOST_PARTIAL_BYTES = 900_000
TRANSACTION_TIMEOUT_MS = 10_000
_OFFSETS_S = TRANSACTION_TIMEOUT_MS / 1000 - GRACE_S
"""When a broker has left the cluster this call may never come back (see `overdue`); after the life of a
transaction, waiting for it is of no use."""
_HEADER_ROOM = 200_000
_ATTEMPTS = 5


class Transactions:
    """The transactional producer of one ingest instance. Raises Fenced when another took over."""

    def __init__(self, settings: Settings) -> None:
        self._partials = settings.topic(PARTIALS)
        self._failed = settings.topic(FAILED_RECIPIENTS)
        self._delivered = settings.topic(DELIVERED_RECIPIENTS)
        self._dead = settings.topic(DEAD_LETTERS)
        self._kafka, self._address = settings.kafka, settings.kafka.bootstrap_servers
        self._id = f"{settings.ingest.group}-{settings.ingest.instance}"
        self._producer = Producer(
            {
                **librdkafka(settings),
                "transactional.id": self._id,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.max.bytes": LARGE_BYTES,
                "queue.buffering.max.kbytes": 262_144,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 5,
            }
        )

    def begin_life(self) -> None:
        """Fences an earlier life of this instance and ends its open transaction."""
        self._retried("init_transactions", self._producer.init_transactions, 30.0)

    def write(
        self,
        partials: Sequence[Partial],
        failed: Sequence[FailedRecipient],
        delivered: Sequence[DeliveredRecipients],
        dead: Sequence[DeadLetter],
        offsets: list[TopicPartition],
        group: Any,
    ) -> None:
        """Commits all of it or raises; after a raise nothing of it counts."""
        producer = self._producer
        producer.begin_transaction()
        for partial in partials:
            self._produce(self._partials, None, encode(partial))
        for one in failed:
            self._produce(self._failed, one.recipient.encode(), encode(one))
        for block in delivered:
            self._produce(self._delivered, None, encode(block))
        for letter in dead:
            self._produce(self._dead, letter.key, letter.value, _headers(letter))
        self._retried(
            "send_offsets_to_transaction", producer.send_offsets_to_transaction, offsets, group, _OFFSETS_S
        )
        self._retried("commit_transaction", producer.commit_transaction, 10.0)

    def abort(self) -> None:
        """Gives up what is open; quiet when there is nothing to give up."""
        with contextlib.suppress(KafkaException):  # the broker ends it after transaction.timeout.ms
            within(5.0, "abort_transaction", self._producer.abort_transaction, 5.0)

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, headers=cast(Any, list(headers)))
                return
            except BufferError:
                self._producer.poll(0.05)  # the queue is full: wait for acknowledgements

    def _retried(self, what: str, call: Any, *args: Any) -> None:
        """The last of the arguments is the call's timeout, seconds."""
        for attempt in range(_ATTEMPTS):
            try:
                within(args[-1], what, call, *args)
                return
            except KafkaException as e:
                error = e.args[0]
                if not error.retriable() or attempt == _ATTEMPTS - 1:
                    raise self._explain(what, error) from e

    def _explain(self, what: str, error: Any) -> Exception:
        if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return not_allowed(self._kafka, "ingest", [f"WRITE on transactional id {self._id}"])
        if error.fatal() or error.txn_requires_abort():
            return Fenced(f"{what}: {error.str()}; nothing of this transaction counts")
        return Unreachable("Kafka", self._address, f"{what}: {error.str()}")


def _headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    own = [
        ("reason", letter.malformed.reason.encode()),
        ("detail", letter.malformed.detail.encode()),
        ("source_topic", letter.topic.encode()),
        ("source_partition", str(letter.partition).encode()),
        ("source_offset", str(letter.offset).encode()),
    ]
    if letter.timestamp_ms > 0:
        own.append(("source_timestamp_ms", str(letter.timestamp_ms).encode()))
    names = {name for name, _ in own}
    return [(k, v) for k, v in letter.headers if k not in names] + own


def partials(
    writer: str, made_ms: int, sources: dict[str, int], ranges: list[Range], cells: Cells
) -> list[Partial]:
    """One flush as partials of at most 900 kB; each carries the ranges, all lie in one transaction."""
    room = MOST_PARTIAL_BYTES - _HEADER_ROOM - len(msgspec.json.encode(ranges))
    pieces = split(cells, max(room, 100_000))
    return [
        Partial(writer, made_ms, sources, ranges, piece, part=i, parts=len(pieces))
        for i, piece in enumerate(pieces, 1)
    ]
