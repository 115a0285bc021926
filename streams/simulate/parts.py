"""The parts of a scenario, as its TOML file spells them: frozen values, defaults included."""

from __future__ import annotations

from typing import Literal

import msgspec

from streams.simulate import numbers
from streams.simulate.ledger import CLASSES
from streams.simulate.truth import GARBAGE, Kind


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every part of a scenario: frozen, unknown keys refused."""


class Feed(Part, frozen=True):
    """One source of records. `share` is its part of the traffic, in any unit."""

    source: str
    format: str
    profile: str
    share: float
    carrier_label: bool = False
    region_label: bool = False
    in_flight: bool = False
    """Whether a `sent` record goes ahead of each final."""
    text_share: float = 0.0
    """Share written as text: form bodies (Twilio), bare receipts without labels (SMPP)."""
    carriers: tuple[str, ...] = ()
    """The carriers that this feed reaches; all of them by default."""
    senders: int = 8


class Carrier(Part, frozen=True):
    """`weight` is its part of the volume, `base_rate` the share of finals that fail anyhow."""

    id: str
    weight: float
    base_rate: float
    regions: tuple[str, ...]


class Region(Part, frozen=True):
    id: str
    weight: float
    utc_offset_h: float = 0.0


class Delays(Part, frozen=True):
    """Time from sending to receipt: log-normal seconds, longer for failures, cut at `cap_s`."""

    median_s: float = 3.5
    sigma: float = 0.9
    failed_factor: float = 2.0
    cap_s: float = 90.0


class Disturbances(Part, frozen=True):
    """Shares of the finals unless another unit is named."""

    duplicates: float = 0.0
    """Of finals and in-flight records: repeated exactly, 0.5 s to 2 min later."""
    conflicts: float = 0.0
    """Of failed finals: a delivered final follows 5 to 60 s later."""
    late: float = 0.0
    """Written 60 to 90 s after their receipt time (never in the first two minutes)."""
    disorder: float = 0.0
    """Written up to `disorder_s` seconds after their receipt time."""
    disorder_s: float = 2.0
    sent_after_final: float = 0.0
    own_side: float = 0.0
    dead: float = 0.0
    """To numbers that are dead, one a region: whatever is sent to them fails as absent."""
    undetermined: float = 0.0
    """Finals that end in the status unknown, where the format has a word for it."""
    inbound: float = 0.0
    garbage: float = 0.0
    garbage_kinds: tuple[Kind, ...] = GARBAGE
    future_s: float = 120.0
    large_bytes: int = 200_000


class Incident(Part, frozen=True):
    """Finals in scope fail with probability `ratio` in `[at_s, at_s + duration_s)` of receipt time.

    `codes` gives the codes and their shares; feeds whose profile has none of them are spared.
    """

    scope: Literal["global", "carrier", "region", "pair"]
    at_s: float
    duration_s: float
    ratio: float
    codes: dict[str, float]
    carrier: str = ""
    region: str = ""
    feeds: tuple[str, ...] = ()


class Scenario(Part, frozen=True):
    """`rate` is finals a second over all feeds, as the mean of the day."""

    name: str
    duration_s: int
    rate: float
    feeds: tuple[Feed, ...]
    carriers: tuple[Carrier, ...]
    regions: tuple[Region, ...]
    incidents: tuple[Incident, ...] = ()
    seed: int = 1
    start_of_day_s: int = 43_200
    """Where in the day (UTC) the stream begins, whatever the clock says."""
    wobble: float = 1.0
    """Scales how restless volumes and base rates are; 0 holds them still."""
    delays: Delays = Delays()
    disturbances: Disturbances = Disturbances()


def covers(incident: Incident, carrier: str, region: str) -> bool:
    """Whether traffic to `carrier` in `region` is in the incident's scope; `US` covers `US-CA`."""
    in_region = incident.region in ("", region, numbers.country_of(region))
    return incident.carrier in ("", carrier) and in_region


def touches(incident: Incident, feed: Feed) -> bool:
    """Whether the incident fails messages of that feed."""
    known = any(code in CLASSES[feed.profile] for code in incident.codes)
    return known and (not incident.feeds or feed.source in incident.feeds)
