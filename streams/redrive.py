"""Re-driving: dead letters go back to the topic they came from, as they were, to be read again.

    letter -> fits what is configured now? -> [the topic it came from] + mark, in one transaction

Key, value, headers and both times stay: it counts when it was received, not when it was re-driven.
Two headers are added: `redriven_from`, the letter's id, and `attempts`. What the gateway buried was in
no topic before: it is written as the gateway would write it now, by its message id and without text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, ProducerFencedError

from streams.codes import CodeBook
from streams.errors import Fenced
from streams.gateway.accept import NO_TOPIC_BEFORE, PARAMETERS_HEADER, Record, Taken, take
from streams.gateway.doors import Endpoint
from streams.gateway.form import fields_of
from streams.intake import MAX_FAST_CLOCK_MS
from streams.kafka_access import kafka_python
from streams.kafka_trouble import unreachable
from streams.letters import Letter, Mark, bound_topics, number
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import Malformed, Reason
from streams.region import RegionOf
from streams.settings import Settings
from streams.source import Source, outcome
from streams.topics import DEAD_LETTERS, LARGE_BYTES, OUTCOMES

OWN_HEADERS = frozenset(
    {
        "reason",
        "detail",
        "source_topic",
        "source_partition",
        "source_offset",
        "source_timestamp_ms",
        PARAMETERS_HEADER,
        "redriven_from",
        "attempts",
    }
)
"""What the monitor adds to a letter or to what was re-driven; the rest is the record's own."""
MOST_LETTERS, MOST_BYTES = 500, 4_000_000
"""Of one transaction."""
_TRANSACTION_TIMEOUT_MS = 60_000


class Fate(StrEnum):
    """What becomes of a letter when it is asked for."""

    GOES = "re-driven"
    DONE = "already re-driven"
    FAILS = "can still not be read"
    NO_TOPIC = "its topic is none of the configured ones"


class Judge:
    """Whether a letter would be read now. `now_ms` is the wall clock."""

    def __init__(self, settings: Settings, now_ms: int) -> None:
        codes = CodeBook(settings.code_tables)
        # Some message ids hold the recipient's hash.
        self._hasher = RecipientHasher(settings.privacy.recipient_key or DEMO_KEY)
        self._sources = {s.name: Source.of(s, codes, hasher=self._hasher) for s in settings.sources}
        self._bound = bound_topics(settings)
        self._outcomes = settings.topic(OUTCOMES)
        self._most_bytes, self._now_ms = settings.ingest.max_record_bytes, now_ms
        self._region_of = RegionOf()

    def topic(self, letter: Letter) -> str | None:
        """Where it goes: where it came from, or what no topic ever held to `outcomes`. None for a
        topic that no source reads: it would not be counted, and the header may be anybody's."""
        topic = letter.header("source_topic") or self._outcomes
        return topic if topic == self._outcomes or topic in self._bound else None

    def fate(self, letter: Letter, redriven: bool) -> tuple[Fate, str]:
        """What becomes of it, and the reason where it can still not be read."""
        if redriven:
            return Fate.DONE, ""
        if self.topic(letter) is None:
            return Fate.NO_TOPIC, ""
        fault = self.fault(letter)
        return (Fate.FAILS, fault.reason) if fault else (Fate.GOES, "")

    def fault(self, letter: Letter) -> Malformed | None:
        """Why it would be a dead letter again; None when something of it can be read."""
        source = self._sources.get(letter.source(self._bound))
        if source is None:
            return Malformed(Reason.UNKNOWN_SOURCE, "the source header is missing or not configured")
        if letter.size > self._most_bytes:
            return Malformed(Reason.TOO_LARGE, f"the value has more than {self._most_bytes} bytes")
        received_ms = number(letter.header("received_ms")) or letter.source_timestamp_ms
        if received_ms > self._now_ms + MAX_FAST_CLOCK_MS:
            return Malformed(Reason.FUTURE_RECEIPT, "received more than 60 s ahead of now")
        value = letter.value or b""
        if _is_of_gateway(letter) and (unreadable := _taken(source, letter).unreadable):
            return unreadable[0].why  # all of it is written, or nothing
        results = [self._read(source, piece, received_ms) for piece in _pieces(source, value)]
        return None if None in results else results[0] if results else None

    def records(self, letter: Letter) -> Sequence[Record]:
        """What of a letter that goes is written: the record as it was, or what the gateway makes of it."""
        source = self._sources.get(letter.source(self._bound))
        if source is None or not _is_of_gateway(letter):
            return [Record(letter.key, letter.value or b"")]
        return _taken(source, letter).records

    def _read(self, source: Source, value: bytes, received_ms: int) -> Malformed | None:
        (reading,) = source.decoder.decode_batch([value])
        if isinstance(reading, Malformed):
            return reading
        result = outcome(source, reading, received_ms, self._region_of, self._hasher)
        return result if isinstance(result, Malformed) else None


