"""Why the alerts role is not well: what its heartbeat goes by."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.records import QUIET_ROUTES
from alerts.settings import Settings
from alerts.sight import Sight
from streams.metrics import Metrics
from streams.records import BUCKET_S

CANARIES_MISSED = 3
STUCK_AFTER_S = 300.0


def canary_lost_after_s(settings: Settings) -> float:
    """So long after its bucket the newest canary is overdue, in seconds of the monitor's clock."""
    return CANARIES_MISSED * settings.alerting.canary_s + settings.windows.allowed_lateness_s + 2 * BUCKET_S


def unwell(
    settings: Settings, sight: Sight, blind: str | None, waiting: Sequence[str], metrics: Metrics, now_ms: int
) -> list[str]:
    """Every reason not to say that all is well. `waiting`: of the readiness; Redis may be away,
    and the list of recipients with it.

    `now_ms` is the clock of the monitor, which runs on event time.
    """
    reasons = [reason for reason in waiting if not reason.startswith(("redis", "recipients"))]
    if blind is not None:
        reasons.append(blind)
    behind_s = now_ms / 1000 - sight.canary_seen_s
    if settings.alerting.canary_s and behind_s > canary_lost_after_s(settings):
        reasons.append("the canary does not come back")
    unsent_s = oldest_unsent_s(metrics)
    if unsent_s > STUCK_AFTER_S:
        reasons.append("a page has not got out for more than 5 min")
    return reasons


def oldest_unsent_s(metrics: Metrics) -> float:
    """Age of the oldest page that should wake somebody and is not accepted, 0 for none."""
    samples = [s for family in metrics.pager_oldest_unsent_seconds.collect() for s in family.samples]
    return max((s.value for s in samples if s.labels["route"] not in QUIET_ROUTES), default=0.0)
