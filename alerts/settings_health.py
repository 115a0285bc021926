"""The settings by which the monitor knows of its own health, and of its providers'."""

from __future__ import annotations

import re

from alerts.settings_routes import check_url
from streams.errors import ConfigError
from streams.settings import Secret, Section

MOST_CANARY_S, MOST_SILENCE_S = 3_600.0, 604_800.0


class StatusPage(Section, frozen=True):
    """A status page that is asked when an incident opens: Statuspage JSON."""

    name: str
    url: str
    """Such as https://status.twilio.com/api/v2/summary.json."""
    carrier: str = ""
    """Only incidents of this carrier ask it; '' all."""


def check_own_health(canary_s: float, no_outcomes_s: float, heartbeat_url: Secret) -> None:
    """Of the section `alerting`. Raises ConfigError."""
    for name, value, most in (
        ("canary_s", canary_s, MOST_CANARY_S),
        ("no_outcomes_s", no_outcomes_s, MOST_SILENCE_S),
    ):
        if value != 0 and not 1 <= value <= most:
            raise ConfigError(f"alerting.{name} = {value}: must be 1 to {most:g}, or 0 for never")
    heartbeat = heartbeat_url.reveal()
    if heartbeat and not re.fullmatch(r"https?://[^\s/]+\S*", heartbeat):
        raise ConfigError("alerting.heartbeat_url: must be http:// or https:// with a host")


def check_status_pages(pages: tuple[StatusPage, ...]) -> None:
    """Raises ConfigError."""
    names = [page.name for page in pages]
    for page in pages:
        if not re.fullmatch(r"[\w.-]{1,40}", page.name) or names.count(page.name) > 1:
            raise ConfigError(
                f"status_pages: the name '{page.name}' must be its own: 1 to 40 letters, digits, - . _"
            )
        if not page.url:
            raise ConfigError(f"status_pages: '{page.name}' has no url")
        check_url(f"status_pages: url of '{page.name}'", page.url)
