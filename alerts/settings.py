"""The settings of deciding and paging, on top of those of `streams`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from streams import settings as base
from streams.errors import ConfigError
from streams.gateway import doors
from streams.settings import Secret, Section

MODES = ("page", "observe")
ROUTES = ("pagerduty", "none")
LATER_ROUTES = ("alertmanager",)
ROUTING_KEY_CHARACTERS = 32
KEY_ID_CHARACTERS = 12
MOST_CANARY_S, MOST_SILENCE_S = 3_600.0, 604_800.0


class Alerting(Section, frozen=True):
    """When an alarm is a warning or critical, and where it goes."""

    mode: str = "page"
    """`page`, or `observe`: nobody is paged, what would have been sent is listed."""
    route: str = "pagerduty"
    """`pagerduty` or `none`."""
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


class PagerDuty(Section, frozen=True):
    """Events API v2. `base_url` for the EU: https://events.eu.pagerduty.com."""

    base_url: str = "https://events.pagerduty.com"
    routing_key: Secret = Secret("")
    """The integration key, 32 characters. Also as `routing_key_file`."""


class Alerts(Section, frozen=True):
    instance: str = "alerts-0"
    group: str = "carrier-health-alerts"


class StatusPage(Section, frozen=True):
    """A status page that is asked when an incident opens: Statuspage JSON."""

    name: str
    url: str
    """Such as https://status.twilio.com/api/v2/summary.json."""
    carrier: str = ""
    """Only incidents of this carrier ask it; '' all."""


class Settings(base.Settings, frozen=True):
    """Everything that the product can be told."""

    alerting: Alerting = Alerting()
    pagerduty: PagerDuty = PagerDuty()
    alerts: Alerts = Alerts()
    status_pages: tuple[StatusPage, ...] = ()

    @property
    def pages_somebody(self) -> bool:
        return self.alerting.mode == "page" and self.alerting.route != "none"

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
    _check_own_health(settings.alerting)
    for key, url in (
        ("alerting.public_url", settings.alerting.public_url),
        ("alerting.runbook_url", settings.alerting.runbook_url),
        ("pagerduty.base_url", settings.pagerduty.base_url),
        ("gateway.public_url", settings.gateway.public_url),
    ):
        _check_url(key, url)
    doors.check(settings)
    _check_pagerduty(settings.pagerduty)
    _check_status_pages(settings.status_pages)


def check_pager(settings: Settings) -> None:
    """Refuses a pager that can not page; for the role that pages, as others need no key."""
    if not settings.pages_somebody or settings.pagerduty.routing_key:
        return
    raise ConfigError(
        "pagerduty.routing_key is empty, but alerting.mode = 'page' and alerting.route = 'pagerduty': "
        f"set the integration key ({ROUTING_KEY_CHARACTERS} characters) or pagerduty.routing_key_file, "
        "or choose alerting.mode = 'observe' or alerting.route = 'none'"
    )


def key_id(routing_key: Secret) -> str:
    """Which key it was, without the key: the first characters of its SHA-256."""
    return hashlib.sha256(routing_key.reveal().encode()).hexdigest()[:KEY_ID_CHARACTERS]


def _check_choices(alerting: Alerting) -> None:
    if alerting.mode not in MODES:
        raise ConfigError(f"alerting.mode = '{alerting.mode}': allowed are {_words(MODES)}")
    if alerting.route in LATER_ROUTES:
        raise ConfigError(
            f"alerting.route = '{alerting.route}': not available in this version; "
            f"allowed are {_words(ROUTES)}"
        )
    if alerting.route not in ROUTES:
        raise ConfigError(f"alerting.route = '{alerting.route}': allowed are {_words(ROUTES)}")


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
    if alerting.critical_ratio <= alerting.warning_ratio:
        raise ConfigError(
            f"alerting.critical_ratio = {alerting.critical_ratio}: "
            f"must be above alerting.warning_ratio = {alerting.warning_ratio}"
        )


def _check_own_health(alerting: Alerting) -> None:
    for name, value, most in (
        ("canary_s", alerting.canary_s, MOST_CANARY_S),
        ("no_outcomes_s", alerting.no_outcomes_s, MOST_SILENCE_S),
    ):
        if value != 0 and not 1 <= value <= most:
            raise ConfigError(f"alerting.{name} = {value}: must be 1 to {most:g}, or 0 for never")
    heartbeat = alerting.heartbeat_url.reveal()
    if heartbeat and not re.fullmatch(r"https?://[^\s/]+\S*", heartbeat):
        raise ConfigError("alerting.heartbeat_url: must be http:// or https:// with a host")


def _check_status_pages(pages: tuple[StatusPage, ...]) -> None:
    names = [page.name for page in pages]
    for page in pages:
        if not re.fullmatch(r"[\w.-]{1,40}", page.name) or names.count(page.name) > 1:
            raise ConfigError(
                f"status_pages: the name '{page.name}' must be its own: 1 to 40 letters, digits, - . _"
            )
        if not page.url:
            raise ConfigError(f"status_pages: '{page.name}' has no url")
        _check_url(f"status_pages: url of '{page.name}'", page.url)


def _check_url(key: str, url: str) -> None:
    """`url` is shown without user and password, which somebody may have put there."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
        parts = urlsplit("")
    if url and parts.username is not None:
        raise ConfigError(f"{key} holds a user name: it is shown to people, leave credentials out")
    if url and not usable:
        raise ConfigError(f"{key} = '{url}': must be http:// or https:// with a host")


def _check_pagerduty(pagerduty: PagerDuty) -> None:
    path = urlsplit(pagerduty.base_url).path.rstrip("/")
    if not pagerduty.base_url or path:
        raise ConfigError(
            f"pagerduty.base_url = '{pagerduty.base_url}': scheme and host alone, such as "
            "https://events.pagerduty.com; the path /v2/enqueue is added"
        )
    key = pagerduty.routing_key.reveal()
    if key and (len(key) != ROUTING_KEY_CHARACTERS or not key.isalnum()):
        raise ConfigError(
            f"pagerduty.routing_key has {len(key)} characters: an integration key has "
            f"{ROUTING_KEY_CHARACTERS} letters and digits"
        )


def _words(allowed: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in allowed)
