"""What a review is made of, read from the topics: buckets of the journal, the log of incidents."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import aclosing
from importlib import metadata

import msgspec
from aiokafka.errors import KafkaError

from alerts.measure import scope_of
from alerts.policy import Policy
from alerts.records import Incident
from alerts.review.evidence import Context, Frozen, leaf_step_s, needed
from alerts.review.series import Gathering
from alerts.settings import Settings
from streams.errors import MonitorError
from streams.journal import Assembler
from streams.log_reader import read_since, read_some
from streams.records import FailedRecipient, SeriesKey
from streams.rules import RuleBook
from streams.topics import FAILED_RECIPIENTS, INCIDENT_EVENTS, WINDOWS

log = logging.getLogger(__name__)

MOST_SAMPLES = 10
SAMPLED_S = 600
MOST_LOOKED_AT = 500
"""Failed messages of each partition that are looked at for samples."""
Progress = Callable[[int, int], None]
"""(buckets read, buckets in all)"""


async def gathered(
    settings: Settings, incident: Incident, until_s: int, tell: Progress = lambda _done, _of: None
) -> Gathering:
    """The buckets around an incident up to `until_s`, as far as the journal holds them. Raises MonitorError
    where its rule is configured no more, Unreachable without Kafka."""
    span = needed(incident, until_s)
    rule = next((r for r in settings.rules if r.name == incident.rule), None)
    if rule is None:
        raise MonitorError(f"rule '{incident.rule}' is not configured any more: its buckets can not be read")
    book = RuleBook.of(settings.rules, settings.sources, settings.code_tables)
    gathering, assembler = Gathering(rule, scope_of(incident), book, leaf_step_s(span)), Assembler()
    async with aclosing(read_since(settings, WINDOWS, span.from_s * 1000)) as records:
        async for offset, _, value in records:
            complete = assembler.feed(offset, value)
            if complete is None or complete.record.bucket_s < span.from_s:
                continue
            if complete.record.bucket_s >= span.to_s:
                break
            gathering.take(complete)
            tell(len(gathering.seen), span.buckets)
    return gathering


async def read_events(settings: Settings, since_s: int) -> Mapping[str, list[Frozen]]:
    """`incident-events` since then by incident key, in the order in which they were written; a record that
    can not be read is left out. Raises Unreachable."""
    found: dict[str, list[Frozen]] = defaultdict(list)
    async for _, _, value in read_since(settings, INCIDENT_EVENTS, since_s * 1000):
        try:
            event = msgspec.json.decode(value, type=Frozen)
        except msgspec.MsgspecError:
            continue
        found[event.key].append(event)
    return found


async def samples(settings: Settings, gathering: Gathering, at_s: int) -> tuple[str, ...]:
    """Hashes of ids of some messages that failed from `at_s` on; empty where `failed-recipients` can not be
    read, or holds nothing of that time any more."""
    found: set[str] = set()
    try:
        async for value in read_some(settings, FAILED_RECIPIENTS, at_s * 1000, MOST_LOOKED_AT):
            failed = msgspec.json.decode(value, type=FailedRecipient)
            new = at_s <= failed.received_ms // 1000 < at_s + SAMPLED_S
            if new and gathering.is_own_failure(_key(failed)):
                found.add(sample_of(failed.message_id))
    except (MonitorError, KafkaError, msgspec.MsgspecError) as e:
        log.warning("no sample messages: %s: %s", type(e).__name__, e)
    return tuple(sorted(found)[:MOST_SAMPLES])


def sample_of(message_id: str) -> str:
    """The first 16 digits of the SHA-256 of a message id: whoever has the id can tell that it is the one."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]


def _key(failed: FailedRecipient) -> SeriesKey:
    return SeriesKey(failed.source, failed.carrier, failed.region, failed.outcome_class, failed.code)


def context(settings: Settings, made_ms: int, lag_ms: int = 0, samples: tuple[str, ...] = ()) -> Context:
    """By which rules it decides now."""
    policy = msgspec.to_builtins(Policy.of(settings))
    return Context(made_ms, lag_ms, policy, metadata.version("carrier-health-monitor"), samples)
