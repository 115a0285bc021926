"""Reads the dead letters: by offset or by time, to the end that the topic has at the start.

Letters and marks lie in one topic. A mark says which letters of its partition were re-driven; it is
written in one transaction with what they were re-driven to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.errors import Unreachable
from streams.kafka_access import kafka_python
from streams.kafka_trouble import unreachable
from streams.records import UNKNOWN, VERSION, encode
from streams.settings import Settings
from streams.topics import DEAD_LETTERS, LARGE_BYTES

MARK = "redriven"
"""Header of the records that are marks."""
_TIMEOUT_MS = 10_000
_STALL_S = 30.0
_DISORDER_MS = 60_000
"""Several ingests write one partition: times in it are in order but for so much."""

Span = Mapping[int, tuple[int, int]]
"""partition -> [from, to) of offsets."""
Headers = tuple[tuple[str, bytes], ...]
Watcher = Callable[[int, int], None]
"""Told how many offsets of how many were read."""


class Letter(NamedTuple):
    """One record that could not be read, as it came; `headers` are its own and ingest's."""

    partition: int
    offset: int
    timestamp_ms: int
    """When it was buried."""
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def id(self) -> str:
        """`PARTITION-OFFSET` in the topic of dead letters."""
        return f"{self.partition}-{self.offset}"

    @property
    def size(self) -> int:
        return len(self.value or b"")

    @property
    def reason(self) -> str:
        return self.header("reason") or UNKNOWN

    @property
    def attempts(self) -> int:
        """How often it was re-driven before it came here again."""
        return number(self.header("attempts")) or 0

    @property
    def source_timestamp_ms(self) -> int:
        """Kafka's time of the record that could not be read; of letters without it, their own."""
        return number(self.header("source_timestamp_ms")) or self.timestamp_ms

    def header(self, name: str) -> str:
        """The first of that name, '' where there is none."""
        return next((v or b"" for k, v in self.headers if k == name), b"").decode("utf-8", "replace")

    def source(self, bound: Mapping[str, str]) -> str:
        """Its header, or the source that its topic is bound to; `bound` is topic -> source."""
        return bound.get(self.header("source_topic")) or self.header("source") or UNKNOWN


class Mark(msgspec.Struct, frozen=True):
    """What one transaction re-drove of one partition of dead letters."""

    at_ms: int
    offsets: list[int]
    v: int = VERSION

    def record(self) -> tuple[bytes, list[tuple[str, bytes]]]:
        """Value and headers of its record."""
        return encode(self), [(MARK, b"1")]


class Wanted(NamedTuple):
    """Which letters: all that fit every field that is not empty. Times are when they were buried."""

    reasons: Collection[str] = ()
    sources: Collection[str] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    ids: Collection[str] = ()

    def fits(self, letter: Letter, bound: Mapping[str, str]) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.sources or letter.source(bound) in self.sources)
            and (self.since_ms is None or letter.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or letter.timestamp_ms < self.until_ms)
            and (not self.ids or letter.id in self.ids)
        )


