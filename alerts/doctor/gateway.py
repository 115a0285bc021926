"""The gateway's settings: what providers must call, and what would surprise. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.doctor.finding import Finding, ok, warn
from alerts.settings import Settings
from streams.gateway.doors import PROXIES, doors, webhook_door
from streams.trust import Network, networks

WIDE_PREFIX_BITS = 8
"""A trusted network larger than this is hardly one of proxies."""


def nearly_everybody(listed: str, key: str) -> list[Network]:
    """The trusted networks that the setting `key` lists, of which hardly all are proxies."""
    return [network for network in networks(listed, key) if network.prefixlen < WIDE_PREFIX_BITS]


def check_gateway(settings: Settings) -> Iterator[Finding]:
    """Nothing where no source has a secret: then nobody posts."""
    config = settings.gateway
    found = doors(settings)
    for door in found:
        base = config.public_url.rstrip("/") or "https://(told by the proxy)"
        shown = "signed by Twilio" if door.signed else "with its bearer token"
        yield ok("gateway", f"{door.source}: {base}/v1/{door.source}/{door.endpoint}, {shown}")
    desk = webhook_door(settings)
    if desk:
        base = config.public_url.rstrip("/") or f"http://{config.host}:{config.port}"
        yield ok("gateway", f"PagerDuty: {base}/v1/{desk.source}/{desk.endpoint}, signed by PagerDuty")
    if not found:
        if config.enabled and not desk:
            yield warn(
                "gateway", "gateway.enabled, but no source has a secret", "set auth_token or bearer_token"
            )
        return
    if config.public_url.startswith("http:"):
        todo = "put a proxy with TLS in front, and set what providers call"
        yield warn("gateway", f"gateway.public_url = {config.public_url}: tokens and numbers in clear", todo)
    for network in nearly_everybody(config.trusted_proxies, PROXIES):
        todo = "name the addresses of your proxies alone"
        yield warn("gateway", f"{PROXIES}: {network} is nearly everybody", todo)
    if config.max_body_bytes > settings.ingest.max_record_bytes:
        yield warn(
            "gateway",
            "gateway.max_body_bytes is above ingest.max_record_bytes: what is between is taken, then refused",
            "make them equal",
        )
