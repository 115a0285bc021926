"""The list of recipients on a real Kafka and a real Valkey: right whatever is killed, and whatever is lost.

history --> failed-recipients, delivered-recipients --> the stage --> Valkey, retry-advice
                      it ends between merge and commit ^     ^ Valkey is flushed
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest
from confluent_kafka import Consumer, Producer
from redis import Redis

from alerts.recipients.entry import Seen
from alerts.recipients.log import Record
from alerts.recipients.stage import RecipientStage
from alerts.recipients.store import RecipientStore
from alerts.settings import Alerts, Settings
from streams.deliveries import packed
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.http import Readiness
from streams.metrics import Metrics, Role
from streams.privacy import RecipientHasher
from streams.records import FailedRecipient, encode
from streams.settings import Kafka, Privacy, Secret
from streams.settings import Redis as RedisSettings
from streams.topic_admin import TopicAdmin
from streams.topics import DELIVERED_RECIPIENTS, FAILED_RECIPIENTS, RETRY_ADVICE
from tests.alerts.recipients.plain import COUNTS, PlainStore, failure

KEY = Secret("k" * 32)
KEY_ID = RecipientHasher(KEY).key_id
PATIENCE_S = 60.0
PEOPLE = [(n << 17) + n % 3 for n in range(1, 40)]


class Told(msgspec.Struct, frozen=True):
    """What the test's own advice says: all that must never change."""

    first_s: int
    attempt: int
    listed: bool


class Mortal:
    """Advice that ends the life of the stage at its `dies_at`th batch, after Redis and before Kafka."""

    def __init__(self, dies_at: int) -> None:
        self._left = dies_at

    def __call__(self, failed: Sequence[FailedRecipient], seen: Sequence[Seen]) -> list[Record]:
        if failed:
            self._left -= 1
            if self._left == 0:
                raise RuntimeError("killed")
        return [
            Record(f.message_id.encode(), encode(Told(s.first_s, s.attempt, s.listed)))
            for f, s in zip(failed, seen, strict=True)
        ]


class Site:
    """The topics, their history, and the straightforward calculation of it."""

    def __init__(self, kafka: EmbeddedKafka, valkey: EmbeddedValkey, prefix: str) -> None:
        self.settings = Settings(
            kafka=Kafka(kafka.bootstrap_servers, prefix, 1),
            redis=RedisSettings(valkey.url),
            privacy=Privacy(KEY),
            alerts=Alerts(group=f"{prefix}alerts"),
        )
        admin = TopicAdmin(self.settings)
        admin.apply()
        admin.close()
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        self._rng = random.Random(7)
        self.plain = PlainStore()
        self.told: dict[str, Told] = {}
        self._message = 0

    def happen(self, n: int) -> None:
        """`n` flushes of an ingest: some fail, some again, some get something."""
        for _ in range(n):
            now_s = int(time.time())
            failed = [self._failure(now_s) for _ in range(self._rng.randrange(6))]
            reached = [(self._rng.choice(PEOPLE[:20]), now_s - 1) for _ in range(self._rng.randrange(3))]
            seen = self.plain.take(failed, reached)
            for f, s in zip(failed, seen, strict=True):
                self.told.setdefault(f.message_id, Told(s.first_s, s.attempt, s.listed))
                self._write(FAILED_RECIPIENTS, encode(msgspec.structs.replace(f, key_id=KEY_ID)))
            if reached:
                hashes, seconds = zip(*reached, strict=True)
                block = packed(KEY_ID, np.array(hashes, np.uint64), np.array(seconds))
                self._write(DELIVERED_RECIPIENTS, encode(block))
            self._producer.flush()

    def erase(self, recipients: Sequence[int]) -> None:
        """As people ask for it."""
        hashes, now = np.array(recipients, np.uint64), np.full(len(recipients), int(time.time()))
        self._write(DELIVERED_RECIPIENTS, encode(packed(KEY_ID, hashes, now, forget=True)))
        self._producer.flush()
        for r in recipients:
            self.plain.entries.pop((r, True), None)
            self.plain.entries.pop((r, False), None)

    def _failure(self, now_s: int) -> FailedRecipient:
        message = self._message = self._message + 1
        if self._message > 4 and self._rng.random() < 0.15:
            message = self._message - self._rng.randrange(1, 4)  # once more, later
        kind = COUNTS if message % 7 else "memory_full"
        recipient = random.Random(message).choice(PEOPLE)
        return failure(recipient, now_s, message, kind)

    def _write(self, topic: str, value: bytes) -> None:
        self._producer.produce(self.settings.topic(topic), value)
        self._producer.poll(0)

    def advice(self) -> list[tuple[str, Told]]:
        """All that is committed, to the end."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "group.id": "reader",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        consumer.subscribe([self.settings.topic(RETRY_ADVICE)])
        found, ends = [], 0
        while ends < 12:
            for message in consumer.consume(500, 1.0):
                if message.error():
                    ends += 1
                else:
                    told = msgspec.json.decode(message.value() or b"", type=Told)
                    found.append(((message.key() or b"").decode(), told))
        consumer.close()
        return found


@contextmanager
def running(site: Site, advise: Mortal) -> Iterator[tuple[RecipientStage, Readiness, Metrics]]:
    readiness, metrics = Readiness(), Metrics(Role.ALERTS)
    stage = RecipientStage(site.settings, metrics, readiness, advise)
    stage.start()
    try:
        yield stage, readiness, metrics
    finally:
        stage.stop()
    assert threading.active_count() < 50


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """To be flushed."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


