"""The format `bird`: status reports of the SMS API (MessageBird), events of Bird's Channels API.

A report is a query string, also as JSON. Its messages to several recipients share an id, so the
identity is the id with the hash of the recipient. An event is the message under `payload`, or the
message alone. The code is the SMS platform's own, from 1 up: 0 says nothing, and then the reason
does, in words, such as `unavailable subscriber`. Codes of what failed before the SMS platform are
another list, Bird's own (`failure.code`).
Source: docs.bird.com/api/channels-api/message-status-and-interactions and its pages on failure
sources and extended error codes; support.messagebird.com 360001869258; the handler `messagebird` of
github.com/nyaruka/courier
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.decode.decoder import PLAIN, Options, missing
from streams.decode.record import Record, network_or_label
from streams.decode.report import (
    INBOUND,
    Labels,
    Number,
    Text,
    as_text,
    came_in,
    e164,
    id_of_one,
    names_of,
    read_each,
    time_ms,
    typed,
)
from streams.records import Malformed, Reading, Reason, Status

IN_FLIGHT = ("scheduled", "buffered", "sent", "accepted", "processing")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "delivered": Status.DELIVERED,
    "delivery_failed": Status.UNDELIVERED,
    "expired": Status.EXPIRED,
    "sending_failed": Status.FAILED,
    "rejected": Status.FAILED,
    "skipped": Status.CANCELLED,
    INBOUND.lower(): Status.INBOUND,
}
SMS_PLATFORM = "sms-messagebird"
_FAILURES = frozenset({Status.UNDELIVERED, Status.EXPIRED, Status.FAILED})
_PARTS = re.compile(r"(?:^|;)\s*(reason|code)\s*:\s*([^;]*)", re.I)
_PLAIN_REASON = re.compile(r"[a-z][a-z ]{2,31}")


class StatusReport(
    Labels,
    gc=False,
    rename={
        "code": "statusErrorCode",
        "reason": "statusReason",
        "moment": "statusDatetime",
        "network": "mccmnc",
        "sender": "originator",
    },
):
    """A status report of the SMS API."""

    id: Text
    status: Text
    recipient: Number | None = None
    code: Number | None = None
    reason: str | None = None
    moment: str | None = None
    network: Number | None = None
    sender: Number | None = None


_OF_FORM = names_of(StatusReport)


class Contact(msgspec.Struct, gc=False, rename={"value": "identifierValue"}):
    """A recipient, or the connector that a message was sent over."""

    value: str | None = None


class Receiver(msgspec.Struct, gc=False):
    """Who a message is for."""

    contacts: list[Contact] = []


class Sender(msgspec.Struct, gc=False):
    """Where a message is from."""

    connector: Contact | None = None


class FailureSource(msgspec.Struct, gc=False):
    """Which system failed, and its code."""

    name: str | None = None
    code: Number | None = None


class Failure(msgspec.Struct, gc=False):
    """Why a message failed."""

    code: Number | None = None
    source: FailureSource | None = None


class Message(
    Labels,
    gc=False,
    rename={"last_status_at": "lastStatusAt", "created_at": "createdAt"},
):
    """A message of the Channels API."""

    id: Text
    status: Text
    reason: str | None = None
    details: str | None = None
    failure: Failure | None = None
    receiver: Receiver | None = None
    sender: Sender | None = None
    last_status_at: str | None = None
    created_at: str | None = None


class BirdDecoder:
    """Reads status reports and events."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone
        self._hasher = options.hasher

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return read_each(values, self._read, _OF_FORM)

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.lower())

    def _read(self, raw: dict[str, Any]) -> Record | Malformed:
        one = raw.get("payload", raw)
        if not isinstance(one, dict):
            return Malformed(Reason.WRONG_TYPE, "payload: expected an object")
        if not one.get("id"):
            return missing("id")
        if _came_in(one):
            return came_in(one["id"])
        if "channelId" in one or "receiver" in one:
            labels = {n: raw[n] for n in Labels.__struct_fields__ if n in raw}
            return self._message({**labels, **one})
        return self._status_report(one)

    def _status_report(self, raw: dict[str, Any]) -> Record | Malformed:
        r = typed(raw, StatusReport)
        if isinstance(r, Malformed):
            return r
        to = e164(r.recipient)
        return Record(
            message_id=id_of_one(r.id, to, self._hasher),
            status=r.status,
            code=_telling(as_text(r.code), r.status, r.reason),
            to=to,
            sender=as_text(r.sender),
            carrier=network_or_label(as_text(r.network), r.carrier),
            region=r.region,
            traffic_class=r.traffic_class,
            provider_time_ms=time_ms(r.moment, self._zone),
        )

    def _message(self, raw: dict[str, Any]) -> Record | Malformed:
        m = typed(raw, Message)
        if isinstance(m, Malformed):
            return m
        contacts = m.receiver.contacts if m.receiver else []
        connector = m.sender.connector if m.sender else None
        return Record(
            message_id=m.id,
            status=m.status,
            code=_code(m),
            to=contacts[0].value if contacts else None,
            sender=connector.value if connector else None,
            carrier=network_or_label(None, m.carrier),
            region=m.region,
            traffic_class=m.traffic_class,
            sent_time_ms=time_ms(m.created_at, self._zone),
            provider_time_ms=time_ms(m.last_status_at, self._zone),
        )


def _came_in(raw: dict[str, Any]) -> bool:
    return raw.get("direction") == "incoming" or ("status" not in raw and "originator" in raw)


def _code(m: Message) -> str | None:
    """The SMS platform's code, which the reason may repeat; Bird's own where another system failed."""
    failure = m.failure or Failure()
    source = failure.source or FailureSource()
    if source.name and source.name != SMS_PLATFORM:
        return as_text(failure.code) or as_text(source.code)
    said = {name.lower(): value.strip() for name, value in _PARTS.findall(m.reason or "")}
    code = as_text(source.code) or said.get("code")
    return _telling(code, m.status, said.get("reason") or m.details or m.reason)


def _telling(code: str | None, status: str, reason: str | None) -> str | None:
    """The code unless it is none; of what failed then the reason, where it is one of Bird's plain words."""
    if code and code != "0":
        return code
    words = (reason or "").replace("_", " ").strip().lower()
    failed = STATUSES.get(status.lower()) in _FAILURES
    return words if failed and _PLAIN_REASON.fullmatch(words) else code
