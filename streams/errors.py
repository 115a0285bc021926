"""What can go wrong, and who acts.

    MonitorError
    ├── ConfigError        the operator: the configuration is refused, exit 2
    ├── Unreachable        nobody: retried with backoff; says address and what was tried
    ├── NoTopic            the operator: `topics --apply`; waited for at the start, start again when it goes
    ├── GapError           the process: the log does not continue where it should; stop, start again
    ├── LossError          the operator: records are gone (retention, a topic made anew)
    ├── Poisoned           the operator: too many records can not be read; stop, start again later
    └── Fenced             the process: another owner took over; stop, start again
Records that can not be read raise nothing: they become `Malformed` values and dead letters.
"""

STARTS_ANEW = 3
"""Exit code of a role that must be started again by its supervisor."""


class MonitorError(Exception):
    """Base of every error this product raises on purpose."""


class ConfigError(MonitorError):
    """A setting is unknown, contradictory or out of range; the text says key, value, allowed."""


class Unreachable(MonitorError):
    """A service did not answer: `address`, and the last thing that was tried."""

    def __init__(self, what: str, address: str, tried: str) -> None:
        super().__init__(f"{what} at {address} can not be reached: {tried}")
        self.what, self.address, self.tried = what, address, tried


class NoTopic(MonitorError):
    """A topic is not there, or, `anew`, is another one than before: it was deleted and made again."""

    def __init__(self, what: str, *, anew: bool = False) -> None:
        super().__init__(what)
        self.anew = anew


class GapError(MonitorError):
    """A partial does not start where the one before it ended."""


class LossError(MonitorError):
    """A gap that is still there after a restart: the records between are gone."""


class Poisoned(MonitorError):
    """More records of a source can not be read than `ingest.poison_ratio` allows."""


class Fenced(MonitorError):
    """Another instance owns this work now."""
