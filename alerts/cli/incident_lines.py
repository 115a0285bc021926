"""What `carrier-health incidents` prints: tables for people, objects for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from alerts.records import Incident, State
from alerts.wording import clock, percent, span, words
from streams.commands import Silence

HEADINGS = ("STATE", "SEVERITY", "SINCE (UTC)", "RATIO", "FAILED", "KEY")


def state_of(incident: Incident) -> str:
    """One word, and what people have done about it."""
    people = incident.people
    if incident.state is not State.OPEN:
        return incident.state.value
    if people.closed:
        return "closed by person"
    marks = ["acknowledged"] if people.acknowledged_ms else []
    marks += ["silenced"] if people.silence else []
    return ", ".join(["open", *marks])


def incident_lines(incidents: Sequence[Incident]) -> Iterator[str]:
    """A table; nothing where there is nothing."""
    rows = [
        (
            state_of(i),
            i.severity.value,
            clock(i.opened_bucket_s * 1000).removesuffix(" UTC"),
            percent(i.ratio),
            f"{i.failed:,}",
            i.key,
        )
        for i in incidents
    ]
    yield from _table([HEADINGS, *rows]) if rows else ()


def detailed(incident: Incident) -> Iterator[str]:
    """Everything about one incident, a fact a line."""
    i, people = incident, incident.people
    where = f"{i.current_carrier or i.carrier} / {i.current_region or i.region}"
    facts = [
        ("key", i.key),
        ("state", state_of(i)),
        ("severity", f"{i.severity.value} ({words(i.reason.value)})"),
        ("where", f"{i.current_scope or i.scope}: {where}"),
        ("opened", clock(i.opened_bucket_s * 1000)),
        ("resolved", clock(i.resolved_bucket_s * 1000) if i.resolved_bucket_s is not None else ""),
        ("ratio", f"{percent(i.ratio)}, peak {percent(i.peak_ratio)}"),
        ("failed", f"{i.failed:,} of {i.outcomes:,}, {i.distinct_recipients:,} recipients"),
        ("why", i.explanation),
        ("acknowledged", _by(people.acknowledged_by, people.acknowledged_ms)),
        ("closed", _by(people.closed_by, people.closed_ms)),
        ("verdict", " by ".join(filter(None, (words(people.verdict), people.verdict_by)))),
        ("at the pager", people.pager_url),
    ]
    if people.silence is not None and i.state is State.OPEN:
        held = people.silence
        facts.append(("silenced", f"until {clock(held.until_ms)} by {held.author}: {held.reason}"))
    facts += [("page", f"{clock(d.at_ms)}  {d.route} {d.action} {d.dedup_key}") for d in i.deliveries]
    facts += [("note", f"{clock(n.at_ms)}  {n.author}: {n.text}") for n in people.notes]
    for name, text in facts:
        if text:
            yield f"{name:<13} {text}"


def silence_lines(silences: Sequence[Silence], now_ms: int) -> Iterator[str]:
    """One line a silence: which, since or from when, until when, by whom and why."""
    for s in silences:
        begins = f"from {clock(s.begin_ms)} " if s.begin_ms > now_ms else ""
        matchers = " ".join(map(str, s.matchers))
        left = span(s.end_ms - max(now_ms, s.begin_ms))
        yield (
            f"{s.id}  {s.kind.value}  {begins}until {clock(s.end_ms)} ({left})  {matchers}  "
            f"{s.author}: {s.reason}"
        )


def incident_json(incident: Incident) -> str:
    return msgspec.json.encode(incident).decode()


def silence_json(silence: Silence) -> str:
    return msgspec.json.encode(silence).decode()


def _by(who: str, at_ms: int) -> str:
    return f"by {who}, {clock(at_ms)}" if at_ms else ""


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
