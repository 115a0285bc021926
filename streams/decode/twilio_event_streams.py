"""The format `twilio-event-streams`: Twilio's events about messages, CloudEvents 1.0 in JSON.

One event or an array of them. The envelope is not judged: Twilio's own samples bend it. `mcc` and
`mnc` are those of the sender's number and label nothing unless the source says so
(`sender_network`); `tags` are the customer's own labels, among them carrier, region, traffic_class.
Inbound messages, and the test event that Twilio sends to try a sink, tell no outcome: they are
dropped as inbound traffic is, and answered well.
Source: twilio.com/docs/events/event-types/messaging/outbound-message and inbound-message,
twilio.com/docs/events/event-streams/sink-resource/test (the test event)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from streams.decode.decoder import PLAIN, Options, convert, decode_all, missing, read_object
from streams.decode.report import came_in
from streams.decode.several import items
from streams.decode.times import epoch_ms
from streams.decode.twilio_status_callback import IN_FLIGHT, status_of
from streams.records import Malformed, Reading, Reason, Status

Text = Annotated[str, Meta(min_length=1)]
INBOUND = "RECEIVED"
NO_OUTCOME = ("com.twilio.messaging.inbound-message.", "com.twilio.eventstreams.")
"""How the types of events begin that are about no outbound message."""
FIRST_YEAR = 1970
_TIMES = frozenset({"data.timestamp"})


class Tags(msgspec.Struct, gc=False, frozen=True):
    """The customer's labels that are read."""

    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None


NO_TAGS = Tags()


class Message(
    msgspec.Struct,
    gc=False,
    rename={"message_id": "messageSid", "status": "messageStatus", "code": "errorCode", "sender": "from"},
):
    """The `data` of an event, as it is in JSON; what is not there under a reading's name is worked out."""

    message_id: Text
    status: Text
    timestamp: Annotated[datetime, Meta(tz=True)]
    code: str | int | None = None
    to: str | None = None
    sender: str | None = None
    tags: Tags = NO_TAGS
    received_ms: ClassVar[None] = None
    sent_time_ms: ClassVar[None] = None
    recipient: ClassVar[None] = None

    @property
    def carrier(self) -> str | None:
        return self.tags.carrier

    @property
    def region(self) -> str | None:
        return self.tags.region

    @property
    def traffic_class(self) -> str | None:
        return self.tags.traffic_class

    @property
    def provider_time_ms(self) -> int:
        return round(self.timestamp.timestamp() * 1000)


class MessageWithNetwork(Message, gc=False):
    """A message whose sender's network is the recipient's, as the source says."""

    mcc: str | int | None = None
    mnc: str | int | None = None

    @property
    def carrier(self) -> str | None:
        if self.tags.carrier or self.mcc is None or self.mnc is None:
            return self.tags.carrier
        return f"{self.mcc}-{str(self.mnc).zfill(2)}"  # a number has lost the zeros before it


class Event(msgspec.Struct, gc=False):
    """One CloudEvent."""

    data: Message


class EventWithNetwork(msgspec.Struct, gc=False):
    """One CloudEvent whose network counts."""

    data: MessageWithNetwork


class TwilioEventStreamsDecoder:
    """Reads events about outbound messages. Other products' events are malformed."""

    in_flight = tuple(word.upper() for word in IN_FLIGHT)
    carrier_is = "parameter"  # tags are the user's word, as a callback URL's parameters are

    def __init__(self, options: Options = PLAIN) -> None:
        self._kind: type[Event | EventWithNetwork] = EventWithNetwork if options.sender_network else Event
        self._json = msgspec.json.Decoder(self._kind).decode

    def pieces(self, value: bytes) -> list[bytes] | None:
        """The events of an array; None for anything else."""
        return items(value)

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return decode_all(values, self._fast, self._slow)

    def status(self, word: str, code: str = "") -> Status | None:
        return status_of(word, code)

    def _fast(self, value: bytes) -> Message:
        data = self._json(value).data
        if data.timestamp.year < FIRST_YEAR:
            raise ValueError("before the epoch")
        return data

    def _slow(self, value: bytes) -> Reading | Malformed:
        raw = read_object(value)
        if isinstance(raw, Malformed):
            several = items(value)
            # An array of one is one event; `pieces` has taken longer ones apart.
            return self._slow(several[0]) if several and len(several) == 1 else raw
        if str(raw.get("type", "")).startswith(NO_OUTCOME):
            return _of_no_outcome(raw.get("data"))
        data = raw.get("data")
        if not isinstance(data, dict):
            return missing("data")
        bad = _read_time(data)
        event = bad or convert(raw, self._kind, _TIMES)
        return event if isinstance(event, Malformed) else event.data


def _of_no_outcome(data: object) -> Reading:
    return came_in(data.get("messageSid") if isinstance(data, dict) else None, INBOUND)


def _read_time(data: dict[str, Any]) -> Malformed | None:
    """ISO 8601 in its other forms; without a zone it is UTC."""
    told = data.get("timestamp")
    if told is None:
        return None
    at_ms = epoch_ms(told) if isinstance(told, str) else None
    if at_ms is None:
        return Malformed(Reason.BAD_TIME, "data.timestamp: not an ISO 8601 time from 1970 to 9999")
    data["timestamp"] = datetime.fromtimestamp(at_ms / 1000, UTC)
    if data.get("tags") is None:
        data.pop("tags", None)
    return None
