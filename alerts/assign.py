"""Which incident a finding belongs to: one alert per cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts.localise import Finding
from alerts.measure import scope_of
from alerts.records import ALL, Incident, Scope, State
from alerts.scopes import nest


def assign(findings: Iterable[Finding], incidents: Sequence[Incident]) -> list[tuple[Finding, str | None]]:
    """Each finding with the key of the incident that it belongs to; None where it is a new one.

    In order: an open incident of that very scope, one that contains it or lies in it, one that
    overlaps it and that no finding speaks of, one that ended a short time ago.
    """
    found = list(findings)
    opened = [i for i in incidents if i.state is State.OPEN]
    closed = [i for i in incidents if i.state is State.RESOLVED]
    known = {scope_of(i): i.key for i in reversed(opened)}
    keys = [known.get(f.scope) or _nested(f.scope, opened) for f in found]
    for at, finding in enumerate(found):
        spare = [i for i in opened if i.key not in keys]
        keys[at] = keys[at] or _overlapping(finding.scope, spare) or _nested(finding.scope, closed)
    return list(zip(found, keys, strict=True))


def _nested(scope: Scope, incidents: Iterable[Incident]) -> str | None:
    for incident in incidents:
        if nest(scope_of(incident), scope):
            return incident.key
    return None


def _overlapping(scope: Scope, incidents: Iterable[Incident]) -> str | None:
    for incident in incidents:
        own = scope_of(incident)
        if ALL in (own.carrier, scope.carrier) and ALL in (own.region, scope.region):
            return incident.key
    return None
