"""What a request becomes: records by message id, without texts, and what can not be read."""

from __future__ import annotations

import json
import tomllib
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from streams.gateway.accept import Record, Taken, take
from streams.gateway.doors import NOT_TAKEN, Endpoint
from streams.gateway.text import CUT, TEXTS, without_text
from streams.records import Malformed, Reading, Reason
from streams.settings import Source as SourceConfig
from streams.source import Source

SECRET_TEXT = "see you at nine"
TWILIO = Source.of(SourceConfig(name="twilio", format="twilio-status-callback"))
EVENTS = Source.of(SourceConfig(name="events", format="twilio-event-streams"))
OWN = Source.of(SourceConfig(name="own", format="canonical"))
SQS = Source.of(SourceConfig(name="queued", format="twilio-status-callback", envelope="sqs"))
FORM = b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=%2B12025550123"


def status(body: bytes, **given: str) -> Taken:
    return take(TWILIO, Endpoint.STATUS, body, given)


def event(sid: str, **data: Any) -> dict[str, Any]:
    fields = {"messageSid": sid, "messageStatus": "SENT", "timestamp": "2026-07-17T12:06:00Z"}
    return {"id": f"EZ{sid}", "specversion": "1.0", "data": fields | data}


# -- one record ------------------------------------------------------------------------------------


def test_a_form_goes_on_byte_for_byte_under_its_message_id() -> None:
    assert status(FORM) == Taken([Record(b"SM1", FORM)], [])


def test_parameters_of_the_url_go_with_the_record() -> None:
    (record,) = status(FORM, carrier="310-260", region="US").records
    assert record.value == FORM + b"&carrier=310-260&region=US"
    (reading,) = TWILIO.decoder.decode_batch([record.value])
    assert (reading.carrier, reading.region) == ("310-260", "US")  # type: ignore[union-attr]


def test_parameters_go_into_a_json_object() -> None:
    (record,) = status(b'{"MessageSid":"SM1","MessageStatus":"sent"}', carrier="310-260").records
    assert json.loads(record.value) == {"MessageSid": "SM1", "MessageStatus": "sent", "carrier": "310-260"}


@pytest.mark.parametrize(
    "body", [FORM + b"&carrier=311-480", b'{"MessageSid":"SM1","MessageStatus":"sent","carrier":"311-480"}']
)
def test_what_the_body_says_itself_stands(body: bytes) -> None:
    (record,) = status(body, carrier="310-260").records
    (reading,) = TWILIO.decoder.decode_batch([record.value])
    assert reading.carrier == "311-480"  # type: ignore[union-attr]


# -- several records -------------------------------------------------------------------------------


def test_an_array_of_events_becomes_a_record_each() -> None:
    body = json.dumps([event("SM1"), event("SM2")]).encode()
    taken = take(EVENTS, Endpoint.EVENTS, body, {})
    assert [r.key for r in taken.records] == [b"SM1", b"SM2"]
    assert [json.loads(r.value) for r in taken.records] == [event("SM1"), event("SM2")]


def test_the_event_that_tries_a_sink_is_accepted() -> None:
    body = b'[{"type":"com.twilio.eventstreams.test-event","id":"EZ1","data":{"test_id":"1"}}]'
    assert take(EVENTS, Endpoint.EVENTS, body, {}) == Taken([Record(None, body[1:-1])], [])


def test_one_event_is_one_record() -> None:
    body = json.dumps(event("SM1")).encode()
    assert take(EVENTS, Endpoint.EVENTS, body, {}) == Taken([Record(b"SM1", body)], [])


LINES = [
    b'{"message_id":"a","status":"delivered","received_ms":1}',
    b'{"message_id":"b","status":"sent?","received_ms":1}',
]


@pytest.mark.parametrize(
    "body",
    [b"[" + b",".join(LINES) + b"]", b"\n".join(LINES), b"\r\n\r\n".join(LINES) + b"\n"],
    ids=["array", "lines", "blank lines"],
)
def test_canonical_outcomes_come_as_an_array_or_as_lines(body: bytes) -> None:
    taken = take(OWN, Endpoint.OUTCOMES, body, {})
    assert taken == Taken([Record(b"a", LINES[0]), Record(b"b", LINES[1])], [])


