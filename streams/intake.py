"""Intake: what happens to a batch of records between Kafka and the fold. Pure but for its memory.

    headers -> decode -> classify -> receipt clock -> once per message -> fold
                  |                                          |
             dead letters                               tallies by result
Whole batches at a time: the Python work a record is a few list comprehensions, the rest is numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streams import answered
from streams.answered import IN_FLIGHT_BITS
from streams.batch import Batch, DeadLetter, sources_and_stamps
from streams.deliveries import Deliveries
from streams.failures import Failures, recipients_of
from streams.fold import ANSWERED, EXPIRED, NO_LATENCY, OWN, SEND, SIGNAL, Fold, latency_column, tells_sender
from streams.kinds import CODE, RESULTS, Kinds
from streams.partition import PartitionIntake
from streams.privacy import RecipientHasher
from streams.records import UNKNOWN, FailedRecipient, Malformed, Reading, Reason, Result, SeriesKey
from streams.source import (
    BAD_STATUS,
    EXPIRED_BIT,
    FINAL_BITS,
    FUTURE_PROVIDER_TIME,
    MAX_AHEAD_MS,
    Source,
)
from streams.split import split
from streams.teller import Teller
from streams.work import Where, Work, decoded, only_readings, or_minus_one, places

I64 = NDArray[np.int64]

MAX_FAST_CLOCK_MS = 60_000
"""A receipt stamped at most this far ahead of now counts as now; further ahead is malformed."""
NO_TIME = Malformed(Reason.MISSING_TIME, "neither a header nor the record nor Kafka tells the receipt time")
_FINAL = np.uint16(FINAL_BITS)


class Intake:
    """Everything between the consumer and the transaction. Not thread-safe."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        hasher: RecipientHasher,
        max_record_bytes: int,
        tellers: Mapping[str, Teller] | None = None,
        *,
        track: bool = True,
    ) -> None:
        """`track`: whether it is noted to whom something was delivered."""
        self._sources = sources
        self._names = [*sources, ""]  # the last stands for every unknown source
        self._number = {name: i for i, name in enumerate(self._names)}
        self._salt = {name: np.uint64(hash(s.account) & 0xFFFF_FFFF_FFFF_FFFF) for name, s in sources.items()}
        self._hasher, self._track = hasher, track
        self._failures = Failures(hasher.key_id)
        self.delivered = Deliveries(hasher)
        self._max_bytes = max_record_bytes
        self.fold = Fold()
        self.dead: list[DeadLetter] = []
        self.received: dict[str, int] = {}
        self.checked: dict[tuple[str, str], int] = {}
        """Counted outcomes by source and what Lookup says beside the record."""
        self._kinds = Kinds(sources, tellers or {})

    @property
    def failed(self) -> list[FailedRecipient]:
        """Failed outcomes with a recipient, since they were last cleared."""
        return self._failures.records

    @property
    def keys(self) -> list[SeriesKey]:
        """Series key of each row."""
        return self._kinds.keys

    def begin_anew(self) -> None:
        """Once all is written and the fold was emptied; bounds memory against ever new labels."""
        self.failed.clear()
        self.delivered.clear()
        self.dead.clear()
        self._kinds.forget()

    def take(self, batch: Batch, partitions: Sequence[PartitionIntake], now_ms: int | I64) -> None:
        """Counts a batch. `now_ms` is the wall clock, epoch ms, at which it, or each record, was read."""
        if not batch.values:
            return
        names, received_ms = sources_and_stamps(batch)
        batch, origin = split(batch, names, self._sources, self._max_bytes)
        if origin is not None:
            received_ms = received_ms[origin]
            now_ms = now_ms if isinstance(now_ms, int) else now_ms[origin]
            names = [names[i] for i in origin.tolist()] if len(names) > 1 else names
        work = Work(len(batch.values))
        work.received_ms[:] = received_ms
        work.live[:] = batch.offset >= np.array([p.start for p in partitions])[batch.partition]
        self._decode(batch, names, work)
        self._count_received(work)
        self._judge_times(work, now_ms)
        for index in np.unique(batch.partition).tolist():
            here = places(np.flatnonzero(batch.partition == index))
            self._take_partition(batch, work, partitions[index], here)
        self._fold_counted(work, batch.offset)
        self._bury(batch, work, partitions)

    def _count_received(self, work: Work) -> None:
        """By source, whatever becomes of the records; what is read again for dedupe does not count."""
        for number, n in enumerate(np.bincount(work.source[work.live]).tolist()):
            if n:
                self.received[self._names[number]] = self.received.get(self._names[number], 0) + n

    # -- decode and classify -------------------------------------------------------------------

    def _decode(self, batch: Batch, names: list[str], work: Work) -> None:
        if len(names) == 1:
            self._decode_source(names[0], None, list(batch.values), batch, work)
            return
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            groups.setdefault(name, []).append(i)
        for name, indices in groups.items():
            self._decode_source(name, indices, [batch.values[i] for i in indices], batch, work)

    def _decode_source(
        self, name: str, indices: list[int] | None, raw: list[bytes | None], batch: Batch, work: Work
    ) -> None:
        """Decodes the records of one source; `indices` is None when they are the whole batch."""
        source = self._sources.get(name)
        at: Where = slice(None) if indices is None else np.array(indices)
        work.source[at] = self._number.get(name, len(self._names) - 1)
        places = range(len(raw)) if indices is None else indices
        if source is None:
            wrong = Malformed(Reason.UNKNOWN_SOURCE, "the source header is missing or not configured")
            work.malformed.update((i, wrong) for i in places)
            return
        readings = decoded(source.decoder.decode_batch, raw, self._max_bytes)
        good = only_readings(readings, places, work.malformed)
        if good is not None:
            at, readings = np.array([places[j] for j in good], np.int64), [readings[j] for j in good]
        if readings:
            self._classify(source, at, readings, batch, work)

    def _classify(self, source: Source, at: Where, readings: list[Reading], batch: Batch, work: Work) -> None:
        work.row[at] = self._kinds.rows(source, readings)
        ids = np.array([hash(r.message_id) for r in readings], np.int64).view(np.uint64)
        work.fingerprint[at] = ids ^ self._salt[source.name]
        self._times(at, readings, batch, work)
        labels = [r.traffic_class for r in readings]
        if any(labels):
            named = source.config.traffic_classes
            work.traffic_class[at] = [self.fold.class_number(named.get(x, x) if x else x) for x in labels]
        work.keep(at, readings)

    def _times(self, at: Where, readings: list[Reading], batch: Batch, work: Work) -> None:
        sent = [r.sent_time_ms for r in readings]
        if any(sent):
            work.sent_ms[at] = or_minus_one(sent)
        provider = [r.provider_time_ms for r in readings]
        if any(provider):
            work.provider_ms[at] = or_minus_one(provider)
        silent = work.received_ms[at] < 0
        if silent.any():
            places = np.arange(work.n)[at]
            for j in np.flatnonzero(silent).tolist():
                i = int(places[j])
                work.received_ms[i] = readings[j].received_ms or batch.timestamp_ms[i]

    # -- time, once per message, tallies -------------------------------------------------------

    def _judge_times(self, work: Work, now_ms: int | I64) -> None:
        future = work.received_ms > now_ms + MAX_FAST_CLOCK_MS
        if future.any():
            wrong = Malformed(Reason.FUTURE_RECEIPT, "received more than 60 s ahead of now")
            work.malformed.update((i, wrong) for i in np.flatnonzero(future).tolist())
        work.future = future
        for i in np.flatnonzero(work.received_ms < 0).tolist():
            work.malformed.setdefault(i, NO_TIME)
        np.minimum(work.received_ms, now_ms, out=work.received_ms)
        ahead = work.provider_ms > work.received_ms + MAX_AHEAD_MS
        for i in np.flatnonzero(ahead).tolist():
            work.malformed.setdefault(i, FUTURE_PROVIDER_TIME)

    def _take_partition(self, batch: Batch, work: Work, part: PartitionIntake, here: Where) -> None:
        received = np.where(work.future[here], -1, work.received_ms[here])
        clock = np.maximum.accumulate(np.maximum(received, part.clock_ms or 0))
        result = self._results(work, here)
        whole = (result != CODE[Result.MALFORMED]) & (result != CODE[Result.INBOUND])
        if whole.all():
            self._once_per_message(work, part, here, clock // 1000, result)
        elif whole.any():
            apart = result[whole]
            self._once_per_message(work, part, np.arange(work.n)[here][whole], clock[whole] // 1000, apart)
            result[whole] = apart
        live, offset = work.live[here], batch.offset[here]
        work.result[here] = result
        part.read_to = int(offset[-1]) + 1
        part.end = max(part.end, part.read_to)
        if batch.untouched is not None:
            part.split += int(live.sum()) - len(np.unique(offset[live]))
        if (newest_ms := int(received.max())) >= 0:
            part.newest_ms = max(part.newest_ms, newest_ms)
            part.clock_ms = int(clock[-1])
            part.marks.append((part.clock_ms // 1000, int(offset[0])))
        self._tally(part, work.source[here][live], result[live])

    def _results(self, work: Work, here: Where) -> NDArray[np.uint8]:
        """What the records count as by themselves."""
        result = self._kinds.result[work.row[here]]
        if work.malformed:
            spoilt = np.isin(np.arange(work.n)[here], np.fromiter(work.malformed, np.int64))
            result = np.where(spoilt, np.uint8(CODE[Result.MALFORMED]), result)
        return result

    def _once_per_message(
        self, work: Work, part: PartitionIntake, at: Where, clock_s: I64, result: NDArray[np.uint8]
    ) -> None:
        """Turns results into duplicates and conflicts, in place."""
        stage = self._kinds.stage[work.row[at]]
        before = part.seen.see(work.fingerprint[at], work.received_ms[at] // 1000, clock_s, stage)
        if not before.any():
            work.first_send[at] = (stage & IN_FLIGHT_BITS) != 0
            work.flags[at] = answered.flags_of_first(stage)
            return
        work.flags[at] = answered.flags(before, stage)
        again = (before & stage) != 0
        clash = ~again & ((stage & _FINAL) != 0) & ((before & _FINAL) != 0)
        work.first_send[at] = ~again & ((stage & IN_FLIGHT_BITS) != 0) & ((before & IN_FLIGHT_BITS) == 0)
        result[clash] = CODE[Result.CONFLICT]
        result[again] = CODE[Result.DUPLICATE]

    def _tally(self, part: PartitionIntake, source: I64, result: NDArray[np.uint8]) -> None:
        counts = np.bincount(source * len(RESULTS) + result, minlength=len(self._names) * len(RESULTS))
        for flat in np.flatnonzero(counts).tolist():
            number, code = divmod(flat, len(RESULTS))
            of_source = part.tally.setdefault(self._names[number] or UNKNOWN, {})
            name = RESULTS[code].value
            of_source[name] = of_source.get(name, 0) + int(counts[flat])

    # -- fold, failures, dead letters ----------------------------------------------------------

    def _fold_counted(self, work: Work, offset: I64) -> None:
        counted = np.flatnonzero(work.live & (work.result == CODE[Result.COUNTED]))
        receipt_s = work.received_ms // 1000
        if len(counted):
            latency = latency_column(work.received_ms[counted] - work.sent_ms[counted])
            column = np.where(work.sent_ms[counted] >= 0, latency, NO_LATENCY)
            self._fold_ends(work, counted, receipt_s, column)
            self._kinds.count_checked(work.row[counted], work.source[counted], self._names, self.checked)
        own = np.flatnonzero(work.live & (work.result == CODE[Result.OWN_SIDE]))
        self._fold_ends(work, own, receipt_s, np.full(len(own), OWN))
        canaries = np.flatnonzero(work.live & (work.result == CODE[Result.CANARY]))
        self.fold.add(work.row[canaries], receipt_s[canaries], np.full(len(canaries), SEND))
        in_flight = work.live & (work.result == CODE[Result.IN_FLIGHT])
        if in_flight.any():
            sent = np.flatnonzero(in_flight & work.first_send)
            self.fold.add(work.row[sent], receipt_s[sent], SEND | work.flags[sent] & ANSWERED)
            signals = np.flatnonzero(in_flight & self._kinds.signals[work.row])
            self.fold.add(work.row[signals], receipt_s[signals], np.full(len(signals), SIGNAL))
        fails = self._kinds.fails[work.row[counted]]
        well = counted[~fails & tells_sender(offset[counted])]
        self.fold.add_delivered(work.row[well], receipt_s[well], work.senders(well))
        self._note_failed(work, counted[fails].tolist())
        if self._track:  # a delivery after a failure of the same message reaches somebody as well
            end = (work.result == CODE[Result.COUNTED]) | (work.result == CODE[Result.CONFLICT])
            reached = np.flatnonzero(work.live & end & self._kinds.delivers[work.row])
            self.delivered.add(work.readings, reached, receipt_s[reached])

    def _note_failed(self, work: Work, failed: list[int]) -> None:
        recipients = recipients_of(self._hasher, [work.readings[i] for i in failed])
        for i, known in zip(failed, recipients, strict=True):
            row, at_ms = int(work.row[i]), int(work.received_ms[i])
            source, reading = self._sources[self._names[int(work.source[i])]], work.readings[i]
            recipient = self._failures.add(source.account, self._kinds.keys[row], reading, at_ms, known)
            self.fold.add_failed(row, at_ms // 1000, recipient, reading.sender, source.traffic_class(reading))

    def _fold_ends(self, work: Work, at: I64, receipt_s: I64, column: I64) -> None:
        """Ends of messages: what they count as, whether they have expired, and what is known of the send."""
        expired = np.where(self._kinds.stage[work.row[at]] == EXPIRED_BIT, EXPIRED, 0)
        self.fold.add(work.row[at], receipt_s[at], column | work.flags[at] | expired, work.traffic_class[at])

    def _bury(self, batch: Batch, work: Work, partitions: Sequence[PartitionIntake]) -> None:
        for i in np.flatnonzero(work.live & (work.result == CODE[Result.MALFORMED])).tolist():
            part, offset = partitions[int(batch.partition[i])], int(batch.offset[i])
            self.dead.append(
                DeadLetter(
                    *(part.topic, part.partition, offset, batch.key(i)),
                    (batch.untouched or batch.values)[i],
                    batch.headers[i] or (),
                    work.malformed.get(i, BAD_STATUS),
                    self._names[int(work.source[i])] or UNKNOWN,
                    batch.timestamp_ms[i],
                )
            )
