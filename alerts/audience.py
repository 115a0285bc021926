"""Which pages an incident wants, whom they are for, and which summary speaks for it instead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from alerts.paging import Display, Links, notices, pages
from alerts.records import Form, Incident, Page
from alerts.settings import Team
from alerts.storm import holder_of, storm_pages, storms_of
from alerts.teams import team_of

LinksOf = Callable[[Incident], Links]


def frozen(
    changed: Sequence[Incident], known: Mapping[str, Incident], teams: Sequence[Team], storm_opens: int
) -> tuple[Incident, ...]:
    """The changed incidents of one bucket with team and storm as decided when each first wanted a page.

    What was decided before is kept whatever the settings say now: a resolve goes where its trigger went.
    """
    kept = [_kept(incident, known.get(incident.key)) for incident in changed]
    fresh = [i for i in kept if i.team is None and i.plain_key_used and not i.deliveries]
    storms = storms_of(fresh, [i for i in known.values() if i.team is not None], storm_opens)
    return tuple(_decided(i, teams, storms) for i in kept)


def _kept(computed: Incident, stored: Incident | None) -> Incident:
    """The part of a stored incident that no bucket computes."""
    if stored is None:
        return computed
    return msgspec.structs.replace(
        computed, deliveries=stored.deliveries, team=stored.team, storm=stored.storm
    )


def _decided(incident: Incident, teams: Sequence[Team], storms: Mapping[str, str]) -> Incident:
    if incident.team is not None or not incident.plain_key_used:
        return incident
    # A version that knew no teams has paged it by the default key.
    team = "" if incident.deliveries else team_of(incident, teams)
    return msgspec.structs.replace(incident, team=team, storm=storms.get(incident.key, ""))


def members(storm: str, known: Collection[Incident]) -> list[Incident]:
    return [i for i in known if i.storm == storm]


def holder(dedup_key: str, known: Mapping[str, Incident]) -> Incident:
    """The incident in which a delivery is written down: of its key, or the first of its storm."""
    without_suffix = dedup_key.rsplit(":", 1)[0]
    if dedup_key in known or without_suffix in known:
        return known.get(dedup_key) or known[without_suffix]
    return holder_of(members(dedup_key, known.values()))


def wanted(
    incident: Incident, known: Collection[Incident], links: LinksOf, display: Display
) -> tuple[Page, ...]:
    """All pages of an incident, for every form of route; those of its storm in place of its own."""
    alerts = pages(incident, links(incident), display, Form.ALERT)
    if incident.storm:
        together = members(incident.storm, known)
        return (*storm_pages(incident.storm, together, links(holder_of(together)), display), *alerts)
    own = links(incident)
    return (*pages(incident, own, display), *notices(incident, own, display), *alerts)