def test_lines_may_be_in_an_envelope() -> None:
    source = Source.of(SourceConfig(name="own", format="canonical", envelope="base64"))
    taken = take(source, Endpoint.OUTCOMES, b64encode(b"\n".join(LINES)), {})
    assert taken == Taken([Record(b"a", LINES[0]), Record(b"b", LINES[1])], [])


@pytest.mark.parametrize("body", [b"[" + b",".join([b"{}"] * 10_001) + b"]", b"{}\n" * 10_001])
def test_more_records_than_anybody_sends_are_refused_whole(body: bytes) -> None:
    taken = take(OWN, Endpoint.OUTCOMES, body, {})
    assert (taken.records, [u.value for u in taken.unreadable]) == ([], [body])


def test_one_object_may_spread_over_lines() -> None:
    body = json.dumps(json.loads(LINES[0]), indent=2).encode()
    assert take(OWN, Endpoint.OUTCOMES, body, {}) == Taken([Record(b"a", body)], [])


def test_an_envelope_is_taken_off_so_that_each_record_has_its_key() -> None:
    other = FORM.replace(b"SM1", b"SM2")
    body = json.dumps({"Records": [{"body": FORM.decode()}, {"body": other.decode()}]}).encode()
    taken = take(SQS, Endpoint.STATUS, body, {})
    assert taken == Taken([Record(b"SM1", FORM), Record(b"SM2", other)], [])


# -- what can not be read --------------------------------------------------------------------------


def test_what_can_not_be_read_is_kept_as_it_came_beside_what_can() -> None:
    bad = b'{"message_id":"a","body":"%s"}' % SECRET_TEXT.encode()
    taken = take(OWN, Endpoint.OUTCOMES, LINES[0] + b"\n" + bad, {"carrier": "x"})
    assert [r.key for r in taken.records] == [b"a"]
    assert [(u.value, u.why.reason) for u in taken.unreadable] == [(bad, Reason.MISSING_FIELD)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"MessageStatus=sent", Reason.MISSING_FIELD),
        (b"MessageSid=SM1&MessageStatus=\xff", Reason.NOT_UTF8),
        (b"{", Reason.NOT_JSON),
        (b'"text"', Reason.WRONG_TYPE),
    ],
)
def test_the_source_s_own_decoder_judges(body: bytes, reason: Reason) -> None:
    taken = status(body)
    assert taken.records == []
    assert [(u.value, u.why.reason) for u in taken.unreadable] == [(body, reason)]


@given(st.binary(max_size=200), st.sampled_from([TWILIO, EVENTS, OWN, SQS]), st.sampled_from(Endpoint))
def test_nothing_is_raised_and_nothing_vanishes(body: bytes, source: Source, endpoint: Endpoint) -> None:
    taken = take(source, endpoint, body, {"carrier": "310-260"})
    assert len(taken.records) + len(taken.unreadable) >= 1


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"\\u0062":['])
def test_deep_nesting_is_malformed_not_an_error(opening: bytes) -> None:
    body = opening * 100_000
    for source in (TWILIO, EVENTS, OWN):
        taken = take(source, Endpoint.OUTCOMES, body, {})
        assert [u.value for u in taken.unreadable] == [body]


# -- the text of the message -----------------------------------------------------------------------

NAMES = st.sampled_from(sorted(TEXTS)).flatmap(lambda n: st.sampled_from([n, n.upper(), n.capitalize()]))
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(NAMES, JSON, st.booleans())
def test_the_text_is_dropped_wherever_it_is_in_the_json(name: str, around: Any, escaped: bool) -> None:
    key = "".join(f"\\u{ord(c):04x}" for c in name) if escaped else name
    texts = f'{{"{key}": "{SECRET_TEXT}"}}'
    value = json.dumps({"data": [around, "HERE"], "id": 1}).replace('"HERE"', texts).encode()
    kept = without_text(value)
    assert kept is not None and SECRET_TEXT.encode() not in kept
    assert json.loads(kept) == {"data": [_bare(around), {name: CUT}], "id": 1}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: CUT if v and k.lower() in TEXTS else _bare(v) for k, v in value.items()}
    return [_bare(v) for v in value] if isinstance(value, list) else value


