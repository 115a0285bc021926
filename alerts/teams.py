"""Who is paged for an incident: the first team whose matchers fit, else the default ('')."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from alerts.records import Incident
from alerts.settings import Team

DEFAULT = ""


def team_of(incident: Incident, teams: Sequence[Team]) -> str:
    """By rule, scope, carrier and region as they were at opening, severity and share of time-critical
    traffic as they are now.

    The caller asks once and keeps the answer: a resolve by another key would be dropped silently.
    """
    return next((team.name for team in teams if _fits(incident, team)), DEFAULT)


def _fits(incident: Incident, team: Team) -> bool:
    asked = (
        (team.carriers, incident.carrier),
        (team.regions, incident.region),
        (team.rules, incident.rule),
        (team.severities, incident.severity.value),
        (team.scopes, incident.scope),
    )
    if incident.time_critical < team.time_critical_share * max(incident.failed, 1):
        return False
    return all(not patterns or any(fnmatchcase(value, p) for p in patterns) for patterns, value in asked)
