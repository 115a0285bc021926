"""The format `telnyx`: Telnyx's messaging events `message.sent` and `message.finalized`, as JSON.

Each recipient in `data.payload.to` has a status and a carrier name of its own. An event of several
is split (`pieces`), and its message id then ends in `/0`, `/1`, ... by their place. A code is read
beside a failure alone: the errors belong to the event, not to a recipient. `carrier`, `region` and
`traffic_class` beside `data` are labels of the user's own.
Source: developers.telnyx.com/docs/messaging/messages/receiving-webhooks,
developers.telnyx.com/api-reference/callbacks/delivery-update
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.decode.decoder import PLAIN, Options, convert, decode_all, missing, read_object
from streams.decode.record import Record, network_or_label
from streams.decode.times import zoned_ms
from streams.records import Malformed, Reading, Reason, Status

IN_FLIGHT = ("queued", "sending", "sent")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "delivery_failed": Status.UNDELIVERED,
    "sending_failed": Status.FAILED,
    "expired": Status.EXPIRED,
    "delivery_unconfirmed": Status.UNKNOWN,  # the carrier gave no receipt
    "inbound": Status.INBOUND,
}
_FAILURES = frozenset({Status.UNDELIVERED, Status.FAILED, Status.EXPIRED})

MOST_RECIPIENTS = 50
"""A group message has eight at most. Each gets a copy of the event, so more are refused whole."""

Text = Annotated[str, Meta(min_length=1)]


class Address(msgspec.Struct, gc=False):
    """A recipient, or the sender."""

    phone_number: str | None = None
    status: str | None = None
    carrier: str | None = None


class Error(msgspec.Struct, gc=False):
    """Why it failed."""

    code: str | int | None = None


class Payload(msgspec.Struct, gc=False, rename={"sender": "from"}):
    """The message."""

    id: Text
    to: list[Address]
    direction: str | None = None
    sender: Address | None = None
    errors: list[Error] | None = None
    sent_at: str | None = None
    completed_at: str | None = None


class Data(msgspec.Struct, gc=False):
    """The event."""

    event_type: Text
    payload: Payload
    occurred_at: str | None = None


class Event(msgspec.Struct, gc=False):
    """The envelope, with labels that the user may have put beside `data`."""

    data: Data
    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None


class TelnyxDecoder:
    """Reads Telnyx's messaging events of one recipient each."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone
        self._json = msgspec.json.Decoder(Event).decode

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return decode_all(values, self._read, self._decode_one)

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.lower())

    def pieces(self, value: bytes) -> list[bytes] | None:
        """One event a recipient, each with the bytes of its own; None when there are not several, or too
        many."""
        try:
            event = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
            data = msgspec.json.decode(event["data"], type=dict[str, msgspec.Raw])
            payload = msgspec.json.decode(data["payload"], type=dict[str, msgspec.Raw])
            to = msgspec.json.decode(payload["to"], type=list[msgspec.Raw])
            message_id = msgspec.json.decode(payload["id"], type=str)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
            return None
        if not 1 < len(to) <= MOST_RECIPIENTS:
            return None
        own = ({**payload, "to": [t], "id": f"{message_id}/{i}"} for i, t in enumerate(to))
        return [msgspec.json.encode({**event, "data": {**data, "payload": p}}) for p in own]

    def _read(self, value: bytes) -> Record:
        """Raises for everything that is not an event of one recipient with its status."""
        record = _record(self._json(value), self._zone)
        if isinstance(record, Malformed):
            raise ValueError(record.detail)
        return record

    def _decode_one(self, value: bytes) -> Record | Malformed:
        raw = read_object(value)
        if isinstance(raw, Malformed):
            return raw
        event = convert(raw, Event)
        return event if isinstance(event, Malformed) else _record(event, self._zone)


def _record(event: Event, zone: tzinfo | None) -> Record | Malformed:
    data, payload = event.data, event.data.payload
    if payload.direction == "inbound":
        return Record(payload.id, "inbound")
    if len(payload.to) != 1:
        return Malformed(Reason.WRONG_TYPE, f"data.payload.to: {len(payload.to)} recipients, not one")
    (to,) = payload.to
    if not to.status:
        return missing("data.payload.to[0].status")
    failed = STATUSES.get(to.status.lower()) in _FAILURES
    return Record(
        payload.id,
        to.status,
        payload.errors[0].code if payload.errors and failed else None,
        to.phone_number or None,
        payload.sender.phone_number if payload.sender else None,
        network_or_label(to.carrier, event.carrier),
        event.region,
        event.traffic_class,
        zoned_ms(payload.sent_at or "", zone),
        zoned_ms(payload.completed_at or data.occurred_at or "", zone),
    )
