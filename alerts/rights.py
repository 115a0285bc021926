"""What the alerts role must be allowed to do at Kafka, no more (`streams.rights` has the other roles)."""

from __future__ import annotations

from alerts.inbox import GROUP_SUFFIX
from alerts.settings import Settings
from streams.rights import Rights
from streams.topics import (
    DETECTOR_STATE,
    FAILED_RECIPIENTS,
    INCIDENT_COMMANDS,
    INCIDENT_EVENTS,
    INCIDENTS,
    OUTCOMES,
    SILENCES,
    WINDOWS,
)

_OWN = (DETECTOR_STATE, INCIDENTS, INCIDENT_EVENTS, SILENCES)
"""Read back, written by nobody else."""


def of_alerts(settings: Settings) -> Rights:
    """FAILED_RECIPIENTS for samples in evidence, INCIDENT_COMMANDS for what people ask for on the pages,
    OUTCOMES for the canary. What the list of recipients needs beside them is told by
    `recipients.log.rights`: paging does not wait for it."""
    canary = (OUTCOMES,) if settings.alerting.canary_s else ()
    acting = (INCIDENT_COMMANDS,) if settings.pages.act else ()
    group = settings.alerts.group
    return Rights(
        "alerts",
        reads=tuple(settings.topic(t) for t in (WINDOWS, *_OWN, INCIDENT_COMMANDS, FAILED_RECIPIENTS)),
        writes=tuple(settings.topic(t) for t in (*_OWN, *acting, *canary)),
        groups=(group, group + GROUP_SUFFIX),
    )
