"""Configuration, resolved once into frozen values, refused early and in words.

How it is read is in `settings_file.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from streams.errors import ConfigError
from streams.records import CANARY, UNKNOWN
from streams.settings_carriers import Carriers as Carriers
from streams.settings_carriers import Lookup as Lookup
from streams.settings_carriers import check_carriers, check_lookup
from streams.settings_file import ENV_PREFIX as ENV_PREFIX
from streams.settings_file import Secret as Secret
from streams.settings_file import Section as Section
from streams.settings_file import decode_secret, overlay_env, read_secret_files, read_toml
from streams.settings_recipients import Recipients as Recipients
from streams.settings_recipients import check_recipients

_PASSWORD = re.compile(r"://[^/]*@")


class Kafka(Section, frozen=True):
    bootstrap_servers: str = "127.0.0.1:9092"
    topic_prefix: str = "carrier-health."
    replication_factor: int = 3


class Redis(Section, frozen=True):
    url: str = "redis://127.0.0.1:6379/0"


class Clock(Section, frozen=True):
    """Wall clock by default. `speed` above 1 runs event time faster, for demonstrations:
    now = anchor_ms + (wall - anchor_wall_ms) * speed."""

    speed: float = 1.0
    anchor_wall_ms: int = 0
    anchor_ms: int = 0


class Http(Section, frozen=True):
    """One port a role; 0 takes a free one."""

    host: str = "127.0.0.1"
    ingest_port: int = 9101
    windows_port: int = 9102
    alerts_port: int = 9103
    gateway_port: int = 9104
    """Metrics and health of the gateway; providers call `gateway.port`."""


class Metrics(Section, frozen=True):
    """What `/metrics` may hold."""

    max_series: int = 20_000
    """Of one metric; what is beyond is summed in the series `other`."""


class Gateway(Section, frozen=True):
    """Where providers post to. Several processes on one machine share the port."""

    enabled: bool = False
    """Whether `run` starts it although no source has a secret for it."""
    host: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    """What providers call, up to the path, such as https://sms.example.org: signatures cover it."""
    trusted_proxies: str = ""
    """Networks whose X-Forwarded-Proto and -Host tell the public URL while none is set, with commas."""
    max_body_bytes: int = 1_000_000
    max_in_flight: int = 10_000
    """Records that Kafka has not acknowledged; above it requests are told to come again."""
    max_connections: int = 4_000
    read_timeout_s: float = 10.0
    delivery_timeout_s: float = 4.0
    """Kafka has so long to acknowledge; a second is added at most. Twilio waits 5 s for events."""


class PagerDuty(Section, frozen=True):
    """What PagerDuty tells us."""

    webhook_secret: Secret = Secret("")
    """Of the v3 webhook subscription that posts to the gateway. Also as `webhook_secret_file`."""


class Ingest(Section, frozen=True):
    instance: str = "ingest-0"
    group: str = "carrier-health-ingest"
    flush_interval_s: float = 1.0
    batch_records: int = 6_000
    dedupe_horizon_s: int = 600
    dedupe_max_ids: int = 50_000_000
    max_record_bytes: int = 1_000_000
    pause_ahead_s: float = 120.0
    poison_ratio: float = 0.5
    """Ingest stops when more than this share of a source can not be read; 1 switches it off."""
    poison_min_records: int = 1_000


class Windows(Section, frozen=True):
    instance: str = "windows-0"
    group: str = "carrier-health-windows"
    allowed_lateness_s: float = 5.0
    on_loss: Literal["stop", "accept"] = "stop"
    """When records are gone before they were counted: stop and say so, or mark buckets and go on."""


class Privacy(Section, frozen=True):
    """`recipient_key` keys the hash of phone numbers; changing it forgets every recipient."""

    recipient_key: Secret = Secret("")


class Source(Section, frozen=True):
    """One feed of provider records: how to read it and what to assume where it is silent."""

    name: str
    format: str
    codes: str = ""
    account: str = ""
    carrier: str = ""
    region: str = ""
    region_level: Literal["country", "state"] = "country"
    topic: str = ""
    """A topic, by its full name, that carries this source alone and needs no header."""
    envelope: str = ""
    """What the records are wrapped in."""
    zone: str = ""
    """Zone of the provider's times that name none, as in `Europe/Berlin` or `+02:00`; '' leaves them."""
    connectors: Mapping[str, str] = {}
    """Carrier by the id of the connection that a record came over."""
    sender_network: bool = False
    """Whether mcc and mnc of Twilio's events label the carrier, although they are the sender's."""
    auth_token: Secret = Secret("")
    """Twilio's Auth Token: the gateway checks signatures with it."""
    secondary_auth_token: Secret = Secret("")
    """Accepted as well, while the Auth Token is changed."""
    bearer_token: Secret = Secret("")
    """What others than Twilio must send to the gateway."""
    secondary_bearer_token: Secret = Secret("")
    lookup: bool = True
    """Whether Lookup, where it is enabled, is asked for numbers of this source."""


class CodeTable(Section, frozen=True):
    """A code table of the user's own, a CSV file: a profile that sources and rules may name."""

    name: str
    file: str
    extends: str = ""


class Rule(Section, frozen=True):
    """What counts as a failure: codes or classes, of the named sources' code profiles."""

    name: str
    profiles: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


_ABSENT_PROFILES = (
    *("twilio-smpp", "twilio-smpp-2025", "8x8", "aws", "bandwidth", "bird", "infobip", "plivo"),
    *("sinch", "sinch-smpp", "telnyx", "vonage", "vonage-messages"),
)
DEFAULT_RULES = (
    Rule(name="twilio_30003", profiles=("twilio",), codes=("30003",)),
    Rule(
        name="smpp_absent_subscriber",
        profiles=_ABSENT_PROFILES,
        classes=("absent_subscriber",),
    ),
)


