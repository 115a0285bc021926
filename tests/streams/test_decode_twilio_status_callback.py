"""The format `twilio-status-callback`: forms and flat JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decode import format_of
from streams.records import Malformed, Reason, Status

SID = "SM00000000000000000000000000000001"
# Body (c): constructed, all reserved numbers.
BODY = (
    "AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&ErrorCode=30003"
    f"&From=%2B15550000002&MessageSid={SID}&SmsSid={SID}&MessageStatus=undelivered"
    "&SmsStatus=undelivered&RawDlrDoneDate=2607171206&To=%2B15550000001"
)


def decode(*bodies: str) -> list[Any]:
    return list(format_of("twilio-status-callback").decoder().decode_batch([b.encode() for b in bodies]))


def form(**fields: str) -> str:
    return urlencode({"MessageSid": SID, "MessageStatus": "delivered", **fields})


def test_a_callback_is_read_the_same_at_first_sight_and_after() -> None:
    for r in decode(BODY, BODY, BODY):
        assert (r.message_id, r.status, r.code) == (SID, "undelivered", "30003")
        assert (r.to, r.sender) == ("+15550000001", "+15550000002")
        assert (r.received_ms, r.sent_time_ms, r.provider_time_ms) == (None, None, None)


def test_labels_from_the_callback_url_are_read() -> None:
    body = form(carrier="T-Mobile USA", region="US-CA", traffic_class="time_critical")
    for r in decode(body, body):
        assert (r.carrier, r.region, r.traffic_class) == ("T-Mobile USA", "US-CA", "time_critical")


def test_json_and_forms_mix_in_one_batch() -> None:
    flat = json.dumps(dict(parse_qsl(BODY)))
    results = decode(flat, BODY, flat, " " + flat, BODY + "\n")
    assert {(r.message_id, r.status, r.code, r.to) for r in results} == {
        (SID, "undelivered", "30003", "+15550000001")
    }


@pytest.mark.parametrize("code, expected", [(30003, 30003), ("30003", "30003"), ("", ""), (None, None)])
def test_an_error_code_is_text_or_a_number(code: Any, expected: Any) -> None:
    (r,) = decode(json.dumps({"MessageSid": SID, "MessageStatus": "failed", "ErrorCode": code}))
    assert r.code == expected


def test_an_empty_error_code_is_none() -> None:
    assert [r.code for r in decode(form(ErrorCode=""), form(ErrorCode=""))] == [None, None]


@pytest.mark.parametrize(
    "names", [("SmsSid", "MessageStatus"), ("MessageSid", "SmsStatus"), ("SmsSid", "SmsStatus")]
)
def test_the_older_field_names_will_do(names: tuple[str, str]) -> None:
    fields = {names[0]: SID, names[1]: "sent"}
    for r in decode(urlencode(fields), json.dumps(fields)):
        assert (r.message_id, r.status) == (SID, "sent")


def test_the_first_of_a_repeated_field_wins() -> None:
    body = form(ErrorCode="30003") + "&ErrorCode=30005&MessageStatus=failed"
    assert [(r.status, r.code) for r in decode(body, body)] == [("delivered", "30003")] * 2


def test_to_may_be_missing_and_channels_keep_their_prefix() -> None:
    whatsapp = form(To="whatsapp:+15550000001")
    assert [r.to for r in decode(form(), whatsapp, whatsapp)] == [None, *["whatsapp:+15550000001"] * 2]


def test_a_plus_that_was_not_encoded_still_makes_a_number() -> None:
    assert decode(form() + "&To=+15550000001")[0].to == "+15550000001"


@pytest.mark.parametrize(
    "body", ["hello", "a=b", f"MessageSid={SID}", "MessageSid=&MessageStatus=sent", "{}"]
)
def test_a_body_without_id_or_status_misses_a_field(body: str) -> None:
    assert decode(body)[0].reason is Reason.MISSING_FIELD


def test_a_body_that_is_not_utf8_says_so() -> None:
    (r,) = format_of("twilio-status-callback").decoder().decode_batch([b"MessageSid=\xff&MessageStatus=sent"])
    assert isinstance(r, Malformed) and r.reason is Reason.NOT_UTF8


@pytest.mark.parametrize(
    "word, status",
    [
        *[(w, Status.IN_FLIGHT) for w in ("accepted", "scheduled", "queued", "sending", "SENT")],
        ("delivered", Status.DELIVERED),
        ("read", Status.DELIVERED),
        ("undelivered", Status.UNDELIVERED),
        ("failed", Status.FAILED),
        ("canceled", Status.CANCELLED),
        ("delivery_unknown", Status.UNKNOWN),
        ("receiving", Status.INBOUND),
        ("received", Status.INBOUND),
    ],
)
def test_status_words(word: str, status: Status) -> None:
    assert format_of("twilio-status-callback").decoder().status(word) is status


def test_a_code_refines_a_failure_and_nothing_else() -> None:
    status = format_of("twilio-status-callback").decoder().status
    assert status("failed", "30036") is Status.EXPIRED
    assert status("failed", "30038") is Status.INBOUND
    assert status("delivered", "30036") is Status.DELIVERED


NAMES = ["MessageSid", "MessageStatus", "ErrorCode", "To", "From", "carrier", "ApiVersion", "SmsSid"]
WORDS = st.text("ab01%2B+ =&:é\n", max_size=6)


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), WORDS), max_size=8).map(urlencode)
    | st.text("To=&MesageSidtus%2B+", max_size=60)
)
def test_known_layouts_read_as_the_standard_library_does(body: str) -> None:
    first, again = decode(form() + "&" + body, form() + "&" + body)
    fields: dict[str, str] = {}
    for name, value in parse_qsl(form() + "&" + body.strip(), keep_blank_values=True):
        fields.setdefault(name, value)
    assert (first.message_id, first.status, first.code) == (again.message_id, again.status, again.code)
    assert (first.to, first.sender, first.carrier) == (again.to, again.sender, again.carrier)
    assert first.message_id == fields["MessageSid"]
    assert (first.code or "") == fields.get("ErrorCode", "")
    assert (first.carrier or "") == fields.get("carrier", "") or "+" in body
