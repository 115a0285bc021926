"""What has been, or would have been, paged of late: so that `alerting.mode = "observe"` can be trusted first.

A function of the incidents alone, so that a restart counts the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from alerts.records import Incident, ScopeKind, Severity

WEEK_S = 7 * 86_400
MONDAY_S = 4 * 86_400
"""1970-01-05, the first Monday of the epoch."""
PAGED = (Severity.CRITICAL, Severity.WARNING)

Week = Mapping[tuple[Severity, ScopeKind], int]


def of_week(incidents: Iterable[Incident], end_s: int) -> Week:
    """Pages wanted in the week before `end_s` (event time) by severity and scope, zeros included. A
    re-open that pages again counts again."""
    wakes = (w for i in incidents for w in i.wakes if end_s - WEEK_S <= w.bucket_s < end_s)
    found = Counter((w.severity, w.scope) for w in wakes)
    return {(severity, scope): found[severity, scope] for severity in PAGED for scope in ScopeKind}


def words(week: Week) -> str:
    """`3 pages: 1 critical (carrier), 2 warning (pair)`."""
    total = sum(week.values())
    parts = [f"{n} {severity.value} ({scope.value})" for (severity, scope), n in week.items() if n]
    return f"{total} page{'' if total == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")


def ends_week(end_s: int) -> bool:
    """Whether a week, from Monday 00:00 UTC on, ends at `end_s`."""
    return (end_s - MONDAY_S) % WEEK_S == 0