@given(NAMES)
def test_the_text_is_dropped_from_forms(name: str) -> None:
    (record,) = status(urlencode({name: SECRET_TEXT}).encode() + b"&" + FORM).records
    assert record.value == f"{name}={CUT}&".encode() + FORM


def test_the_text_of_an_event_is_dropped() -> None:
    body = json.dumps(event("SM1", body=SECRET_TEXT)).encode()
    (record,) = take(EVENTS, Endpoint.EVENTS, body, {}).records
    assert json.loads(record.value) == event("SM1", body=CUT)


@pytest.mark.parametrize("end", ["\\ud83d", "", "\\u0000"], ids=["half a character", "plain", "nul"])
def test_a_text_that_was_cut_within_a_character_is_dropped_too(end: str) -> None:
    body = f'{{"MessageSid":"SM1","MessageStatus":"sent","Body":"{SECRET_TEXT}{end}"}}'.encode()
    (record,) = status(body).records
    assert json.loads(record.value) == {"MessageSid": "SM1", "MessageStatus": "sent", "Body": CUT}


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_record_holds_the_text_whatever_is_around_it(before: bytes, after: bytes) -> None:
    """Either the JSON can be taken apart, or it is no record at all."""
    text = b'{"MessageSid":"SM1","MessageStatus":"sent","Body":"' + SECRET_TEXT.encode() + b'"'
    for value in (text + b"," + before + b"}", text + b',"x":"' + after + b'"}'):
        assert not any(SECRET_TEXT.encode() in r.value for r in status(value).records)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            b"id=1&reply=id%3A7+stat%3AUNDELIV+err%3A001+text%3Asee+you",
            b"id=1&reply=id%3A7+stat%3AUNDELIV+err%3A001",
        ),
        (b"id=1&reply=NACK%2F0x0000000B", b"id=1&reply=NACK%2F0x0000000B"),
        (b'{"id":"1","reply":"stat:UNDELIV Text: see you"}', b'{"id":"1","reply":"stat:UNDELIV"}'),
        (b'{"id":"1","reply":7}', b'{"id":"1","reply":7}'),
    ],
)
def test_the_text_at_the_end_of_a_receipt_is_cut(value: bytes, expected: bytes) -> None:
    assert without_text(value) == expected


SAMPLES = Path(__file__).parents[2] / "samples"
INDEX = {p.stem: tomllib.loads(p.read_text()) for p in sorted(SAMPLES.glob("*.toml"))}
TAKEN = [
    (provider, name)
    for provider, index in INDEX.items()
    for name, about in index.items()
    if about["format"] not in NOT_TAKEN
]
WHOLE = (".json", ".form")


@pytest.mark.parametrize(("provider", "name"), TAKEN)
def test_every_sample_reads_the_same_by_way_of_the_gateway(provider: str, name: str) -> None:
    about = {k: v for k, v in INDEX[provider][name].items() if k not in ("source", "about")}
    source = Source.of(convert({"name": "sample", **about}, SourceConfig))
    raw = (SAMPLES / provider / name).read_bytes()
    for value in [raw] if name.endswith(WHOLE) else raw.splitlines():
        taken = take(source, Endpoint.STATUS, value, {})
        pieces = source.open(value) if source.open else [value]
        direct = source.decoder.decode_batch(pieces)
        assert [u.why for u in taken.unreadable] == [r for r in direct if isinstance(r, Malformed)]
        through = source.decoder.decode_batch([r.value for r in taken.records])
        if source.open:
            assert [source.open(r.value) for r in taken.records] == [[r.value] for r in taken.records]
        assert list(map(_told, through)) == [_told(r) for r in direct if not isinstance(r, Malformed)]


def _told(reading: Reading | Malformed) -> list[Any]:
    return [getattr(reading, name) for name in vars(Reading) if isinstance(vars(Reading)[name], property)]


def test_a_record_without_a_text_keeps_its_bytes() -> None:
    value = b'{ "MessageSid" : "SM1", "price": 1.10, "To": "Caf\\u00e9" }'
    assert without_text(value) is value
