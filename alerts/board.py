"""What the station shows: to pages, metrics and who else looks from another thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.decide import Expected
from alerts.flags import Flag, Labels
from alerts.outstanding import Outstanding
from alerts.records import Incident, Transition
from alerts.sight import Sight
from streams.commands import Silence
from streams.unknown_share import Share


@dataclass
class Board:
    """What people and metrics are shown; replaced as a whole, never changed in place."""

    incidents: tuple[Incident, ...] = ()
    transitions: Mapping[str, tuple[Transition, ...]] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    flagged: Mapping[Labels, int] = field(default_factory=dict)
    """The last bucket in which each was flagged, for ten minutes more."""
    bucket_s: int = -1
    silences: tuple[Silence, ...] = ()
    unknown: tuple[Share, ...] = ()
    """By source: outcomes without a carrier, of the hour as far as this owner has read it."""
    sight: Sight = field(default_factory=Sight)
    expected: tuple[Expected, ...] = ()
    outstanding: Outstanding = field(default_factory=Outstanding)
