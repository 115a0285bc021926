"""The milestones of an incident, each with its source, never running backwards. Pure.

onset <= first flag <= page sent <= delivered <= acknowledged;  onset <= mitigated <= recovered <= resolved

Automatic times are event time, those of pagers and people wall time; the two differ while event time
lags. A time that lies before one that it must follow is shown at that one, and said to be moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from alerts.records import QUIET_ROUTES, Delivery, Incident, State, Transition
from alerts.review.onset import ChangePoint
from alerts.wording import percent, words
from streams.commands import MILESTONES
from streams.records import BUCKET_S


class Name(StrEnum):
    """The milestones in the order of a healthy incident."""

    ONSET = "onset"
    FIRST_FLAG = "first_flag"
    PAGE_SENT = "page_sent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    WIDENED = "widened"
    MITIGATED = "mitigated"
    RECOVERED = "recovered"
    RESOLVED = "resolved"


class By(StrEnum):
    """Where a time comes from."""

    AUTOMATIC = "automatic"
    PAGERDUTY = "PagerDuty"
    PERSON = "person"


FOLLOWS: Mapping[Name, tuple[Name, ...]] = {
    Name.FIRST_FLAG: (Name.ONSET,),
    Name.PAGE_SENT: (Name.FIRST_FLAG,),
    Name.DELIVERED: (Name.PAGE_SENT,),
    Name.ACKNOWLEDGED: (Name.FIRST_FLAG, Name.PAGE_SENT, Name.DELIVERED),
    Name.WIDENED: (Name.FIRST_FLAG,),
    Name.MITIGATED: (Name.ONSET,),
    Name.RECOVERED: (Name.ONSET, Name.MITIGATED),
    Name.RESOLVED: (Name.FIRST_FLAG, Name.RECOVERED),
}
"""What each milestone can not be earlier than."""


class Milestone(msgspec.Struct, frozen=True):
    """One point in time of an incident. Epoch milliseconds."""

    name: Name
    at_ms: int
    by: By
    early_ms: int | None = None
    late_ms: int | None = None
    """Where it lies in 95 of 100 cases, None where it is exact."""
    author: str = ""
    evidence: str = ""
    """What it is known by, in words."""
    moved_from_ms: int | None = None
    """The time as recorded, where that would have run backwards."""
    replaces_ms: int | None = None
    """The automatic time that a person has corrected."""


class Durations(msgspec.Struct, frozen=True):
    """From onset to each, milliseconds; None where one of both is not known."""

    to_detect_ms: int | None
    to_page_ms: int | None
    to_acknowledge_ms: int | None
    """From the page to the acknowledgement, as pagers count it."""
    to_mitigate_ms: int | None
    to_resolve_ms: int | None


class Entry(msgspec.Struct, frozen=True):
    """One line of the full log."""

    at_ms: int
    by: By
    what: str
    detail: str = ""
    author: str = ""


class Timeline(msgspec.Struct, frozen=True):
    """Milestones in order of time, the durations between them, and everything that was written down."""

    milestones: tuple[Milestone, ...]
    durations: Durations
    log: tuple[Entry, ...]

    def at_ms(self, name: Name) -> int | None:
        return next((m.at_ms for m in self.milestones if m.name is name), None)


def timeline(
    incident: Incident,
    events: Sequence[Transition],
    begun: ChangePoint | None = None,
    ended: ChangePoint | None = None,
) -> Timeline:
    """`events` are the incident's of `incident-events`; `begun` and `ended` what was searched back."""
    found = {m.name: m for m in _automatic(incident, events, begun, ended)}
    for name, told in _told(incident).items():
        before = found.get(name)
        found[name] = msgspec.structs.replace(told, replaces_ms=before.at_ms if before else None)
    ordered = _forwards(found)
    whole = sorted(ordered.values(), key=lambda m: (m.at_ms, list(Name).index(m.name)))
    return Timeline(tuple(whole), _durations(ordered), tuple(_log(incident, events)))


def backwards(milestones: Iterable[Milestone], name: Name, at_ms: int) -> str:
    """Why `name` can not have been at `at_ms`, '' where it can."""
    held = {m.name: m.at_ms for m in milestones}
    for before in FOLLOWS.get(name, ()):
        if before in held and at_ms < held[before]:
            return f"{words(name)} would be before {words(before)}"
    for after, earlier in FOLLOWS.items():
        if name in earlier and after in held and held[after] < at_ms:
            return f"{words(name)} would be after {words(after)}"
    return ""


def _automatic(
    incident: Incident, events: Sequence[Transition], begun: ChangePoint | None, ended: ChangePoint | None
) -> Iterator[Milestone]:
    yield _onset(incident, begun)
    ratio = f"{incident.rule} flagged, incident opened"
    yield Milestone(Name.FIRST_FLAG, incident.detected_ms, By.AUTOMATIC, evidence=ratio)
    yield from _paged(incident, events)
    for event in _of(events, "scope_changed"):
        if _wider(event.detail):
            yield Milestone(Name.WIDENED, event.at_ms, By.AUTOMATIC, evidence=event.detail)
            break
    if ended is not None:
        yield _searched(
            Name.RECOVERED, ended, f"ratio back to {percent(ended.after)} from {percent(ended.before)}"
        )
    if incident.state is State.RESOLVED and incident.resolved_bucket_s is not None:
        at_ms = (incident.resolved_bucket_s + BUCKET_S) * 1000
        yield Milestone(Name.RESOLVED, at_ms, By.AUTOMATIC, evidence=words(incident.reason.value))


