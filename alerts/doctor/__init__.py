"""Checks of an installation from outside, one file a thing that is looked at.

Each check yields findings and raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from alerts.doctor.access import check_access
from alerts.doctor.carriers import check_carriers, check_lookup
from alerts.doctor.configuration import check_privacy, check_sources
from alerts.doctor.finding import Finding, Level
from alerts.doctor.gateway import check_gateway
from alerts.doctor.incident_pages import check_incident_pages
from alerts.doctor.kafka import check_kafka
from alerts.doctor.open_pages import check_open_pages
from alerts.doctor.pager import check_pager_address, check_pager_settings
from alerts.doctor.redis import check_redis
from alerts.settings import Settings

__all__ = ["Finding", "Level", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, as they are made; takes at most some 30 s where nothing answers."""
    yield from check_sources(settings)
    yield from check_privacy(settings)
    yield from check_gateway(settings)
    yield from check_incident_pages(settings)
    yield from check_lookup(settings)
    yield from check_access(settings)
    yield from check_kafka(settings)
    yield from check_carriers(settings)
    yield from check_redis(settings)
    yield from check_pager_settings(settings)
    if settings.pages_somebody:
        yield from check_pager_address(settings)
        yield from check_open_pages(settings)
