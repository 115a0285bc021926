"""Who is paged for an incident: the first team whose matchers fit, else the default ('')."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from alerts.records import Incident
from alerts.settings import Team

DEFAULT = ""


def team_of(incident: Incident, teams: Sequence[Team]) -> str:
    """By rule, carrier and region as they were at opening, and the severity of now.

    The caller asks once and keeps the answer: a resolve by another key would be dropped silently.
    """
    return next((team.name for team in teams if _fits(incident, team)), DEFAULT)


def _fits(incident: Incident, team: Team) -> bool:
    asked = (
        (team.carriers, incident.carrier),
        (team.regions, incident.region),
        (team.rules, incident.rule),
        (team.severities, incident.severity.value),
    )
    return all(not patterns or any(fnmatchcase(value, p) for p in patterns) for patterns, value in asked)
