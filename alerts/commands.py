"""What people ask for, taken into an incident: (incident, command) -> incident and transitions. Pure.

People's part lies over the detector's (`Incident.people`): the detector never reads it, so that the
same buckets decide the same whatever people do. Where the two meet is written down: a command counts
after the last bucket applied when it was taken, and that bucket is in the record.

    acknowledged    shown; the next opening needs its own
    closed          all pages resolved; opens again when the severity rises, or after 4 h of failing
    silenced        no page is opened; what was open stays open and is resolved in the end
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from alerts import silences
from alerts.case import RANK
from alerts.paging import CRITICAL_SUFFIX, open_keys
from alerts.records import Decision, Delivery, Incident, Note, People, Silenced, State, Transition
from alerts.storm import holder_of
from alerts.wording import iso
from streams.commands import LAST_MS, MOST_NAME, Ask, Command, Silence, ToldTime, Via, safe, safe_url
from streams.records import BUCKET_S

CLOSED_HOLDS_S = 4 * 3600
"""An incident that a person has closed stays closed so long while it goes on failing no worse."""
MOST_ASKED = 100
"""Ids of commands that an incident remembers."""
MOST_NOTES, MOST_PAGER_IDS = 50, 20
PAGERDUTY = Via.PAGERDUTY.value
"""Routes to PagerDuty begin with it."""
CLOCK_SKEW_MS = 30_000
"""Between the pager's clock and ours."""
_LINKED = frozenset({Ask.LINK, Ask.ACKNOWLEDGE, Ask.UNACKNOWLEDGE, Ask.RESOLVE, Ask.REOPEN})

_decoder = msgspec.json.Decoder(Command)


class Change(NamedTuple):
    """An incident after somebody's word, and what is to be told of it."""

    incident: Incident
    transitions: tuple[Transition, ...] = ()
    heard: Delivery | None = None
    """What the pager has under a key, by its own word."""


def read(value: bytes | None) -> Command | None:
    """A record of `incident-commands`; None for what is none."""
    try:
        command = _decoder.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    silence, time = command.silence, command.time
    lacks = {Ask.SILENCE: not silence or silences.fault(silence), Ask.VERDICT: command.verdict is None}
    lacks[Ask.SET_TIME] = not (time and time.valid)
    return None if lacks.get(command.what) or not 0 <= command.at_ms <= LAST_MS else command


def meant(known: Mapping[str, Incident], command: Command) -> list[Incident]:
    """The incidents that are meant: by the key of one, of its pages or of a storm, or by the pager's own
    id. Of a storm all, first the one that holds the deliveries of its summary."""
    if command.key:
        one = known.get(command.key) or known.get(command.key.removesuffix(CRITICAL_SUFFIX))
        storm = "" if one else command.key
    else:
        by_id = (i for i in known.values() if command.pager_id and command.pager_id in i.people.pager_ids)
        one = next(by_id, None)
        storm = (one and one.storm) or ""
    if not storm:
        return [one] if one else []
    together = [i for i in known.values() if i.storm == storm]
    return sorted(together, key=lambda i: i is not holder_of(together))


def apply_all(incidents: Sequence[Incident], command: Command, bucket_s: int) -> list[Change]:
    """The changes of what is meant. What is told of a storm's summary without a person's will, or too
    late, is noted once."""
    first = incidents[0]
    echo = command.what is Ask.RESOLVE and (not command.by_person or _outdated(first, command))
    changes = (apply(i, command, bucket_s) for i in (incidents[:1] if echo else incidents))
    return [change for change in changes if change is not None]


def apply(incident: Incident, command: Command, bucket_s: int) -> Change | None:
    """The incident after the command, `bucket_s` being the last bucket applied; None for a repeat."""
    if command.id in incident.people.asked:
        return None
    people = incident.people
    pager_ids = people.pager_ids
    if command.what in _LINKED and command.pager_id and command.pager_id not in pager_ids:
        pager_ids = (*pager_ids, command.pager_id)
    people = msgspec.structs.replace(
        people,
        asked=(*people.asked, command.id)[-MOST_ASKED:],
        pager_ids=pager_ids[-MOST_PAGER_IDS:],
        pager_url=safe_url(command.pager_url) or people.pager_url,
    )
    incident = msgspec.structs.replace(incident, people=people)
    match command.what:
        case Ask.RESOLVE:
            return _resolved(incident, command, bucket_s)
        case Ask.REOPEN:
            return _reopened(incident, command)
        case _:
            return _said(incident, command)


