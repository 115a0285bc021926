"""Writes emissions: to the real topic, in scaled time or as fast as it goes, or to a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.errors import MonitorError, Unreachable
from streams.simulate.traffic import Emission

TICK_S = 0.1
TICK_RECORDS = 500
TRANSACTION_TIMEOUT_S = 10
LINGER_MS = 100
"""A client sends a request for each partition: with less than this each record of slow traffic is one."""
_SILENCE = (KafkaError._MSG_TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)


class Sink(Protocol):
    """Where emissions go. `tick` does what is due even when no record comes."""

    def write(self, emission: Emission) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


class Progress(NamedTuple):
    """How far a feed is: records written, and the time of writing of the last one."""

    records: int
    at_ms: int


class Feeder:
    """A Kafka producer for emissions. Keys decide the partition, unless `partition_of` does.

    With a `transactional_id` the records go out in transactions, one every `commit_every_s`.
    Raises Unreachable when the broker does not answer in time, MonitorError when it refuses a record.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        transactional_id: str | None = None,
        commit_every_s: float = 1.0,
        partition_of: Callable[[Emission], int] | None = None,
        timeout_s: float = 30.0,
        large_bytes: int = 12_000_000,
        clock: Callable[[], float] = time.monotonic,
        access: Mapping[str, Any] | None = None,
    ) -> None:
        """`access` is what librdkafka has to know of TLS and SASL."""
        self._address, self._topic, self._timeout_s = bootstrap_servers, topic, timeout_s
        self._partition_of, self._clock = partition_of, clock
        self._commit_every_s = commit_every_s if transactional_id else None
        self._failure: KafkaError | None = None
        settings = _settings(bootstrap_servers, transactional_id, timeout_s, large_bytes)
        self._producer = Producer(settings | dict(access or {}))
        if transactional_id:
            self._guard(lambda: self._producer.init_transactions(timeout_s))
            self._guard(self._producer.begin_transaction)
        self._committed_at = clock()

    def write(self, emission: Emission) -> None:
        while True:
            try:
                return self._produce(emission)
            except BufferError:  # the queue is full: let it drain, then try again
                self._producer.poll(TICK_S)
                self._check()

    def tick(self) -> None:
        """Serves delivery reports, and commits when a transaction's time has come."""
        self._producer.poll(0)
        self._check()
        if self._commit_every_s is not None and self._clock() - self._committed_at >= self._commit_every_s:
            self._commit()
            self._guard(self._producer.begin_transaction)

    def close(self) -> None:
        """Waits until the broker has acknowledged everything."""
        if self._commit_every_s is not None:
            self._commit()
        left = self._producer.flush(self._timeout_s)
        self._check()
        if left:
            raise Unreachable(
                "Kafka", self._address, f"{left} records to {self._topic} were not acknowledged"
            )

    def _produce(self, emission: Emission) -> None:
        partition = -1 if self._partition_of is None else self._partition_of(emission)
        self._producer.produce(
            self._topic,
            emission.value,
            emission.key,
            partition,
            on_delivery=self._delivered,
            timestamp=emission.timestamp_ms,
            headers=emission.headers,  # type: ignore[arg-type]  # the stub's list is invariant
        )

    def _commit(self) -> None:
        self._guard(lambda: self._producer.commit_transaction(self._timeout_s))
        self._committed_at = self._clock()

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except KafkaException as e:
            raise Unreachable("Kafka", self._address, str(e.args[0])) from None

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._failure = self._failure or error

    def _check(self) -> None:
        if self._failure is None:
            return
        if self._failure.code() in _SILENCE:
            raise Unreachable("Kafka", self._address, f"writing to {self._topic}: {self._failure.str()}")
        why = self._failure.str()
        raise MonitorError(f"Kafka at {self._address} refused a record for {self._topic}: {why}")


def _settings(
    bootstrap_servers: str, transactional_id: str | None, timeout_s: float, large_bytes: int
) -> dict[str, str | int | float | bool]:
    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap_servers,
        "partitioner": "murmur2_random",
        "linger.ms": LINGER_MS,
        "acks": "all",
        "compression.type": "lz4",
        "message.max.bytes": large_bytes,
        "message.timeout.ms": int(timeout_s * 1000),
        "topic.metadata.propagation.max.ms": int(min(10.0, timeout_s / 3) * 1000),
        "queue.buffering.max.messages": 200_000,
    }
    if transactional_id:
        settings["transactional.id"] = transactional_id
        settings["transaction.timeout.ms"] = TRANSACTION_TIMEOUT_S * 1000
        settings["message.timeout.ms"] = min(int(timeout_s * 1000), TRANSACTION_TIMEOUT_S * 1000)
    else:
        settings["enable.idempotence"] = True  # retries must not change the order within a key
    return settings


class Pacer:
    """Holds emissions back until their time. `now_ms` is the event clock, `speed` how fast it runs."""

    def __init__(
        self, now_ms: Callable[[], float], speed: float = 1.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._now_ms, self._speed, self._sleep = now_ms, speed, sleep

    def wait(self, at_ms: int, meanwhile: Callable[[], None]) -> None:
        """Returns at `at_ms`; calls `meanwhile` about ten times a second (wall time) until then."""
        while (left_s := (at_ms - self._now_ms()) / 1000 / self._speed) > 0:
            self._sleep(min(left_s, TICK_S))
            meanwhile()


class Limiter:
    """Holds back what goes faster than `records_per_s` (wall time, from the first record on)."""

    def __init__(
        self,
        records_per_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = records_per_s, clock, sleep
        self._start: float | None = None
        self._passed = 0

    def wait(self, at_ms: int, meanwhile: Callable[[], None]) -> None:
        self._start = self._clock() if self._start is None else self._start
        due_s = self._start + self._passed / self._rate
        self._passed += 1
        while (left_s := due_s - self._clock()) > 0:
            self._sleep(min(left_s, TICK_S))
            meanwhile()


class Pace(Protocol):
    def wait(self, at_ms: int, meanwhile: Callable[[], None]) -> None: ...


def feed(
    emissions: Iterable[Emission],
    sink: Sink,
    pace: Pace | None = None,
    progress: Callable[[Progress], None] | None = None,
    every_s: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    keep_going: Callable[[], bool] = lambda: True,
) -> Progress:
    """Writes all emissions, at their pace or as fast as it goes, and closes the sink.

    `progress` is called every `every_s` seconds of `clock`. Ends early once `keep_going` says no.
    """
    done, shown, last = 0, clock(), Progress(0, 0)
    try:
        for emission in emissions:
            if pace is not None:
                pace.wait(emission.at_ms, sink.tick)
            sink.write(emission)
            done += 1
            last = Progress(done, emission.at_ms)
            if done % TICK_RECORDS == 0:
                sink.tick()
            if progress is not None and clock() - shown >= every_s:
                shown = clock()
                progress(last)
            if not keep_going():
                break
    finally:
        sink.close()
    return last
