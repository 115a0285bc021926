"""What a review is made of, read from the topics: buckets of the journal, the log of incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from importlib import metadata

import msgspec

from alerts.measure import scope_of
from alerts.policy import Policy
from alerts.records import Incident
from alerts.review.evidence import Context, Frozen, leaf_step_s, needed
from alerts.review.series import Gathering
from alerts.settings import Settings
from streams.errors import MonitorError
from streams.journal import Assembler
from streams.log_reader import read_since
from streams.rules import RuleBook
from streams.topics import INCIDENT_EVENTS, WINDOWS

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
    async for offset, _, value in read_since(settings, WINDOWS, span.from_s * 1000):
        complete = assembler.feed(offset, value)
        if complete is None or complete.record.bucket_s < span.from_s:
            continue
        if complete.record.bucket_s >= span.to_s:
            break
        gathering.take(complete)
        tell(len(gathering.seen), span.buckets)
    return gathering


async def read_events(settings: Settings) -> Mapping[str, list[Frozen]]:
    """All of `incident-events` by incident key, in the order in which they were written; a record that can
    not be read is left out. Raises Unreachable."""
    found: dict[str, list[Frozen]] = defaultdict(list)
    async for _, _, value in read_since(settings, INCIDENT_EVENTS, 0):
        try:
            event = msgspec.json.decode(value, type=Frozen)
        except msgspec.MsgspecError:
            continue
        found[event.key].append(event)
    return found


def context(settings: Settings, made_ms: int, lag_ms: int = 0) -> Context:
    """By which rules it decides now."""
    policy = msgspec.to_builtins(Policy.of(settings))
    return Context(made_ms, lag_ms, policy, metadata.version("carrier-health-monitor"))