def silence_after(held: Mapping[str, Silence], command: Command) -> Silence | None:
    """The silence that the command makes or ends, as it is to be kept; None where nothing changes."""
    if command.silence is not None:
        author, reason = safe(command.silence.author, MOST_NAME), safe(command.silence.reason)
        known = command.silence.id in held
        return None if known else msgspec.structs.replace(command.silence, author=author, reason=reason)
    silence = held.get(command.silence_id)
    if silence is None or silence.ended_by or command.at_ms >= silence.end_ms:
        return None
    end_ms = max(command.at_ms, silence.begin_ms)
    return msgspec.structs.replace(silence, end_ms=end_ms, ended_by=_author(command))


def bare(incident: Incident) -> Incident:
    """The incident as the detector knows it: people's part and their share of `seq` taken off."""
    return msgspec.structs.replace(incident, seq=incident.seq - incident.people.changes, people=People())


def carried(stored: Incident | None, decided: Incident, held: Iterable[Silence]) -> Change:
    """What the detector decided in its last bucket, with deliveries, what was looked up and people's part as
    they are stored. `held` are all silences."""
    if stored is not None:
        people = stored.people
        decided = msgspec.structs.replace(
            decided,
            seq=decided.seq + people.changes,
            deliveries=stored.deliveries,
            status_notes=stored.status_notes,
            verified=stored.verified,
            people=people,
        )
        if decided.reopened > stored.reopened and people.acknowledged_ms:
            fresh = msgspec.structs.replace(people, acknowledged_ms=0, acknowledged_by="")
            decided = msgspec.structs.replace(decided, people=fresh)
    change = _opened_again(Change(decided))
    return _silenced(change, stored, held)


def _said(incident: Incident, command: Command) -> Change:
    """What changes no page."""
    people, author, text = incident.people, _author(command), safe(command.text)
    match command.what:
        case Ask.ACKNOWLEDGE:
            said = {"acknowledged_ms": command.at_ms, "acknowledged_by": author}
            return _moved(incident, command, "acknowledged", Decision.ACKNOWLEDGED, text, **said)
        case Ask.UNACKNOWLEDGE:
            none = {"acknowledged_ms": 0, "acknowledged_by": ""}
            return _moved(incident, command, "unacknowledged", Decision.UNACKNOWLEDGED, text, **none)
        case Ask.NOTE:
            notes = (*people.notes, Note(command.at_ms, author, text, command.via.value))[-MOST_NOTES:]
            return _moved(incident, command, "note", Decision.NOTED, text, notes=notes)
        case Ask.VERDICT:
            verdict = command.verdict.value if command.verdict else ""
            given = {"verdict": verdict, "verdict_by": author}
            detail = ": ".join(filter(None, (verdict, text)))
            return _moved(incident, command, "verdict", Decision.JUDGED, detail, **given)
        case Ask.SET_TIME if command.time:
            return _timed(incident, command, command.time)
        case _:
            return _moved(incident, command, "linked", Decision.KNOWN_AT_PAGER, command.pager_id)


def _timed(incident: Incident, command: Command, time: ToldTime) -> Change:
    author, reason = _author(command), safe(command.text)
    told = msgspec.structs.replace(time, author=author, reason=reason, told_ms=command.at_ms)
    times = tuple(t for t in (*incident.people.times, told) if t.at_ms and (t is told or t.name != time.name))
    detail = f"{time.name} {iso(time.at_ms) if time.at_ms else 'as searched'}: {reason}"
    return _moved(incident, command, "time_set", Decision.TIMED, detail, times=times)


def _resolved(incident: Incident, command: Command, bucket_s: int) -> Change:
    """Closed by a person, unless it is over anyhow or the word is of an earlier page.

    A resolve at the pager is of one key: of the warning's it does not close what is critical by now.
    """
    detail = safe(command.text) or command.key
    if not command.by_person:  # mostly the echo of our own resolve
        return _moved(incident, command, "resolved_at_pager", Decision.CLOSED_AT_PAGER, detail)
    heard = None
    if command.via is Via.PAGERDUTY:
        if _outdated(incident, command):
            return _moved(incident, command, "resolved_at_pager", Decision.OUTDATED, detail)
        incident, heard = _heard(incident, command, "resolve")
    opened = open_keys(incident)
    of_other = heard is not None and opened and command.key not in (*opened, incident.storm)
    if incident.state is State.RESOLVED or incident.people.closed or of_other:
        change = _moved(incident, command, "resolve_noted", Decision.NOTHING_TO_CLOSE, detail)
        return change._replace(heard=heard)
    closed = {
        "closed_ms": command.at_ms,
        "closed_by": _author(command),
        "closed_bucket_s": bucket_s,
        "closed_severity": incident.severity,
    }
    change = _moved(incident, command, "closed", Decision.CLOSED, detail, **closed)
    return change._replace(heard=heard)


