"""The settings of retry advice: how long to wait, how often to try, and what is worth trying."""

from __future__ import annotations

from streams.codes import CLASSES
from streams.errors import ConfigError
from streams.settings import Section

LEAST_WAIT_S, MOST_WAIT_S = 60.0, 604_800.0
RETRIED = (
    "absent_subscriber,memory_full,equipment,network_failure,route,connection,portability,throttled,expired,"
    "unknown"
)


class Advice(Section, frozen=True):
    """When a failed message may be sent again. Carriers' filters react to quick and many repeats."""

    min_wait_s: float = 1800.0
    """From the failure to the next try, at least."""
    max_attempts: int = 3
    """So often a message may be tried again."""
    classes: str = RETRIED
    """Outcome classes worth trying again, with commas; a permanent code is never."""
    waits_s: str = ""
    """Longer waits by class, as in `memory_full=14400,route=3600`."""

    @property
    def retried(self) -> frozenset[str]:
        return frozenset(_words(self.classes))

    def waits(self) -> dict[str, float]:
        """Seconds by class, of those that have their own. Raises ConfigError."""
        return dict(map(_wait, _words(self.waits_s)))


def check_advice(advice: Advice, max_in_a_row: int) -> None:
    """Raises ConfigError."""
    if not LEAST_WAIT_S <= advice.min_wait_s <= MOST_WAIT_S:
        raise ConfigError(
            f"advice.min_wait_s = {advice.min_wait_s}: must be {LEAST_WAIT_S:g} to {MOST_WAIT_S:g}"
        )
    if not 0 <= advice.max_attempts <= max_in_a_row:
        raise ConfigError(
            f"advice.max_attempts = {advice.max_attempts}: must be 0 (never) to recipients.max_in_a_row = "
            f"{max_in_a_row}, after which a recipient is on the list"
        )
    for name in _words(advice.classes):
        _check_class("classes", name)
    for name, wait_s in advice.waits().items():
        _check_class("waits_s", name)
        if not advice.min_wait_s <= wait_s <= MOST_WAIT_S:
            raise ConfigError(
                f"advice.waits_s: {name}={wait_s:g} must be advice.min_wait_s = {advice.min_wait_s:g} "
                f"to {MOST_WAIT_S:g}"
            )
        if name not in advice.retried:
            raise ConfigError(f"advice.waits_s: {name} has a wait, but is not among advice.classes")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _wait(text: str) -> tuple[str, float]:
    name, _, seconds = text.partition("=")
    try:
        return name.strip(), float(seconds)
    except ValueError:
        raise ConfigError(
            f"advice.waits_s: '{text}': must be CLASS=SECONDS, as in memory_full=14400"
        ) from None


def _check_class(key: str, name: str) -> None:
    if name not in CLASSES:
        raise ConfigError(f"advice.{key}: '{name}' is no outcome class; there are {', '.join(CLASSES)}")
