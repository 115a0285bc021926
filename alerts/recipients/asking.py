"""What people ask of the list, by numbers of their own: hashed here, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
from confluent_kafka import Producer
from redis.exceptions import RedisError

from alerts.recipients.buckets import Buckets
from alerts.recipients.entry import Entry, run
from alerts.recipients.names import U64
from alerts.settings import Settings
from streams.deliveries import MOST_IN_A_RECORD, packed
from streams.errors import MonitorError, Unreachable
from streams.kafka_access import librdkafka
from streams.privacy import RecipientHasher
from streams.records import encode
from streams.topics import DELIVERED_RECIPIENTS

BATCH = 10_000
TIMEOUT_S = 10.0
COLUMNS = ("failed_in_a_row", "newest_failure", "oldest_failure")
"""Beside who it is. As many failures are kept as put a recipient on the list; the oldest is of those."""


@contextmanager
def opened(settings: Settings) -> Iterator[Buckets]:
    """What Redis keeps. Raises Unreachable, or MonitorError where it is not whole."""
    key_id = RecipientHasher(settings.privacy.recipient_key).key_id
    buckets = Buckets(settings.redis, key_id, settings.recipients)
    try:
        if not buckets.is_built:
            raise MonitorError(
                "Redis does not hold the whole list: the alerts role builds it anew from the topics while it "
                "runs, and carrier_health_recipients_rebuilding is 0 once it has; or it was made with other "
                "settings of recipients, or another privacy.recipient_key"
            )
        yield buckets
    except (RedisError, OSError) as e:
        raise Unreachable("Redis", settings.redis.address, str(e)) from None
    finally:
        buckets.close()


def hashed(hasher: RecipientHasher, lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each number with its hash, blank lines left out; as many as there may be."""
    numbers = (line.strip() for line in lines)
    wanted = (number for number in numbers if number)
    while batch := list(islice(wanted, BATCH)):
        yield from zip(batch, hasher.many(batch).tolist(), strict=True)


def figures(buckets: Buckets, entry: Entry, now_s: int) -> dict[str, Any]:
    """The columns of one recipient; times are ISO 8601, UTC."""
    since_s = max(entry.delivered_s, now_s - buckets.limits.within_s)
    counted = [f.last_s for f in entry.failures if f.last_s > since_s]
    times = [_iso(counted[-1]), _iso(counted[0])] if counted else ["", ""]
    return dict(zip(COLUMNS, [run(entry, now_s, buckets.limits), *times], strict=True))


def by_hash(buckets: Buckets, now_s: int) -> Iterator[dict[str, Any]]:
    """Who is on the list, by hash."""
    for recipient, entry in buckets.on_list(now_s):
        yield {"recipient": f"{recipient:016x}", **figures(buckets, entry, now_s)}


def by_number(
    buckets: Buckets, hasher: RecipientHasher, lines: Iterable[str], now_s: int
) -> Iterator[dict[str, Any]]:
    """Those of the given numbers that are on the list, in their order."""
    listed: Mapping[int, Entry] = dict(buckets.on_list(now_s))
    for number, recipient in hashed(hasher, lines):
        if recipient in listed:
            yield {"number": number, **figures(buckets, listed[recipient], now_s)}


def erase(settings: Settings, buckets: Buckets, recipients: U64, now_s: int) -> int:
    """Forgets recipients: first in the topic, so that nothing brings them back, then in Redis. Returns
    how many entries there were. Raises MonitorError when Kafka has not got it all."""
    key_id = RecipientHasher(settings.privacy.recipient_key).key_id
    producer = Producer({**librdkafka(settings), "message.timeout.ms": int(TIMEOUT_S * 1000)})
    failures: list[str] = []
    for start in range(0, len(recipients), MOST_IN_A_RECORD):
        part = recipients[start : start + MOST_IN_A_RECORD]
        block = packed(key_id, part, np.full(len(part), now_s), forget=True)
        producer.produce(
            settings.topic(DELIVERED_RECIPIENTS),
            encode(block),
            on_delivery=lambda error, _: failures.append(error.str()) if error else None,
        )
    if producer.flush(TIMEOUT_S + 1) or failures:
        why = failures[0] if failures else "no answer"
        raise Unreachable("Kafka", settings.kafka.bootstrap_servers, f"writing whom to forget: {why}")
    return buckets.forget(recipients.tolist())


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
