"""What a review is made of, read from the topics: buckets of the journal, the log of incidents."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec
from aiokafka.errors import KafkaError

from alerts.advice.records import series_of
from alerts.advised import retries
from alerts.measure import scope_of
from alerts.policy import Policy
from alerts.records import Incident
from alerts.review.evidence import Context, Evidence, Frozen, Moment, freeze, leaf_step_s, needed
from alerts.review.report import Known, Review, mixes, review
from alerts.review.series import Gathering
from alerts.settings import Settings
from streams.errors import MonitorError
from streams.log_reader import read_buckets, read_since, read_some
from streams.metrics import version
from streams.networks import networks_of
from streams.records import BUCKET_S, FailedRecipient
from streams.rules import RuleBook, named
from streams.topics import FAILED_RECIPIENTS, INCIDENT_EVENTS

log = logging.getLogger(__name__)

MOST_SAMPLES = 10
SAMPLED_S = 600
MIXES_S = 90 * 86_400
"""So far back similar incidents are compared by their code mix, as far as recurrence looks."""
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
    rule = named(settings.rules, incident.rule)
    if rule is None:
        raise MonitorError(f"rule '{incident.rule}' is not configured any more: its buckets can not be read")
    book = RuleBook.of(settings.rules, settings.sources, settings.code_tables)
    gathering = Gathering(rule, scope_of(incident), book, leaf_step_s(span))
    async with aclosing(read_buckets(settings, span.from_s, span.to_s)) as buckets:
        async for complete in buckets:
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
            if new and gathering.is_own_failure(series_of(failed)):
                found.add(sample_of(failed.message_id))
    except (MonitorError, KafkaError, msgspec.MsgspecError) as e:
        log.warning("no sample messages: %s: %s", type(e).__name__, e)
    return tuple(sorted(found)[:MOST_SAMPLES])


def sample_of(message_id: str) -> str:
    """The first 16 digits of the SHA-256 of a message id: whoever has the id can tell that it is the one."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]


class Moments(NamedTuple):
    """What time it is, epoch milliseconds: for people, and for events."""

    wall_ms: int
    event_ms: int


async def reviewed(
    settings: Settings,
    incident: Incident,
    incidents: Sequence[Incident],
    now: Moments,
    *,
    frozen: bool = False,
    alike: bool = True,
    tell: Progress = lambda _done, _of: None,
) -> Review:
    """The review of an incident among all `incidents` that are known; `frozen` leaves the journal alone,
    without `alike` the code mixes of earlier incidents are not read. Raises MonitorError as `gathered`,
    Unreachable without Kafka."""
    events = await read_events(settings, incident.opened_bucket_s - (MIXES_S if alike else 0))
    fresh = None if frozen else await _fresh(settings, incident, now, tell)
    links = {
        "Incident": settings.incident_url(incident.key),
        "Incident at the pager": incident.people.pager_url,
        "Runbook": settings.alerting.runbook_url,
    }
    mixed = mixes(event for several in events.values() for event in several)
    display = networks_of(settings.carriers.file, settings.carriers.roll_up).display
    known = Known(incidents, mixed, display, links)
    return review(incident, events.get(incident.key, []), fresh, known, now.wall_ms)


async def _fresh(settings: Settings, incident: Incident, now: Moments, tell: Progress) -> Evidence | None:
    """Made of the buckets as they are in the journal; None where it holds none of them."""
    now_s = now.event_ms // 1000 // BUCKET_S * BUCKET_S
    until_s = max(now_s, incident.last_bucket_s + BUCKET_S)
    found = await gathered(settings, incident, until_s, tell)
    if not found.seen:
        return None
    span = needed(incident, min(until_s, max(found.seen) + BUCKET_S))
    told = context(settings, now.wall_ms)._replace(retries=await retries(settings, found, incident, span))
    return freeze(Moment.NOW, incident, found, span, told)


def context(settings: Settings, made_ms: int, lag_ms: int = 0) -> Context:
    """By which rules it decides now."""
    return Context(made_ms, lag_ms, msgspec.to_builtins(Policy.of(settings)), version())
