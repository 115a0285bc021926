"""Which incidents were like this one, why, and how often it came back. Pure.

The likeness is a weighted share of traits that agree, from 0 to 1. Traits that are amounts agree by the
ratio of the smaller to the larger; the code mix by its cosine (Salton & McGill, Introduction to Modern
Information Retrieval, 1983, 4). Incidents of another rule, or without a carrier or region in common, are
never alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from alerts.measure import scope_of
from alerts.records import ALL, Incident
from streams.records import BUCKET_S

MOST = 5
LEAST = 0.5
"""Less alike than this is not worth a look."""
DAYS = (7, 30, 90)
DAY_S = 86_400

Mix = Mapping[str, int]
"""Failed by code."""


class Trait(NamedTuple):
    """One way to be alike: how much it weighs, how much of it agrees (0 to 1), and how to say so."""

    weight: float
    agrees: float
    said: str


class Alike(msgspec.Struct, frozen=True):
    """Another incident that was like it."""

    key: str
    likeness: float
    because: tuple[str, ...]
    """The traits that agree, the weightiest first."""
    opened_s: int
    lasted_s: int | None
    peak_ratio: float
    verdict: str


class Recurrence(msgspec.Struct, frozen=True):
    """How many incidents of the same rule and scope opened in the days before it, itself left out."""

    days: int
    incidents: int


def similar(
    incident: Incident, known: Iterable[Incident], mixes: Mapping[str, Mix] | None = None
) -> tuple[Alike, ...]:
    """The most alike that opened before `incident`, at most MOST. `mixes` are code mixes by key."""
    others = (i for i in known if i.key != incident.key and i.opened_bucket_s <= incident.opened_bucket_s)
    found = [_alike(incident, other, mixes or {}) for other in others if _comparable(incident, other)]
    alike = [one for one in found if one.likeness >= LEAST]
    return tuple(sorted(alike, key=lambda one: (-one.likeness, -one.opened_s, one.key))[:MOST])


def recurrence(incident: Incident, known: Iterable[Incident]) -> tuple[Recurrence, ...]:
    """By number of days; scopes are compared as they were at opening."""
    same = [i.opened_bucket_s for i in known if i.key != incident.key and _identity(i) == _identity(incident)]
    until_s = incident.opened_bucket_s
    return tuple(
        Recurrence(days, sum(until_s - days * DAY_S <= at_s <= until_s for at_s in same)) for days in DAYS
    )


def _identity(incident: Incident) -> tuple[str, str, str, str]:
    return incident.rule, incident.scope, incident.carrier, incident.region


def _comparable(a: Incident, b: Incident) -> bool:
    one, other = scope_of(a), scope_of(b)
    carriers = one.carrier == other.carrier or ALL in (one.carrier, other.carrier)
    regions = one.region == other.region or ALL in (one.region, other.region)
    return a.rule == b.rule and carriers and regions


def _alike(incident: Incident, other: Incident, mixes: Mapping[str, Mix]) -> Alike:
    traits = list(_traits(incident, other, mixes))
    likeness = sum(t.weight * t.agrees for t in traits) / sum(t.weight for t in traits)
    agreeing = sorted((t for t in traits if t.agrees >= 0.7), key=lambda t: -t.weight * t.agrees)
    return Alike(
        key=other.key,
        likeness=round(likeness, 3),
        because=tuple(t.said for t in agreeing),
        opened_s=other.opened_bucket_s,
        lasted_s=lasted_s(other),
        peak_ratio=other.peak_ratio,
        verdict=other.people.verdict,
    )


def _traits(a: Incident, b: Incident, mixes: Mapping[str, Mix]) -> Iterator[Trait]:
    one, other = scope_of(a), scope_of(b)
    yield Trait(3, float(one.carrier == other.carrier), f"same carrier ({other.carrier})")
    yield Trait(2, float(one.region == other.region), f"same region ({other.region})")
    yield Trait(1, float(one.kind == other.kind), f"same kind of scope ({other.kind.value})")
    yield Trait(1, _near(a.peak_ratio, b.peak_ratio), f"peak {b.peak_ratio:.0%} as {a.peak_ratio:.0%}")
    own_s, other_s = lasted_s(a), lasted_s(b)
    if own_s is not None and other_s is not None:
        yield Trait(1, _near(own_s, other_s), f"lasted {other_s // 60} min as {own_s // 60} min")
    hours = _hours_apart(a, b)
    hour = b.opened_bucket_s // 3600 % 24
    yield Trait(1, max(0.0, 1 - hours / 6), f"same time of day (about {hour:02}:00 UTC)")
    if mixes.get(a.key) and mixes.get(b.key):
        mix = cosine(mixes[a.key], mixes[b.key])
        yield Trait(2, mix, f"code mix {mix:.2f} alike")


def lasted_s(incident: Incident) -> int | None:
    """From opening to its end, None while it is open."""
    ended_s = incident.resolved_bucket_s
    return None if ended_s is None else ended_s + BUCKET_S - incident.opened_bucket_s


def cosine(a: Mix, b: Mix) -> float:
    """Of two code mixes, 0 to 1."""
    product = sum(n * b.get(code, 0) for code, n in a.items())
    lengths = (math.sqrt(sum(n * n for n in mix.values())) for mix in (a, b))
    return product / (math.prod(lengths) or 1.0)


def _near(a: float, b: float) -> float:
    """The ratio of the smaller to the larger."""
    return min(a, b) / max(a, b) if max(a, b) > 0 else 1.0


def _hours_apart(a: Incident, b: Incident) -> float:
    """Of the times of day, 0 to 12."""
    apart = abs(a.opened_bucket_s - b.opened_bucket_s) % DAY_S / 3600
    return min(apart, 24 - apart)


def mix_of(failed: Sequence[tuple[str, int]]) -> Mix:
    """Code mix of (code, failed) pairs, the same code of several sources added up."""
    mix: dict[str, int] = {}
    for code, n in failed:
        mix[code] = mix.get(code, 0) + n
    return mix
