"""Reads a journal back from its end, and a compacted topic from its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.journal import Assembler, Complete
from streams.kafka_access import aiokafka
from streams.kafka_trouble import unreachable
from streams.settings import Settings
from streams.topics import WINDOWS

_FIRST_REACH = 500
_LAST = 10

Record = tuple[int, bytes, bytes]
"""(offset, key, value)"""


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **aiokafka(settings),
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=16 * 1024 * 1024,
    )
    try:
        await consumer.start()
        yield consumer
    except KafkaError as e:
        raise await asyncio.to_thread(unreachable, settings, f"reading back: {e}") from e
    finally:
        await consumer.stop()


async def read_from(
    consumer: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int
) -> list[tuple[int, bytes, bytes]]:
    """(offset, key, value) of the records in [start, end), committed ones only."""
    if start >= end:
        return []
    consumer.assign([tp])
    consumer.seek(tp, start)
    records: list[Record] = []
    while await consumer.position(tp) < end:
        batch = await consumer.getmany(tp, timeout_ms=1000)
        records += [(r.offset, r.key, r.value) for rs in batch.values() for r in rs if r.offset < end]
    return records


async def read_log(settings: Settings, topic: str, start: int, end: int | None = None) -> list[Record]:
    """The committed records of a one-partition topic in [start, end), as far as they still exist; to its
    end where none is given."""
    tp = TopicPartition(settings.topic(topic), 0)
    async with _consumer(settings) as consumer:
        consumer.assign([tp])
        low = (await consumer.beginning_offsets([tp]))[tp]
        if end is None:
            end = (await consumer.end_offsets([tp]))[tp]
        return await read_from(consumer, tp, max(low, start), end)


async def read_since(settings: Settings, topic: str, at_ms: int) -> AsyncGenerator[Record, None]:
    """The committed records of a one-partition topic that were written at `at_ms` (wall time) or later, up
    to its end as it is now; all of them where none is so new, as when `at_ms` is of a clock that is ahead."""
    tp = TopicPartition(settings.topic(topic), 0)
    async with _consumer(settings) as consumer:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        low = (await consumer.beginning_offsets([tp]))[tp]
        consumer.seek(tp, await _offset_at(consumer, tp, at_ms, beyond=low))
        while await consumer.position(tp) < end:
            batch = await consumer.getmany(tp, timeout_ms=1000)
            for record in (r for records in batch.values() for r in records if r.offset < end):
                yield record.offset, record.key, record.value


async def read_buckets(settings: Settings, from_s: int, to_s: int) -> AsyncGenerator[Complete, None]:
    """The closed buckets that begin in [from_s, to_s), in order, as far as the journal holds them."""
    assembler = Assembler()
    async with aclosing(read_since(settings, WINDOWS, from_s * 1000)) as records:
        async for offset, _, value in records:
            complete = assembler.feed(offset, value)
            if complete is None or complete.record.bucket_s < from_s:
                continue
            if complete.record.bucket_s >= to_s:
                return
            yield complete


async def read_some(settings: Settings, topic: str, at_ms: int, most: int) -> AsyncIterator[bytes]:
    """As `read_since`, of a topic with any number of partitions: values, at most `most` of each partition."""
    async with _consumer(settings) as consumer:
        partitions = await _partitions(consumer, settings.topic(topic))
        ends, lows = await consumer.end_offsets(partitions), await consumer.beginning_offsets(partitions)
        starts = await _offsets_at(consumer, partitions, at_ms, lows)
        wanted = {tp: (starts[tp], min(ends[tp], starts[tp] + most)) for tp in partitions}
        async for record in _read_all(consumer, wanted):
            yield record.value


async def read_keyed(
    settings: Settings, topic: str, keys: frozenset[bytes], around_ms: tuple[int, int], most: int
) -> AsyncIterator[tuple[bytes, bytes]]:
    """(key, value) of the committed records with one of `keys` in the topic of that full name, of those that
    Kafka was given in [from, to) of `around_ms`; about `most` records are read for it at most."""
    async with _consumer(settings) as consumer:
        partitions = await _partitions(consumer, topic)
        ends = await consumer.end_offsets(partitions)
        starts, stops = [await _offsets_at(consumer, partitions, at_ms, ends) for at_ms in around_ms]
        each = most // len(partitions)
        wanted = {tp: (starts[tp], min(stops[tp], starts[tp] + each)) for tp in partitions}
        async for record in _read_all(consumer, wanted):
            if record.key in keys and record.value is not None:
                yield record.key, record.value


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    one = TopicPartition(topic, 0)
    consumer.assign([one])
    await consumer.end_offsets([one])  # which asks for what the topic has
    numbers = sorted(consumer.partitions_for_topic(topic) or {0})
    return [TopicPartition(topic, number) for number in numbers]


async def _offsets_at(
    consumer: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    at_ms: int,
    beyond: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Offsets of the first records given to Kafka at or after `at_ms`; `beyond` where there is none."""
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, max(at_ms, 0)))
    return {tp: int(found[tp].offset if found.get(tp) else beyond[tp]) for tp in partitions}


