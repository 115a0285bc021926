"""One suite for every format: what each decoder promises, whatever it is given."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.decode import FORMATS, Decoder, format_of
from streams.errors import ConfigError
from streams.records import Malformed, Reason, Status

SID = "SM00000000000000000000000000000001"
FORM = (
    f"ErrorCode=30003&SmsSid={SID}&SmsStatus=undelivered&MessageStatus=undelivered"
    f"&To=%2B15550000001&MessageSid={SID}&From=%2B15550000002"
).encode()
RECEIPT = b"id:1 sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:UNDELIV err:001 text:x"
EVENT = (
    f'{{"specversion":"1.0","type":"com.twilio.messaging.message.undelivered","source":"s","id":"EZ1","data":'
    f'{{"messageSid":"{SID}","messageStatus":"UNDELIVERED","errorCode":30003,"to":"+15550000001",'
    f'"from":"+15550000002","timestamp":"2026-07-17T12:06:00.000Z"}}}}'
).encode()
GOOD = {
    "canonical": b'{"message_id":"m1","status":"undelivered","code":"30003","received_ms":1784289960000}',
    "twilio-status-callback": FORM,
    "twilio-event-streams": EVENT,
    "smpp-receipt": RECEIPT,
    "vonage": b"msisdn=15550000001&to=Acme&network-code=310260&messageId=0A1&status=failed&err-code=2",
    "infobip": b'{"results":[{"messageId":"m1","to":"15550000001","mccMnc":"310260","doneAt":'
    b'"2026-07-17T12:06:00.000+0000","status":{"groupName":"UNDELIVERABLE"},'
    b'"error":{"id":27,"name":"EC_ABSENT_SUBSCRIBER"}}]}',
    "sinch": b'{"type":"recipient_delivery_report_sms","batch_id":"01F","recipient":"15550000001","code":404,'
    b'"status":"Failed","at":"2026-07-17T12:06:00.000Z"}',
    "aws-sms": b'{"eventType":"TEXT_UNREACHABLE","messageId":"m1","isFinal":true,'
    b'"eventTimestamp":1784289960000,"destinationPhoneNumber":"+15550000001","mcc":"310","mnc":"260",'
    b'"context":{"region":"US-CA"}}',
    "bird": b"id=e8&recipient=15550000001&status=delivery_failed&statusErrorCode=27"
    b"&statusDatetime=2026-07-17T12%3A06%3A00%2B00%3A00",
    "jasmin-http": b"id=16fd2706&message_status=UNDELIV&level=2&id_smsc=9&donedate=2607171206&err=001",
    "jasmin-log": (
        b"2026-07-17 12:06:00 INFO     1268 DLR [cid:east] [smpp-msgid:1101C1] [status:UNDELIV]"
        b" [submit date:2607171200] [done date:2607171206] [sub/dlvrd messages:001/000] [err:001] [content:]"
    ),
    "kannel": (
        b"id=9f&type=2&smsc=east&time=1784289960&to=%2B15550000001&from=Acme"
        b"&reply=id%3A9f+stat%3AUNDELIV+err%3A001&meta=%3Fsmpp%3Fdlr_err%3D%2503%2500%2501%26"
    ),
    "plivo": b"MessageUUID=9f&Status=undelivered&ErrorCode=80&To=15550000001&MCC=310&MNC=260",
    "telnyx": (
        b'{"data":{"event_type":"message.finalized","payload":{"id":"9f","errors":[{"code":"40008"}],'
        b'"to":[{"phone_number":"+15550000001","status":"delivery_failed","carrier":"T-MOBILE USA, INC."}]}}}'
    ),
    "bandwidth": (
        b'[{"type":"message-failed","time":"2026-07-17T12:06:00Z","to":"+15550000001","errorCode":4702,'
        b'"message":{"id":"9f","to":["+15550000001"],"from":"+15550000002","owner":"+15550000002"}}]'
    ),
}
OUTER = """message_id status code to received_ms event_time_ms recipient MessageSid MessageStatus ErrorCode
    short_message tlvs esm_class source_addr source_addr_ton data carrier region
    messageId message-id message_uuid msisdn err-code network-code error destination timestamp text
    results doneAt mccMnc batch_id type at operator eventType isFinal mcc mnc context
    inboundMessageId id statusErrorCode statusReason payload receiver sender failure reason
    message_status dlr_id time reply meta MessageUUID Status MNC message errorCode"""
INNER = """0x0423 message_state messageSid messageStatus timestamp tags zz groupName name id code title
    network_code carrier region contacts connector source
    event_type payload to from phone_number status errors sent_at owner"""
VALUES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(str.encode),
    st.sampled_from([*GOOD.values(), b"", b" ", b"{", b"[]", b"null", b"\xff", b"[" * 2000, b'{"a":' * 2000]),
    st.tuples(st.sampled_from(list(GOOD.values())), st.integers(0, 90), st.binary(max_size=3)).map(
        lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]
    ),
    st.dictionaries(
        st.sampled_from(OUTER.split()),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(INNER.split()), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    ).map(lambda d: json.dumps(d).encode()),
)


@pytest.fixture(params=list(FORMATS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def decoder(name: str) -> Decoder:
    return format_of(name).decoder()


@pytest.mark.parametrize("form", list(FORMATS))
@given(values=st.lists(VALUES, max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_one_result_each_and_never_raise(form: str, values: list[bytes]) -> None:
    decoder = format_of(form).decoder()
    results = decoder.decode_batch(values)
    assert len(results) == len(values)
    for result in results:
        if isinstance(result, Malformed):
            assert isinstance(result.reason, Reason)
            continue
        assert isinstance(result.message_id, str) and isinstance(result.status, str)
        for words in (result.to, result.sender, result.carrier, result.region, result.traffic_class):
            assert words is None or isinstance(words, str)
        for moment in (result.received_ms, result.sent_time_ms, result.provider_time_ms):
            assert moment is None or (isinstance(moment, int) and moment >= 0)


@pytest.mark.parametrize("form", list(FORMATS))
@given(values=st.lists(VALUES, max_size=8))
@settings(max_examples=80, deadline=None)
def test_a_record_reads_the_same_alone_and_in_any_batch(form: str, values: list[bytes]) -> None:
    together = format_of(form).decoder()
    again = together.decode_batch(values), together.decode_batch(values)
    alone = [format_of(form).decoder().decode_batch([v])[0] for v in values]
    for results in again:
        assert [_words(r) for r in results] == [_words(r) for r in alone]


@pytest.mark.parametrize("form", [f for f in FORMATS if hasattr(format_of(f).decoder(), "pieces")])
@given(value=VALUES)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_taken_apart_into_records_or_not_at_all(form: str, value: bytes) -> None:
    take_apart = getattr(format_of(form).decoder(), "pieces", None)
    assert take_apart is not None
    pieces = take_apart(value)
    assert pieces is None or (pieces and all(isinstance(p, bytes) for p in pieces))


def test_results_stay_in_order_around_poison(name: str, decoder: Decoder) -> None:
    good = GOOD[name]
    results = decoder.decode_batch([good, b"", good, b"\xff\xfe", b"{", good])
    assert [isinstance(r, Malformed) for r in results] == [False, True, False, True, True, False]


def test_an_empty_value_is_empty(decoder: Decoder) -> None:
    assert [r.reason for r in decoder.decode_batch([b"", b"  \n"]) if isinstance(r, Malformed)] == [
        Reason.EMPTY,
        Reason.EMPTY,
    ]


def test_the_good_record_is_an_undelivered_one(name: str, decoder: Decoder) -> None:
    (reading,) = decoder.decode_batch([GOOD[name]])
    assert not isinstance(reading, Malformed)
    assert decoder.status(reading.status) is Status.UNDELIVERED


def test_no_detail_quotes_the_record(name: str, decoder: Decoder) -> None:
    secret = "15550000001"
    values = [
        b'{"message_id":"+15550000001"}',
        b'{"message_id":"m","status":"sent","received_ms":"+15550000001"}',
        b'{"message_id":"m","status":"sent","received_ms":1,"recipient":"+15550000001"}',
        b'{"message_id":"m","status":"sent","+15550000001":',
        b'{"MessageSid":15550000001,"MessageStatus":"sent"}',
        b'{"short_message":"x","tlvs":{"+15550000001":"1"}}',
        b'{"messageId":15550000001,"status":"+15550000001"}',
        b'{"messageId":"m","status":{"groupName":["+15550000001"]},"eventType":["+15550000001"]}',
        b'{"results":[{"to":"+15550000001"},{"to":"+15550000001"}]}',
        b'{"batch_id":"b","recipient":{"+15550000001":1},"status":"Failed"}',
        b'{"id":"1","status":"sent","recipient":["+15550000001"]}',
        b'{"id":"1","payload":"+15550000001"}',
        b"To=%2B15550000001",
        b"msisdn=15550000001&messageId=&status=failed",
        b"id=1&uuid=2&type=%2B15550000001",
        b"id=1&message_status=&to=%2B15550000001",
        b'{"id":1,"message_status":["+15550000001"],"type":{"+15550000001":1}}',
        b'{"MessageUUID":"1","Status":{"+15550000001":1}}',
        b'{"data":{"event_type":"message.sent","payload":{"id":"1","to":"+15550000001"}}}',
        b'{"data":{"event_type":"message.sent","payload":{"id":"1","to":[{"phone_number":"+15550000001"}]}}}',
        b'[{"type":"message-failed","message":{"id":"","owner":"+15550000001"}}]',
        b"2026-07-17 12:06:00 INFO 1 DLR [cid:+15550000001] [status:UNDELIV]",
        b"+15550000001",
    ]
    for result in decoder.decode_batch(values):
        assert isinstance(result, Malformed)
        assert secret not in result.detail


REPEATED = {
    "a receipt": (b"id:1 stat:UNDELIV err:001\n0423 0003", b" ", b"x"),
    "fields of receipts": (b"", b"id :stat:submit date:text ", b""),
    "a form": (b"MessageSid=1&MessageStatus=failed&id=1&type=2&meta=", b"dlr_err=%3&To=+&", b""),
    "lines of a log": (b"INFO 1 DLR [", b"[smpp-msgid:INFO  ", b""),
    "reasons": (b'{"id":"1","channelId":"c","status":"delivery_failed","reason":"', b"; reason ", b'"}'),
    "digits": (b'{"MessageSid":"1","messageId":"1","id":"1","type":2,"code":', b"7", b"}"),
    "nested": (b"", b'{"data":[', b""),
    "blanks": (b"id:1 stat:UNDELIV text", b"\t", b"x"),
}


@pytest.mark.parametrize("repeated", list(REPEATED))
def test_a_huge_record_costs_linear_time(decoder: Decoder, repeated: str) -> None:
    before, piece, after = REPEATED[repeated]

    def cost_s(repeats: int) -> float:
        value = before + piece * repeats + after
        start = time.process_time()
        decoder.decode_batch([value])
        return time.process_time() - start

    # 16 times the size: far below the 256 times that a square would cost. The best of three knows
    # nothing of a garbage collection.
    assert min(cost_s(32_000) for _ in range(3)) < 64 * max(cost_s(2_000), 0.001)


def test_in_flight_words_fit_the_seven_bits_and_are_in_flight(decoder: Decoder) -> None:
    assert 0 < len(decoder.in_flight) <= 7
    assert {decoder.status(word) for word in decoder.in_flight} == {Status.IN_FLIGHT}


def test_status_words_are_read_in_any_case(decoder: Decoder) -> None:
    word = decoder.in_flight[0]
    assert decoder.status(word.upper()) is decoder.status(word.lower()) is Status.IN_FLIGHT


def test_an_unknown_word_is_no_status(decoder: Decoder) -> None:
    assert decoder.status("lost") is None
    assert decoder.status("") is None


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="canonical, twilio-status-callback, twilio-event-streams, smpp-receipt"
    ):
        format_of("carrier-pigeon")


def _words(result: object) -> object:
    if isinstance(result, Malformed):
        return result
    names = "message_id status code to sender carrier region traffic_class received_ms provider_time_ms"
    return [getattr(result, n) for n in names.split()]
