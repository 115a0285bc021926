"""Every way to people at once: each has its own desk, loop and budget over the same incidents.

                     +-> pagerduty        each severity that wakes has its key; a desk per team
pages of an incident +-> alertmanager-api labels frozen, said again each minute
                     +-> slack, webhook   one notice an incident, updated as it changes
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from alerts.audience import members
from alerts.desk import Desk, Habits, Remote
from alerts.notify import Pager
from alerts.notify.alertmanager import REPEAT_MS, REPEAT_RESOLVED_MS, Alertmanager
from alerts.notify.pagerduty import PagerDuty
from alerts.notify.slack import Slack
from alerts.notify.webhook import Webhook
from alerts.reconcile import Reconciler
from alerts.records import QUIET_ROUTES, Delivery, Form, Incident, Page, State
from alerts.settings import PagerDuty as PagerDutySettings
from alerts.settings import Settings, key_id
from alerts.station import Station
from alerts.store import RedisStore
from alerts.storm import as_incident
from streams.clock import WallClock
from streams.metrics import Metrics
from streams.settings import Clock

log = logging.getLogger(__name__)

PAGERDUTY, ALERTMANAGER_API, (SLACK, WEBHOOK) = "pagerduty", "alertmanager-api", QUIET_ROUTES
UPDATE_MS = 300_000
"""A notice that has changed is updated at most so often, unless it is worse than before."""
SLACK_LIMIT = 50
"""Messages a minute: a channel takes about one a second."""
ANY_NUMBER = 100_000
"""For receivers of one's own."""
_WALL = WallClock(Clock())


class Route(NamedTuple):
    """`team` is whose pages it takes; None: everybody's."""

    name: str
    form: Form
    pager: Pager
    habits: Habits
    limit: int | None = None
    """Attempts a minute; None: PagerDuty's."""
    team: str | None = None
    key_ids: tuple[str, ...] = ()
    """Of the routing keys: the one in force, then the one before."""

    def takes(self, page: Page, teams: frozenset[str]) -> bool:
        """A page of a team that is configured no more goes to the default."""
        team = page.team if page.team in teams else ""
        return page.form is self.form and self.team in (None, team)


def routes_of(settings: Settings) -> tuple[Route, ...]:
    """The routes that this process delivers to itself; empty in `observe`."""
    if settings.alerting.mode != "page":
        return ()
    routes: list[Route] = []
    if settings.pages_by_pagerduty:
        routes += _pagerduty(settings)
    if settings.pages_somebody and settings.alertmanager.urls:
        habits = Habits(repeat_ms=REPEAT_MS, repeat_resolved_ms=REPEAT_RESOLVED_MS)
        pager = Alertmanager(settings.alertmanager, _WALL.now_ms, settings.incidents_url)
        routes.append(Route(ALERTMANAGER_API, Form.ALERT, pager, habits, ANY_NUMBER))
    if settings.slack.wanted:
        habits = Habits(update_ms=UPDATE_MS if settings.slack.token else None)
        routes.append(Route(SLACK, Form.NOTICE, Slack(settings.slack), habits, SLACK_LIMIT))
    if settings.webhook.url:
        webhook = Webhook(settings.webhook, _WALL.now_ms)
        routes.append(Route(WEBHOOK, Form.NOTICE, webhook, Habits(update_ms=UPDATE_MS), ANY_NUMBER))
    return tuple(routes)


def _pagerduty(settings: Settings) -> list[Route]:
    """The default integration, then each team's: they throttle apart, so each has its own desk."""
    base = settings.pagerduty
    own = [("", PAGERDUTY, base)]
    for team in settings.teams:
        theirs = PagerDutySettings(
            base_url=base.base_url,
            routing_key=team.routing_key,
            previous_routing_key=team.previous_routing_key,
        )
        own.append((team.name, f"{PAGERDUTY}:{team.name}", theirs))
    return [
        Route(
            route,
            Form.KEYED,
            PagerDuty(keys, settings.incidents_url),
            Habits(tells_missed=True),
            team=team,
            key_ids=tuple(key_id(k) for k in (keys.routing_key, keys.previous_routing_key) if k),
        )
        for team, route, keys in own
    ]


