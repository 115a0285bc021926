"""Intake: what happens to a batch of records between Kafka and the fold. Pure but for its memory.

    headers -> decode -> classify -> receipt clock -> once per message -> fold
                  |                                          |
             dead letters                               tallies by result
Whole batches at a time: the Python work a record is a few list comprehensions, the rest is numpy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.dedupe import SeenIds
from streams.fold import NO_LATENCY, SEND, Fold, latency_column
from streams.privacy import RecipientHasher
from streams.records import FailedRecipient, Malformed, Reading, Reason, Result, SeriesKey
from streams.region import RegionOf
from streams.source import BAD_STATUS, FINAL_BITS, FUTURE_PROVIDER_TIME, MAX_AHEAD_MS, Kind, Source

I64 = NDArray[np.int64]
Headers = Sequence[tuple[str, bytes]]

MAX_FAST_CLOCK_MS = 60_000
"""A receipt stamped at most this far ahead of now counts as now; further ahead is malformed."""
MAX_KINDS = 500_000
RESULTS = tuple(Result)
CODE = {result: i for i, result in enumerate(RESULTS)}
IN_FLIGHT_BITS = np.uint16(0xFF)
_LABELS = attrgetter("status", "code", "carrier", "region")
_FINAL = np.uint16(FINAL_BITS)
_STAMP_DIGITS = 13
_STAMP_WEIGHTS = 10 ** np.arange(_STAMP_DIGITS - 1, -1, -1, dtype=np.int64)


@dataclass
class Batch:
    """Records as read, column by column, in the order of each partition's offsets."""

    partition: I64
    """Index of each record's partition among the intake's own."""
    offset: I64
    timestamp_ms: Sequence[int]
    headers: Sequence[Headers | None]
    values: Sequence[bytes | None]
    key: Callable[[int], bytes | None]
    source: str = ""
    """Set when the topic is bound to one source and needs no header."""


@dataclass
class PartitionIntake:
    """One source partition as its owner sees it."""

    topic: str
    topic_id: str
    partition: int
    start: int
    """First offset that is not committed yet; what lies before is read for dedupe only."""
    seen: SeenIds
    end: int = 0
    """Next offset to read: everything before it was read."""
    clock_ms: int | None = None
    tally: dict[str, dict[str, int]] = field(default_factory=dict)
    marks: deque[tuple[int, int]] = field(default_factory=deque)
    """(clock second, offset): from where to read again to know what is known now."""

    def replay_from(self, horizon_s: int) -> int:
        """The offset from which a successor must read to remember as much as this one."""
        if self.clock_ms is None or not self.marks:
            return self.start
        oldest = self.clock_ms // 1000 - horizon_s
        while len(self.marks) > 1 and self.marks[1][0] < oldest:
            self.marks.popleft()
        return self.marks[0][1]


