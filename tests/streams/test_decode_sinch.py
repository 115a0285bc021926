"""The format `sinch`: delivery reports for one recipient."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.decode import Options, format_of
from streams.decode.sinch import SinchDecoder
from streams.privacy import RecipientHasher
from streams.records import Reason, Status
from streams.settings import Secret

REPORT: dict[str, Any] = {
    "type": "recipient_delivery_report_sms",
    "batch_id": "01FC66621XXXXX119Z8PMV1QPQ",
    "recipient": "+447700900123",
    "code": 404,
    "status": "Failed",
    "at": "2026-07-17T12:06:00.000Z",
    "operator_status_at": "2026-07-17T13:00:00Z",
    "operator": "23410",
    "applied_originator": "Acme",
}
NOON_06_MS = 1_784_289_960_000


def decode(*bodies: object, key: str = "") -> list[Any]:
    decoder = SinchDecoder(Options(hasher=RecipientHasher(Secret(key)))) if key else SinchDecoder()
    return list(decoder.decode_batch([json.dumps(b).encode() for b in bodies]))


def test_a_report_for_one_recipient_is_read() -> None:
    (r,) = decode(REPORT)
    assert (r.status, r.code, r.to, r.sender) == ("Failed", "404", "+447700900123", "Acme")
    assert (r.carrier, r.provider_time_ms) == ("23410", NOON_06_MS)


def test_the_messages_of_a_batch_are_told_apart_without_their_numbers() -> None:
    one, same, other = decode(
        REPORT, {**REPORT, "recipient": "447700900123"}, {**REPORT, "recipient": "447700900124"}
    )
    assert one.message_id == same.message_id != other.message_id
    assert one.message_id.startswith(REPORT["batch_id"])
    assert "7700900" not in one.message_id


def test_the_identity_depends_on_the_key_and_on_nothing_else() -> None:
    first, again, otherwise = (decode(REPORT, key=k)[0].message_id for k in ("key one", "key one", "key two"))
    assert first == again != otherwise


def test_the_operators_time_stands_in_for_a_missing_one() -> None:
    assert decode({**REPORT, "at": None})[0].provider_time_ms == NOON_06_MS + 54 * 60_000


@pytest.mark.parametrize("kind", ["delivery_report_sms", "delivery_report_mms"])
def test_a_report_for_a_whole_batch_says_what_to_ask_for(kind: str) -> None:
    statuses = [{"code": 0, "count": 1, "recipients": ["447700900123"], "status": "Delivered"}]
    (r,) = decode({"type": kind, "batch_id": "b", "total_message_count": 1, "statuses": statuses})
    assert r.reason is Reason.WRONG_TYPE
    assert "per_recipient" in r.detail


def test_what_came_in_is_inbound_and_says_nothing_of_who_sent_it() -> None:
    (r,) = decode({"type": "mo_text", "id": "01X", "from": "447700900123", "to": "447700900001", "body": "x"})
    assert format_of("sinch").decoder().status(r.status) is Status.INBOUND
    assert (r.message_id, r.to, r.sender) == ("01X", None, None)


@pytest.mark.parametrize("field", ["batch_id", "recipient", "status"])
def test_identity_and_status_must_be_there(field: str) -> None:
    gone = {k: v for k, v in REPORT.items() if k != field}
    assert [r.reason for r in decode(gone, {**REPORT, field: ""})] == [Reason.MISSING_FIELD] * 2


@pytest.mark.parametrize(
    "word, status",
    [
        ("Queued", Status.IN_FLIGHT),
        ("Dispatched", Status.IN_FLIGHT),
        ("Delivered", Status.DELIVERED),
        ("Rejected", Status.UNDELIVERED),
        ("Failed", Status.UNDELIVERED),
        ("Deleted", Status.UNDELIVERED),
        ("Expired", Status.EXPIRED),
        ("Aborted", Status.FAILED),
        ("Cancelled", Status.CANCELLED),
        ("Unknown", Status.UNKNOWN),
    ],
)
def test_status_words(word: str, status: Status) -> None:
    assert format_of("sinch").decoder().status(word, "404") is status
