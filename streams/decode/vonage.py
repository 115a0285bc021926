"""The format `vonage`: receipts of the SMS API (query string, form or JSON), statuses of the Messages API.

In a receipt `msisdn` is the recipient and `to` the sender; `network-code` is MCC and MNC of the
recipient, joined. `message-timestamp` is UTC. `scts` is the carrier's own clock, in a zone that
nobody tells, and is not used. A long message has one id and one receipt a part, and nothing says
which belong together. Some carriers answer `delivered` once they have taken the message over, and
Vonage itself says that some receipts are fakes.
Source: developer.vonage.com, messaging/sms/guides/delivery-receipts and
messages/concepts/messages-status-callbacks
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
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
    names_of,
    read_each,
    time_ms,
    typed,
)
from streams.records import Malformed, Reading, Status

IN_FLIGHT = ("accepted", "buffered", "submitted")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "failed": Status.UNDELIVERED,
    "rejected": Status.UNDELIVERED,
    "expired": Status.EXPIRED,
    "undeliverable": Status.FAILED,  # Vonage could not reach the carrier
    "unknown": Status.UNKNOWN,
    INBOUND.lower(): Status.INBOUND,
}
_OF_INBOUND = frozenset({"text", "keyword", "message_type", "data", "udh"})


class Receipt(
    Labels,
    gc=False,
    rename={
        "message_id": "messageId",
        "code": "err-code",
        "sender": "to",
        "network": "network-code",
        "moment": "message-timestamp",
    },
):
    """A receipt of the SMS API."""

    message_id: Text
    status: Text
    code: Number | None = None
    msisdn: Number | None = None
    sender: Number | None = None
    network: Number | None = None
    moment: str | None = None


_OF_FORM = names_of(Receipt) | _OF_INBOUND | {"message-id"}


class Error(msgspec.Struct, gc=False):
    """Why a message of the Messages API failed; the code is the title, or the end of the type."""

    code: Number | None = None
    title: Number | None = None
    type: str | None = None


class Destination(msgspec.Struct, gc=False):
    """Where a message went."""

    network_code: Number | None = None


class Callback(Labels, gc=False, rename={"sender": "from"}):
    """A status of the Messages API."""

    message_uuid: Text
    status: Text
    to: Number | None = None
    sender: Number | None = None
    timestamp: str | None = None
    error: Error | None = None
    destination: Destination | None = None


class VonageDecoder:
    """Reads receipts and statuses."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return read_each(values, self._read, _OF_FORM)

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.lower())

    def _read(self, raw: dict[str, Any]) -> Record | Malformed:
        message_id = raw.get("message_uuid") or raw.get("messageId") or raw.get("message-id")
        if not message_id:
            return missing("messageId (or message_uuid)")
        if not raw.get("status") and _OF_INBOUND & raw.keys():
            return came_in(message_id)
        return self._callback(raw) if raw.get("message_uuid") else _receipt({**raw, "messageId": message_id})

    def _callback(self, raw: dict[str, Any]) -> Record | Malformed:
        r = typed(raw, Callback)
        if isinstance(r, Malformed):
            return r
        return Record(
            message_id=r.message_uuid,
            status=r.status,
            code=_code(r.error),
            to=e164(r.to),
            sender=as_text(r.sender),
            carrier=network_or_label(as_text((r.destination or Destination()).network_code), r.carrier),
            region=r.region,
            traffic_class=r.traffic_class,
            provider_time_ms=time_ms(r.timestamp, self._zone),
        )


def _receipt(raw: dict[str, Any]) -> Record | Malformed:
    r = typed(raw, Receipt)
    if isinstance(r, Malformed):
        return r
    return Record(
        message_id=r.message_id,
        status=r.status,
        code=as_text(r.code),
        to=e164(r.msisdn),
        sender=as_text(r.sender),
        carrier=network_or_label(as_text(r.network), r.carrier),
        region=r.region,
        traffic_class=r.traffic_class,
        provider_time_ms=time_ms(r.moment, UTC),
    )


def _code(error: Error | None) -> str | None:
    """The first that is a number: titles were words in older versions."""
    if error is None:
        return None
    said = (error.code, error.title, (error.type or "").rpartition("#")[2])
    return next((str(word) for word in said if word is not None and str(word).isdecimal()), None)
