"""Doors: which endpoint takes the records of a source, and with which secret. Pure.

A format has one door: Twilio signs, everybody else shows a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from streams import settings as configuration
from streams.errors import ConfigError
from streams.rights import Rights
from streams.settings import Secret, Settings
from streams.topics import DEAD_LETTERS, INCIDENT_COMMANDS, OUTCOMES
from streams.trust import networks


class Endpoint(StrEnum):
    """The last part of the path; the label `endpoint`."""

    STATUS = "status"
    EVENTS = "events"
    OUTCOMES = "outcomes"
    WEBHOOK = "webhook"


SIGNED: Mapping[str, Endpoint] = {
    "twilio-status-callback": Endpoint.STATUS,
    "twilio-event-streams": Endpoint.EVENTS,
}
PAGERDUTY = "pagerduty"
"""Where PagerDuty's webhooks come in; no source, and no format that a source may have."""
CANONICAL = "canonical"
NOT_TAKEN = ("smpp-receipt", "jasmin-log")
"""Formats whose records hold the beginning of the message's text where it can not be cut out surely."""

PROXIES = "gateway.trusted_proxies"


class Door(NamedTuple):
    """Where one source comes in."""

    source: str
    format: str
    endpoint: Endpoint
    signed: bool
    secrets: tuple[bytes, ...]
    """Auth Tokens where it is signed, else bearer tokens: one, or two while they are changed."""
    topic: str
    """Where its records go."""

    @property
    def by_query(self) -> bool:
        """Whether a GET may carry the record in its query, as some providers do."""
        return not self.signed and self.endpoint is Endpoint.STATUS


def doors(settings: Settings) -> list[Door]:
    """Of every source that has a secret. Raises ConfigError for secrets that open nothing."""
    found = [_door(source, source.topic or settings.topic(OUTCOMES)) for source in settings.sources]
    return [door for door in found if door is not None]


def webhook_door(settings: Settings) -> Door | None:
    """Of PagerDuty, once its secret is set. Several secrets in force are signed with by PagerDuty itself."""
    secret = settings.pagerduty.webhook_secret
    if not secret:
        return None
    topic = settings.topic(INCIDENT_COMMANDS)
    return Door(PAGERDUTY, PAGERDUTY, Endpoint.WEBHOOK, True, (secret.reveal().encode(),), topic)


def every_door(settings: Settings) -> list[Door]:
    """Those of sources, and PagerDuty's."""
    desk = webhook_door(settings)
    return [*doors(settings), *([desk] if desk else [])]


def rights(settings: Settings) -> Rights:
    """What the gateway must be allowed to do at Kafka, no more."""
    topics = {door.topic: None for door in every_door(settings)}
    return Rights("gateway", writes=(*topics, settings.topic(DEAD_LETTERS)))


def is_wanted(settings: Settings) -> bool:
    """Whether `run` starts the gateway."""
    secrets = any(_has_secret(s) for s in settings.sources) or settings.pagerduty.webhook_secret
    return settings.gateway.enabled or bool(secrets)


def check(settings: Settings) -> None:
    """Refuses settings with which no request could be accepted. Raises ConfigError."""
    config = settings.gateway
    url = urlsplit(config.public_url)
    if config.public_url and (url.query or url.fragment):
        raise ConfigError(f"gateway.public_url = '{config.public_url}': leave out query and fragment")
    networks(config.trusted_proxies, PROXIES)
    signed = [door.source for door in doors(settings) if door.signed]
    if signed and not config.public_url and not config.trusted_proxies:
        raise ConfigError(
            f"gateway.public_url is empty, but the signatures of source '{signed[0]}' cover it: set what "
            "Twilio calls, such as https://sms.example.org, or gateway.trusted_proxies"
        )


def _has_secret(source: configuration.Source) -> bool:
    return any((source.auth_token, source.bearer_token))


def _door(source: configuration.Source, topic: str) -> Door | None:
    signed = source.format in SIGNED
    wrong, right = ("bearer_token", "auth_token") if signed else ("auth_token", "bearer_token")
    if getattr(source, wrong) or getattr(source, f"secondary_{wrong}"):
        raise ConfigError(f"source '{source.name}': {wrong} opens nothing for {source.format}; set {right}")
    first: Secret = getattr(source, right)
    second: Secret = getattr(source, f"secondary_{right}")
    if second and not first:
        raise ConfigError(f"source '{source.name}': secondary_{right} is set without {right}")
    if not first:
        return None
    if source.format in NOT_TAKEN:
        raise ConfigError(
            f"source '{source.name}': the gateway does not take {source.format}, which holds text of the "
            "message; write its records to the topic, or send canonical ones"
        )
    secrets = tuple(s.reveal().encode() for s in (first, second) if s)
    endpoint = SIGNED.get(source.format) or (
        Endpoint.OUTCOMES if source.format == CANONICAL else Endpoint.STATUS
    )
    return Door(source.name, source.format, endpoint, signed, secrets, topic)