@dataclass(frozen=True)
class DeadLetter:
    """An unreadable record: its place in the batch's partition and why."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    malformed: Malformed


class Intake:
    """Everything between the consumer and the transaction. Not thread-safe."""

    def __init__(self, sources: Mapping[str, Source], hasher: RecipientHasher, max_record_bytes: int) -> None:
        self._sources = sources
        self._names = [*sources, ""]  # the last stands for every unknown source
        self._number = {name: i for i, name in enumerate(self._names)}
        self._salt = {name: np.uint64(hash(s.account) & 0xFFFF_FFFF_FFFF_FFFF) for name, s in sources.items()}
        self._hasher = hasher
        self._region_of = RegionOf()
        self._max_bytes = max_record_bytes
        self.fold = Fold()
        self.dead: list[DeadLetter] = []
        self.failed: list[FailedRecipient] = []
        self.received: dict[str, int] = {}
        self._keys: list[SeriesKey] = []
        self._known: dict[str, dict[Any, int]] = {name: {} for name in sources}
        self._stage: NDArray[np.uint16] = np.zeros(1024, np.uint16)
        self._result: NDArray[np.uint8] = np.zeros(1024, np.uint8)
        self._fails: NDArray[np.bool_] = np.zeros(1024, np.bool_)

    @property
    def keys(self) -> list[SeriesKey]:
        """Series key of each row."""
        return self._keys

    def forget_kinds(self) -> None:
        """Bounds memory against ever new labels; only right after the fold was emptied."""
        if len(self._keys) > MAX_KINDS:
            self._keys = []
            self._known = {name: {} for name in self._sources}

    def take(self, batch: Batch, partitions: Sequence[PartitionIntake], now_ms: int) -> None:
        """Counts a batch. `now_ms` is the wall clock, epoch ms, at which the batch was read."""
        n = len(batch.values)
        work = _Work(n)
        names, received = self._read_headers(batch)
        work.received_ms[:] = received
        self._decode(batch, names, work)
        self._judge_times(work, now_ms)
        for index in np.unique(batch.partition).tolist():
            self._take_partition(batch, work, partitions[index], np.flatnonzero(batch.partition == index))
        self._fold_counted(work)
        self._bury(batch, work, partitions)

    # -- headers -------------------------------------------------------------------------------

    def _read_headers(self, batch: Batch) -> tuple[list[str], I64]:
        """Source name and receipt time (ms) of each record; -1 where no header tells the time."""
        names, stamps = _header_columns(batch.headers)
        if batch.source:
            return [batch.source] * len(stamps), _stamps_ms(stamps)
        known = {raw: _text(raw) for raw in set(names)}
        return [known[raw] for raw in names], _stamps_ms(stamps)

    # -- decode and classify -------------------------------------------------------------------

    def _decode(self, batch: Batch, names: list[str], work: _Work) -> None:
        if len(set(names)) == 1:
            self._decode_source(names[0], range(len(names)), list(batch.values), batch, work)
            return
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            groups.setdefault(name, []).append(i)
        for name, indices in groups.items():
            self._decode_source(name, indices, [batch.values[i] for i in indices], batch, work)

    def _decode_source(
        self, name: str, indices: Sequence[int], raw: list[bytes | None], batch: Batch, work: _Work
    ) -> None:
        source = self._sources.get(name)
        at = np.asarray(indices)
        work.source[at] = self._number.get(name, len(self._names) - 1)
        label = name if source else ""
        self.received[label] = self.received.get(label, 0) + len(raw)
        if source is None:
            wrong = Malformed(Reason.UNKNOWN_SOURCE, "the source header is missing or not configured")
            work.malformed.update((i, wrong) for i in indices)
            return
        readings = self._readings(source, raw)
        good = _only_readings(readings, indices, work.malformed)
        if good is not None:
            at, readings = at[good], [readings[j] for j in good]
        self._classify(source, at, readings, batch, work)

    def _readings(self, source: Source, raw: list[bytes | None]) -> list[Any]:
        values = [v or b"" for v in raw] if None in raw else raw
        if max(map(len, values), default=0) <= self._max_bytes:  # type: ignore[arg-type]
            return list(source.decoder.decode_batch(values))  # type: ignore[arg-type]
        large = Malformed(Reason.TOO_LARGE, f"the value has more than {self._max_bytes} bytes")
        fits = [v if v is not None and len(v) <= self._max_bytes else b"" for v in values]
        decoded = source.decoder.decode_batch(fits)
        return [
            large if v is not None and len(v) > self._max_bytes else d
            for v, d in zip(values, decoded, strict=True)
        ]

    def _classify(
        self, source: Source, at: I64, readings: list[Reading], batch: Batch, work: _Work
    ) -> None:
        if not readings:
            return
        labels = list(map(_LABELS, readings))
        given = [g for _, _, _, g in labels]
        if not all(given):
            homes = self._region_of.many([r.to for r in readings])
            labels = [t if t[3] else (*t[:3], h) for t, h in zip(labels, homes, strict=True)]
        known = self._known[source.name]
        rows: list[Any] = list(map(known.get, labels))
        if None in rows:
            rows = [self._row(source, t) if r is None else r for r, t in zip(rows, labels, strict=True)]
        work.row[at] = rows
        ids = np.array([hash(r.message_id) for r in readings], np.int64).view(np.uint64)
        work.fingerprint[at] = ids ^ self._salt[source.name]
        self._times(at, readings, batch, work)
        for i, reading in zip(at.tolist(), readings, strict=True) if len(at) < work.n else ():
            work.readings[i] = reading
        if len(at) == work.n:
            work.readings = readings

    def _times(self, at: I64, readings: list[Reading], batch: Batch, work: _Work) -> None:
        sent = [r.sent_time_ms for r in readings]
        if any(sent):
            work.sent_ms[at] = [s or -1 for s in sent]
        provider = [r.provider_time_ms for r in readings]
        if any(provider):
            work.provider_ms[at] = [p or -1 for p in provider]
        silent = work.received_ms[at] < 0
        if silent.any():
            for j in np.flatnonzero(silent).tolist():
                i = int(at[j])
                work.received_ms[i] = readings[j].received_ms or batch.timestamp_ms[i]

    def _row(self, source: Source, values: tuple[str, Any, str | None, str | None]) -> int:
        row = self._known[source.name].get(values)
        if row is None:
            row = self._known[source.name][values] = self._new_row(source.kind(*values))
        return row

    def _new_row(self, kind: Kind) -> int:
        row = len(self._keys)
        self._keys.append(kind.key)
        if row == len(self._stage):
            self._stage = np.concatenate([self._stage, np.zeros_like(self._stage)])
            self._result = np.concatenate([self._result, np.zeros_like(self._result)])
            self._fails = np.concatenate([self._fails, np.zeros_like(self._fails)])
        self._stage[row], self._result[row], self._fails[row] = kind.stage, CODE[kind.result], kind.failed
        return row

    # -- time, once per message, tallies -------------------------------------------------------

    def _judge_times(self, work: _Work, now_ms: int) -> None:
        future = work.received_ms > now_ms + MAX_FAST_CLOCK_MS
        if future.any():
            wrong = Malformed(Reason.FUTURE_RECEIPT, "received more than 60 s ahead of now")
            work.malformed.update((i, wrong) for i in np.flatnonzero(future).tolist())
        work.future = future
        np.minimum(work.received_ms, now_ms, out=work.received_ms)
        ahead = work.provider_ms > work.received_ms + MAX_AHEAD_MS
        for i in np.flatnonzero(ahead).tolist():
            work.malformed.setdefault(i, FUTURE_PROVIDER_TIME)

    def _take_partition(self, batch: Batch, work: _Work, part: PartitionIntake, here: I64) -> None:
        received = np.where(work.future[here], -1, work.received_ms[here])
        known = received >= 0
        clock = np.maximum.accumulate(np.maximum(received, part.clock_ms or 0))
        result = self._results(work, here)
        once = np.flatnonzero((result != CODE[Result.MALFORMED]) & (result != CODE[Result.INBOUND]))
        self._once_per_message(work, part, here[once], clock[once] // 1000, result, once)
        live = batch.offset[here] >= part.start
        work.result[here] = result
        work.live[here] = live
        part.end = max(part.end, int(batch.offset[here[-1]]) + 1)
        if known.any():
            part.clock_ms = int(clock[-1])
            part.marks.append((part.clock_ms // 1000, int(batch.offset[here[0]])))
        self._tally(part, work.source[here][live], result[live])

    def _results(self, work: _Work, here: I64) -> NDArray[np.uint8]:
        """What the records count as by themselves."""
        result = self._result[work.row[here]]
        if work.malformed:
            spoilt = np.isin(here, np.fromiter(work.malformed, np.int64))
            result = np.where(spoilt, np.uint8(CODE[Result.MALFORMED]), result)
        return result

    def _once_per_message(
        self, work: _Work, part: PartitionIntake, at: I64, clock_s: I64, result: NDArray[np.uint8], once: I64
    ) -> None:
        if not len(at):
            return
        stage = self._stage[work.row[at]]
        before = part.seen.see(work.fingerprint[at], work.received_ms[at] // 1000, clock_s, stage)
        again = (before & stage) != 0
        clash = ~again & ((stage & _FINAL) != 0) & ((before & _FINAL) != 0)
        alone = result[once]
        work.first_send[at] = ~again & ((stage & IN_FLIGHT_BITS) != 0) & ((before & IN_FLIGHT_BITS) == 0)
        alone[clash] = CODE[Result.CONFLICT]
        alone[again] = CODE[Result.DUPLICATE]
        result[once] = alone

    def _tally(self, part: PartitionIntake, source: I64, result: NDArray[np.uint8]) -> None:
        counts = np.bincount(source * len(RESULTS) + result, minlength=len(self._names) * len(RESULTS))
        for flat in np.flatnonzero(counts).tolist():
            number, code = divmod(flat, len(RESULTS))
            of_source = part.tally.setdefault(self._names[number] or "unknown", {})
            name = RESULTS[code].value
            of_source[name] = of_source.get(name, 0) + int(counts[flat])

    # -- fold, failures, dead letters ----------------------------------------------------------

    def _fold_counted(self, work: _Work) -> None:
        counted = np.flatnonzero(work.live & (work.result == CODE[Result.COUNTED]))
        receipt_s = work.received_ms // 1000
        if len(counted):
            latency = latency_column(work.received_ms[counted] - work.sent_ms[counted])
            column = np.where(work.sent_ms[counted] >= 0, latency, NO_LATENCY)
            self.fold.add(work.row[counted], receipt_s[counted], column)
        sends = np.flatnonzero(work.live & work.first_send & (work.result == CODE[Result.IN_FLIGHT]))
        if len(sends):
            self.fold.add(work.row[sends], receipt_s[sends], np.full(len(sends), SEND))
        for i in counted[self._fails[work.row[counted]]].tolist():
            self._add_failed(work, i)

    def _add_failed(self, work: _Work, i: int) -> None:
        reading, row, received_ms = work.readings[i], int(work.row[i]), int(work.received_ms[i])
        recipient = self._recipient(reading)
        # Without a number every message stands for a recipient of its own.
        counted_as = int(work.fingerprint[i]) if recipient is None else recipient
        self.fold.add_failed(row, received_ms // 1000, counted_as, reading.sender)
        if recipient is None:
            return
        key = self._keys[row]
        self.failed.append(
            FailedRecipient(
                f"{recipient:016x}",
                reading.message_id,
                f"{int(work.fingerprint[i]):016x}",
                key.source,
                key.carrier,
                key.region,
                key.outcome_class,
                key.code,
                reading.sender,
                received_ms,
            )
        )

    def _recipient(self, reading: Any) -> int | None:
        if reading.to:
            return self._hasher(reading.to)
        given = getattr(reading, "recipient", None)
        return int(given, 16) if given else None

    def _bury(self, batch: Batch, work: _Work, partitions: Sequence[PartitionIntake]) -> None:
        for i in np.flatnonzero(work.live & (work.result == CODE[Result.MALFORMED])).tolist():
            part = partitions[int(batch.partition[i])]
            self.dead.append(
                DeadLetter(
                    part.topic,
                    part.partition,
                    int(batch.offset[i]),
                    batch.key(i),
                    batch.values[i],
                    batch.headers[i] or (),
                    work.malformed.get(i, BAD_STATUS),
                )
            )


class _Work:
    """The columns of one batch while it is worked on."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.source = np.zeros(n, np.int64)
        self.row = np.zeros(n, np.int64)
        self.fingerprint = np.zeros(n, np.uint64)
        self.received_ms = np.full(n, -1, np.int64)
        self.sent_ms = np.full(n, -1, np.int64)
        self.provider_ms = np.full(n, -1, np.int64)
        self.result = np.zeros(n, np.uint8)
        self.live = np.zeros(n, np.bool_)
        self.future = np.zeros(n, np.bool_)
        self.first_send = np.zeros(n, np.bool_)
        self.readings: Any = [None] * n
        self.malformed: dict[int, Malformed] = {}


