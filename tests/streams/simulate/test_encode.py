"""Records look as their provider would have written them."""

import json
from urllib.parse import parse_qs

import msgspec
import pytest

from streams.simulate import encode
from streams.simulate.truth import CANONICAL, SMPP, TWILIO, Kind, Leaf, Truth, Verdict

START_MS = 1_784_289_600_000  # 2026-07-17T12:00Z


def record(format_name: str, code: str = "", **changes: object) -> Truth:
    profile = "twilio-smpp" if format_name == SMPP else "twilio"
    status = "undelivered" if code not in ("", "000") else "delivered"
    truth = Truth(
        at_ms=START_MS + 1_000,
        received_ms=START_MS,
        message_id="SM00000000000000000000000000000001",
        leaf=Leaf("feed", format_name, profile, "310-260", "US-NY", "US", True, True),
        verdict=Verdict(status, code),
        kind=Kind.MESSAGE,
        repeat=False,
        as_text=False,
        recipient=12125550100,
        sender=12025550101,
        sent_ms=START_MS - 60_000,
        provider_ms=START_MS - 500,
    )
    return msgspec.structs.replace(truth, **changes)


def test_a_canonical_record_names_its_times_and_labels() -> None:
    assert json.loads(encode.value(record(CANONICAL, "30003"))) == {
        "message_id": "SM00000000000000000000000000000001",
        "status": "undelivered",
        "code": "30003",
        "to": "+12125550100",
        "sender": "+12025550101",
        "carrier": "310-260",
        "region": "US-NY",
        "sent_time_ms": START_MS - 60_000,
        "provider_time_ms": START_MS - 500,
    }


def test_a_twilio_form_has_the_fields_of_the_documentation_and_the_labels_of_its_url() -> None:
    form = parse_qs(encode.value(record(TWILIO, "30003", as_text=True)).decode(), strict_parsing=True)
    assert {k: v for k, (v,) in form.items()} == {
        "AccountSid": encode.ACCOUNT,
        "ApiVersion": "2010-04-01",
        "ErrorCode": "30003",
        "From": "+12025550101",
        "MessageSid": "SM00000000000000000000000000000001",
        "SmsSid": "SM00000000000000000000000000000001",
        "MessageStatus": "undelivered",
        "SmsStatus": "undelivered",
        "RawDlrDoneDate": "2607171159",
        "To": "+12125550100",
        "carrier": "310-260",
        "region": "US-NY",
    }


def test_the_two_forms_of_a_twilio_callback_say_the_same() -> None:
    form = parse_qs(encode.value(record(TWILIO, "30005", as_text=True)).decode())
    assert {k: v for k, (v,) in form.items()} == json.loads(encode.value(record(TWILIO, "30005")))


def test_a_receipt_lies_in_the_fields_of_its_pdu_with_the_recipient_as_its_source() -> None:
    pdu = json.loads(encode.value(record(SMPP, "001")))
    assert pdu == {
        "short_message": "id:SM00000000000000000000000000000001 sub:001 dlvrd:000 submit date:2607171159 "
        "done date:2607171159 stat:UNDELIV err:001 text:",
        "source_addr": "+12125550100",
        "destination_addr": "+12025550101",
        "esm_class": 4,
        "carrier": "310-260",
        "region": "US-NY",
    }


def test_a_bare_receipt_is_the_text_alone() -> None:
    text = encode.value(record(SMPP, "000", as_text=True)).decode()
    assert text.startswith("id:SM0000") and "stat:DELIVRD err:000" in text


def test_an_inbound_message_over_smpp_has_no_receipt_bits() -> None:
    assert json.loads(encode.value(record(SMPP, kind=Kind.INBOUND)))["esm_class"] == 0


def test_the_headers_are_those_that_the_gateway_sets() -> None:
    assert encode.headers(record(TWILIO)) == [("source", b"feed"), ("received_ms", b"1784289600000")]
    assert encode.headers(record(TWILIO, kind=Kind.UNKNOWN_SOURCE))[0] == ("source", b"nobody")


@pytest.mark.parametrize("format_name", [CANONICAL, TWILIO])
@pytest.mark.parametrize("kind", [Kind.NOT_JSON, Kind.TRUNCATED, Kind.NOT_UTF8, Kind.EMPTY])
def test_such_garbage_is_no_json(format_name: str, kind: Kind) -> None:
    with pytest.raises(ValueError):
        json.loads(encode.value(record(format_name, kind=kind, as_text=True)))


@pytest.mark.parametrize("format_name", [CANONICAL, TWILIO, SMPP])
def test_a_record_can_lack_its_message_id(format_name: str) -> None:
    assert b"SM000" not in encode.value(record(format_name, kind=Kind.MISSING_ID))


def test_a_canonical_record_can_lack_every_time() -> None:
    assert not [k for k in json.loads(encode.value(record(CANONICAL, kind=Kind.MISSING_TIME))) if "time" in k]


def test_the_large_value_has_the_size_asked_for() -> None:
    assert len(encode.value(record(CANONICAL, kind=Kind.LARGE), 300_000)) == 300_000
