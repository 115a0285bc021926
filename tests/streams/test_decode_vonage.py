"""The format `vonage`: receipts of the SMS API and statuses of the Messages API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from streams.decode import format_of
from streams.records import Malformed, Reason, Status

RECEIPT = {
    "msisdn": "447700900123",
    "to": "AcmeInc",
    "network-code": "23410",
    "messageId": "0A0000001234567B",
    "price": "0.03330000",
    "status": "failed",
    "scts": "2607171306",
    "err-code": "2",
    "message-timestamp": "2026-07-17 12:06:00",
}
STATUS = {
    "message_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    "to": "447700900123",
    "from": "447700900001",
    "timestamp": "2026-07-17T12:06:00.000Z",
    "status": "rejected",
    "error": {"type": "https://developer.vonage.com/api-errors/messages#1180", "title": 1180},
    "destination": {"network_code": "23410"},
}
NOON_06_MS = 1_784_289_960_000


def decode(*bodies: object) -> list[Any]:
    values = [b if isinstance(b, str) else json.dumps(b) for b in bodies]
    return list(format_of("vonage").decoder().decode_batch([v.encode() for v in values]))


def test_a_receipt_reads_the_same_as_query_string_form_and_json() -> None:
    form = urlencode(RECEIPT)
    for r in decode(form, "?" + form, form + "\n", RECEIPT):
        assert (r.message_id, r.status, r.code) == ("0A0000001234567B", "failed", "2")
        assert (r.to, r.sender, r.carrier) == ("+447700900123", "AcmeInc", "23410")
        assert (r.sent_time_ms, r.provider_time_ms) == (None, NOON_06_MS)


def test_the_recipient_is_msisdn_and_to_is_the_sender() -> None:
    (r,) = decode({**RECEIPT, "to": "447700900001"})
    assert (r.to, r.sender) == ("+447700900123", "447700900001")


def test_the_older_name_of_the_id_will_do() -> None:
    older = {**RECEIPT, "message-id": RECEIPT["messageId"]}
    del older["messageId"]
    assert [r.message_id for r in decode(older, urlencode(older))] == ["0A0000001234567B"] * 2


def test_a_status_of_the_messages_api_is_read() -> None:
    (r,) = decode(STATUS)
    assert (r.message_id, r.status, r.code) == (STATUS["message_uuid"], "rejected", "1180")
    assert (r.to, r.sender, r.carrier) == ("+447700900123", "447700900001", "23410")
    assert r.provider_time_ms == NOON_06_MS


@pytest.mark.parametrize(
    "error, code",
    [
        ({"code": 1190, "reason": "Absent"}, "1190"),
        ({"code": "1190"}, "1190"),
        ({"type": "https://example.com/errors#1180", "title": "Absent subscriber"}, "1180"),
        ({"title": "Absent subscriber"}, None),
        (None, None),
    ],
)
def test_codes_of_the_messages_api_are_text_of_any_length(error: Any, code: str | None) -> None:
    assert decode({**STATUS, "error": error})[0].code == code


def test_what_came_in_is_inbound_and_says_nothing_of_who_sent_it() -> None:
    sms = "msisdn=447700900123&to=447700900001&messageId=0B1&text=STOP&type=text&keyword=STOP"
    message = {**{k: STATUS[k] for k in ("message_uuid", "to", "from")}, "message_type": "text", "text": "x"}
    for r in decode(sms, message):
        assert format_of("vonage").decoder().status(r.status) is Status.INBOUND
        assert (r.to, r.sender) == (None, None)


def test_labels_from_the_callback_url_are_read_and_the_network_code_goes_first() -> None:
    labels = {"carrier": "O2", "region": "GB-LND", "traffic_class": "time_critical"}
    with_code, without = decode({**RECEIPT, **labels}, urlencode({**RECEIPT, **labels, "network-code": ""}))
    assert (with_code.carrier, with_code.region, with_code.traffic_class) == (
        "23410",
        "GB-LND",
        "time_critical",
    )
    assert without.carrier == "label:O2"


def test_a_time_that_can_not_be_read_costs_the_time_and_not_the_outcome() -> None:
    (r,) = decode({**RECEIPT, "message-timestamp": "yesterday"})
    assert (r.status, r.provider_time_ms) == ("failed", None)


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "a=b",
        "{}",
        {**RECEIPT, "status": ""},
        {**RECEIPT, "messageId": ""},
        {**STATUS, "status": None},
    ],
)
def test_a_body_without_id_or_status_misses_a_field(body: object) -> None:
    assert decode(body)[0].reason is Reason.MISSING_FIELD


def test_a_form_that_is_not_utf8_says_so() -> None:
    (r,) = format_of("vonage").decoder().decode_batch([b"messageId=\xff&status=failed"])
    assert isinstance(r, Malformed) and r.reason is Reason.NOT_UTF8


@pytest.mark.parametrize(
    "word, status",
    [
        *[(w, Status.IN_FLIGHT) for w in ("accepted", "buffered", "submitted", "Accepted")],
        ("delivered", Status.DELIVERED),
        ("read", Status.DELIVERED),
        ("failed", Status.UNDELIVERED),
        ("rejected", Status.UNDELIVERED),
        ("expired", Status.EXPIRED),
        ("undeliverable", Status.FAILED),
        ("unknown", Status.UNKNOWN),
    ],
)
def test_status_words(word: str, status: Status) -> None:
    assert format_of("vonage").decoder().status(word, "2") is status
