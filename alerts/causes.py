"""What is known of the cause of an incident beside its counts: senders, status pages, Lookup."""

from __future__ import annotations

import msgspec


class StatusNote(msgspec.Struct, frozen=True):
    """What a status page said when the incident opened. `at_ms` is wall time; `words` are its own."""

    name: str
    at_ms: int
    indicator: str
    words: str


class OfSender(msgspec.Struct, frozen=True):
    """What one sender did in an incident of late. Its name is masked where it may be a number."""

    name: str
    failed: int
    outcomes: int
    """About: what it has delivered is told of its largest senders alone."""


class Senders(msgspec.Struct, frozen=True):
    """An incident by sender, of late."""

    bad: tuple[OfSender, ...] = ()
    """Those that fail while the others do not; empty where it is not a matter of senders."""
    others_failed: int = 0
    others: int = 0
    """Failures and outcomes of all others, or beside the worst sender where none is bad."""
    shared: bool = False
    """Whether it is known that the others fail as well."""
    busiest: str = ""
    busiest_share: float = 0.0
    """Who sends most, and how much of the outcomes it is."""
    seen: int = 0
    """How many senders are named."""


class Verified(msgspec.Struct, frozen=True):
    """What Lookup said of a sample of the failed numbers. `at_ms` is wall time; kinds are those of
    `alerts.verification`."""

    at_ms: int
    looked_up: int
    found: dict[str, int] = {}
    """Numbers by kind."""
    ruled_out: tuple[str, ...] = ()
    """Kinds that are surely less than half of what failed."""
    points_to: tuple[str, ...] = ()
    """Kinds that are surely more than half."""
    why_fewer: str = ""
