"""The format `sinch`: delivery reports for one recipient, of Sinch's SMS REST API.

The messages of a batch share its id, so the identity is the batch with the hash of the recipient.
A report for a whole batch (`delivery_report_sms`) counts statuses and tells no message apart: it is
malformed, and the words say to ask for `per_recipient` reports. No code of the REST API says that
the subscriber was absent. `at` is Sinch's own clock; the operator's, which may be in any zone,
stands in where it is missing.
Source: developers.sinch.com/docs/sms/api-reference/sms/delivery-reports
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.decode.decoder import PLAIN, Options
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
    read_each,
    time_ms,
    typed,
)
from streams.records import Malformed, Reading, Reason, Status

IN_FLIGHT = ("QUEUED", "DISPATCHED")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "DELIVERED": Status.DELIVERED,
    "REJECTED": Status.UNDELIVERED,
    "FAILED": Status.UNDELIVERED,
    "DELETED": Status.UNDELIVERED,  # by the message centre: an invalid number, or one that opted out
    "EXPIRED": Status.EXPIRED,
    "ABORTED": Status.FAILED,  # before it reached the message centre
    "CANCELLED": Status.CANCELLED,
    "UNKNOWN": Status.UNKNOWN,
    INBOUND: Status.INBOUND,
}
_BATCH = frozenset({"delivery_report_sms", "delivery_report_mms"})
_WHOLE_BATCH = Malformed(
    Reason.WRONG_TYPE,
    "a report for a whole batch tells no message apart: send with delivery_report = per_recipient",
)


class Recipient(Labels, gc=False):
    """A report for one recipient."""

    batch_id: Text
    recipient: Number
    status: Text
    code: Number | None = None
    at: str | None = None
    operator_status_at: str | None = None
    operator: Number | None = None
    applied_originator: str | None = None


class SinchDecoder:
    """Reads reports for one recipient."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone
        self._hasher = options.hasher

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return read_each(values, self._read)

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.upper())

    def _read(self, raw: dict[str, Any]) -> Record | Malformed:
        kind = str(raw.get("type", ""))
        if kind in _BATCH:
            return _WHOLE_BATCH
        if kind.startswith("mo_") and raw.get("id"):
            return came_in(raw["id"])
        r = typed(raw, Recipient)
        return r if isinstance(r, Malformed) else self._report(r)

    def _report(self, r: Recipient) -> Record:
        to = e164(r.recipient)
        at, of_operator = time_ms(r.at, self._zone), time_ms(r.operator_status_at, self._zone)
        return Record(
            message_id=id_of_one(r.batch_id, to, self._hasher),
            status=r.status,
            code=as_text(r.code),
            to=to,
            sender=r.applied_originator,
            carrier=network_or_label(as_text(r.operator), r.carrier),
            region=r.region,
            traffic_class=r.traffic_class,
            provider_time_ms=of_operator if at is None else at,
        )
