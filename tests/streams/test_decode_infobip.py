"""The format `infobip`: delivery reports, one or several in a body."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decode import Options, format_of
from streams.decode.infobip import InfobipDecoder
from streams.records import Reason, Status

RESULT: dict[str, Any] = {
    "bulkId": "BULK-ID-123-xyz",
    "messageId": "MESSAGE-ID-123-xyz",
    "to": "447700900123",
    "sender": "InfoSMS",
    "sentAt": "2026-07-17T12:05:58.000+0000",
    "doneAt": "2026-07-17T14:06:00.000+0200",
    "mccMnc": "23410",
    "status": {"groupId": 2, "groupName": "UNDELIVERABLE", "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED"},
    "error": {"groupId": 1, "id": 27, "name": "EC_ABSENT_SUBSCRIBER", "permanent": False},
}
NOON_06_MS = 1_784_289_960_000


def decode(*bodies: object, options: Options | None = None) -> list[Any]:
    decoder = InfobipDecoder(options) if options else InfobipDecoder()
    return list(decoder.decode_batch([json.dumps(b).encode() for b in bodies]))


def of(status: dict[str, Any], error: dict[str, Any] | None) -> Any:
    return decode({**RESULT, "status": status, "error": error})[0]


def test_a_body_with_one_result_and_the_result_alone_read_the_same() -> None:
    for r in decode({"results": [RESULT]}, RESULT):
        assert (r.message_id, r.status, r.code) == (
            "MESSAGE-ID-123-xyz",
            "UNDELIVERABLE",
            "EC_ABSENT_SUBSCRIBER",
        )
        assert (r.to, r.sender, r.carrier) == ("+447700900123", "InfoSMS", "23410")
        assert (r.sent_time_ms, r.provider_time_ms) == (NOON_06_MS - 2_000, NOON_06_MS)


def test_the_name_of_the_error_goes_before_its_id_and_the_status_name_last() -> None:
    group = RESULT["status"]
    assert of(group, {"id": 27, "name": "EC_ABSENT_SUBSCRIBER"}).code == "EC_ABSENT_SUBSCRIBER"
    assert of(group, {"id": 27}).code == "27"
    assert of(group, {"id": 0, "name": "NO_ERROR"}).code == "UNDELIVERABLE_NOT_DELIVERED"
    assert of(group, None).code == "UNDELIVERABLE_NOT_DELIVERED"


def test_delivered_has_no_code_and_at_the_operator_is_not_delivered() -> None:
    delivered = of({"groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET"}, {"id": 0, "name": "NO_ERROR"})
    at_operator = of(
        {"groupName": "DELIVERED", "name": "DELIVERED_TO_OPERATOR"}, {"id": 0, "name": "NO_ERROR"}
    )
    assert (delivered.status, delivered.code) == ("DELIVERED", None)
    status = InfobipDecoder().status
    assert (status(delivered.status), status(at_operator.status)) == (Status.DELIVERED, Status.IN_FLIGHT)


def test_the_name_of_a_status_stands_in_for_its_group() -> None:
    assert of({"name": "PENDING_ENROUTE"}, None).status == "PENDING"


@pytest.mark.parametrize(
    "word, status",
    [
        ("PENDING", Status.IN_FLIGHT),
        ("DELIVERED", Status.DELIVERED),
        ("UNDELIVERABLE", Status.UNDELIVERED),
        ("EXPIRED", Status.EXPIRED),
        ("REJECTED", Status.FAILED),
        ("UNEXPECTED", None),
    ],
)
def test_status_groups(word: str, status: Status | None) -> None:
    assert format_of("infobip").decoder().status(word, "EC_ABSENT_SUBSCRIBER") is status


def test_a_time_without_a_zone_is_used_only_in_the_zone_of_the_source() -> None:
    bare = {**RESULT, "doneAt": "2026-07-17T14:06:00.000"}
    assert decode(bare)[0].provider_time_ms is None
    assert decode(bare, options=Options(ZoneInfo("Europe/Berlin")))[0].provider_time_ms == NOON_06_MS


def test_what_came_in_is_inbound_and_says_nothing_of_who_sent_it() -> None:
    came_in = {"messageId": "8", "from": "447700900123", "to": "447700900001", "text": "x", "receivedAt": "t"}
    (r,) = decode({"results": [came_in], "messageCount": 1, "pendingMessageCount": 0})
    assert InfobipDecoder().status(r.status) is Status.INBOUND
    assert (r.to, r.sender) == (None, None)


@pytest.mark.parametrize(
    "body, reason",
    [
        ({"results": []}, Reason.WRONG_TYPE),
        ({"results": [RESULT, RESULT]}, Reason.WRONG_TYPE),
        ({"results": [1]}, Reason.WRONG_TYPE),
        ({"deliveryReport": [RESULT]}, Reason.MISSING_FIELD),
        ({**RESULT, "status": {}}, Reason.MISSING_FIELD),
        ({**RESULT, "messageId": ""}, Reason.MISSING_FIELD),
        ({**RESULT, "status": "DELIVERED"}, Reason.WRONG_TYPE),
    ],
)
def test_what_is_no_single_report_says_why(body: object, reason: Reason) -> None:
    assert decode(body)[0].reason is reason


def test_a_body_with_several_results_is_taken_apart_byte_for_byte() -> None:
    items = ['{"messageId": "a",\n "x": 1.0}', '{ "messageId":"b" , "é":"\\u00e9"}', "3"]
    body = ('{"messageCount": 3, "results": [ ' + " , ".join(items) + ' ], "region":"GB-LND"}').encode()
    pieces = InfobipDecoder().pieces(body)
    assert pieces == [('{"results":[' + item + '],"region":"GB-LND"}').encode() for item in items]


@pytest.mark.parametrize(
    "value",
    ["", "{", "[]", "{}", '{"results":1}', '{"results":[]}', '{"results":[1]}', '{"results":' * 9_000],
)
def test_a_body_without_several_results_stays_whole(value: str) -> None:
    assert InfobipDecoder().pieces(value.encode()) is None


def test_labels_go_with_each_piece_unless_they_are_long() -> None:
    body = {"results": [RESULT, RESULT], "carrier": "x" * 10_000, "traffic_class": "time_critical"}
    pieces = InfobipDecoder().pieces(json.dumps(body).encode()) or []
    assert [len(p) < 1_000 for p in pieces] == [True, True]
    assert {r.traffic_class for r in InfobipDecoder().decode_batch(pieces)} == {"time_critical"}


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=5))
def test_each_piece_reads_as_its_result_does_alone(ids: list[str]) -> None:
    results = [{**RESULT, "messageId": i} for i in ids]
    pieces = InfobipDecoder().pieces(json.dumps({"results": results}).encode())
    assert InfobipDecoder().decode_batch(pieces or []) == decode(*results)
