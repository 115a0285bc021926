"""What the pages show, as values and words; nothing here knows HTML or HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from alerts import wording
from alerts.flags import Flag
from alerts.records import QUIET_ROUTES, Delivery, Incident, State, Transition
from alerts.records import is_live as is_live
from alerts.spells import held_last
from alerts.wording import clock, words
from streams.commands import Silence
from streams.unknown_share import Share

UNKNOWN_SHOWN_ABOVE = 0.2
"""Share of outcomes without a carrier above which the list of incidents says so."""


def path_of(key: str) -> str:
    """Where the page of an incident is; its key may hold anything."""
    return f"/incidents/{quote(key, safe=':')}"


class PageData(NamedTuple):
    """A snapshot that nobody changes. `now_ms` is event time, as the incidents' own times."""

    incidents: tuple[Incident, ...]
    transitions: Mapping[str, tuple[Transition, ...]]
    """By incident key, oldest first."""
    blind: str | None
    """Why the monitor can not tell what carriers do, None while it can."""
    now_ms: int
    unknown: tuple[Share, ...] = ()
    """By source: how many of the last hour's outcomes have no carrier."""
    display: Callable[[str], str] = str
    """What people call a carrier's id."""
    observed: str = ""
    """The pages of the last 7 days that nobody got; '' where somebody is paged."""
    tickets: tuple[Flag, ...] = ()
    """Flags of list quality."""
    silences: tuple[Silence, ...] = ()
    """Those that are not over at `now_ms`."""


class Line(NamedTuple):
    """One entry of a timeline. `clock` says whose time it is: event time or wall time."""

    at_ms: int
    clock: str
    what: str
    detail: str


def ordered(incidents: tuple[Incident, ...]) -> list[Incident]:
    """Open ones first, the newest first in each."""
    return sorted(incidents, key=lambda i: (i.state is not State.OPEN, -i.opened_bucket_s, i.key))


def find(data: PageData, key: str) -> Incident | None:
    return next((incident for incident in data.incidents if incident.key == key), None)


def status(data: PageData) -> str:
    """`unknown` while it is blind, whatever was known before; else `incident` or `fine`."""
    if data.blind is not None:
        return "unknown"
    return "incident" if any(i.state is State.OPEN for i in data.incidents) else "fine"


def headline(data: PageData) -> str:
    """The first sentence of the list."""
    n = sum(i.state is State.OPEN for i in data.incidents)
    opened = "1 incident is open" if n == 1 else f"{n} incidents are open"
    if data.blind is not None:
        known = f"{opened} as far as was known" if n else "what carriers do now can not be told"
        return f"Unknown: the monitor is blind ({data.blind}); {known}."
    return f"{opened}." if n else "No incident is open."


def state_word(incident: Incident, blind: str | None) -> str:
    """An open incident seen by a blind monitor is unknown, not open and surely not fine."""
    if incident.state is State.OPEN and blind is not None:
        return "unknown"
    return incident.state.value


def without_carrier(data: PageData) -> list[Share]:
    """The sources of which so much has no carrier that the list should say it."""
    return [share for share in data.unknown if share.ratio > UNKNOWN_SHOWN_ABOVE]


def what(incident: Incident, display: Callable[[str], str]) -> str:
    """`twilio_30003 at T-Mobile US (310-260), all regions`."""
    carrier = incident.current_carrier or incident.carrier
    region = incident.current_region or incident.region
    return f"{incident.rule} at {wording.where(carrier, region, display)}"


def retries(incident: Incident) -> str:
    """Whether it holds retries back, '' where it never has."""
    if not incident.spells:
        return ""
    from_ms, until_ms = held_last(incident.spells)
    if until_ms:
        return f"Retries of what it covers were held from {clock(from_ms)} to {clock(until_ms)}."
    return f"Retries of what it covers are held since {clock(from_ms)}, until it resolves."


def pages_sent(incident: Incident) -> list[Delivery]:
    """The deliveries that may have woken somebody."""
    ours = (d for d in incident.deliveries if d.action == "trigger" and not d.by)
    return [d for d in ours if d.route not in QUIET_ROUTES]


def marks(incident: Incident) -> list[str]:
    """What people have done about an incident, in a few words each."""
    people = incident.people
    said = [f"acknowledged by {people.acknowledged_by}"] if people.acknowledged_ms else []
    if incident.state is not State.OPEN:
        return said
    if people.closed:
        said.append(f"closed by {people.closed_by}")
    if people.silence is not None:
        said.append(f"silenced until {clock(people.silence.until_ms)} by {people.silence.author}")
    return said


def silences_json(data: PageData) -> list[dict[str, Any]]:
    """What is silenced, or will be, and until when."""
    plain: list[dict[str, Any]] = msgspec.to_builtins(data.silences)
    return plain


def until_ms(incident: Incident, now_ms: int) -> int:
    """The end of the incident, or now while it lasts."""
    if incident.resolved_bucket_s is not None and incident.state is State.RESOLVED:
        return incident.resolved_bucket_s * 1000
    return now_ms


def timeline(incident: Incident, transitions: tuple[Transition, ...]) -> list[Line]:
    """Transitions and deliveries in one order. Their clocks differ while event time lags."""
    lines = [
        Line(
            t.at_ms,
            "wall time" if t.by else "event time",
            t.what,
            " · ".join(filter(None, (t.by, words(t.reason), t.detail))),
        )
        for t in transitions
    ]
    lines += [Line(d.at_ms, "wall time", _delivered(d), d.dedup_key) for d in incident.deliveries]
    return sorted(lines)


def _delivered(delivery: Delivery) -> str:
    if delivery.by:
        return f"{delivery.by} at {delivery.route}: {delivery.action}"
    return f"{delivery.route} accepted the {delivery.action}"


def list_json(data: PageData) -> dict[str, Any]:
    return {
        "status": status(data),
        "blind": data.blind,
        "now_ms": data.now_ms,
        "carrier_unknown_ratio": {share.source: round(share.ratio, 4) for share in data.unknown},
        "observed": data.observed,
        "tickets": [ticket_json(flag) for flag in data.tickets],
        "silences": silences_json(data),
        "incidents": [_plain(incident, data.blind) for incident in ordered(data.incidents)],
    }


def ticket_json(flag: Flag) -> dict[str, Any]:
    return {
        "rule": flag.rule,
        "carrier": flag.carrier,
        "region": flag.region,
        "severity": flag.severity.value,
        "nature": flag.nature.value,
        "ratio": round(flag.ratio, 4),
        "since_s": flag.since_s,
        "explanation": flag.explanation,
    }


def where(flag: Flag, display: Callable[[str], str]) -> str:
    """`twilio_30003 at T-Mobile US (310-260), all regions`."""
    return f"{flag.rule} at {wording.where(flag.carrier, flag.region, display)}"


def incident_json(data: PageData, incident: Incident) -> dict[str, Any]:
    transitions = data.transitions.get(incident.key, ())
    return {
        "blind": data.blind,
        "now_ms": data.now_ms,
        "incident": _plain(incident, data.blind),
        "transitions": msgspec.to_builtins(transitions),
    }


def _plain(incident: Incident, blind: str | None) -> dict[str, Any]:
    """The record itself, and `known`: whether its state holds now."""
    plain: dict[str, Any] = msgspec.to_builtins(incident)
    return plain | {"known": state_word(incident, blind) != "unknown"}
