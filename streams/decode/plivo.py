"""The format `plivo`: Plivo's message status callback, as a form, a query string or flat JSON.

`MCC` and `MNC` are of the recipient and name the carrier; else the `carrier` that the user put on
the callback URL does, as `region` and `traffic_class` come from there. The parts of a long message
have one ParentMessageUUID and count once. Plivo's times tell no zone and are used where the source
names one.
Source: plivo.com/docs/messaging/api/message/message-status-callbacks
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo

from streams import privacy
from streams.decode.decoder import PLAIN, Options, missing
from streams.decode.form import read_fields
from streams.decode.record import Record, network_or_label
from streams.decode.times import zoned_ms
from streams.records import Malformed, Reading, Status

IN_FLIGHT = ("queued", "sent")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,  # a read message has been delivered: the same final, again
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "rejected": Status.FAILED,
    "received": Status.INBOUND,
}
_NAMES = frozenset(
    [
        "ParentMessageUUID",
        "MessageUUID",
        "Status",
        "ErrorCode",
        "To",
        "From",
        "MCC",
        "MNC",
        "SentTime",
        "DeliveryReportTime",
        "carrier",
        "region",
        "traffic_class",
    ]
)
_E164_DIGITS = re.compile(r"[1-9]\d{7,14}", re.ASCII)
_MCC, _MNC = re.compile(r"\d{3}", re.ASCII), re.compile(r"\d{2,3}", re.ASCII)


class PlivoDecoder:
    """Reads Plivo's status callbacks."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return [_decode(value, self._zone) for value in values]

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.lower())


def _decode(value: bytes, zone: tzinfo | None) -> Record | Malformed:
    fields = read_fields(value, _NAMES)
    if isinstance(fields, Malformed):
        return fields
    message_id, status = fields.get("ParentMessageUUID") or fields.get("MessageUUID"), fields.get("Status")
    if not message_id or not status:
        return missing("Status" if message_id else "MessageUUID")
    return Record(
        message_id,
        status,
        fields.get("ErrorCode"),
        _number(fields.get("To")),
        fields.get("From"),
        network_or_label(_network(fields), fields.get("carrier")),
        fields.get("region"),
        fields.get("traffic_class"),
        zoned_ms(fields.get("SentTime", ""), zone),
        zoned_ms(fields.get("DeliveryReportTime", ""), zone),
    )


def _network(fields: Mapping[str, str]) -> str | None:
    """MCC-MNC. The MNC stays as it is written: 26 and 260 are two networks."""
    mcc, mnc = fields.get("MCC", ""), fields.get("MNC", "")
    return f"{mcc}-{mnc}" if _MCC.fullmatch(mcc) and _MNC.fullmatch(mnc) else None


def _number(to: str | None) -> str | None:
    """Plivo's numbers are international ones without their `+`."""
    if not to:
        return None
    return "+" + to if _E164_DIGITS.fullmatch(to) else privacy.canonical(to)
