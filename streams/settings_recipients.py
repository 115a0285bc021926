"""The settings of list hygiene."""

from __future__ import annotations

from streams.errors import ConfigError
from streams.settings_file import Section


class Recipients(Section, frozen=True):
    """Which recipients fail time and again (docs/recipients.md)."""

    track: bool = True
    """Whether runs of failures are followed, by keyed hash: needs `privacy.recipient_key`."""
    max_in_a_row: int = 3
    """More messages than this in a row that failed put a recipient on the list."""
    within_days: float = 7.0
    """Only failures of so many days count."""
    classes: tuple[str, ...] = ("absent_subscriber",)
    """Outcome classes that count; others neither add to a run nor end it."""
    max_tracked: int = 10_000_000
    """Most runs that are kept in Redis, some 100 bytes each; beyond them new ones are refused."""


LIMITS = {
    "max_in_a_row": (1, 4),  # what Redis keeps in its small form
    "within_days": (0.01, 7.0),  # topics keep 8 days
    "max_tracked": (1_000, 30_000_000),
}


def check_recipients(recipients: Recipients) -> None:
    """Refuses a list that could not be kept, or hold nobody. Raises ConfigError."""
    for key, (least, most) in LIMITS.items():
        value = getattr(recipients, key)
        if not least <= value <= most:
            raise ConfigError(f"recipients.{key} = {value}: must be {least} to {most}")
    if not recipients.classes or not all(recipients.classes):
        raise ConfigError(
            "recipients.classes is empty: name at least one outcome class, such as 'absent_subscriber', or "
            "set recipients.track = false"
        )
