"""The format `twilio-event-streams`: Twilio's events about messages, CloudEvents 1.0 in JSON.

One event or an array of them. The envelope is not judged: Twilio's own samples bend it. `mcc` and
`mnc` are those of the sender's number and label nothing unless the source says so
(`sender_network`); `tags` are the customer's own labels, among them carrier, region, traffic_class.
Source: twilio.com/docs/events/event-types/messaging/outbound-message
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from streams.decode.decoder import PLAIN, Options, convert, decode_all, missing, read_object
from streams.decode.several import items
from streams.decode.times import epoch_ms
from streams.decode.twilio_status_callback import IN_FLIGHT, status_of
from streams.records import Malformed, Reading, Reason, Status

Text = Annotated[str, Meta(min_length=1)]
_TIMES = frozenset({"data.timestamp"})


class Tags(msgspec.Struct, gc=False):
    """The customer's labels that are read."""

    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None


NO_TAGS = Tags()


class Data(
    msgspec.Struct,
    gc=False,
    rename={"message_id": "messageSid", "status": "messageStatus", "code": "errorCode", "sender": "from"},
):
    """The `data` of an event."""

    message_id: Text
    status: Text
    timestamp: str
    code: str | int | None = None
    to: str | None = None
    sender: str | None = None
    tags: Tags | None = None
    mcc: str | int | None = None
    mnc: str | int | None = None


class Event(msgspec.Struct, gc=False):
    """One CloudEvent."""

    data: Data


class Message(msgspec.Struct, gc=False):
    """What an event says."""

    message_id: str
    status: str
    code: str | int | None
    to: str | None
    sender: str | None
    carrier: str | None
    region: str | None
    traffic_class: str | None
    provider_time_ms: int
    received_ms: ClassVar[None] = None
    sent_time_ms: ClassVar[None] = None
    recipient: ClassVar[None] = None


class TwilioEventStreamsDecoder:
    """Reads events about outbound messages. What is no such event is malformed."""

    in_flight = tuple(word.upper() for word in IN_FLIGHT)

    def __init__(self, options: Options = PLAIN) -> None:
        self._sender_network = options.sender_network
        self._decoder = msgspec.json.Decoder(Event).decode

    def pieces(self, value: bytes) -> list[bytes] | None:
        """The events of an array; None for anything else."""
        return items(value)

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return decode_all(values, self._fast, self._slow)

    def status(self, word: str, code: str = "") -> Status | None:
        return status_of(word, code)

    def _fast(self, value: bytes) -> Message:
        message = self._finished(self._decoder(value).data)
        if isinstance(message, Malformed):
            raise ValueError
        return message

    def _slow(self, value: bytes) -> Message | Malformed:
        raw = read_object(value)
        if isinstance(raw, Malformed):
            several = items(value)
            # An array of one is one event; `pieces` has taken longer ones apart.
            return self._slow(several[0]) if several and len(several) == 1 else raw
        if not isinstance(raw.get("data"), dict):
            return missing("data")
        event = convert(raw, Event, _TIMES)
        return event if isinstance(event, Malformed) else self._finished(event.data)

    def _finished(self, data: Data) -> Message | Malformed:
        provider_ms = epoch_ms(data.timestamp)
        if provider_ms is None:
            return Malformed(Reason.BAD_TIME, "data.timestamp: not an ISO 8601 time from 1970 to 9999")
        tags = data.tags or NO_TAGS
        carrier = tags.carrier or self._network(data)
        labels = (carrier, tags.region, tags.traffic_class)
        return Message(data.message_id, data.status, data.code, data.to, data.sender, *labels, provider_ms)

    def _network(self, data: Data) -> str | None:
        """The network of the sender's number, as MCC-MNC. A number has lost the zeros before it."""
        if not self._sender_network or data.mcc is None or data.mnc is None:
            return None
        return f"{data.mcc}-{str(data.mnc).zfill(2)}"
