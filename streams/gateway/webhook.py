"""PagerDuty's v3 webhooks: signature, and what an event asks of the incident desk. Pure.

`X-PagerDuty-Signature` holds one or more `v1=` and the HMAC-SHA256 of the raw body in hexadecimal, by
comma, one for each secret in force. Events come at least once, in order per incident; the event's id is
the same in each delivery. A note names PagerDuty's own incident alone, so each command carries that id.
Source: developer.pagerduty.com, webhooks: Overview, Behavior, Verifying Signatures.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from streams.commands import MOST_NAME, Ask, Command, Via, safe, safe_url
from streams.decode.times import epoch_ms
from streams.records import Malformed, Reason

HEADER = "X-PagerDuty-Signature"
ID_HEADER = "X-Webhook-Id"
KEY_PREFIX = "ch:"
"""Of the pager keys that are ours; a service may hold incidents of others."""
EVENTS = {
    "incident.triggered": Ask.LINK,
    "incident.acknowledged": Ask.ACKNOWLEDGE,
    "incident.unacknowledged": Ask.UNACKNOWLEDGE,
    "incident.annotated": Ask.NOTE,
    "incident.resolved": Ask.RESOLVE,
    "incident.reopened": Ask.REOPEN,
}
PERSON = "user_reference"
"""Type of an agent who is a person; integrations and services are none."""
MERGED = "merge_resolve_reason"
"""An incident that went up in another one: its alert lives on there."""
MOST_ID = 100


class Reference(msgspec.Struct):
    """Who, or what."""

    id: str | None = None
    type: str | None = None
    summary: str | None = None
    html_url: str | None = None


class Data(msgspec.Struct):
    """An incident, or a note with the incident it is about."""

    id: str | None = None
    html_url: str | None = None
    incident_key: str | None = None
    resolve_reason: Any = None
    content: str | None = None
    incident: Reference | None = None


class Event(msgspec.Struct):
    event_type: str
    id: str | None = None
    occurred_at: str | None = None
    agent: Reference | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Payload(msgspec.Struct):
    event: Event


_payload = msgspec.json.Decoder(Payload)
_data = msgspec.json.Decoder(Data)


def signature(secret: bytes, body: bytes) -> str:
    """What PagerDuty writes into the header, for one secret."""
    return "v1=" + hmac.digest(secret, body, "sha256").hex()


def is_signed(secrets: Sequence[bytes], given: str, body: bytes) -> bool:
    """Whether one of the signatures is by one of `secrets`; all are looked at."""
    listed = [part.strip().encode("utf-8", "surrogatepass") for part in given.split(",")]
    expected = [signature(secret, body).encode() for secret in secrets]
    return any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in listed])


def command_of(body: bytes, delivery: str, received_ms: int) -> Command | Malformed | None:
    """What a believed event asks for; None for what is none of ours.

    `delivery` is ID_HEADER, which stands in for an event without an id, `received_ms` for one without
    a time.
    """
    try:
        event = _payload.decode(body).event
        what = EVENTS.get(event.event_type)
        data = _data.decode(event.data) if what else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Malformed(Reason.WRONG_TYPE, "the body is no event of PagerDuty's v3 webhooks")
    if what is None or data is None:
        return None
    event_id = event.id or delivery
    if not event_id:
        return Malformed(Reason.MISSING_FIELD, "the event has no id, nor has the request")
    key, pager_id, url = _about(what, data)
    if not pager_id or (what is not Ask.NOTE and not key.startswith(KEY_PREFIX)):
        return None
    agent = event.agent or Reference()
    return Command(
        id=f"{Via.PAGERDUTY}:{event_id[:MOST_ID]}",
        what=what,
        at_ms=epoch_ms(event.occurred_at or "") or received_ms,
        author=safe(agent.summary or agent.id or "", MOST_NAME),
        via=Via.PAGERDUTY,
        key=key,
        by_person=agent.type == PERSON and not _is_merged(data),
        text=safe(data.content or ""),
        pager_id=pager_id[:MOST_ID],
        pager_url=safe_url(url),
    )


def _about(what: Ask, data: Data) -> tuple[str, str, str]:
    """Our pager key, PagerDuty's id and URL of the incident."""
    if what is Ask.NOTE:
        incident = data.incident or Reference()
        return "", incident.id or "", incident.html_url or ""
    return data.incident_key or "", data.id or "", data.html_url or ""


def _is_merged(data: Data) -> bool:
    reason = data.resolve_reason
    return isinstance(reason, dict) and reason.get("type") == MERGED