class LetterLog:
    """The topic of dead letters, up to the end that it has now. Raises Unreachable."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.topic(DEAD_LETTERS)
        self._settings, self._address = settings, settings.kafka.bootstrap_servers
        with self._told("connecting"):
            self._consumer = KafkaConsumer(
                **kafka_python(settings),
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=LARGE_BYTES,
                bootstrap_timeout_ms=_TIMEOUT_MS,
                allow_auto_create_topics=False,
            )
        with self._told(f"asking for the ends of {self.topic}"):
            partitions = self._consumer.partitions_for_topic(self.topic) or ()
            if not partitions:
                raise Unreachable("Kafka", self._address, f"there is no topic {self.topic}")
            parts = [TopicPartition(self.topic, p) for p in partitions]
            lows, ends = self._consumer.beginning_offsets(parts), self._consumer.end_offsets(parts)
        self._all = {tp.partition: (lows[tp], ends[tp]) for tp in parts}

    def __enter__(self) -> LetterLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def letters(self, wanted: Wanted, bound: Mapping[str, str], watch: Watcher) -> Iterator[Letter]:
        """Those that fit, in the order of each partition."""
        for record in self._read(self._span(wanted), watch):
            if not _is_mark(record):
                letter = _letter(record)
                if wanted.fits(letter, bound):
                    yield letter

    def redriven(self, wanted: Wanted, watch: Watcher) -> dict[tuple[int, int], int]:
        """(partition, offset) -> epoch ms of each letter from the first wanted one on that was
        re-driven."""
        span = {p: (start, self._all[p][1]) for p, (start, _) in self._span(wanted).items()}
        found: dict[tuple[int, int], int] = {}
        for record in self._read(span, watch):
            if _is_mark(record):
                mark = msgspec.json.decode(record.value, type=Mark)
                found |= {(record.partition, offset): mark.at_ms for offset in mark.offsets}
        return found

    def _span(self, wanted: Wanted) -> Span:
        if wanted.ids:
            return self._span_of(wanted.ids)
        span = dict(self._all)
        with self._told("looking up offsets by time"):
            if wanted.since_ms is not None:
                starts = self._at(wanted.since_ms)
                span = {p: (starts.get(p, end), end) for p, (_, end) in span.items()}
            if wanted.until_ms is not None:
                ends = self._at(wanted.until_ms + _DISORDER_MS)
                span = {p: (start, min(ends.get(p, end), end)) for p, (start, end) in span.items()}
        return span

    def _span_of(self, ids: Collection[str]) -> Span:
        offsets: dict[int, list[int]] = {}
        for one in ids:
            partition, _, offset = one.partition("-")
            offsets.setdefault(int(partition), []).append(int(offset))
        return {
            p: (max(min(o), self._all[p][0]), min(max(o) + 1, self._all[p][1]))
            for p, o in offsets.items()
            if p in self._all
        }

    def _at(self, time_ms: int) -> dict[int, int]:
        found = self._consumer.offsets_for_times({TopicPartition(self.topic, p): time_ms for p in self._all})
        return {tp.partition: at.offset for tp, at in found.items() if at is not None}

    def _read(self, span: Span, watch: Watcher) -> Iterator[Any]:
        ends = {TopicPartition(self.topic, p): (a, b) for p, (a, b) in span.items() if a < b}
        total, moved = sum(b - a for a, b in ends.values()), time.monotonic()
        with self._told(f"reading {self.topic}"):
            self._consumer.assign(list(ends))
            for tp, (start, _) in ends.items():
                self._consumer.resume(tp)  # it may have been read to its end before
                self._consumer.seek(tp, start)
            done = 0
            while done < total:
                for records in self._consumer.poll(timeout_ms=500).values():
                    yield from (r for r in records if r.offset < span[r.partition][1])
                # Records of transactions end with one that nobody is shown: positions pass it.
                at = sum(min(self._consumer.position(tp), b) - a for tp, (a, b) in ends.items())
                if at > done:
                    done, moved = at, time.monotonic()
                elif time.monotonic() - moved > _STALL_S:
                    raise Unreachable("Kafka", self._address, f"reading {self.topic}: nothing came")
                watch(done, total)
                for tp in [tp for tp, (_, b) in ends.items() if self._consumer.position(tp) >= b]:
                    self._consumer.pause(tp)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except KafkaError as e:
            raise unreachable(self._settings, f"{what}: {e}") from e


def bound_topics(settings: Settings) -> dict[str, str]:
    """topic -> source, of the topics that are bound to one."""
    return {s.topic: s.name for s in settings.sources if s.topic}


def number(text: str) -> int | None:
    """A time or a count in a header, as ingest reads it; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _letter(record: Any) -> Letter:
    headers = tuple((name, value or b"") for name, value in record.headers or ())
    return Letter(record.partition, record.offset, record.timestamp, record.key, record.value, headers)


def _is_mark(record: Any) -> bool:
    return any(name == MARK for name, _ in record.headers or ())
