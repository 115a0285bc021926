"""Settings of the ways to people: PagerDuty with its teams, Alertmanager, Slack, a webhook."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from streams import settings as base
from streams.errors import ConfigError
from streams.settings import Secret, Section

ROUTING_KEY_CHARACTERS = 32
KEY_ID_CHARACTERS = 12
SECRET_CHARACTERS = 16
SEVERITIES = ("warning", "critical")
TEAM_CHARACTERS = 40


class PagerDuty(base.PagerDuty, frozen=True):
    """Events API v2. `base_url` for the EU: https://events.eu.pagerduty.com."""

    base_url: str = "https://events.pagerduty.com"
    routing_key: Secret = Secret("")
    """The integration key, 32 characters. Also as `routing_key_file`."""
    previous_routing_key: Secret = Secret("")
    """The key before, while incidents are open that were opened with it."""
    api_url: str = "https://api.pagerduty.com"
    api_token: Secret = Secret("")
    """Of the REST API, for notes on incidents alone. Also as `api_token_file`."""
    api_from: str = ""
    """E-mail address of the user in whose name notes are written."""


class Alertmanager(Section, frozen=True):
    """With `urls`, alerts are posted to them; without, the shipped Prometheus rule makes them."""

    urls: str = ""
    """Every member of the cluster, with commas; never a balancer before them."""
    bearer_token: Secret = Secret("")

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(url.strip() for url in self.urls.split(",") if url.strip())


class Slack(Section, frozen=True):
    """`token` and `channel` post one message an incident and edit it; `webhook_url` posts twice."""

    token: Secret = Secret("")
    """A bot's token with chat:write."""
    channel: str = ""
    """The channel's id, such as C0123456789."""
    webhook_url: Secret = Secret("")
    base_url: str = "https://slack.com"

    @property
    def wanted(self) -> bool:
        return bool(self.token or self.webhook_url)


class Webhook(Section, frozen=True):
    """Both are secret: a URL often holds a token."""

    url: Secret = Secret("")
    secret: Secret = Secret("")
    """Keys the signature of each request."""


class Team(Section, frozen=True):
    """A PagerDuty integration of its own. All matchers that are set must fit; `*` stands for anything."""

    name: str
    routing_key: Secret
    previous_routing_key: Secret = Secret("")
    carriers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """At opening: `sender`, `pair`, `carrier`, `region`, `global`."""
    time_critical_share: float = 0.0
    """Where at least such a share of what failed is time-critical."""


def key_id(routing_key: Secret) -> str:
    """Which key it was, without the key: the first characters of its SHA-256."""
    return hashlib.sha256(routing_key.reveal().encode()).hexdigest()[:KEY_ID_CHARACTERS]


def check_routes(
    pagerduty: PagerDuty,
    alertmanager: Alertmanager,
    slack: Slack,
    webhook: Webhook,
    teams: Sequence[Team],
) -> None:
    """Refuses what no way to people can work with. Raises ConfigError."""
    _check_pagerduty(pagerduty)
    for url in alertmanager.members:
        check_url("alertmanager.urls", url)
    _check_slack(slack)
    _check_webhook(webhook)
    _check_teams(teams)


def check_url(key: str, url: str) -> None:
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


def words(allowed: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in allowed)


def _check_pagerduty(pagerduty: PagerDuty) -> None:
    check_url("pagerduty.base_url", pagerduty.base_url)
    path = urlsplit(pagerduty.base_url).path.rstrip("/")
    if not pagerduty.base_url or path:
        raise ConfigError(
            f"pagerduty.base_url = '{pagerduty.base_url}': scheme and host alone, such as "
            "https://events.pagerduty.com; the path /v2/enqueue is added"
        )
    _check_key("pagerduty.routing_key", pagerduty.routing_key)
    _check_key("pagerduty.previous_routing_key", pagerduty.previous_routing_key)
    check_url("pagerduty.api_url", pagerduty.api_url)
    if pagerduty.api_token and "@" not in pagerduty.api_from:
        raise ConfigError(
            f"pagerduty.api_from = '{pagerduty.api_from}': with pagerduty.api_token it must be the e-mail "
            "address of a user of the account, in whose name notes are written"
        )


def _check_key(name: str, secret: Secret) -> None:
    key = secret.reveal()
    if key and (len(key) != ROUTING_KEY_CHARACTERS or not key.isalnum()):
        raise ConfigError(
            f"{name} has {len(key)} characters: an integration key has "
            f"{ROUTING_KEY_CHARACTERS} letters and digits"
        )


def _check_slack(slack: Slack) -> None:
    check_url("slack.base_url", slack.base_url)
    if slack.token and slack.webhook_url:
        raise ConfigError("slack.token and slack.webhook_url are both set: keep one, or each is told twice")
    if slack.token and not slack.channel:
        raise ConfigError("slack.token is set, but slack.channel is empty: set the channel's id")
    if slack.channel and not slack.token:
        raise ConfigError("slack.channel is set, but slack.token is empty: set a bot's token")
    _check_secret_url("slack.webhook_url", slack.webhook_url)


def _check_webhook(webhook: Webhook) -> None:
    _check_secret_url("webhook.url", webhook.url)
    if webhook.url and len(webhook.secret.reveal()) < SECRET_CHARACTERS:
        raise ConfigError(
            f"webhook.secret has {len(webhook.secret.reveal())} characters: at least {SECRET_CHARACTERS}, "
            "as the receiver trusts whoever signs with it"
        )


def _check_secret_url(key: str, secret: Secret) -> None:
    parts = urlsplit(secret.reveal())
    if secret and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigError(f"{key}: must be http:// or https:// with a host (its value is not shown)")


def _check_teams(teams: Sequence[Team]) -> None:
    names = [team.name for team in teams]
    for team in teams:
        if not team.name.replace("-", "").isalnum() or len(team.name) > TEAM_CHARACTERS:
            raise ConfigError(
                f"teams: the name '{team.name}': letters, digits and '-', at most {TEAM_CHARACTERS}"
            )
        if names.count(team.name) > 1:
            raise ConfigError(f"teams: the name '{team.name}' is used twice; each needs its own")
        if not team.routing_key:
            raise ConfigError(f"teams: '{team.name}' has an empty routing_key: set its integration key")
        _check_key(f"teams: routing_key of '{team.name}'", team.routing_key)
        _check_key(f"teams: previous_routing_key of '{team.name}'", team.previous_routing_key)
        if not 0 <= team.time_critical_share <= 1:
            raise ConfigError(
                f"teams: '{team.name}' has time_critical_share = {team.time_critical_share}: must be 0 to 1"
            )
        wrong = [s for s in team.severities if s not in SEVERITIES]
        if wrong:
            raise ConfigError(
                f"teams: '{team.name}' has the severity '{wrong[0]}': allowed are {words(SEVERITIES)}"
            )