def _onset(incident: Incident, begun: ChangePoint | None) -> Milestone:
    if begun is None:
        what = "start of the winning segment of the deciding chart"
        return Milestone(Name.ONSET, incident.onset_ms or incident.detected_ms, By.AUTOMATIC, evidence=what)
    what = f"ratio from {percent(begun.before)} to {percent(begun.after)}, {begun.evidence:.0f} nats"
    return _searched(Name.ONSET, begun, what)


def _searched(name: Name, change: ChangePoint, what: str) -> Milestone:
    at_ms, early_ms, late_ms = (s * 1000 for s in (change.at_s, change.early_s, change.late_s))
    return Milestone(name, at_ms, By.AUTOMATIC, early_ms, late_ms, evidence=what)


def loud_pages(incident: Incident) -> list[Delivery]:
    """The pages of ours that may have woken somebody."""
    ours = (d for d in incident.deliveries if d.action == "trigger" and not d.by)
    return [d for d in ours if d.route not in QUIET_ROUTES]


def _paged(incident: Incident, events: Sequence[Transition]) -> Iterator[Milestone]:
    loud = loud_pages(incident)
    if loud:
        first = min(loud, key=lambda d: d.at_ms)
        what = f"{first.route} accepted {first.dedup_key}"
        yield Milestone(Name.PAGE_SENT, first.at_ms, By.AUTOMATIC, evidence=what)
    for event in _of(events, "linked"):
        yield Milestone(
            Name.DELIVERED, event.at_ms, By.PAGERDUTY, evidence=f"incident {event.detail}".strip()
        )
        break
    acknowledged = _of(events, "acknowledged")
    if acknowledged:
        first_ack = min(acknowledged, key=lambda e: e.at_ms)
        by, said = _who(first_ack), first_ack.detail
        yield Milestone(Name.ACKNOWLEDGED, first_ack.at_ms, by, author=first_ack.by, evidence=said)
    elif incident.people.acknowledged_ms:
        people = incident.people
        at_ms, author = people.acknowledged_ms, people.acknowledged_by
        yield Milestone(Name.ACKNOWLEDGED, at_ms, By.PERSON, author=author)


def _told(incident: Incident) -> dict[Name, Milestone]:
    """What people have set, the last word of each; a closing by a person is no milestone of its own."""
    return {
        Name(t.name): Milestone(Name(t.name), t.at_ms, By.PERSON, author=t.author, evidence=t.reason)
        for t in incident.people.times
        if t.name in MILESTONES
    }


def _forwards(found: Mapping[Name, Milestone]) -> dict[Name, Milestone]:
    """None before one that it must follow. People's word stands; what is automatic gives way."""
    ordered: dict[Name, Milestone] = {}
    for name in Name:
        if name not in found:
            continue
        one = found[name]
        least_ms = max((ordered[b].at_ms for b in FOLLOWS.get(name, ()) if b in ordered), default=one.at_ms)
        if one.at_ms < least_ms:
            one = msgspec.structs.replace(one, at_ms=least_ms, moved_from_ms=one.at_ms)
        ordered[name] = one
    return ordered


def _durations(held: Mapping[Name, Milestone]) -> Durations:
    def between(a: Name, b: Name) -> int | None:
        return held[b].at_ms - held[a].at_ms if a in held and b in held else None

    return Durations(
        to_detect_ms=between(Name.ONSET, Name.FIRST_FLAG),
        to_page_ms=between(Name.ONSET, Name.PAGE_SENT),
        to_acknowledge_ms=between(Name.PAGE_SENT, Name.ACKNOWLEDGED),
        to_mitigate_ms=between(Name.ONSET, Name.MITIGATED),
        to_resolve_ms=between(Name.ONSET, Name.RESOLVED),
    )


def _log(incident: Incident, events: Sequence[Transition]) -> Iterator[Entry]:
    """Everything in order of time; deliveries of an older version had no transition of their own."""
    told = [Entry(e.at_ms, _who(e), e.what, _why(e), e.by) for e in events]
    if not _of(events, "page_sent", "page_resolved", "page_missed"):
        told += [_delivery(d.at_ms, d.route, d.action, d.dedup_key, d.by) for d in incident.deliveries]
    return iter(sorted(told, key=lambda e: e.at_ms))


def _delivery(at_ms: int, route: str, action: str, key: str, by: str) -> Entry:
    what = {"trigger": "page_sent", "resolve": "page_resolved"}.get(action, action)
    return Entry(at_ms, By.PAGERDUTY if by else By.AUTOMATIC, what, f"{route} {key}", by)


def _why(event: Transition) -> str:
    return " · ".join(filter(None, (words(event.reason), event.detail)))


def _who(event: Transition) -> By:
    if event.via == "pagerduty" or event.what in ("linked", "resolved_at_pager"):
        return By.PAGERDUTY
    return By.PERSON if event.by else By.AUTOMATIC


def _of(events: Iterable[Transition], *what: str) -> list[Transition]:
    return [e for e in events if e.what in what]


_WIDTH = {"pair": 0, "carrier": 1, "region": 1, "global": 2}


def _wider(detail: str) -> bool:
    """Of a scope change, `pair a/b -> carrier a/all`: whether the scope has grown."""
    was, _, is_now = detail.partition(" -> ")
    kinds = [_WIDTH.get(side.partition(" ")[0], 0) for side in (was, is_now)]
    return kinds[1] > kinds[0]