def _pieces(source: Source, value: bytes) -> Iterable[bytes]:
    return [value] if source.open is None else source.open(value)


def _is_of_gateway(letter: Letter) -> bool:
    return letter.header("source_partition") == NO_TOPIC_BEFORE


def _taken(source: Source, letter: Letter) -> Taken:
    given = dict(fields_of(letter.header(PARAMETERS_HEADER)))
    return take(source, Endpoint.STATUS, letter.value or b"", given)


def headers(letter: Letter) -> list[tuple[str, bytes]]:
    """Those of the record, the time it was received among them.

    Where no header told that, Kafka's time did, unless the record says it itself.
    """
    own = [(k, v) for k, v in letter.headers if k not in OWN_HEADERS]
    if number(letter.header("received_ms")) is None:
        own = [(k, v) for k, v in own if k != "received_ms"]
        if b"received_ms" not in (letter.value or b""):
            own.append(("received_ms", str(letter.source_timestamp_ms).encode()))
    added = [("redriven_from", letter.id.encode()), ("attempts", str(letter.attempts + 1).encode())]
    return own + added


class Going(NamedTuple):
    """A letter that goes, where to, and as what."""

    letter: Letter
    topic: str
    records: Sequence[Record]


Batch = list[Going]
"""What one transaction writes."""


def batches(letters: Iterable[Going]) -> Iterator[Batch]:
    held: Batch = []
    size = 0
    for going in letters:
        held.append(going)
        size += going.letter.size
        if len(held) == MOST_LETTERS or size >= MOST_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


class Redriver:
    """Writes letters back. Making one fences another that works at the same time, so that what this
    one reads afterwards holds every mark there will be. Raises Unreachable, or Fenced."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dead = settings.topic(DEAD_LETTERS)
        with self._told("beginning to write"):
            self._producer = KafkaProducer(
                **kafka_python(settings),
                transactional_id=f"{settings.ingest.group}-redrive",
                transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS,
                max_request_size=LARGE_BYTES,
                allow_auto_create_topics=False,
            )
            self._producer.init_transactions()

    def __enter__(self) -> Redriver:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()

    def write(self, batch: Batch, now_ms: int) -> None:
        """All of the batch with its marks, or nothing of it."""
        with self._told("writing"):
            self._producer.begin_transaction()
            try:
                self._send(batch, now_ms)
                self._producer.commit_transaction()
            except KafkaError:
                with suppress(KafkaError):
                    self._producer.abort_transaction()
                raise

    def _send(self, batch: Batch, now_ms: int) -> None:
        sent = []
        offsets: dict[int, list[int]] = {}
        for letter, topic, records in batch:
            told, partition = headers(letter), self._partition(letter, topic)
            at_ms = letter.source_timestamp_ms
            sent += [self._producer.send(topic, r.value, r.key, told, partition, at_ms) for r in records]
            offsets.setdefault(letter.partition, []).append(letter.offset)
        for partition, those in offsets.items():
            value, marked = Mark(now_ms, those).record()
            sent.append(self._producer.send(self._dead, value, None, marked, partition))
        for one in sent:
            one.get(_TRANSACTION_TIMEOUT_MS / 1000)

    def _partition(self, letter: Letter, topic: str) -> int | None:
        """The one after that which it came from, where nothing remembers it.

        An ingest that starts with a mended configuration reads the last minutes again for dedupe, can
        read the original now, and would take what is re-driven beside it for its duplicate.
        """
        came_from, count = (
            number(letter.header("source_partition")),
            len(self._producer.partitions_for(topic)),
        )
        return None if came_from is None else (came_from + 1) % count

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except ProducerFencedError as e:
            raise Fenced(f"{what}: another redrive began; nothing of this transaction counts") from e
        except KafkaError as e:
            raise unreachable(self._settings, f"{what}: {e}") from e
