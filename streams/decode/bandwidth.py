"""The format `bandwidth`: Bandwidth's message callbacks, a JSON array of events, or one event.

An array is taken apart (`pieces`). Of a message to several recipients each event is about the
one in `to`, and its message id then ends in `/0`, `/1`, ... by their place in `message.to`.
`carrierName` comes where the account has it switched on. `carrier`, `region` and `traffic_class`
beside it are labels of the user's own.
Source: dev.bandwidth.com/docs/messaging/webhooks, bandwidth-sdk 23.3.1 models/status_callback.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.decode.decoder import PLAIN, Options, convert, decode_all, read_object
from streams.decode.record import Record, network_or_label
from streams.decode.several import items
from streams.decode.times import zoned_ms
from streams.records import Malformed, Reading, Status

IN_FLIGHT = ("message-sending", "message-sent")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "message-delivered": Status.DELIVERED,
    "message-read": Status.DELIVERED,
    "message-failed": Status.UNDELIVERED,
    "message-received": Status.INBOUND,
}
NEVER_LEFT = re.compile("4[0-4]..|5[0-2]..")
"""Codes of Bandwidth's own refusals and faults; others come from the carrier."""

Text = Annotated[str, Meta(min_length=1)]


class Message(msgspec.Struct, gc=False, rename={"sender": "from"}):
    """The message that the event is about."""

    id: Text
    time: str | None = None
    to: list[str] = []
    owner: str | None = None
    sender: str | None = None


class Event(msgspec.Struct, gc=False, rename={"code": "errorCode", "carrier_name": "carrierName"}):
    """One event."""

    type: Text
    message: Message
    to: str | None = None
    time: str | None = None
    code: int | str | None = None
    carrier_name: str | None = None
    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None


class BandwidthDecoder:
    """Reads Bandwidth's message events, one a record."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone
        self._json = msgspec.json.Decoder(list[Event] | Event).decode

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return decode_all(values, self._read, self._decode_one)

    def status(self, word: str, code: str = "") -> Status | None:
        status = STATUSES.get(word.lower())
        never_left = status is Status.UNDELIVERED and NEVER_LEFT.fullmatch(code)
        return Status.FAILED if never_left else status

    def pieces(self, value: bytes) -> list[bytes] | None:
        """The events of an array, each byte for byte; None for anything else."""
        return items(value)

    def _read(self, value: bytes) -> Record:
        """Raises for everything that is not exactly one event."""
        event = self._json(value)
        if isinstance(event, list):
            (event,) = event
        return _record(event, self._zone)

    def _decode_one(self, value: bytes) -> Record | Malformed:
        # An array of one is one event; `pieces` has taken longer ones apart.
        several = items(value)
        raw = read_object(several[0] if several and len(several) == 1 else value)
        if isinstance(raw, Malformed):
            return raw
        event = convert(raw, Event)
        return event if isinstance(event, Malformed) else _record(event, self._zone)


def _record(event: Event, zone: tzinfo | None) -> Record:
    message = event.message
    return Record(
        _message_id(message, event.to),
        event.type,
        event.code,
        event.to or None,
        message.sender or message.owner,
        network_or_label(event.carrier_name, event.carrier),
        event.region,
        event.traffic_class,
        zoned_ms(message.time or "", zone),
        zoned_ms(event.time or "", zone),
    )


def _message_id(message: Message, to: str | None) -> str:
    several = len(message.to) > 1 and to in message.to
    return f"{message.id}/{message.to.index(to)}" if several and to else message.id
