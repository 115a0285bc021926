"""Reads the topics afterwards and adds them up, with nothing of the product but its record types."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from alerts.records import Incident
from streams.records import BUCKET_S, CANARY, Cells, ClosedBucket, FailedRecipient, Partial, Result
from streams.settings import Settings
from tests.faults.traffic import REGION, Lane, Truths

Key = tuple[str, str, str, int]
READ_TIMEOUT_S = 60.0
FAST = REGION[Lane.FAST]


def read_all(settings: Settings, topic: str, *, committed: bool = True) -> list[Message]:
    """Every record of a topic, partition after partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "group.id": "audit",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "fetch.message.max.bytes": 16_000_000,
        }
    )
    try:
        name = settings.topic(topic)
        partitions = consumer.list_topics(name, 10).topics[name].partitions
        consumer.assign([TopicPartition(name, p, 0) for p in partitions])
        return _until_all_ended(consumer, len(partitions))
    finally:
        consumer.close()


def _until_all_ended(consumer: Consumer, partitions: int) -> list[Message]:
    messages: list[Message] = []
    ended: set[int] = set()
    deadline = time.monotonic() + READ_TIMEOUT_S
    while len(ended) < partitions:
        assert time.monotonic() < deadline, "the topic does not end"
        batch = consumer.consume(10_000, 0.2)
        for message in batch:
            error = message.error()
            if error is None:
                messages.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(message.partition())
    return sorted(messages, key=lambda m: (m.partition(), m.offset()))


class Closed(NamedTuple):
    """One bucket as a reader must understand the journal."""

    record: ClosedBucket
    at_ms: int
    """When its last part was written, wall time of its writer."""
    cells: list[Cells]
    late: list[Cells]


def closed_buckets(messages: Iterable[Message]) -> list[Closed]:
    """The first complete set of parts of each bucket, in the order of the topic."""
    found: list[Closed] = []
    open_: defaultdict[tuple[int, str], dict[int, ClosedBucket]] = defaultdict(dict)
    done: set[int] = set()
    for message in messages:
        record = msgspec.json.decode(message.value(), type=ClosedBucket)
        parts = open_[record.bucket_s, record.attempt]
        parts[record.part] = record
        if len(parts) == record.parts and record.bucket_s not in done:
            done.add(record.bucket_s)
            pieces = [parts[i] for i in sorted(parts)]
            closed = Closed(
                record, message.timestamp()[1], [p.cells for p in pieces], [p.late for p in pieces]
            )
            found.append(closed)
    return found


def sums(pieces: Iterable[Cells]) -> Counter[Key]:
    """Finals per (carrier, region, class, bucket); bucket 0 on the lane that counts as now."""
    total: Counter[Key] = Counter()
    for cells in pieces:
        for k, bucket_s, n in zip(cells.key, cells.bucket_s, cells.finals, strict=True):
            key = cells.keys[k]
            if n:
                bucket = 0 if key.region == FAST else bucket_s
                total[key.carrier, key.region, key.outcome_class, bucket] += n
    return total