async def _read_all(
    consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, tuple[int, int]]
) -> AsyncIterator[Any]:
    """The committed records in [start, stop) of each partition, all of them read at once."""
    left = {tp: bounds for tp, bounds in wanted.items() if bounds[0] < bounds[1]}
    if left:
        consumer.assign(list(left))
    for tp, (start, _) in left.items():
        consumer.seek(tp, start)
    while left:
        for tp, records in (await consumer.getmany(*left, timeout_ms=1000)).items():
            for record in (r for r in records if r.offset < left[tp][1]):
                yield record
        left = {tp: (a, stop) for tp, (a, stop) in left.items() if await consumer.position(tp) < stop}


async def read_back(settings: Settings, topic: str, span_s: int) -> list[Complete]:
    """The newest complete buckets of the journal, `span_s` of bucket time, oldest first."""
    tp = TopicPartition(settings.topic(topic), 0)
    async with _consumer(settings) as consumer:
        consumer.assign([tp])
        low = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        reach = _FIRST_REACH
        while True:
            start = max(low, end - reach)
            found = assemble(await read_from(consumer, tp, start, end))
            wide = found and found[-1].record.bucket_s - found[0].record.bucket_s >= span_s
            if wide or start == low:
                break
            reach *= 4
    newest = found[-1].record.bucket_s if found else 0
    return [c for c in found if c.record.bucket_s > newest - span_s]


def assemble(records: list[Record]) -> list[Complete]:
    """Complete buckets of journal records in the order of the topic."""
    assembler = Assembler()
    fed = (assembler.feed(offset, value) for offset, _, value in records)
    return [c for c in fed if c is not None]


async def read_between(settings: Settings, topic: str, from_ms: int, to_ms: int) -> list[Record]:
    """The records of a one-partition topic that Kafka was given in [from_ms, to_ms), epoch milliseconds."""
    tp = TopicPartition(settings.topic(topic), 0)
    async with _consumer(settings) as consumer:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        bounds = [await _offset_at(consumer, tp, at_ms, beyond=end) for at_ms in (from_ms, to_ms)]
        return await read_from(consumer, tp, *bounds)


async def read_newest(settings: Settings, topic: str, span_ms: int) -> dict[bytes, bytes]:
    """As `read_compacted`, of what Kafka was given in the last `span_ms` before the newest record."""
    tp = TopicPartition(settings.topic(topic), 0)
    async with _consumer(settings) as consumer:
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        newest_ms = await _newest_ms(consumer, tp, end)
        start = await _offset_at(consumer, tp, newest_ms - span_ms, beyond=end)
        return _newest(await read_from(consumer, tp, start, end))


async def read_compacted(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """The newest value of each key of a one-partition topic; tombstones left out."""
    return _newest(await read_log(settings, topic, 0))


def _newest(records: list[Record]) -> dict[bytes, bytes]:
    newest = {key: value for _, key, value in records}
    return {key: value for key, value in newest.items() if value is not None}


async def _offset_at(consumer: AIOKafkaConsumer, tp: TopicPartition, at_ms: int, beyond: int) -> int:
    """As `_offsets_at`, of one partition."""
    return (await _offsets_at(consumer, [tp], at_ms, {tp: beyond}))[tp]


async def _newest_ms(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> int:
    """When Kafka was given the newest record; 0 where there is none among the last few offsets."""
    low, newest_ms = (await consumer.beginning_offsets([tp]))[tp], 0
    consumer.seek(tp, max(end - _LAST, low))
    while await consumer.position(tp) < end:
        batch = await consumer.getmany(tp, timeout_ms=1000)
        newest_ms = max([newest_ms, *(r.timestamp for rs in batch.values() for r in rs)])
    return newest_ms