def test_the_list_and_each_advice_are_right_whatever_ends_and_whatever_is_lost(
    kafka: EmbeddedKafka, own_valkey: EmbeddedValkey, topic_prefix: str
) -> None:
    site = Site(kafka, own_valkey, topic_prefix)
    store = RecipientStore(own_valkey.url, KEY_ID, site.settings.recipients)

    def is_right() -> bool:
        now_s = int(time.time())
        known = {r: e.failures for (r, counts), e in site.plain.entries.items() if counts}
        kept = {r: e.failures for r, e in store.entries()}
        same = known.keys() == kept.keys() and all(
            [f[:3] for f in kept[r]] == [f[:3] for f in known[r]] for r in known
        )
        return same and {r for r, _ in store.on_list(now_s)} == site.plain.on_list(now_s)

    site.happen(20)
    with running(site, Mortal(2)) as (_, readiness, metrics):
        until(lambda: readiness.ready and is_right())
        site.happen(20)
        until(is_right)
        assert site.plain.on_list(int(time.time()))
    with running(site, Mortal(1)) as (_, readiness, metrics):  # another owner; killed at its first batch
        site.happen(10)
        until(lambda: readiness.ready and is_right())
        with Redis.from_url(own_valkey.url) as redis:
            redis.flushall()
        until(lambda: not readiness.ready)
        assert "recipients" in readiness.reasons[0]
        site.happen(5)
        until(lambda: readiness.ready and is_right())
        gone = sorted(site.plain.on_list(int(time.time())))[:1]
        site.erase(gone)
        until(lambda: readiness.ready and is_right())
        with Redis.from_url(own_valkey.url) as redis:
            redis.flushall()
        until(lambda: not readiness.ready)
        until(lambda: readiness.ready and is_right())
        assert metrics.recipients_lag_records._value.get() == 0
        assert metrics.recipients_rebuilding._value.get() == 0
    advice = site.advice()
    assert dict(advice).keys() == site.told.keys()
    assert all(told.first_s == site.told[message].first_s for message, told in advice)
    by_message: dict[str, set[Told]] = {}
    for message, told in advice:
        by_message.setdefault(message, set()).add(told)
    assert [m for m, contents in by_message.items() if len(contents) > 1] == []
