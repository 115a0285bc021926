"""How Kafka and Redis are reached: who may listen on the way. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from alerts.doctor.finding import Finding, ok, warn
from alerts.settings import Settings


def check_access(settings: Settings) -> Iterator[Finding]:
    """Warns of numbers and passwords that go over a network in clear."""
    yield _kafka(settings)
    redis = urlsplit(settings.redis.url)
    has_password = bool(redis.password or settings.redis.password)
    if redis.scheme == "redis" and has_password and not _is_here(redis.hostname or ""):
        yield warn("redis", "the password goes over the network in clear", "use a redis.url with rediss://")


def _kafka(settings: Settings) -> Finding:
    kafka = settings.kafka
    way = f"kafka.security_protocol = {kafka.security_protocol}"
    hosts = [server.rpartition(":")[0].strip("[] ") for server in kafka.bootstrap_servers.split(",")]
    if kafka.has_tls or all(map(_is_here, hosts)):
        return ok("kafka", f"{way}, {kafka.identity}")
    clear = "numbers and the password go" if kafka.sasl_mechanism == "PLAIN" else "numbers go"
    todo = "use SASL_SSL or SSL (docs/deploy.md), unless the network is your own and closed"
    return warn("kafka", f"{way}: {clear} over the network in clear", todo)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
