"""Writes the traffic of the fault test: most of it plainly, one lane in transactions.

A broker that is killed while one is committed does not end the writer: it asks again, or aborts and writes
the same once more, so that what is noted of a lane is what comes to be committed.
"""

from __future__ import annotations

import random
import time

from confluent_kafka import KafkaException, Producer

from streams.simulate import encode
from streams.simulate.encode import Headers
from tests.faults.traffic import Lane, Planned

COMMIT_EVERY_S = 1.0
ABORTED_SHARE = 0.3


class Writer:
    """Writes lanes to the topic; the transactional one through a producer of its own."""

    def __init__(self, bootstrap_servers: str, topic: str, seed: int) -> None:
        self._topic, self._rng = topic, random.Random(seed)
        self._servers = bootstrap_servers
        self._plain = Producer(_settings(bootstrap_servers))
        self._careful = self._user()
        self._careful.begin_transaction()
        self._committed_at = time.monotonic()
        self._uncommitted: list[tuple[bytes, bytes, int, Headers]] = []
        self.aborted = 0
        self._decoys = 0
        self._lost: Producer | None = None

    def _user(self) -> Producer:
        """The one in transactions; what a former one left open is aborted."""
        user = Producer(_settings(self._servers) | {"transactional.id": "a-user-of-ours"})
        user.init_transactions(60)
        return user

    def write(self, planned: Planned) -> None:
        truth = planned.truth
        producer = self._careful if planned.lane == Lane.TRANSACTIONAL else self._plain
        key, value, headers = truth.message_id.encode(), encode.value(truth, 20_000), encode.headers(truth)
        if producer is self._careful:
            self._uncommitted.append((value, key, planned.lane, headers))
        self._produce(producer, value, key, planned.lane, headers)

    def _produce(self, producer: Producer, value: bytes, key: bytes, lane: int, headers: Headers) -> None:
        while True:
            try:
                producer.produce(self._topic, value, key, lane, headers=headers)
                return
            except BufferError:
                producer.poll(0.05)

    def _commit(self) -> None:
        """As a careful user does it: asks again, and writes again what had to be aborted."""
        while True:
            try:
                self._careful.commit_transaction(30)
                self._uncommitted.clear()
                return
            except KafkaException as e:
                if e.args[0].txn_requires_abort():
                    self._abort()
                    self._careful.begin_transaction()
                    for one in self._uncommitted:
                        self._produce(self._careful, *one)
                elif not e.args[0].retriable():
                    raise

    def _abort(self) -> None:
        """A broker that was slower than the transaction may live has aborted it, and fences whoever asks for
        it: then a new one goes on."""
        while True:
            try:
                self._careful.abort_transaction(30)
                return
            except KafkaException as e:
                if e.args[0].fatal():
                    self._careful = self._user()
                    return
                if not e.args[0].retriable():
                    raise

    def tick(self) -> None:
        self._plain.poll(0)
        self._careful.poll(0)
        if time.monotonic() - self._committed_at >= COMMIT_EVERY_S:
            self._commit()
            self._careful.begin_transaction()
            if self._rng.random() < ABORTED_SHARE:
                self._abort_one()
            self._committed_at = time.monotonic()

    def _abort_one(self) -> None:
        """Good records that nobody may ever count."""
        self._write_decoys(self._careful)
        self._careful.flush(30)
        self._abort()
        self._careful.begin_transaction()
        self.aborted += 1

    def leave_one_open(self) -> None:
        """A producer that dies in its transaction: the broker ends it five seconds later."""
        lost = Producer(
            _settings(self._servers) | {"transactional.id": "a-user-who-died", "transaction.timeout.ms": 5000}
        )
        lost.init_transactions(30)
        lost.begin_transaction()
        self._write_decoys(lost)
        lost.flush(30)
        self.aborted += 1
        self._lost = lost  # never committed, never closed in order

    def _write_decoys(self, producer: Producer) -> None:
        now_ms = int(time.time() * 1000)
        for _ in range(20):
            self._decoys += 1
            name = f"decoy-{self._decoys}"
            value = f'{{"message_id":"{name}","status":"delivered","provider_time_ms":{now_ms}}}'
            headers = [("source", b"router"), ("received_ms", b"%d" % now_ms)]
            producer.produce(
                self._topic, value.encode(), name.encode(), int(Lane.TRANSACTIONAL), headers=headers
            )

    def close(self) -> None:
        self._commit()
        assert self._plain.flush(60) == 0


def _settings(bootstrap_servers: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "enable.idempotence": True,
        "linger.ms": 20,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 400_000,
    }
