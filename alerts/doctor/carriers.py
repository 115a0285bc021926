"""Carriers: how many outcomes have none, and what Lookup may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from alerts.doctor.finding import Finding, ok, warn
from alerts.settings import Settings
from streams.journal import Assembler
from streams.kafka_access import kafka_python
from streams.lookup.budget import daily_limit
from streams.topics import WINDOWS
from streams.unknown_share import HOUR_BUCKETS, Share, UnknownShare

UNKNOWN_ABOVE = 0.2
"""Share of outcomes without a carrier above which something should be done."""
WAYS_OUT = (
    "put `carrier` on the callback URL (?carrier=310-260), set lookup.enabled = true, or tag messages with "
    "their carrier (docs/carriers.md); until then these count by region and over everything alone"
)
_TIMEOUT_MS = 5_000


def check_lookup(settings: Settings) -> Iterator[Finding]:
    """Whether Lookup is asked, and what that costs a day at most. Asks nothing."""
    lookup = settings.lookup
    if not lookup.enabled:
        yield ok("lookup", "lookup.enabled = false: Twilio Lookup is not asked")
        return
    limit = daily_limit(lookup)
    yield ok(
        "lookup",
        f"at most {limit:,} requests a day, {limit * lookup.price_per_request:,.2f} at the price set",
    )


def check_carriers(settings: Settings) -> Iterator[Finding]:
    """The share of unknown carriers in the last hour of closed buckets; a broker that is away has been
    told of before."""
    try:
        shares = _last_hour(settings)
    except KafkaError:
        return
    yield from judge(shares)


def judge(shares: Iterable[Share]) -> Iterator[Finding]:
    """One finding a source that had outcomes."""
    for share in shares:
        found = f"{share.source}: unknown for {share.ratio:.0%} of {share.finals:,} outcomes of the last hour"
        if share.ratio > UNKNOWN_ABOVE:
            yield warn("carriers", found, WAYS_OUT)
        elif share.finals:
            yield ok("carriers", found)


def _last_hour(settings: Settings) -> tuple[Share, ...]:
    """Reads the end of the journal: an hour of buckets, in as many records or a few more."""
    tp = TopicPartition(settings.topic(WINDOWS), 0)
    consumer = KafkaConsumer(
        **kafka_python(settings),
        enable_auto_commit=False,
        consumer_timeout_ms=_TIMEOUT_MS,
        bootstrap_timeout_ms=_TIMEOUT_MS,
    )
    try:
        if not consumer.partitions_for_topic(tp.topic):
            return ()
        consumer.assign([tp])
        low, end = consumer.beginning_offsets([tp])[tp], consumer.end_offsets([tp])[tp]
        consumer.seek(tp, max(low, end - 2 * HOUR_BUCKETS))
        shares, assembler = UnknownShare(), Assembler()
        while consumer.position(tp) < end:
            batches = consumer.poll(_TIMEOUT_MS)
            if not batches:
                break
            for record in (r for records in batches.values() for r in records):
                _add(shares, assembler, record.offset, record.value)
        return shares.shares()
    finally:
        consumer.close()


def _add(shares: UnknownShare, assembler: Assembler, offset: int, value: bytes) -> None:
    try:
        complete = assembler.feed(offset, value)
    except msgspec.MsgspecError:
        return
    if complete is not None:
        shares.add(complete.cells)