def _only_readings(
    readings: list[Any], indices: Sequence[int], malformed: dict[int, Malformed]
) -> list[int] | None:
    """Notes what is malformed; the places of the rest, or None when all could be read."""
    if Malformed not in set(map(type, readings)):
        return None
    good = []
    for j, (i, reading) in enumerate(zip(indices, readings, strict=True)):
        if isinstance(reading, Malformed):
            malformed[i] = reading
        else:
            good.append(j)
    return good


def _header_columns(headers: Sequence[Headers | None]) -> tuple[list[bytes], list[bytes]]:
    """The values of `source` and `received_ms`, b'' where one is missing."""
    try:  # as the gateway writes them: these two, in this order
        if {h[0][0] for h in headers} == {"source"} and {h[1][0] for h in headers} == {"received_ms"}:  # type: ignore[index]
            return [h[0][1] for h in headers], [h[1][1] for h in headers]  # type: ignore[index]
    except (TypeError, IndexError):
        pass
    pairs = [_search_headers(h) for h in headers]
    return [source for source, _ in pairs], [stamp for _, stamp in pairs]


def _search_headers(headers: Headers | None) -> tuple[bytes, bytes]:
    found = dict(headers or ())
    return found.get("source") or b"", found.get("received_ms") or b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _stamps_ms(stamps: list[bytes]) -> I64:
    """Receipt stamps as integers; -1 for what is no number."""
    joined = b"".join(stamps)
    if len(joined) == _STAMP_DIGITS * len(stamps) and set(map(len, stamps)) == {_STAMP_DIGITS}:
        digits = np.frombuffer(joined, np.uint8).reshape(-1, _STAMP_DIGITS).astype(np.int64) - 48
        if ((digits >= 0) & (digits <= 9)).all():
            return digits @ _STAMP_WEIGHTS
    return np.array([int(s) if s.isdigit() and len(s) < 16 else -1 for s in stamps], np.int64)
