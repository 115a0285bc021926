"""The format `bird`: status reports of the SMS API and messages of the Channels API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from streams.decode import Options, format_of
from streams.decode.bird import BirdDecoder
from streams.privacy import RecipientHasher
from streams.records import Reason, Status
from streams.settings import Secret

REPORT = {
    "id": "e8077d803532c0b5937c639b60216938",
    "reference": "26",
    "recipient": "447700900123",
    "mccmnc": "20408",
    "ported": "0",
    "price[amount]": "0.000",
    "status": "delivery_failed",
    "statusReason": "unavailable subscriber",
    "statusErrorCode": "27",
    "statusDatetime": "2026-07-17T14:06:00+02:00",
}
MESSAGE: dict[str, Any] = {
    "id": "96a0b5fa-a986-453d-be5c-3117f989f025",
    "channelId": "614208aa-b153-4d5d-9989-2fddfc0ce4c3",
    "sender": {"connector": {"id": "86cc4dc0-3dc0-41b7-ac43-8ec829ead56f", "identifierValue": "Acme"}},
    "receiver": {"contacts": [{"identifierKey": "phonenumber", "identifierValue": "+447700900123"}]},
    "status": "delivery_failed",
    "reason": "details: system failure; reason: received_network_error; code: 34",
    "direction": "outgoing",
    "details": "received_network_error",
    "failure": {"code": 15001, "source": {"name": "sms-messagebird", "code": "34"}},
    "lastStatusAt": "2026-07-17T12:06:00.000Z",
    "createdAt": "2026-07-17T12:05:58.000Z",
}
NOON_06_MS = 1_784_289_960_000


def decode(*bodies: object, key: str = "a key") -> list[Any]:
    values = [b if isinstance(b, str) else json.dumps(b) for b in bodies]
    decoder = BirdDecoder(Options(hasher=RecipientHasher(Secret(key))))
    return list(decoder.decode_batch([v.encode() for v in values]))


def code_of(**fields: object) -> str | None:
    code: str | None = decode({**MESSAGE, **fields})[0].code
    return code


def test_a_status_report_reads_the_same_as_query_string_and_json() -> None:
    for r in decode(urlencode(REPORT), REPORT, {**REPORT, "recipient": 447700900123, "statusErrorCode": 27}):
        assert (r.status, r.code) == ("delivery_failed", "27")
        assert (r.to, r.carrier, r.provider_time_ms) == ("+447700900123", "20408", NOON_06_MS)


def test_the_recipients_of_one_id_are_told_apart_without_their_numbers() -> None:
    one, other = decode(REPORT, {**REPORT, "recipient": "447700900124"})
    assert one.message_id != other.message_id
    assert one.message_id.startswith(REPORT["id"]) and "7700900" not in one.message_id
    assert decode(REPORT, key="another key")[0].message_id != one.message_id


def test_a_message_reads_the_same_alone_and_as_an_event() -> None:
    event = {"service": "channels", "event": "sms.outbound", "payload": MESSAGE}
    for r in decode(event, MESSAGE):
        assert (r.message_id, r.status, r.code) == (MESSAGE["id"], "delivery_failed", "34")
        assert (r.to, r.sender) == ("+447700900123", "Acme")
        assert (r.sent_time_ms, r.provider_time_ms) == (NOON_06_MS - 2_000, NOON_06_MS)


def test_the_code_is_the_sms_platforms_and_the_reason_may_tell_it() -> None:
    assert code_of(failure=None) == "34"
    assert code_of(failure=None, reason=None) == "received network error"
    assert code_of(failure={"code": 15002, "source": {"name": "accounting", "code": "34"}}) == "15002"


def test_zero_says_nothing_and_the_reason_does() -> None:
    zero = {"source": {"name": "sms-messagebird", "code": 0}}
    absent = "details: x; reason: unavailable_subscriber; code: 0"
    assert code_of(failure=zero, reason=absent) == "unavailable subscriber"
    (report,) = decode({**REPORT, "statusErrorCode": "0"})
    assert report.code == "unavailable subscriber"


def test_reasons_that_are_no_plain_words_are_no_codes() -> None:
    (r,) = decode({**REPORT, "statusErrorCode": "", "statusReason": "call +447700900123"})
    assert r.code is None


def test_what_did_not_fail_has_no_reason_for_a_code() -> None:
    (r,) = decode(
        {**REPORT, "status": "delivered", "statusReason": "successfully delivered", "statusErrorCode": ""}
    )
    assert (r.status, r.code) == ("delivered", None)


def test_what_came_in_is_inbound_and_says_nothing_of_who_sent_it() -> None:
    came_in = {**MESSAGE, "direction": "incoming", "status": "delivered"}
    classic = {"id": "b6", "recipient": "447700900001", "originator": "447700900123", "body": "x"}
    for r in decode(came_in, {"event": "sms.inbound", "payload": came_in}, classic):
        assert BirdDecoder().status(r.status) is Status.INBOUND
        assert (r.to, r.sender) == (None, None)


def test_labels_beside_the_payload_are_read() -> None:
    (r,) = decode({"payload": MESSAGE, "carrier": "204-08", "region": "NL"})
    assert (r.carrier, r.region) == ("label:204-08", "NL")


@pytest.mark.parametrize(
    "body",
    ["hello", {}, {**REPORT, "id": ""}, {**REPORT, "status": ""}, {"payload": {}}, {**MESSAGE, "status": ""}],
)
def test_a_record_without_id_or_status_misses_a_field(body: object) -> None:
    assert decode(body)[0].reason is Reason.MISSING_FIELD


@pytest.mark.parametrize(
    "word, status",
    [
        *[(w, Status.IN_FLIGHT) for w in ("scheduled", "buffered", "sent", "accepted", "processing")],
        ("delivered", Status.DELIVERED),
        ("delivery_failed", Status.UNDELIVERED),
        ("expired", Status.EXPIRED),
        ("sending_failed", Status.FAILED),
        ("rejected", Status.FAILED),
        ("skipped", Status.CANCELLED),
        ("expiryttd", None),
    ],
)
def test_status_words(word: str, status: Status | None) -> None:
    assert format_of("bird").decoder().status(word, "27") is status
