"""The format `telnyx`: message.sent and message.finalized events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.decode import format_of
from streams.decode.telnyx import TelnyxDecoder
from streams.records import Malformed, Reason, Status

ONE = {"phone_number": "+12025550123", "status": "delivery_failed", "carrier": "T-MOBILE USA, INC.",
       "line_type": "Wireless"}  # fmt: skip
OTHER = {"phone_number": "+12025550124", "status": "delivered", "carrier": "AT&T"}


def event(*to: dict[str, Any], labels: dict[str, str] | None = None, **payload: Any) -> bytes:
    body = {
        "id": "m-1", "direction": "outbound", "from": {"phone_number": "+12025550100", "carrier": "Telnyx"},
        "to": list(to) or [ONE], "errors": [{"code": "40008", "title": "Undeliverable"}],
        "sent_at": "2026-07-17T12:00:00.250Z", "completed_at": "2026-07-17T14:06:00.000+02:00", **payload,
    }  # fmt: skip
    data = {"event_type": "message.finalized", "occurred_at": "2026-07-17T12:07:00Z", "payload": body}
    return json.dumps({"data": data, "meta": {"attempt": 1}, **(labels or {})}).encode()


def decode(value: bytes) -> Any:
    return TelnyxDecoder().decode_batch([value])[0]


def test_an_event_is_read() -> None:
    r = decode(event())
    assert (r.message_id, r.status, r.code) == ("m-1", "delivery_failed", "40008")
    assert (r.to, r.sender, r.carrier) == ("+12025550123", "+12025550100", "T-MOBILE USA, INC.")
    assert (r.sent_time_ms, r.provider_time_ms) == (1_784_289_600_250, 1_784_289_960_000)


def test_an_unfinished_event_has_the_time_it_occurred() -> None:
    r = decode(event({**ONE, "status": "sent"}, completed_at=None, errors=[]))
    assert r.provider_time_ms == 1_784_290_020_000


def test_an_error_belongs_to_a_failure_alone() -> None:
    assert decode(event(OTHER)).code is None
    assert decode(event({**ONE, "status": "sent"})).code is None
    assert decode(event(errors=[{"code": 40008}])).code == 40008


def test_labels_of_ones_own_stand_beside_the_data() -> None:
    labels = {"carrier": "310-260", "region": "US-NY", "traffic_class": "otp"}
    r = decode(event({**ONE, "carrier": ""}, labels=labels))
    assert (r.carrier, r.region, r.traffic_class) == ("label:310-260", "US-NY", "otp")
    assert decode(event(labels=labels)).carrier == "T-MOBILE USA, INC."


def test_an_event_of_several_recipients_is_an_outcome_each() -> None:
    pieces = TelnyxDecoder().pieces(event(ONE, OTHER))
    assert pieces is not None
    first, second = (decode(p) for p in pieces)
    assert (first.message_id, first.to, first.code) == ("m-1/0", "+12025550123", "40008")
    assert (second.message_id, second.to, second.code) == ("m-1/1", "+12025550124", None)
    assert first.provider_time_ms == second.provider_time_ms == 1_784_289_960_000


def test_a_recipient_keeps_its_id_from_event_to_event() -> None:
    sent = TelnyxDecoder().pieces(event({**ONE, "status": "sent"}, {**OTHER, "status": "sent"}))
    final = TelnyxDecoder().pieces(event(ONE, OTHER))
    assert [decode(p).message_id for p in sent or ()] == [decode(p).message_id for p in final or ()]


def test_more_recipients_than_a_group_message_has_are_refused_whole() -> None:
    crowd = event(*[ONE] * 51)
    assert TelnyxDecoder().pieces(crowd) is None
    assert decode(crowd).detail == "data.payload.to: 51 recipients, not one"


@pytest.mark.parametrize("value", [event(), b"[]", b"{}", b'{"data":7}', b"\xff", b"", b"{" * 3000])
def test_one_recipient_or_none_is_not_taken_apart(value: bytes) -> None:
    assert TelnyxDecoder().pieces(value) is None


def test_inbound_events_are_inbound() -> None:
    r = decode(event({**ONE, "status": "webhook_delivered"}, direction="inbound"))
    assert TelnyxDecoder().status(r.status) is Status.INBOUND


@pytest.mark.parametrize(
    "word, status",
    [
        ("queued", Status.IN_FLIGHT),
        ("sending", Status.IN_FLIGHT),
        ("sent", Status.IN_FLIGHT),
        ("delivered", Status.DELIVERED),
        ("read", Status.DELIVERED),
        ("delivery_failed", Status.UNDELIVERED),
        ("sending_failed", Status.FAILED),
        ("expired", Status.EXPIRED),
        ("delivery_unconfirmed", Status.UNKNOWN),
    ],
)
def test_status_words(word: str, status: Status) -> None:
    assert format_of("telnyx").decoder().status(word) is status


@pytest.mark.parametrize(
    "value, reason",
    [
        (event(id=""), Reason.MISSING_FIELD),
        (event({"phone_number": "+12025550123"}), Reason.MISSING_FIELD),
        (event(ONE, OTHER), Reason.WRONG_TYPE),
        (event(to=[]), Reason.WRONG_TYPE),
        (event(to="+12025550123"), Reason.WRONG_TYPE),
        (b'{"data":{"event_type":"call.hangup","payload":{}}}', Reason.MISSING_FIELD),
        (b'{"data":', Reason.NOT_JSON),
    ],
)
def test_what_is_no_such_event_says_why(value: bytes, reason: Reason) -> None:
    r = decode(value)
    assert isinstance(r, Malformed) and r.reason is reason
    assert "2025550" not in r.detail
