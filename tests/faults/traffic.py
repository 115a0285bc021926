"""The traffic of the fault test: the simulator's records on eight lanes, each with its own trouble.

    lane (= partition)   what is wrong with it
    0, 1, 2, 4           nothing but what the scenario brings: repeats, garbage, disorder, late ones
    3  STARVED           a record now and then, silence between
    5  BEHIND            its producer stamps receipts five minutes behind
    6  FAST              its producer's clock is 30 s ahead: counted as now
    7  TRANSACTIONAL     written in transactions, some of them aborted, one left to time out

What each record must become is noted in the lane's ledger before it is encoded. A message stays on
its lane, whatever happens to it.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum

import msgspec
from confluent_kafka import Producer

from streams.simulate import encode
from streams.simulate.ledger import Ledger, series_of
from streams.simulate.parts import Incident, Scenario, covers
from streams.simulate.traffic import truths
from streams.simulate.truth import SMPP, Kind, Truth

PARTITIONS = 8
BEHIND_MS, FAST_MS = 300_000, 30_000
STARVED_EVERY_S = 25
COMMIT_EVERY_S = 1.0
ABORTED_SHARE = 0.3
LATE_FEED_MS = 500
"""A test machine that is behind its own schedule by more stamps the receipt as it really is."""


class Lane(IntEnum):
    STARVED = 3
    BEHIND = 5
    FAST = 6
    TRANSACTIONAL = 7


REGION = {Lane.BEHIND: "lane-behind", Lane.FAST: "lane-fast"}
PLAIN = (0, 1, 2, 4)


class Planned(msgspec.Struct, frozen=True):
    """One record with its lane, before it is stamped and encoded."""

    lane: int
    truth: Truth


class Plan:
    """The scenario's records in order of writing, each on its lane."""

    def __init__(self, scenario: Scenario, seed: int, start_ms: int, records_per_s: float) -> None:
        self._scenario, self._seed, self._start_ms = scenario, seed, start_ms
        self._starved_of = max(1, int(records_per_s * STARVED_EVERY_S))

    def __iter__(self) -> Iterator[Planned]:
        for truth in truths(self._scenario, self._seed, self._start_ms):
            lane = self._lane(truth)
            yield Planned(lane, _on_lane(truth, lane))

    def _lane(self, truth: Truth) -> int:
        number = zlib.crc32(truth.message_id.encode())
        if number % self._starved_of == 0:
            return Lane.STARVED
        share = number // 7 % 1000
        if share < 80 and self._may_be_relabelled(truth):
            return Lane.BEHIND if share < 40 else Lane.FAST
        return Lane.TRANSACTIONAL if share < 200 else PLAIN[share % len(PLAIN)]

    def _may_be_relabelled(self, truth: Truth) -> bool:
        """Lanes with a region of their own must not take part of an incident elsewhere."""
        leaf = truth.leaf
        bare = truth.as_text and leaf.format == SMPP
        struck = any(_strikes(i, truth) for i in self._scenario.incidents)
        return leaf.region_label and leaf.carrier_label and not bare and not struck


def _strikes(incident: Incident, truth: Truth) -> bool:
    return covers(incident, truth.leaf.carrier, truth.leaf.region)


def _on_lane(truth: Truth, lane: int) -> Truth:
    """LATE records are counted here: whether they come too late is what the windows decide."""
    kind = Kind.MESSAGE if truth.kind is Kind.LATE else truth.kind
    if lane not in REGION:
        return msgspec.structs.replace(truth, kind=kind)
    leaf = msgspec.structs.replace(truth.leaf, region=REGION[Lane(lane)])
    shift_ms = 0 if kind is Kind.FUTURE else FAST_MS if lane == Lane.FAST else -BEHIND_MS
    times = {name: getattr(truth, name) + shift_ms for name in ("received_ms", "sent_ms", "provider_ms")}
    return msgspec.structs.replace(truth, kind=kind, leaf=leaf, **times)


class Truths:
    """What was written, lane by lane."""

    def __init__(self, start_ms: int) -> None:
        self.lanes = [Ledger(f"lane {i}", 0, start_ms) for i in range(PARTITIONS)]
        self.failed: Counter[str] = Counter()
        """Message ids of counted failed finals that name a number."""
        self.newest_ms = 0

    def note(self, planned: Planned) -> None:
        truth = planned.truth
        result = self.lanes[planned.lane].note(truth)
        bare = truth.as_text and truth.leaf.format == SMPP
        if result == "counted":
            self.newest_ms = max(self.newest_ms, truth.received_ms)
            if series_of(truth).outcome_class != "delivered" and not bare:
                self.failed[truth.message_id] += 1

    @property
    def records(self) -> int:
        return sum(ledger.records for ledger in self.lanes)

    def sums(self) -> Counter[tuple[str, str, str, int]]:
        """Counted finals per (carrier, region, class, bucket); bucket 0 on the lane that counts as now."""
        sums: Counter[tuple[str, str, str, int]] = Counter()
        for ledger in self.lanes:
            for (carrier, region, outcome_class, bucket_s), n in ledger.by_series().items():
                sums[carrier, region, outcome_class, 0 if region == REGION[Lane.FAST] else bucket_s] += n
        return sums


