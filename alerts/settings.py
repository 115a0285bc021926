"""The settings of deciding and paging, on top of those of `streams`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from alerts.settings_advice import Advice as Advice
from alerts.settings_advice import check_advice
from alerts.settings_health import StatusPage as StatusPage
from alerts.settings_health import check_own_health, check_status_pages
from alerts.settings_pages import Pages as Pages
from alerts.settings_pages import check_pages
from alerts.settings_routes import ROUTING_KEY_CHARACTERS, check_routes, check_url, words
from alerts.settings_routes import Alertmanager as Alertmanager
from alerts.settings_routes import PagerDuty as PagerDuty
from alerts.settings_routes import Slack as Slack
from alerts.settings_routes import Team as Team
from alerts.settings_routes import Webhook as Webhook
from alerts.settings_routes import key_id as key_id
from streams import settings as base
from streams.errors import ConfigError
from streams.gateway import doors
from streams.settings import Secret, Section

MODES = ("page", "observe")
ROUTES = ("pagerduty", "alertmanager", "none")
MOST_OPENS = 1000


class Alerting(Section, frozen=True):
    """When an alarm is a warning or critical, and where it goes."""

    mode: str = "page"
    """`page`, or `observe`: nobody is paged, what would have been sent is listed."""
    route: str = "pagerduty"
    """`pagerduty`, `alertmanager` or `none`. Slack and the webhook are beside it, once they are set."""
    storm_opens: int = 10
    """More incidents than this opened in a minute become one summary page; 0: never."""
    warning_ratio: float = 0.05
    critical_ratio: float = 0.10
    false_pages_per_week: float = 1.0
    """What is accepted, over all series and rules: sets the evidence that an alarm needs."""
    public_url: str = ""
    """Where people reach the pages of the alerts role, such as https://sms.example.org; pages
    carry no link while it is empty."""
    runbook_url: str = ""
    heartbeat_url: Secret = Secret("")
    """A dead man's switch, such as healthchecks.io: called each minute, but only while all is well."""
    canary_s: float = 30.0
    """So often a record of our own goes the whole way from `outcomes` to the alerts role; 0: never."""
    no_outcomes_s: float = 300.0
    """So long without any outcome, and nobody can say how carriers do; 0: however long."""


class Alerts(Section, frozen=True):
    instance: str = "alerts-0"
    group: str = "carrier-health-alerts"


class Settings(base.Settings, frozen=True):
    """Everything that the product can be told."""

    alerting: Alerting = Alerting()
    pagerduty: PagerDuty = PagerDuty()
    alertmanager: Alertmanager = Alertmanager()
    slack: Slack = Slack()
    webhook: Webhook = Webhook()
    teams: tuple[Team, ...] = ()
    alerts: Alerts = Alerts()
    pages: Pages = Pages()
    advice: Advice = Advice()
    status_pages: tuple[StatusPage, ...] = ()

    @property
    def pages_somebody(self) -> bool:
        return self.alerting.mode == "page" and self.alerting.route != "none"

    @property
    def pages_by_pagerduty(self) -> bool:
        return self.pages_somebody and self.alerting.route == "pagerduty"

    @property
    def pages_by_rule(self) -> bool:
        """Whether the shipped Prometheus rule pages, rather than this process."""
        return self.pages_somebody and self.alerting.route == "alertmanager" and not self.alertmanager.urls

    @property
    def incidents_url(self) -> str:
        """The list of incidents for people, '' while no public URL is known."""
        return f"{self.alerting.public_url.rstrip('/')}/incidents" if self.alerting.public_url else ""

    def incident_url(self, key: str) -> str:
        """The page of one incident, '' while no public URL is known."""
        return f"{self.incidents_url}/{quote(key, safe=':')}" if self.incidents_url else ""


def load(path: Path | None, env: Mapping[str, str] = os.environ) -> Settings:
    """Reads and checks the configuration. Raises ConfigError with key, value and what is allowed."""
    settings = base.load(Settings, path, env)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuses what can not work whatever the role. Raises ConfigError."""
    _check_choices(settings.alerting)
    _check_ratios(settings.alerting)
    for key, url in (
        ("alerting.public_url", settings.alerting.public_url),
        ("alerting.runbook_url", settings.alerting.runbook_url),
        ("gateway.public_url", settings.gateway.public_url),
    ):
        check_url(key, url)
    doors.check(settings)
    check_routes(settings.pagerduty, settings.alertmanager, settings.slack, settings.webhook, settings.teams)
    if settings.alertmanager.urls and settings.alerting.route != "alertmanager":
        raise ConfigError(
            f"alertmanager.urls is set, but alerting.route = '{settings.alerting.route}': choose "
            "alerting.route = 'alertmanager', or leave alertmanager.urls out"
        )
    check_own_health(
        settings.alerting.canary_s, settings.alerting.no_outcomes_s, settings.alerting.heartbeat_url
    )
    check_status_pages(settings.status_pages)
    check_pages(settings.pages)
    check_advice(settings.advice, settings.recipients.max_in_a_row)


def check_pager(settings: Settings) -> None:
    """Refuses a pager that can not page; for the role that pages, as others need no key."""
    if not settings.pages_by_pagerduty or settings.pagerduty.routing_key:
        return
    raise ConfigError(
        "pagerduty.routing_key is empty, but alerting.mode = 'page' and alerting.route = 'pagerduty': "
        f"set the integration key ({ROUTING_KEY_CHARACTERS} characters) or pagerduty.routing_key_file, "
        "or choose alerting.mode = 'observe' or another alerting.route"
    )


def _check_choices(alerting: Alerting) -> None:
    if alerting.mode not in MODES:
        raise ConfigError(f"alerting.mode = '{alerting.mode}': allowed are {words(MODES)}")
    if alerting.route not in ROUTES:
        raise ConfigError(f"alerting.route = '{alerting.route}': allowed are {words(ROUTES)}")


def _check_ratios(alerting: Alerting) -> None:
    for name in ("warning_ratio", "critical_ratio"):
        value = getattr(alerting, name)
        if not 0 < value <= 1:
            raise ConfigError(f"alerting.{name} = {value}: must be above 0 and at most 1 (0.05 is 5 %)")
    if not alerting.false_pages_per_week > 0:
        raise ConfigError(
            f"alerting.false_pages_per_week = {alerting.false_pages_per_week}: "
            "must be above 0 (0.25 is one in four weeks)"
        )
    if not 0 <= alerting.storm_opens <= MOST_OPENS:
        raise ConfigError(
            f"alerting.storm_opens = {alerting.storm_opens}: must be 0 (no storms) to {MOST_OPENS}"
        )
    if alerting.critical_ratio <= alerting.warning_ratio:
        raise ConfigError(
            f"alerting.critical_ratio = {alerting.critical_ratio}: "
            f"must be above alerting.warning_ratio = {alerting.warning_ratio}"
        )
