"""Whether the numbers that failed are looked up when an incident opens."""

from __future__ import annotations

from streams.errors import ConfigError
from streams.settings import Section
from streams.settings_carriers import Lookup

MOST_SAMPLED, MOST_REQUESTS = 100, 1_000_000


class Verification(Section, frozen=True):
    """Twilio Lookup of a sample of failed recipients: it costs money. Account and price as in `lookup`."""

    enabled: bool = False
    sample: int = 20
    """Numbers looked up for one incident."""
    daily_requests: int = 200
    """Most requests a day (UTC) for all incidents; they count to `lookup.daily_requests` as well."""


def check_verification(verification: Verification, lookup: Lookup) -> None:
    """Raises ConfigError."""
    for name, value, most in (
        ("sample", verification.sample, MOST_SAMPLED),
        ("daily_requests", verification.daily_requests, MOST_REQUESTS),
    ):
        if not 1 <= value <= most:
            raise ConfigError(f"verification.{name} = {value}: must be 1 to {most}")
    if verification.enabled and not (lookup.account_sid and lookup.auth_token):
        raise ConfigError(
            "verification.enabled = true, but lookup.account_sid or lookup.auth_token is empty: set both "
            "(lookup.enabled may stay false), or set verification.enabled = false"
        )