def paging_route(settings: Settings) -> str:
    """The label of `pager_info` that says who pages: the rules of Prometheus go by it."""
    if not settings.pages_somebody:
        return "none"
    if settings.alerting.route == "alertmanager" and not settings.pages_by_rule:
        return ALERTMANAGER_API
    return settings.alerting.route


class Routes:
    """The reconcilers of one term of ownership; those of the term before are stopped first."""

    def __init__(
        self,
        settings: Settings,
        store: RedisStore,
        metrics: Metrics,
        ended: Callable[[asyncio.Task[None]], None],
    ) -> None:
        """`ended` is told of each reconciler's end: none should."""
        self._store, self._metrics, self._ended = store, metrics, ended
        self._routes = routes_of(settings)
        self._teams = frozenset(team.name for team in settings.teams)
        self._clock = WallClock(settings.clock)
        self._reconcilers: list[tuple[Route, Reconciler]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.station: Station | None = None

    @property
    def names(self) -> list[str]:
        return [route.name for route in self._routes]

    async def begin(self, incidents: Iterable[Incident], event_now_ms: int) -> None:
        await self.end()
        self._reconcilers = [(route, self._reconciler(route)) for route in self._routes]
        self._restore(list(incidents), event_now_ms)
        for route, reconciler in self._reconcilers:
            _say_orphans(route, reconciler.desk)
            task = asyncio.create_task(reconciler.run())
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def want(self, wanted: Iterable[Page]) -> None:
        pages = list(wanted)
        for route, reconciler in self._reconcilers:
            mine = [page for page in pages if route.takes(page, self._teams)]
            if mine:
                reconciler.want(mine)

    def heard(self, delivery: Delivery) -> None:
        """What somebody did at a pager: of interest to its route alone."""
        for _, reconciler in self._reconcilers:
            reconciler.heard(delivery)

    async def end(self) -> None:
        """Stops sending; what was accepted but not written is in doubt for the next owner."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for route in self._routes:
            await route.pager.close()

    def _reconciler(self, route: Route) -> Reconciler:
        assert self.station is not None
        return Reconciler(
            Desk(route.name, route.key_ids[0] if route.key_ids else "", habits=route.habits),
            route.pager,
            self.station.record,
            self._store.budget(route.name, route.limit),
            _WALL.now_ms,
            self._metrics,
            self._store,
            self._age_ms,
        )

    def _age_ms(self, event_ms: int) -> int:
        return round((self._clock.now_ms() - event_ms) * self._clock.wall_s(1.0))

    def _restore(self, incidents: Sequence[Incident], event_now_ms: int) -> None:
        """Each incident with its own pages; a storm, once, with what its members came to."""
        assert self.station is not None
        for incident in incidents:
            own = [p for p in self.station.pages_of(incident) if p.dedup_key != incident.storm]
            self._restore_one(incident, own, event_now_ms)
        for storm in {i.storm for i in incidents if i.storm}:
            whole = as_incident(storm, members(storm, incidents))
            pages = [p for p in self.station.pages_of(whole) if p.dedup_key == storm]
            self._restore_one(whole, pages, event_now_ms)

    def _restore_one(self, incident: Incident, pages: Sequence[Page], event_now_ms: int) -> None:
        if incident.team and incident.team not in self._teams and incident.state is State.OPEN:
            log.error(
                "%s was paged to the team '%s', which is configured no more: the default is paged; "
                "resolve the team's page by hand, or bring [[teams]] back",
                incident.key,
                incident.team,
            )
        for route, reconciler in self._reconcilers:
            mine = [page for page in pages if route.takes(page, self._teams)]
            if mine:
                reconciler.restore(incident, mine, event_now_ms)


def _say_orphans(route: Route, desk: Desk) -> None:
    """Pages that were opened by a key which is configured no more: their resolve would be dropped."""
    if not route.key_ids:
        return
    for row in desk.rows.values():
        known = row.routing_key_id in ("", *route.key_ids)
        if row.remote is not Remote.CLOSED and not known:
            log.error(
                "%s: %s was opened with the routing key of id %s, which is configured no more: set "
                "previous_routing_key to it, or resolve the page by hand",
                route.name,
                row.desired.dedup_key,
                row.routing_key_id,
            )
