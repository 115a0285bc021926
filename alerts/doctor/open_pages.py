"""Open pages that nobody could resolve any more: their routing key, or their team, is configured no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from alerts import asking
from alerts.doctor.finding import Finding, ok, warn
from alerts.records import Incident
from alerts.routes import PAGERDUTY, routes_of
from alerts.settings import Settings
from streams.errors import Unreachable

_TIMEOUT_S = 10.0


def check_open_pages(settings: Settings) -> Iterator[Finding]:
    """What the incidents say; a broker that is away, or no topic yet, has been told of before."""
    try:
        incidents = asyncio.run(_incidents(settings))
    except (Unreachable, OSError, TimeoutError):
        return
    yield from judge(incidents, {r.name: r.key_ids for r in routes_of(settings)})


async def _incidents(settings: Settings) -> list[Incident]:
    async with asyncio.timeout(_TIMEOUT_S):
        return list((await asking.read_incidents(settings)).values())


def judge(incidents: Iterable[Incident], key_ids: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    """One finding an orphan. `key_ids`: of the configured keys, by route."""
    orphans = list(_orphans(incidents, key_ids))
    for dedup_key, route, key_id in orphans:
        found = f"{dedup_key} is open at {route}, opened with the key of id {key_id}, which is not configured"
        todo = "set previous_routing_key (of pagerduty, or of the team), or resolve it in PagerDuty by hand"
        yield warn("open pages", found, todo)
    if not orphans:
        yield ok("open pages", "each can be resolved with a key that is configured")


def _orphans(
    incidents: Iterable[Incident], key_ids: dict[str, tuple[str, ...]]
) -> Iterator[tuple[str, str, str]]:
    for incident in incidents:
        last = {(d.route, d.dedup_key): d for d in incident.deliveries if d.action != "tell"}
        for (route, dedup_key), told in last.items():
            if not route.startswith(PAGERDUTY) or told.action != "trigger":
                continue
            if told.routing_key_id and told.routing_key_id not in key_ids.get(route, ()):
                yield dedup_key, route, told.routing_key_id
