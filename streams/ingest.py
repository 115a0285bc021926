"""The ingest role: a librdkafka loop that reads outcomes and writes one transaction a second.

    consume -> intake (pure) -> every flush interval: partial + offsets + dead letters, committed

What was read but not committed when the process ends is read again by its successor.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, TopicPartition

from streams.assembly import assemble
from streams.batch import Batch
from streams.clock import WallClock
from streams.consumer import Timestamps, consumer_config
from streams.dedupe import SeenIds
from streams.errors import Fenced, MonitorError
from streams.kafka_trouble import is_fatal
from streams.overdue import renew_watch
from streams.pace import Pace
from streams.partition import PartitionIntake, where_to_start
from streams.poison import Limit, Recent, judge
from streams.rights import of_ingest, sources
from streams.settings import Settings
from streams.topic_facts import TopicFacts
from streams.transaction import Transactions, partials
from streams.watch import EndWatch

log = logging.getLogger("streams.ingest")

GC_EVERY_FLUSHES = 300
_COMMIT_TIMEOUT_S = 10.0
_CONSUME_SLICE_S = 0.1
STILL_S = 5.0
"""So long the loop may wait for Kafka before `/readyz` says so."""
STUCK_S = 60.0
"""So long the work between two flushes may take, or the end. No call to Kafka takes so long; a commit that is
tried again and again may, and a new start loses nothing then either."""


class Ingest:
    """One ingest instance. `run` returns after `stop`; raises MonitorError when it must start anew."""

    def __init__(self, settings: Settings, metrics: Any, readiness: Any) -> None:
        self._settings = settings
        self._metrics = metrics
        self._ready = readiness
        self._clock = WallClock(settings.clock)
        self._intake, self._lookups = assemble(settings, metrics)
        self._bound = {s.topic: s.name for s in settings.sources if s.topic}
        self._topics = list(sources(settings))
        self._parts: dict[tuple[str, int], PartitionIntake] = {}
        self._given_up: dict[tuple[str, int], PartitionIntake] = {}
        """As they were at the revocation, their last flush committed; a rebalance mostly gives them back."""
        self._stopping = False
        self._flushes = 0
        self._failure: MonitorError | None = None

    def stop(self) -> None:
        """Asks the loop to finish its transaction and return; safe from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        self._facts = TopicFacts(self._settings, self._topics, of_ingest(self._settings))
        self._facts.wait_until_reached(self._ready, lambda: self._stopping)
        if self._stopping:
            return
        self._transactions = Transactions(self._settings)
        self._transactions.begin_life()
        self._ends = EndWatch(self._settings, self._clock)
        self._pace = Pace(self._settings)
        self._consumer = Consumer(consumer_config(self._settings))
        self._consumer.subscribe(
            self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        self._ready.set("partitions", False, "no partition is assigned yet")
        if self._lookups:
            self._lookups.start()
        gc.collect()
        gc.freeze()
        gc.disable()  # what the hot path makes is freed by counting; see GC_EVERY_FLUSHES
        try:
            self._loop()
        finally:
            self._close()

    def _loop(self) -> None:
        interval_s = self._clock.wall_s(self._settings.ingest.flush_interval_s)
        next_flush = time.monotonic() + interval_s
        renew_watch(interval_s + STUCK_S)
        while not self._stopping:
            self._ready.renew("progress", STILL_S)
            left = next_flush - time.monotonic()
            self._read(max(0.0, min(left, _CONSUME_SLICE_S)))
            if self._failure:
                raise self._failure
            if time.monotonic() >= next_flush:
                self._flush()
                next_flush = max(next_flush + interval_s, time.monotonic())
                renew_watch(interval_s + STUCK_S)
        self._flush()

    def _read(self, timeout_s: float) -> None:
        messages = self._consumer.consume(self._settings.ingest.batch_records, timeout_s)
        errors = [m.error() for m in messages]
        if any(errors):
            for message, error in zip(messages, errors, strict=True):
                if error:
                    self._on_error(message, error)
            messages = [m for m, e in zip(messages, errors, strict=True) if not e]
        if messages:
            self._take(messages)

    def _take(self, messages: list[Any]) -> None:
        """Hands the batch to the intake, one topic binding at a time."""
        if not self._bound:
            self._take_bound(messages, "")
            return
        for topic in sorted({m.topic() for m in messages}):
            self._take_bound([m for m in messages if m.topic() == topic], self._bound.get(topic, ""))

    def _take_bound(self, messages: list[Any], source: str) -> None:
        owned = list(self._parts.values())
        topic = messages[0].topic()
        index = {number: i for i, (name, number) in enumerate(self._parts) if name == topic}
        numbers = [index.get(m.partition(), -1) for m in messages]
        if -1 in numbers:  # revoked between the fetch and now: its new owner reads them
            messages = [m for m, n in zip(messages, numbers, strict=True) if n >= 0]
            numbers = [n for n in numbers if n >= 0]
            if not messages:
                return
        batch = Batch(
            np.array(numbers),
            np.array([m.offset() for m in messages]),
            Timestamps(messages),
            [m.headers() for m in messages],
            [m.value() for m in messages],
            lambda i: messages[i].key(),
            source,
        )
        self._intake.take(batch, owned, self._clock.now_ms())

    # -- once a flush --------------------------------------------------------------------------

    def _flush(self) -> None:
        if not self._parts:
            return
        self._judge_poison()
        self._advance_clocks()
        ranges = [p.covered for p in self._parts.values()]
        cells = self._intake.fold.cells(self._intake.keys)
        written = partials(
            self._settings.ingest.instance, self._clock.now_ms(), self._facts.source_set, ranges, cells
        )
        offsets = [p.offset(self._settings.ingest.dedupe_horizon_s) for p in self._parts.values()]
        group = self._consumer.consumer_group_metadata()
        whom = self._intake.failed, self._intake.delivered.records()
        self._transactions.write(written, *whom, self._intake.dead, offsets, group)
        self._count_received()
        self._begin_anew()
        self._pace.keep(self._consumer, self._parts)
        self._housekeep()

    def _advance_clocks(self) -> None:
        for key, at_ms in self._ends.reached(self._parts).items():
            part = self._parts[key]
            if key not in self._pace.paused:
                part.clock_ms = max(part.clock_ms or 0, at_ms)
        self._ends.ask(self._parts)

    def _judge_poison(self) -> None:
        """Raises Poisoned while nothing of this flush is committed."""
        parts, ingest = self._parts.values(), self._settings.ingest
        for part in parts:
            part.recent.add(time.monotonic(), part.tally)
        limit = Limit(ingest.poison_ratio, ingest.poison_min_records)
        judge(limit, [p.tally for p in parts], [p.recent for p in parts], self._intake.dead)

    def _begin_anew(self) -> None:
        for part in self._parts.values():
            part.begin_anew()
        self._intake.begin_anew()

    def _count_received(self) -> None:
        for source, n in self._intake.received.items():
            self._metrics.records_received_total.labels(source or "unknown").inc(n)
        self._intake.received.clear()
        for (source, result), n in self._intake.checked.items():
            self._metrics.carrier_checks_total.labels(source, result).inc(n)
        self._intake.checked.clear()

    def _housekeep(self) -> None:
        self._flushes += 1
        for (_, number), part in self._parts.items():
            horizon = part.seen.horizon_in_force_s((part.clock_ms or 0) // 1000)
            self._metrics.dedupe_horizon_seconds.labels(str(number)).set(horizon)
        lags = Counter[int]()
        for (_, number), lag in self._ends.lag(self._parts).items():
            lags[number] += lag
        for number, lag in lags.items():
            self._metrics.consumer_lag_records.set(("ingest", str(number)), lag)
        if self._flushes % GC_EVERY_FLUSHES == 0:
            gc.collect()

    # -- partitions come and go ----------------------------------------------------------------

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        committed = consumer.committed(partitions, _COMMIT_TIMEOUT_S)
        starts = []
        for tp in committed:
            low, _ = consumer.get_watermark_offsets(TopicPartition(tp.topic, tp.partition), _COMMIT_TIMEOUT_S)
            start, replay = where_to_start(tp, low)
            known = self._given_up.get((tp.topic, tp.partition))
            if known is not None and known.start == start and known.remembers:  # nobody else has read since
                replay = start
            else:
                known = self._new_part(tp, start, replay)
            self._parts[(tp.topic, tp.partition)] = known
            starts.append(TopicPartition(tp.topic, tp.partition, replay))
        self._given_up.clear()
        consumer.assign(starts)
        log.info("assigned %s", [f"{p.topic}-{p.partition} from {p.offset}" for p in starts])
        self._ready.set("partitions", bool(self._parts), "" if self._parts else "stands by: no partition")

    def _new_part(self, tp: TopicPartition, start: int, replay: int) -> PartitionIntake:
        ingest = self._settings.ingest
        share = max(ingest.dedupe_max_ids // max(len(self._facts.partitions), 1), 1_000)
        seen = SeenIds(ingest.dedupe_horizon_s, share)
        topic_id = self._facts.topic_id(tp.topic)
        return PartitionIntake(
            tp.topic,
            topic_id,
            tp.partition,
            start,
            seen,
            start,
            read_to=max(replay, 0),
            inherited=max(replay, 0),
            recent=Recent.of(tp.metadata),
        )

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._flush()  # the generation still holds: what was read is committed, then given away
        self._drop(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        names = [f"{p.topic}-{p.partition}" for p in partitions]
        self._failure = Fenced(f"partitions {names} belong to another instance now; starting anew")

    def _drop(self, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            part = self._parts.pop((tp.topic, tp.partition), None)
            if part is not None:
                self._given_up[tp.topic, tp.partition] = part
                self._metrics.consumer_lag_records.remove(("ingest", str(tp.partition)))
        self._ready.set("partitions", bool(self._parts), "" if self._parts else "stands by: no partition")

    def _on_error(self, message: Any, error: KafkaError) -> None:
        key = (message.topic(), message.partition())
        if error.code() == KafkaError._PARTITION_EOF:
            part = self._parts.get(key)
            if part:
                part.read_to = max(part.read_to, message.offset())
                part.end = max(part.end, message.offset())
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise Fenced(
                f"{key[0]}-{key[1]}: the records to read next are gone ({error.str()}); starting anew"
            )
        elif is_fatal(error):
            raise Fenced(f"the consumer ended: {error.str()}")
        else:
            log.warning("Kafka at %s: %s", self._settings.kafka.bootstrap_servers, error.str())

    def _close(self) -> None:
        """The consumers are not closed: it tells the group nothing of a static member, and when the share has
        been lost it may hang and hold up all of Python: the callback (confluent_kafka 2.16) asks for the
        rebalance protocol, and the thread of librdkafka that would answer has ended."""
        self._ready.set("partitions", False, "the process is stopping")
        if self._lookups:
            self._lookups.stop()
        self._transactions.abort()  # else the offsets stay in doubt, for us and for who comes next
