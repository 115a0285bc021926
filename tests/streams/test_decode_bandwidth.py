"""The format `bandwidth`: message callbacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams import settings
from streams.decode.bandwidth import BandwidthDecoder
from streams.records import Malformed, Reason, Status
from streams.source import Source

MESSAGE = {
    "id": "14762070468292kw2fuqty55yp2b2", "time": "2026-07-17T12:00:00Z", "to": ["+12025550123"],
    "from": "+12025550100", "owner": "+12025550100", "direction": "out", "segmentCount": 1, "text": "",
}  # fmt: skip
EVENT = {
    "type": "message-failed", "time": "2026-07-17T12:06:00.500Z", "description": "x", "to": "+12025550123",
    "errorCode": 4702, "carrierName": "AT&T", "message": MESSAGE,
}  # fmt: skip


def decode(value: Any) -> Any:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return BandwidthDecoder().decode_batch([data])[0]


def kind(reading: Any) -> Any:
    source = Source.of(settings.Source(name="s", format="bandwidth"))
    return source.kind(reading.status, reading.code, reading.carrier, None)


def test_an_event_reads_the_same_bare_and_in_an_array_of_one() -> None:
    for value in (EVENT, [EVENT], b" [" + json.dumps(EVENT).encode() + b"]\n"):
        r = decode(value)
        assert (r.message_id, r.status, r.code) == (MESSAGE["id"], "message-failed", 4702)
        assert (r.to, r.sender, r.carrier) == ("+12025550123", "+12025550100", "AT&T")
        assert (r.sent_time_ms, r.provider_time_ms) == (1_784_289_600_000, 1_784_289_960_500)


def test_an_array_is_taken_apart_byte_for_byte() -> None:
    one = json.dumps(EVENT, indent=1).encode()
    assert BandwidthDecoder().pieces(b"[" + one + b",\n" + one + b"]") == [one, one]
    assert BandwidthDecoder().pieces(one) is None


def test_the_recipients_of_a_group_message_have_an_id_each() -> None:
    message = {**MESSAGE, "to": ["+12025550123", "+12025550124"]}
    ids = [decode({**EVENT, "message": message, "to": to}).message_id for to in message["to"]]
    assert ids == [f"{MESSAGE['id']}/0", f"{MESSAGE['id']}/1"]


def test_the_carrier_is_the_records_else_the_users_label() -> None:
    assert decode({**EVENT, "carrier": "310-260"}).carrier == "AT&T"
    own = {k: v for k, v in EVENT.items() if k != "carrierName"}
    r = decode({**own, "carrier": "310-260", "region": "US-CA", "traffic_class": "otp"})
    assert (r.carrier, r.region, r.traffic_class) == ("label:310-260", "US-CA", "otp")


@pytest.mark.parametrize(
    "word, code, status",
    [
        ("message-sending", "", Status.IN_FLIGHT),
        ("message-sent", "", Status.IN_FLIGHT),
        ("message-delivered", "", Status.DELIVERED),
        ("message-delivered", "4432", Status.DELIVERED),
        ("message-read", "", Status.DELIVERED),
        ("message-failed", "", Status.UNDELIVERED),
        ("message-failed", "4702", Status.UNDELIVERED),
        ("message-failed", "9902", Status.UNDELIVERED),
        ("message-failed", "5650", Status.UNDELIVERED),
        ("message-failed", "4432", Status.FAILED),
        ("message-failed", "5100", Status.FAILED),
        ("message-failed", "47020", Status.UNDELIVERED),
        ("message-received", "", Status.INBOUND),
        ("call-started", "", None),
    ],
)
def test_a_failure_never_left_where_bandwidth_itself_refused_it(
    word: str, code: str, status: Status | None
) -> None:
    assert BandwidthDecoder().status(word, code) is status


@pytest.mark.parametrize(
    "code, outcome_class, side",
    [(4702, "absent_subscriber", "handset"), ("4432", "policy", "own"), (4720, "destination", "number")],
)
def test_a_number_as_code_is_found_in_the_table(code: int | str, outcome_class: str, side: str) -> None:
    found = kind(decode({**EVENT, "errorCode": code}))
    assert (found.key.outcome_class, found.side, found.key.carrier) == (outcome_class, side, "at-t")


@pytest.mark.parametrize(
    "value, reason",
    [
        ([], Reason.WRONG_TYPE),
        ([EVENT, EVENT], Reason.WRONG_TYPE),
        ([[EVENT]], Reason.WRONG_TYPE),
        ({**EVENT, "message": {"time": "x"}}, Reason.MISSING_FIELD),
        ({**EVENT, "message": None}, Reason.MISSING_FIELD),
        ({"message": MESSAGE}, Reason.MISSING_FIELD),
        ({**EVENT, "errorCode": [1]}, Reason.WRONG_TYPE),
        (b"[", Reason.NOT_JSON),
    ],
)
def test_what_is_no_event_says_why(value: Any, reason: Reason) -> None:
    r = decode(value)
    assert isinstance(r, Malformed) and r.reason is reason
