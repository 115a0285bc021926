"""The two topics that recipients are followed through, and what is written after them.

One consumer without a group's assignment (there is one owner at a time) and one transactional producer:
advice and offsets become visible together, or not at all. Errors of Kafka are raised as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from alerts.recipients.order import InOrder, Item, Key
from alerts.settings import Settings
from streams.kafka_access import librdkafka
from streams.kafka_trouble import is_fatal, not_allowed
from streams.overdue import within
from streams.rights import Rights
from streams.topic_facts import TopicFacts
from streams.topics import DELIVERED_RECIPIENTS, FAILED_RECIPIENTS, RETRY_ADVICE

TIMEOUT_S = 10.0
GROUP_SUFFIX = "-recipients"
"""Of the group, and of the transactional id with it."""
FRESH_MS = 3_600_000
"""Where nothing has been read before, what failed longer ago is taken in, but not advised on."""
LEAST_WAITING, MOST_WAITING = 500, 2_000
"""Records of a partition: with more it is held, with fewer it is read again."""
_POLL = 2_000


def rights(settings: Settings) -> Rights:
    """What must be allowed beside what the alerts role needs to page. Reviews read the advice."""
    group = settings.alerts.group + GROUP_SUFFIX
    return Rights(
        "recipients and advice",
        reads=tuple(settings.topic(t) for t in (FAILED_RECIPIENTS, DELIVERED_RECIPIENTS, RETRY_ADVICE)),
        writes=(settings.topic(RETRY_ADVICE),),
        groups=(group,),
        transactional_ids=group,
    )


class Record(NamedTuple):
    """A record to write; without a partition its key decides."""

    key: bytes
    value: bytes
    partition: int = -1


class RecipientLog:
    """One life of the owner. `begin` before anything else."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._rights = settings, rights(settings)
        self._failed = settings.topic(FAILED_RECIPIENTS)
        self._followed = (self._failed, settings.topic(DELIVERED_RECIPIENTS))
        self._advice = settings.topic(RETRY_ADVICE)
        group = settings.alerts.group + GROUP_SUFFIX
        self._producer = Producer(
            {
                **librdkafka(settings),
                "transactional.id": group,
                "transaction.timeout.ms": 10_000,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 5,
            }
        )
        self._consumer = Consumer(
            {
                **librdkafka(settings),
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": 16_384,
            }
        )
        self._ends: dict[Key, int] = {}
        self._held: set[Key] = set()
        self._next: dict[Key, int] = {}
        """What is to be taken next."""
        self.until: dict[Key, int] = {}
        """What lies before has been advised on, in an earlier life."""
        self.sequence = 0
        """Of the last batch that was committed."""

    def begin(self, now_ms: int) -> None:
        """Ends whoever owned it before, and finds out how far that one was. `now_ms`: epoch.

        Raises Unreachable, or MonitorError when a topic or a right is missing."""
        facts = TopicFacts(self._settings, self._followed, self._rights)
        facts.load()
        self._end_the_last()
        keys = sorted(facts.partitions)
        committed = self._consumer.committed([TopicPartition(*key) for key in keys], TIMEOUT_S)
        fresh = [TopicPartition(t, p, now_ms - FRESH_MS) for t, p in keys]
        for known, young in zip(committed, self._consumer.offsets_for_times(fresh, TIMEOUT_S), strict=True):
            key, offset = (known.topic, known.partition), known.offset
            low, high = self._consumer.get_watermark_offsets(TopicPartition(*key), TIMEOUT_S)
            if offset < 0:
                offset = young.offset if young.offset >= 0 else high
            self.until[key] = max(offset, low)
            self.sequence = max(self.sequence, int(known.metadata or 0))

    def _end_the_last(self) -> None:
        try:
            self._producer.init_transactions(30.0)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
                raise
            lacking = f"WRITE on transactional id {self._rights.transactional_ids}"
            raise not_allowed(self._settings.kafka, self._rights.role, [lacking]) from None

    def start(self, *, anew: bool) -> None:
        """Reads on from where the last one was, or from the beginning."""
        starts = []
        for (topic, number), offset in self.until.items():
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(topic, number), TIMEOUT_S)
            self._next[topic, number] = low if anew else offset
            starts.append(TopicPartition(topic, number, self._next[topic, number]))
        self._order = InOrder(self.until)
        self._consumer.assign(starts)

    def read(self, timeout_s: float) -> None:
        """Reads a little further; partitions that are far ahead of the others wait for them."""
        for message in self._consumer.consume(_POLL, timeout_s):
            self._see(message)
        waiting = self._order.of_key
        ahead = {
            key for key, n in waiting.items() if n > (LEAST_WAITING if key in self._held else MOST_WAITING)
        }
        self._consumer.pause([TopicPartition(*key) for key in ahead - self._held])
        self._consumer.resume([TopicPartition(*key) for key in self._held - ahead])
        self._held = ahead

    def _see(self, message: Message) -> None:
        key, offset, error = (
            (str(message.topic()), message.partition() or 0),
            message.offset() or 0,
            message.error(),
        )
        if error is None:
            self._order.add(key, offset, message.timestamp()[1], message.value() or b"")
        elif error.code() == KafkaError._PARTITION_EOF:
            self._order.ended(key)
            self._ends[key] = offset
        elif is_fatal(error):
            raise KafkaException(error)

    def take(self, now_ms: int, most: int) -> list[Item]:
        """What is due, in order: up to `most` records. They count as taken. `now_ms`: epoch."""
        items = self._order.take(now_ms, most)
        self._next |= {item.key: item.offset + 1 for item in items}
        return items

    def is_failure(self, item: Item) -> bool:
        return item.key[0] == self._failed

    def is_new(self, item: Item) -> bool:
        """Whether no earlier life has advised on it."""
        return item.offset >= self.until[item.key]

    @property
    def is_caught_up(self) -> bool:
        """Whether all has been taken that an earlier life had taken."""
        return all(self._taken_to(key) >= offset for key, offset in self.until.items())

    @property
    def lag(self) -> int:
        """Records that are not taken yet, as far as is known."""
        ends = {key: self._end(key) for key in self._next}
        return sum(max(0, end - self._taken_to(key)) for key, end in ends.items())

    def _end(self, key: Key) -> int:
        return int(self._consumer.get_watermark_offsets(TopicPartition(*key), cached=True)[1])

    def _taken_to(self, key: Key) -> int:
        """Behind the last record lie marks of transactions, which nobody reads."""
        return max(self._next[key], 0 if self._order.of_key[key] else self._ends.get(key, 0))

    def commit(self, records: Sequence[Record], sequence: int) -> None:
        """Writes the records, and that all that was taken is done with."""
        self._producer.begin_transaction()
        for record in records:
            self._produce(record)
        offsets = [
            TopicPartition(*key, max(offset, self.until[key]), str(sequence))
            for key, offset in self._next.items()
        ]
        group = self._consumer.consumer_group_metadata()
        send, commit = self._producer.send_offsets_to_transaction, self._producer.commit_transaction
        within(TIMEOUT_S, "recipients: send_offsets_to_transaction", send, offsets, group, TIMEOUT_S)
        within(TIMEOUT_S, "recipients: commit_transaction", commit, TIMEOUT_S)

    def _produce(self, record: Record) -> None:
        while True:
            try:
                self._producer.produce(self._advice, record.value, record.key, record.partition)
                return
            except BufferError:
                self._producer.poll(0.05)  # the queue is full: wait for acknowledgements

    def close(self) -> None:
        """What is open is given up."""
        with contextlib.suppress(KafkaException):
            self._producer.abort_transaction(2.0)
        within(TIMEOUT_S, "recipients: close of the consumer", self._consumer.close)
        del self._producer  # it has no end that is sure to return, and a collection may be long in coming
