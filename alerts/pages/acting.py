"""What a form or a program asks for, as a command of the incident desk. Pure.

acknowledge, unacknowledge    text
note                          text
verdict                       verdict, text
set_time                      name, at (ISO 8601; without a zone UTC), text; `undo` in place of `at`
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import TypeVar

from alerts import asking
from alerts.pages.refusal import Refusal
from alerts.records import Incident
from alerts.review.timeline import Milestone, Name, backwards
from streams.commands import MILESTONES, MOST_TEXT, Ask, Command, ToldTime, Verdict, Via
from streams.decode.times import epoch_ms

ASKS = (Ask.ACKNOWLEDGE, Ask.UNACKNOWLEDGE, Ask.NOTE, Ask.VERDICT, Ask.SET_TIME)
"""What pages may ask for. Closing and silencing, which resolve pages or hold them back, are the CLI's."""
FIELDS = ("what", "text", "verdict", "name", "at", "undo")

DONE: Mapping[str, str] = {
    "acknowledge": "Acknowledged.",
    "unacknowledge": "The acknowledgement is taken back.",
    "note": "The note is on the incident.",
    "verdict": "The verdict is on the incident.",
    "set_time": "The timeline is changed.",
}
NOT_YET = (
    "Written down. It is shown here once the alerts role has taken it up, mostly within a second: reload."
)

T = TypeVar("T", bound=str)


def command(incident: Incident, fields: Mapping[str, str], author: str, at_ms: int) -> Command:
    """Raises Refusal. What is sent twice from one form (its field `id`) is one command."""
    what = _one_of("what", ASKS, fields)
    text = fields.get("text", "").replace("\r\n", "\n").strip()
    if len(text) > MOST_TEXT:
        raise Refusal(400, f"the text has {len(text)} characters: at most {MOST_TEXT}")
    if what is Ask.NOTE and not text:
        raise Refusal(400, "the note is empty")
    return asking.command(
        what,
        author,
        at_ms,
        Via.PAGE,
        id=_id(fields),
        text=text,
        key=incident.key,
        verdict=_one_of("verdict", Verdict, fields) if what is Ask.VERDICT else None,
        time=_time(fields) if what is Ask.SET_TIME else None,
    )


def notice(query: Mapping[str, str]) -> str:
    """What a page says after a form was taken, of the parameters to which the form led; '' for nothing."""
    done = DONE.get(query.get("told", ""), "")
    return NOT_YET if done and query.get("taken") != "1" else done


def new_id() -> str:
    """Of one form."""
    return uuid.uuid4().hex


def check_order(milestones: Iterable[Milestone], time: ToldTime) -> None:
    """Raises Refusal for a time that would run backwards; what is taken back never does."""
    why = backwards(milestones, Name(time.name), time.at_ms) if time.at_ms else ""
    if why:
        raise Refusal(400, f"{why}: set that one first, or check the time, which is UTC")


def _one_of(name: str, allowed: Iterable[T], fields: Mapping[str, str]) -> T:
    found = next((one for one in allowed if one == fields.get(name)), None)
    if found is None:
        raise Refusal(400, f"'{name}' must be one of {', '.join(allowed)}")
    return found


def _time(fields: Mapping[str, str]) -> ToldTime:
    name = fields.get("name", "")
    if name not in MILESTONES:
        raise Refusal(400, f"'name' must be one of {', '.join(MILESTONES)}")
    if fields.get("undo"):
        return ToldTime(name, 0)
    at_ms = epoch_ms(fields.get("at", ""))
    if not at_ms:
        raise Refusal(400, "'at' must be a time such as 2026-11-03T14:20:00, in UTC")
    return ToldTime(name, at_ms)


def _id(fields: Mapping[str, str]) -> str:
    """Of the form and of what it holds: the same sent twice is a repeat, something else is not. '' without
    an id: then each is of its own."""
    if not fields.get("id"):
        return ""
    if not re.fullmatch(r"[0-9a-f]{32}", fields["id"]):
        raise Refusal(400, "'id' must be 32 hexadecimal digits")
    held = "\0".join([fields["id"], *(fields.get(name, "") for name in FIELDS)])
    return hashlib.sha256(held.encode("utf-8", "surrogatepass")).hexdigest()[:32]
