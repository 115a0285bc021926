"""The list of recipients on a real Kafka and a real Valkey: right whatever is killed, and whatever is lost.

history --> failed-recipients, delivered-recipients --> the stage --> Valkey, retry-advice
                      it ends between merge and commit ^     ^ Valkey is flushed
"""

from __future__ import annotations

import csv
import gc
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer
from redis import Redis

from alerts.cli.recipients import recipients
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
MOST_FLUSHES = 60
NUMBERS = [f"+1202555{n:04d}" for n in range(100, 139)]
PEOPLE = [RecipientHasher(KEY)(number) for number in NUMBERS]


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
        self.second = int(time.time()) - MOST_FLUSHES
        """Receipt time of the next flush, epoch."""

    def happen(self, n: int) -> None:
        """`n` flushes of an ingest, a second each: some fail, some again, some get something."""
        for _ in range(n):
            now_s, self.second = self.second, self.second + 1
            failed = [self._failure(now_s) for _ in range(self._rng.randrange(6))]
            reached = [(self._rng.choice(PEOPLE[:20]), now_s) for _ in range(self._rng.randrange(3))]
            seen = self.plain.take(failed, reached)
            for f, s in zip(failed, seen, strict=True):
                self.told.setdefault(f.message_id, Told(s.first_s, s.attempt, s.listed))
                told = encode(msgspec.structs.replace(f, key_id=KEY_ID))
                self._write(FAILED_RECIPIENTS, told, f.recipient)
            if reached:
                hashes, seconds = zip(*reached, strict=True)
                block = packed(KEY_ID, np.array(hashes, np.uint64), np.array(seconds))
                self._write(DELIVERED_RECIPIENTS, encode(block))
            self._producer.flush()

    def forget(self, recipient: int) -> None:
        """Somebody was erased."""
        self.plain.entries.pop((recipient, True), None)
        self.plain.entries.pop((recipient, False), None)

    def _failure(self, now_s: int) -> FailedRecipient:
        message = self._message = self._message + 1
        if self._message > 4 and self._rng.random() < 0.15:
            message = self._message - self._rng.randrange(1, 4)  # once more, later
        kind = COUNTS if message % 7 else "memory_full"
        recipient = random.Random(message).choice(PEOPLE)
        return failure(recipient, now_s, message, kind, "api-sender")

    def _write(self, topic: str, value: bytes, key: str | None = None) -> None:
        self._producer.produce(self.settings.topic(topic), value, key)
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


def people_ask(site: Site, home: Path) -> None:
    """The commands, by numbers of one's own: export, check, erase, and again while Redis is empty."""
    config = home / "carrier-health.toml"
    at = site.settings
    config.write_text(
        f'kafka.bootstrap_servers = "{at.kafka.bootstrap_servers}"\n'
        f'kafka.topic_prefix = "{at.kafka.topic_prefix}"\n'
        f'redis.url = "{at.redis.url}"\n'
        f'privacy.recipient_key = "{KEY.reveal()}"\n'
    )

    def asked(*arguments: str, given: str = "") -> str:
        result = CliRunner().invoke(recipients, [*arguments, "--config", str(config)], input=given)
        assert result.exit_code == 0, result.output
        return result.stdout

    listed = sorted(site.plain.on_list(int(time.time())))
    by_hash = csv.DictReader(asked("export").splitlines())
    assert sorted(int(row["recipient"], 16) for row in by_hash) == listed
    everybody = "".join(f"{number}\n\n" for number in NUMBERS)
    lines = asked("export", "--format=json", "--numbers=-", given=everybody).splitlines()
    by_number = [json.loads(line) for line in lines]
    assert [PEOPLE[NUMBERS.index(row["number"])] for row in by_number] == [p for p in PEOPLE if p in listed]
    assert {row["failed_in_a_row"] for row in by_number} == {4}
    assert all(row["newest_failure"] >= row["oldest_failure"] for row in by_number)
    one, other = by_number[0]["number"], by_number[1]["number"]
    assert json.loads(asked("check", "--json", one))["listed"]
    asked("erase", "-", given=f"{one}\n")
    site.forget(PEOPLE[NUMBERS.index(one)])
    shown = asked("check", one, other).splitlines()
    assert shown[0].startswith(f"{one}  not on the list")
    assert shown[1].startswith(f"{other}  on the list: at least 4")
    assert "api-sender" in asked("senders")
    assert json.loads(asked("senders", "--json").splitlines()[0])["last_24h"] > 0


def threads_of_clients() -> int:
    """Threads that librdkafka has in this process; one may end while the others are counted."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            names.append(task.joinpath("comm").read_text())
    return sum(name.startswith("rdk:") for name in names)


def test_a_life_that_ends_leaves_no_client_behind(
    kafka: EmbeddedKafka, own_valkey: EmbeddedValkey, topic_prefix: str
) -> None:
    """Else an hour without Redis would use up all the files that a process may open."""
    site = Site(kafka, own_valkey, topic_prefix)
    gc.collect()
    gc.disable()  # nobody knows when it comes
    try:
        with running(site, Mortal(0)) as (_, readiness, _), Redis.from_url(own_valkey.url) as redis:
            until(lambda: readiness.ready)
            before = threads_of_clients()
            for _ in range(3):
                redis.flushall()
                until(lambda: not readiness.ready)
                until(lambda: readiness.ready)
            until(lambda: threads_of_clients() <= before)
    finally:
        gc.enable()


def test_the_list_and_each_advice_are_right_whatever_ends_and_whatever_is_lost(
    kafka: EmbeddedKafka, own_valkey: EmbeddedValkey, topic_prefix: str, tmp_path: Path
) -> None:
    site = Site(kafka, own_valkey, topic_prefix)
    store = RecipientStore(RedisSettings(url=own_valkey.url), KEY_ID, site.settings.recipients)

    def is_right() -> bool:
        now_s = int(time.time())
        known = {r: e.failures for (r, counts), e in site.plain.entries.items() if counts}
        kept = {r: e.failures for r, e in store.entries()}
        return kept == known and {r for r, _ in store.on_list(now_s)} == site.plain.on_list(now_s)

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
        people_ask(site, tmp_path)
        until(lambda: readiness.ready and is_right())
        with Redis.from_url(own_valkey.url) as redis:
            redis.flushall()
        until(lambda: not readiness.ready)
        until(lambda: readiness.ready and is_right())
        until(lambda: metrics.recipients_lag_records._value.get() == 0)
        assert metrics.recipients_rebuilding._value.get() == 0
    advice = site.advice()
    assert dict(advice).keys() == site.told.keys()
    assert [message for message, told in advice if told != site.told[message]] == []
