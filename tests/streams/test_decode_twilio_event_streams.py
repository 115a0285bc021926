"""Twilio's events: upper-case words, codes as numbers or text, labels from tags alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams import settings
from streams.decode import Options, format_of
from streams.records import Malformed, Reading, Reason, Result, Status
from streams.source import Source

SID = "SM00000000000000000000000000000001"
AT, AT_MS = "2026-07-17T12:06:00.500Z", 1_784_289_960_500


def event(**data: Any) -> dict[str, Any]:
    said = {"messageSid": SID, "messageStatus": "UNDELIVERED", "timestamp": AT, **data}
    return {"specversion": "1.0", "id": "EZ1", "datacontenttype": "2020-01-01", "data": said}


def read(value: Any, **options: Any) -> Reading | Malformed:
    decoder = format_of("twilio-event-streams").decoder(Options(**options))
    (reading,) = decoder.decode_batch([value if isinstance(value, bytes) else json.dumps(value).encode()])
    return reading


def reading_of(value: Any, **options: Any) -> Reading:
    reading = read(value, **options)
    assert not isinstance(reading, Malformed), reading
    return reading


def test_an_event_says_who_what_and_when() -> None:
    r = reading_of(event(errorCode=30003, to="+15550000001", **{"from": "+15550000002"}))
    assert (r.message_id, r.status, r.to, r.sender) == (SID, "UNDELIVERED", "+15550000001", "+15550000002")
    assert (r.provider_time_ms, r.received_ms, r.sent_time_ms) == (AT_MS, None, None)


@pytest.mark.parametrize("code", [30003, "30003"])
def test_the_error_code_may_be_a_number_or_text(code: object) -> None:
    r = reading_of(event(errorCode=code))
    kind = Source.of(settings.Source(name="s", format="twilio-event-streams")).kind(
        r.status, r.code, None, None
    )
    assert (kind.key.code, kind.key.outcome_class, kind.failed) == ("30003", "absent_subscriber", True)


@pytest.mark.parametrize(
    "at",
    [AT, "2026-07-17T12:06:00Z", "2026-07-17T14:06:00+02:00", "2026-07-17 12:06:00Z", "2026-07-17T12:06:00"],
)
def test_the_time_is_iso_in_any_of_its_forms(at: str) -> None:
    assert reading_of(event(timestamp=at)).provider_time_ms in (AT_MS, AT_MS - 500)


@pytest.mark.parametrize("done", ["2607171206", "2026-07-17T12:06:00.000Z", None, 7])
def test_the_raw_receipt_date_is_not_used_whatever_its_shape(done: object) -> None:
    assert reading_of(event(rawDlrDoneDate=done)).provider_time_ms == AT_MS


def test_the_senders_network_labels_nothing_unless_the_source_says_so() -> None:
    said = event(mcc="310", mnc="410")
    assert reading_of(said).carrier is None
    assert reading_of(said, sender_network=True).carrier == "310-410"
    assert reading_of(event(mcc=234, mnc=1), sender_network=True).carrier == "234-01"


def test_tags_label_and_win_over_the_senders_network() -> None:
    tags = {"carrier": "311-480", "region": "US-TX", "traffic_class": "time_critical", "campaign": "spring"}
    r = reading_of(event(mcc="310", mnc="410", tags=tags), sender_network=True)
    assert (r.carrier, r.region, r.traffic_class) == ("311-480", "US-TX", "time_critical")


def test_fields_that_twilio_may_add_change_nothing() -> None:
    assert reading_of(event(carrier={"name": "x"}, region=7, provider_time_ms="now")).carrier is None


@pytest.mark.parametrize(
    ("word", "code", "status"),
    [
        ("QUEUED", "", Status.IN_FLIGHT),
        ("SENT", "", Status.IN_FLIGHT),
        ("DELIVERED", "", Status.DELIVERED),
        ("READ", "", Status.DELIVERED),
        ("UNDELIVERED", "30003", Status.UNDELIVERED),
        ("FAILED", "30008", Status.FAILED),
        ("FAILED", "30036", Status.EXPIRED),
        ("RECEIVED", "", Status.INBOUND),
    ],
)
def test_words_are_those_of_the_callback_in_capitals(word: str, code: str, status: Status) -> None:
    assert format_of("twilio-event-streams").decoder(Options()).status(word, code) is status


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"data": {"messageSid": SID, "messageStatus": "SENT"}}, Reason.MISSING_FIELD),
        (event(messageSid=""), Reason.MISSING_FIELD),
        (event(timestamp="yesterday"), Reason.BAD_TIME),
        (event(timestamp=5), Reason.BAD_TIME),
        (event(timestamp="1969-12-31T23:59:59Z"), Reason.BAD_TIME),
        (event(to=5), Reason.WRONG_TYPE),
        ({"type": "com.twilio.voice.insights.call-summary"}, Reason.MISSING_FIELD),
        ([event(), event()], Reason.WRONG_TYPE),
        ([], Reason.WRONG_TYPE),
        (b"MessageSid=SM1", Reason.NOT_JSON),
    ],
)
def test_what_is_no_event_of_a_message_says_why(value: Any, reason: Reason) -> None:
    result = read(value)
    assert isinstance(result, Malformed)
    assert result.reason is reason


INBOUND_DATA = {
    "messageSid": SID,
    "timestamp": AT,
    "from": "+12025550123",
    "to": "+12025550100",
    "body": "hi",
}


@pytest.mark.parametrize(
    ("kind", "data", "message_id"),
    [
        ("com.twilio.messaging.inbound-message.received", INBOUND_DATA, SID),
        ("com.twilio.messaging.inbound-message.received", {**INBOUND_DATA, "messageSid": 7}, ""),
        ("com.twilio.eventstreams.test-event", {"eventType": "test", "test_id": "1"}, ""),
        ("com.twilio.eventstreams.test-event", None, ""),
    ],
)
def test_inbound_messages_and_the_test_event_of_a_sink_are_no_outcomes_and_no_faults(
    kind: str, data: Any, message_id: str
) -> None:
    r = reading_of({"specversion": "1.0", "type": kind, "id": "EZ1", "data": data})
    assert (r.message_id, r.to, r.sender) == (message_id, None, None)
    source = Source.of(settings.Source(name="s", format="twilio-event-streams"))
    assert source.kind(r.status, r.code, r.carrier, r.region).result is Result.INBOUND


def test_an_array_of_one_is_one_event() -> None:
    assert reading_of([event()]).message_id == SID


def test_a_callback_and_an_event_of_one_message_are_one() -> None:
    """Both settle the same stage of the same message, where the two sources share an account."""
    account = {"account": "AC1"}
    sources = [
        Source.of(settings.Source(name="hooks", format="twilio-status-callback", **account)),
        Source.of(settings.Source(name="events", format="twilio-event-streams", **account)),
    ]
    first, second = (
        s.kind(w, "30003", None, None) for s, w in zip(sources, ("undelivered", "UNDELIVERED"), strict=True)
    )
    assert sources[0].account == sources[1].account
    assert (first.stage, first.result) == (second.stage, second.result) == (first.stage, Result.COUNTED)
    in_flight = [s.kind(w, None, None, None).stage for s, w in zip(sources, ("sent", "SENT"), strict=True)]
    assert in_flight[0] == in_flight[1] != 0
