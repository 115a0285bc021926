"""The format `aws-sms`: events about text messages of AWS End User Messaging.

The status is the event type without `TEXT_`, the code is the whole of it. TEXT_SUCCESSFUL means that
the carrier accepted the message; in some countries it stands for delivered, and AWS treats it as
final: it counts as delivered and claims no handset. What is not final (`isFinal` is false) is in
flight whatever it says, an unreachable phone too. After 72 h of silence the type is TEXT_UNKNOWN.
`context` holds the user's own tags, among them carrier, region and traffic_class.
Source: docs.aws.amazon.com, end-user-messaging nx-features-messaging-events and sms-voice
configuration-sets-event-types, monitor-event-bridge
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from streams.decode.decoder import PLAIN, Options
from streams.decode.record import Record, network_or_label
from streams.decode.report import INBOUND, Labels, Number, Text, came_in, network, read_each, typed
from streams.decode.times import MAX_MS
from streams.records import Malformed, Reading, Status

Ms = Annotated[int, Meta(ge=0, le=MAX_MS)]

NOT_FINAL = "NOT_FINAL"
IN_FLIGHT = ("QUEUED", "PENDING", NOT_FINAL)
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "DELIVERED": Status.DELIVERED,
    "SUCCESSFUL": Status.DELIVERED,
    "UNREACHABLE": Status.UNDELIVERED,
    "CARRIER_UNREACHABLE": Status.UNDELIVERED,
    "BLOCKED": Status.UNDELIVERED,
    "CARRIER_BLOCKED": Status.UNDELIVERED,
    "SPAM": Status.UNDELIVERED,
    "INVALID": Status.UNDELIVERED,
    "INVALID_MESSAGE": Status.UNDELIVERED,
    "PROTECT_BLOCKED": Status.FAILED,  # by the user's own rule, never sent
    "TTL_EXPIRED": Status.EXPIRED,
    "UNKNOWN": Status.UNKNOWN,
    INBOUND: Status.INBOUND,
}


class Event(
    Labels,
    gc=False,
    rename={
        "message_id": "messageId",
        "event_type": "eventType",
        "final": "isFinal",
        "to": "destinationPhoneNumber",
        "sender": "originationPhoneNumber",
        "carrier_name": "carrierName",
        "country": "isoCountryCode",
        "event_ms": "eventTimestamp",
        "request_ms": "messageRequestTimestamp",
    },
):
    """An event about a text message."""

    message_id: Text
    event_type: Text
    final: bool | None = None
    to: str | None = None
    sender: str | None = None
    mcc: Number | None = None
    mnc: Number | None = None
    carrier_name: str | None = None
    country: str | None = None
    event_ms: Ms | None = None
    request_ms: Ms | None = None
    context: Labels | None = None


class AwsSmsDecoder:
    """Reads events about text messages; those about MMS and voice have no status here."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        pass

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return read_each(values, _read)

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.upper())


def _read(raw: dict[str, Any]) -> Record | Malformed:
    if raw.get("inboundMessageId"):
        return came_in(raw["inboundMessageId"])
    e = typed(raw, Event)
    if isinstance(e, Malformed):
        return e
    tags = e.context or Labels()
    return Record(
        message_id=e.message_id,
        status=_word(e),
        code=e.event_type,
        to=e.to,
        sender=e.sender,
        carrier=network_or_label(network(e.mcc, e.mnc) or e.carrier_name, tags.carrier or e.carrier),
        region=tags.region or e.region or e.country,
        traffic_class=tags.traffic_class or e.traffic_class,
        sent_time_ms=e.request_ms,
        provider_time_ms=e.event_ms,
    )


def _word(e: Event) -> str:
    word = e.event_type.upper().removeprefix("TEXT_")
    return NOT_FINAL if e.final is False and STATUSES.get(word) not in (None, Status.IN_FLIGHT) else word