def _reopened(incident: Incident, command: Command) -> Change:
    """A person takes the closing back."""
    heard = None
    if command.via is Via.PAGERDUTY and command.by_person and not _outdated(incident, command):
        incident, heard = _heard(incident, command, "trigger")
    change = _moved(
        incident, command, "reopened_by_person", Decision.REOPENED_BY_PERSON, safe(command.text), **_OPEN
    )
    return change._replace(heard=heard)


_OPEN: Mapping[str, object] = {"closed_ms": 0, "closed_by": "", "closed_bucket_s": 0}


def _outdated(incident: Incident, command: Command) -> bool:
    """Whether the key was opened by us after what is told: webhooks may be 20 min late."""
    mine = [d.at_ms for d in incident.deliveries if d.dedup_key == command.key and not d.by]
    return bool(mine) and command.at_ms < mine[-1] - CLOCK_SKEW_MS


def _heard(incident: Incident, command: Command, action: str) -> tuple[Incident, Delivery | None]:
    """What the pager has under the key belongs to the deliveries, so that nobody sends it again. That of
    a storm is written down in one of its incidents."""
    if command.key == incident.storm and all(d.dedup_key != command.key for d in incident.deliveries):
        return incident, None
    ours = [d for d in incident.deliveries if d.dedup_key == command.key and d.route.startswith(PAGERDUTY)]
    route, key_id = (ours[-1].route, ours[-1].routing_key_id) if ours else (PAGERDUTY, "")
    heard = Delivery(route, command.key, action, incident.seq, command.at_ms, key_id, by=_author(command))
    return msgspec.structs.replace(incident, deliveries=(*incident.deliveries, heard)), heard


def _opened_again(change: Change) -> Change:
    """A closed incident that fails on is news again when it gets worse, or after 4 h."""
    incident, people = change.incident, change.incident.people
    if not people.closed or incident.state is not State.OPEN:
        return change
    if RANK[incident.severity] > RANK[people.closed_severity]:
        reason = Decision.WORSE_AFTER_CLOSE
    elif incident.last_bucket_s - people.closed_bucket_s >= CLOSED_HOLDS_S:
        reason = Decision.LONG_AFTER_CLOSE
    else:
        return change
    fresh = dict(_OPEN) | {"acknowledged_ms": 0, "acknowledged_by": ""}
    return _turned(change, "opened_again", reason, f"closed by {people.closed_by}", **fresh)


def _silenced(change: Change, stored: Incident | None, held: Iterable[Silence]) -> Change:
    """Whether a silence covers the incident from this bucket on."""
    incident, before = change.incident, change.incident.people.silence
    if incident.state is State.RESOLVED:
        return change
    silence = silences.silencing(held, incident, (incident.last_bucket_s + BUCKET_S) * 1000)
    if silence is None:
        if before is None:
            return change
        return _turned(change, "silence_ended", Decision.SILENCE_ENDED, before.id, silence=None)
    was_open = stored is not None and stored.state is State.OPEN
    kept = before.kept if before and was_open else open_keys(stored) if stored else ()
    now = Silenced(silence.id, silence.end_ms, silence.author, silence.reason, kept)
    if now == before:
        return change
    return _turned(change, "silenced", Decision.SILENCED, f"{silence.id}: {silence.reason}", silence=now)


def _turned(change: Change, what: str, reason: Decision, detail: str, **said: object) -> Change:
    """One more transition at the end of the bucket, event time."""
    incident = _with(change.incident, said)
    at_ms = (incident.last_bucket_s + BUCKET_S) * 1000
    entry = Transition(incident.key, incident.seq, at_ms, what, reason.value, detail)
    return Change(incident, (*change.transitions, entry))


def _moved(
    incident: Incident, command: Command, what: str, reason: Decision, detail: str, **said: object
) -> Change:
    incident = _with(incident, said)
    by, via = _author(command), command.via.value
    entry = Transition(incident.key, incident.seq, command.at_ms, what, reason.value, detail, by, via)
    return Change(incident, (entry,))


def _with(incident: Incident, said: Mapping[str, object]) -> Incident:
    """The sequence number grows with every word, so that pages made of it are newer."""
    people = incident.people
    people = msgspec.structs.replace(people, changes=people.changes + 1, **said)
    return msgspec.structs.replace(incident, seq=incident.seq + 1, people=people)


def _author(command: Command) -> str:
    return safe(command.author, MOST_NAME) or command.via.value