class Writer:
    """Writes lanes to the topic; the transactional one through a producer of its own."""

    def __init__(self, bootstrap_servers: str, topic: str, seed: int) -> None:
        self._topic, self._rng = topic, random.Random(seed)
        self._servers = bootstrap_servers
        self._plain = Producer(_settings(bootstrap_servers))
        self._careful = Producer(_settings(bootstrap_servers) | {"transactional.id": "a-user-of-ours"})
        self._careful.init_transactions(30)
        self._careful.begin_transaction()
        self._committed_at = time.monotonic()
        self.aborted = 0
        self._decoys = 0
        self._lost: Producer | None = None

    def write(self, planned: Planned) -> None:
        truth = planned.truth
        producer = self._careful if planned.lane == Lane.TRANSACTIONAL else self._plain
        key, value, headers = truth.message_id.encode(), encode.value(truth, 20_000), encode.headers(truth)
        while True:
            try:
                producer.produce(self._topic, value, key, planned.lane, headers=headers)
                return
            except BufferError:
                producer.poll(0.05)

    def tick(self) -> None:
        self._plain.poll(0)
        self._careful.poll(0)
        if time.monotonic() - self._committed_at >= COMMIT_EVERY_S:
            self._careful.commit_transaction(30)
            self._careful.begin_transaction()
            if self._rng.random() < ABORTED_SHARE:
                self._abort_one()
            self._committed_at = time.monotonic()

    def _abort_one(self) -> None:
        """Good records that nobody may ever count."""
        self._write_decoys(self._careful)
        self._careful.flush(30)
        self._careful.abort_transaction(30)
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
        self._careful.commit_transaction(30)
        assert self._plain.flush(60) == 0


def _settings(bootstrap_servers: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "enable.idempotence": True,
        "linger.ms": 20,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 400_000,
    }


class Feeder:
    """Writes a plan: what lies before now as fast as it goes, the rest when its time has come."""

    def __init__(self, plan: Plan, writer: Writer, start_ms: int) -> None:
        self._planned, self._writer = iter(plan), writer
        self.truths = Truths(start_ms)
        self.died_in_transaction = False
        self._next: Planned | None = None
        self._since_tick = 0
        self._thread = threading.Thread(target=self._feed_live, name="feed", daemon=True)
        self.error: BaseException | None = None

    def write_until(self, until_ms: int) -> None:
        """Everything due before `until_ms`, at once."""
        written = 0
        while (planned := self._next or next(self._planned, None)) is not None:
            self._next = planned
            if planned.truth.at_ms >= until_ms:
                return
            self._next = None
            self._write(planned)
            written += 1
            if written % 500 == 0:
                self._writer.tick()

    def start(self) -> None:
        self._thread.start()

    @property
    def feeding(self) -> bool:
        return self._thread.is_alive()

    def leave_one_open(self) -> None:
        """Asks the feeding thread for a transaction that nobody ends."""
        self.died_in_transaction = True

    def _feed_live(self) -> None:
        try:
            while (planned := self._next or next(self._planned, None)) is not None:
                self._next = None
                self._wait(planned.truth.at_ms)
                behind_ms = int(time.time() * 1000) - planned.truth.at_ms
                self._write(_restamped(planned, behind_ms) if behind_ms > LATE_FEED_MS else planned)
            self._writer.close()
        except BaseException as e:
            self.error = e

    def _wait(self, at_ms: int) -> None:
        self._since_tick += 1
        if self._since_tick >= 200:
            self._since_tick = 0
            self._writer.tick()
        while (left_s := at_ms / 1000 - time.time()) > 0:
            time.sleep(min(left_s, 0.1) + 0.005)
            self._writer.tick()
            if self.died_in_transaction:
                self.died_in_transaction = False
                self._writer.leave_one_open()

    def _write(self, planned: Planned) -> None:
        self.truths.note(planned)
        self._writer.write(planned)


def _restamped(planned: Planned, behind_ms: int) -> Planned:
    truth = planned.truth
    received_ms = truth.received_ms + behind_ms
    return Planned(planned.lane, msgspec.structs.replace(truth, received_ms=received_ms))
