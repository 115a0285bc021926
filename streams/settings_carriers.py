"""The settings of carriers: their table, and Lookup."""

from __future__ import annotations

from urllib.parse import urlsplit

from streams.errors import ConfigError
from streams.networks import networks_of
from streams.settings_file import Secret, Section


class Carriers(Section, frozen=True):
    """How what a record says of its carrier becomes a label (docs/carriers.md)."""

    file: str = ""
    """A CSV file of networks and names that wins over the shipped table."""
    roll_up: bool = True
    """Whether all networks of one brand in one country are one carrier."""
    prefix: bool = True
    """Whether a number's prefix tells the carrier where numbers do not port and nothing else does."""


class Lookup(Section, frozen=True):
    """Twilio Lookup v2, paid by the request. Only numbers without a carrier are asked for, failed ones
    first."""

    enabled: bool = False
    account_sid: str = ""
    """Account SID or, better, the SID of an API key."""
    auth_token: Secret = Secret("")
    """Auth Token, or the secret of the API key."""
    base_url: str = "https://lookups.twilio.com"
    requests_per_s: float = 5.0
    daily_requests: int = 1_000
    daily_cost: float = 0.0
    """Most to spend a day (UTC), in the currency of the price; 0: only `daily_requests` bounds it."""
    price_per_request: float = 0.008
    sample_ratio: float = 0.01
    """Share of recipients, by hash, that are asked for although nothing failed."""
    cache_ttl_days: float = 30.0
    """So long an answer holds: numbers port."""
    negative_ttl_days: float = 1.0
    """So long a number that Lookup could not tell is left in peace."""
    max_cached: int = 500_000
    """Most answers in memory, some 150 bytes each."""


def check_carriers(carriers: Carriers) -> None:
    """Refuses a file that can not be used, in words. Raises ConfigError."""
    if carriers.file:
        networks_of(carriers.file, carriers.roll_up)


def check_lookup(lookup: Lookup) -> None:
    """Refuses what could never get an answer. Raises ConfigError."""
    if lookup.enabled and not (lookup.account_sid and lookup.auth_token):
        raise ConfigError(
            "lookup.enabled = true, but lookup.account_sid or lookup.auth_token is empty: set both, an API "
            "key and its secret or the account's own, or set lookup.enabled = false"
        )
    try:
        parts = urlsplit(lookup.base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"lookup.base_url = '{lookup.base_url}': scheme and host alone, such as "
            "https://lookups.twilio.com; the path /v2/PhoneNumbers is added"
        )
    if lookup.daily_cost and not lookup.price_per_request:
        raise ConfigError("lookup.daily_cost is set, but lookup.price_per_request = 0: no cost would add up")