class Settings(Section, frozen=True):
    """Everything that `streams` needs; `alerts.settings` adds its own sections."""

    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    clock: Clock = Clock()
    http: Http = Http()
    metrics: Metrics = Metrics()
    gateway: Gateway = Gateway()
    pagerduty: PagerDuty = PagerDuty()
    ingest: Ingest = Ingest()
    windows: Windows = Windows()
    privacy: Privacy = Privacy()
    carriers: Carriers = Carriers()
    lookup: Lookup = Lookup()
    recipients: Recipients = Recipients()
    sources: tuple[Source, ...] = ()
    code_tables: tuple[CodeTable, ...] = ()
    rules: tuple[Rule, ...] = DEFAULT_RULES

    def topic(self, name: str) -> str:
        """Full name of one of the monitor's topics, such as `carrier-health.outcomes`."""
        return self.kafka.topic_prefix + name


FASTEST = 1_000_000
LIMITS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("kafka", "replication_factor"): (1, 32_767),
    ("http", "ingest_port"): (0, 65_535),
    ("http", "windows_port"): (0, 65_535),
    ("http", "alerts_port"): (0, 65_535),
    ("http", "gateway_port"): (0, 65_535),
    ("metrics", "max_series"): (100, 1_000_000),
    ("gateway", "port"): (0, 65_535),
    ("gateway", "max_body_bytes"): (1, 10_000_000),
    ("gateway", "max_in_flight"): (1, 1_000_000),
    ("gateway", "max_connections"): (1, 1_000_000),
    ("gateway", "read_timeout_s"): (0.1, 60.0),
    ("gateway", "delivery_timeout_s"): (0.1, 14.0),  # Twilio waits 15 s
    ("ingest", "flush_interval_s"): (0.05, 5.0),  # well within the transaction's 10 s
    ("ingest", "batch_records"): (1, 1_000_000),
    ("ingest", "dedupe_horizon_s"): (1, 43_200),  # sightings are kept as 16-bit seconds
    ("ingest", "dedupe_max_ids"): (1_000, 10**10),
    ("ingest", "max_record_bytes"): (1, 10_000_000),  # what the dead letters take
    ("ingest", "pause_ahead_s"): (1.0, 86_400.0),
    ("ingest", "poison_ratio"): (0.001, 1.0),
    ("ingest", "poison_min_records"): (1, 10**9),
    ("windows", "allowed_lateness_s"): (0.0, 86_400.0),
    ("lookup", "requests_per_s"): (0.01, 100.0),
    ("lookup", "daily_requests"): (0, 10_000_000),
    ("lookup", "daily_cost"): (0.0, 1_000_000.0),
    ("lookup", "price_per_request"): (0.0, 100.0),
    ("lookup", "sample_ratio"): (0.0, 1.0),
    ("lookup", "cache_ttl_days"): (0.01, 365.0),
    ("lookup", "negative_ttl_days"): (0.01, 365.0),
    ("lookup", "max_cached"): (1_000, 10_000_000),
}
"""Least and most allowed, by section and key."""

S = TypeVar("S", bound=Settings)


def load(kind: type[S], path: Path | None, env: Mapping[str, str] = os.environ) -> S:
    """Reads and checks the configuration. Raises ConfigError with key, value and what is allowed."""
    raw = read_toml(path) if path else {}
    overlay_env(kind, raw, env)
    read_secret_files(kind, raw)
    settings = convert(kind, raw)
    check(settings)
    return settings


def convert(kind: type[S], raw: Mapping[str, Any]) -> S:
    """`raw` as typed settings. Raises ConfigError."""
    try:
        return msgspec.convert(raw, kind, dec_hook=decode_secret, strict=False)
    except msgspec.ValidationError as e:
        raise ConfigError(f"configuration refused: {e}") from None


def dump(settings: Settings) -> dict[str, Any]:
    """The resolved values as plain data, secrets masked."""
    plain: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=lambda s: "****" if s else "")
    plain["redis"]["url"] = _PASSWORD.sub("://****@", plain["redis"]["url"])
    return plain


def check(settings: Settings) -> None:
    """Refuses values that contradict each other. Raises ConfigError."""
    _refuse_twice("sources", "name", [s.name for s in settings.sources])
    _refuse_twice("sources", "topic", [s.topic for s in settings.sources if s.topic])
    _refuse_twice("rules", "name", [r.name for r in settings.rules])
    for source in settings.sources:
        if source.name in ("", UNKNOWN):
            raise ConfigError(f"sources: the name '{source.name}' stands for records without a source")
        if source.name == CANARY:
            raise ConfigError(f"sources: the name '{CANARY}' stands for the monitor's own canary")
    for rule in settings.rules:
        if not rule.codes and not rule.classes:
            raise ConfigError(f"rules: '{rule.name}' names neither codes nor classes, so nothing would fail")
    if not 0 < settings.clock.speed <= FASTEST:
        raise ConfigError(f"clock.speed = {settings.clock.speed}: must be above 0, at most {FASTEST}")
    for (section, key), (least, most) in LIMITS.items():
        value = getattr(getattr(settings, section), key)
        if not least <= value <= most:
            raise ConfigError(f"{section}.{key} = {value}: must be {least} to {most}")
    check_carriers(settings.carriers)
    check_lookup(settings.lookup)
    check_recipients(settings.recipients)


def _refuse_twice(section: str, key: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ConfigError(f"{section}: the {key} '{value}' is used twice; each needs its own")
