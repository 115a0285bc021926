"""The format `aws-sms`: events about text messages of AWS End User Messaging."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams import settings
from streams.decode import format_of
from streams.decode.aws_sms import AwsSmsDecoder
from streams.records import Reason, Result, Status
from streams.source import Source

EVENT: dict[str, Any] = {
    "eventType": "TEXT_UNREACHABLE",
    "eventVersion": "1.0",
    "eventTimestamp": 1784289960470,
    "isFinal": True,
    "originationPhoneNumber": "VAJZNBLLDX",
    "destinationPhoneNumber": "+447700900123",
    "isoCountryCode": "GB",
    "mcc": "234",
    "mnc": "05",
    "carrierName": "Acme Mobile",
    "messageId": "862a8790-60c0-4430-9b2b-658bdexample",
    "messageRequestTimestamp": 1784289960170,
    "messageStatus": "UNREACHABLE",
    "totalMessageParts": 1,
}


def decode(*bodies: object) -> list[Any]:
    return list(AwsSmsDecoder().decode_batch([json.dumps(b).encode() for b in bodies]))


def test_an_event_is_read() -> None:
    (r,) = decode(EVENT)
    assert (r.message_id, r.status, r.code) == (EVENT["messageId"], "UNREACHABLE", "TEXT_UNREACHABLE")
    assert (r.to, r.sender) == ("+447700900123", "VAJZNBLLDX")
    assert (r.carrier, r.region) == ("234-05", "GB")
    assert (r.sent_time_ms, r.provider_time_ms) == (1784289960170, 1784289960470)


def test_the_network_is_text_and_a_number_is_no_network() -> None:
    two, three, number = decode(
        {**EVENT, "mcc": "310", "mnc": "26"}, {**EVENT, "mcc": "310", "mnc": "260"}, {**EVENT, "mnc": 5}
    )
    assert (two.carrier, three.carrier, number.carrier) == ("310-26", "310-260", "Acme Mobile")


def test_tags_label_what_the_record_does_not_say() -> None:
    tags = {"carrier": "own name", "region": "GB-LND", "traffic_class": "time_critical", "account": "bar"}
    told, untold = decode(
        {**EVENT, "context": tags}, {**EVENT, "context": tags, "mcc": "", "carrierName": None}
    )
    assert (told.carrier, told.region, told.traffic_class) == ("234-05", "GB-LND", "time_critical")
    assert untold.carrier == "label:own name"


def test_what_is_not_final_is_in_flight_whatever_it_says() -> None:
    words = ("UNREACHABLE", "TTL_EXPIRED", "SUCCESSFUL", "QUEUED")
    events = decode(*({**EVENT, "eventType": f"TEXT_{w}", "isFinal": False} for w in words))
    assert {AwsSmsDecoder().status(r.status) for r in events} == {Status.IN_FLIGHT}
    assert events[0].code == "TEXT_UNREACHABLE"


def test_a_phone_out_of_reach_counts_only_when_that_is_final() -> None:
    source = Source.of(settings.Source(name="aws", format="aws-sms"))
    early, late = decode({**EVENT, "isFinal": False}, EVENT)
    kinds = [source.kind(r.status, r.code, r.carrier, r.region) for r in (early, late)]
    assert [k.result for k in kinds] == [Result.IN_FLIGHT, Result.COUNTED]
    assert kinds[1].key.outcome_class == "absent_subscriber"


def test_accepted_by_the_carrier_counts_as_delivered() -> None:
    (r,) = decode({**EVENT, "eventType": "TEXT_SUCCESSFUL"})
    assert AwsSmsDecoder().status(r.status, r.code) is Status.DELIVERED


def test_what_came_in_is_inbound_and_says_nothing_of_who_sent_it() -> None:
    (r,) = decode({"originationNumber": "+447700900123", "messageBody": "x", "inboundMessageId": "cae1"})
    assert AwsSmsDecoder().status(r.status) is Status.INBOUND
    assert (r.message_id, r.to, r.sender) == ("cae1", None, None)


def test_events_of_other_channels_have_no_status_here() -> None:
    for r in decode({**EVENT, "eventType": "VOICE_COMPLETED"}, {**EVENT, "eventType": "MEDIA_DELIVERED"}):
        assert AwsSmsDecoder().status(r.status) is None


@pytest.mark.parametrize("field", ["messageId", "eventType"])
def test_identity_and_type_must_be_there(field: str) -> None:
    gone = {k: v for k, v in EVENT.items() if k != field}
    assert [r.reason for r in decode(gone, {**EVENT, field: ""})] == [Reason.MISSING_FIELD] * 2


@pytest.mark.parametrize(
    "word, status",
    [
        *[(w, Status.IN_FLIGHT) for w in ("QUEUED", "PENDING", "queued")],
        *[(w, Status.DELIVERED) for w in ("DELIVERED", "SUCCESSFUL")],
        *[
            (w, Status.UNDELIVERED)
            for w in ("UNREACHABLE", "CARRIER_UNREACHABLE", "BLOCKED", "CARRIER_BLOCKED")
        ],
        *[(w, Status.UNDELIVERED) for w in ("SPAM", "INVALID", "INVALID_MESSAGE")],
        ("PROTECT_BLOCKED", Status.FAILED),
        ("TTL_EXPIRED", Status.EXPIRED),
        ("UNKNOWN", Status.UNKNOWN),
    ],
)
def test_status_words(word: str, status: Status) -> None:
    assert format_of("aws-sms").decoder().status(word, f"TEXT_{word}") is status