@dataclass
class Audit:
    """What the topics say, checked against what was written. Each check names what it compares."""

    settings: Settings
    truths: Truths
    closed: list[Closed] = field(default_factory=list)
    partials: list[Partial] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def load(self) -> None:
        self.closed = closed_buckets(read_all(self.settings, "windows"))
        messages = read_all(self.settings, "partials")
        self.partials = [msgspec.json.decode(m.value(), type=Partial) for m in messages]
        written = len(read_all(self.settings, "partials", committed=False))
        self.figures["partials_written"] = written
        self.figures["partials_aborted"] = written - len(messages)
        self.figures["records"] = self.truths.records

    # -- ingest --------------------------------------------------------------------------------

    def check_ranges(self) -> None:
        """Each source partition is covered from its first record to its last, once."""
        ends: dict[int, int] = {}
        for partial in self.partials:
            if partial.part < partial.parts:
                continue
            for r in partial.ranges:
                assert r.start == ends.get(r.partition, 0), f"partition {r.partition}: {r} after {ends}"
                ends[r.partition] = r.end
        last: dict[int, int] = {}
        for message in read_all(self.settings, "outcomes"):
            last[message.partition()] = message.offset()
        for partition, offset in last.items():
            assert ends[partition] > offset, (
                f"partition {partition} was read to {ends[partition]} of {offset}"
            )

    def check_tallies(self) -> None:
        """Per lane, source and result the tallies are what was written: nothing vanishes."""
        tallied: Counter[tuple[int, str, str]] = Counter()
        for partial in self.partials:
            if partial.part == partial.parts:
                for r in partial.ranges:
                    for source, results in r.tally.items():
                        for result, n in results.items():
                            tallied[r.partition, source, result] += n
        wanted: Counter[tuple[int, str, str]] = Counter()
        for lane, ledger in enumerate(self.truths.lanes):
            wanted.update({(lane, source, result): n for (source, result), n in ledger.results.items()})
        read = read_all(self.settings, "outcomes")
        canaries = Counter(
            m.partition() for m in read if dict(m.headers() or [])["source"] == CANARY.encode()
        )
        wanted.update({(lane, CANARY, Result.CANARY.value): n for lane, n in canaries.items()})
        self.figures["canaries"] = canaries.total()
        difference = _difference(tallied, wanted)
        assert difference == {}, f"{len(difference)} tallies differ (have, want): {_some(difference)}"
        split = sum(r.split for p in self.partials if p.part == p.parts for r in p.ranges)
        assert tallied.total() == len(read) + split

    def check_dead_letters(self) -> None:
        places = Counter(_place(m) for m in read_all(self.settings, "dead-letters"))
        assert set(places.values()) <= {1}, "a dead letter was written twice"
        malformed = sum(ledger.by_result().get("malformed", 0) for ledger in self.truths.lanes)
        assert places.total() == malformed
        self.figures["malformed"] = malformed

    def check_failed_recipients(self) -> None:
        messages = read_all(self.settings, "failed-recipients")
        found = Counter(msgspec.json.decode(m.value(), type=FailedRecipient).message_id for m in messages)
        difference = _difference(found, self.truths.failed)
        assert difference == {}, f"{len(difference)} failed outcomes differ (have, want): {_some(difference)}"

    # -- windows -------------------------------------------------------------------------------

    def check_sums(self) -> None:
        """Closed plus late is the truth, per carrier, region, class and bucket."""
        counted = sums(cells for c in self.closed for cells in c.cells)
        late = sums(cells for c in self.closed for cells in c.late)
        keys = {cells.keys[k] for c in self.closed for cells in c.cells for k in cells.key}
        self.figures["series"] = len(keys)
        self.figures["counted"], self.figures["late"] = counted.total(), late.total()
        wanted = self.truths.sums()
        difference = _difference(counted + late, wanted)
        assert difference == {}, f"{len(difference)} sums differ (have, want): {_some(difference)}"

    def check_buckets(self) -> None:
        """Buckets are closed in order, none left out, each when all clocks have passed it."""
        lateness_ms = int(self.settings.windows.allowed_lateness_s * 1000)
        starts = [c.record.bucket_s for c in self.closed]
        assert starts == list(range(starts[0], starts[-1] + BUCKET_S, BUCKET_S))
        throughs = [c.record.through for c in self.closed]
        assert throughs == sorted(throughs)
        for c in self.closed:
            assert not c.record.incomplete
            assert len(c.record.positions) == len(self.truths.lanes)
            due_ms = (c.record.bucket_s + BUCKET_S) * 1000 + lateness_ms
            assert all((p.clock_ms or 0) >= due_ms for p in c.record.positions), (
                f"closed too early: {c.record}"
            )

    def check_late(self) -> None:
        """Every late cell is of a bucket that all clocks had passed, its own partition's among them."""
        closed_before: int | None = None
        for c in self.closed:
            for cells in c.late:
                for bucket_s in cells.bucket_s:
                    # `check_buckets` has shown that every clock had passed what was closed before.
                    assert closed_before is not None and bucket_s <= closed_before
            closed_before = c.record.bucket_s


def incidents(settings: Settings) -> list[Incident]:
    """The newest state of each."""
    newest = {m.key(): m.value() for m in read_all(settings, "incidents")}
    return [msgspec.json.decode(value, type=Incident) for value in newest.values() if value]


def _place(message: Message) -> tuple[bytes, bytes]:
    headers = dict(message.headers() or [])
    return headers["source_partition"], headers["source_offset"]


def _difference(have: Counter, want: Counter) -> dict:  # type: ignore[type-arg]
    return {k: (have[k], want[k]) for k in have.keys() | want.keys() if have[k] != want[k]}


def _some(difference: dict) -> list:  # type: ignore[type-arg]
    return sorted(difference.items())[:12]
