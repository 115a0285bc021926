"""The format `smpp-receipt`: text, TLVs and JSON. The receipts are ones that were seen in the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.decode import Options, format_of
from streams.decode.times import zone_of
from streams.records import Malformed, Reason, Status

# (receipt, id, stat, err): what each is here for stands before it.
SEEN: list[tuple[str, str, str, str | None]] = [
    # no sub, no dlvrd (opentelecoms-org/jsmpp#62)
    ("id:1526758174 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 text:hellow",
     "1526758174", "DELIVRD", "000"),
    # no text (uudashr/jsmpp#67)
    ("id:0654354026 submit date:2302101454 done date:2302101454 stat:DELIVRD err:000",
     "0654354026", "DELIVRD", "000"),
    # four digits of err, a control byte in the text (onlinecity/php-smpp#70)
    ("id:117062714244798261 sub:001 dlvrd:001 submit date:1706271624 done date:1706271624 stat:DELIVRD"
     " err:0000 text:H\x1bello world", "117062714244798261", "DELIVRD", "0000"),
    # the same PDU with its TLVs, vendors' own behind
    ("id:117062714244798261 sub:001 dlvrd:001 submit date:1706271624 done date:1706271624 stat:DELIVRD"
     " err:0000 text:H\x1bello world\n0423 0003 030000\n1454 0004 00000001\n1418 0004 00000000",
     "117062714244798261", "DELIVRD", "0000"),
    # six letters of stat, a zero date (jookies/jasmin#447)
    ("id:1216080510463401720 sub:001 dlvrd:001 submit date:1608051046 done date:0000000000 stat:FAILED"
     " err:002 Text:", "1216080510463401720", "FAILED", "002"),
    # delivered although err is not 0 (jookies/jasmin#760)
    ("id:fa9542be-3c16-44bb-9a8c-d277ea1851ef submit date:1911211739 done date:1911211741 stat:DELIVRD"
     " err:002", "fa9542be-3c16-44bb-9a8c-d277ea1851ef", "DELIVRD", "002"),
    # four digits of year (jookies/jasmin#753)
    ("id:dbd1d8e8-d2a4-4efe-b508-60761b1ae484 submit date:201906190720 done date:201906190720 stat:EXPIRED"
     " err:030", "dbd1d8e8-d2a4-4efe-b508-60761b1ae484", "EXPIRED", "030"),
    # absolute SMPP time, done before submit, failed without an error (funbox/smppex#46)
    ("id:rdwjwxns18krxr9936ey96ymcw sub:000 dlvrd:000 submit date:180711070003912+ done date:180711070000012+"
     " stat:UNDELIV err:000", "rdwjwxns18krxr9936ey96ymcw", "UNDELIV", "000"),
    # two digits of err, odd counts (farhadi/node-smpp#77)
    ("id:45013692 sub:0 dlvrd:28 submit date:1908121157 done date:1908121158 stat:UNDELIV err:21 Text:*100#",
     "45013692", "UNDELIV", "21"),
    # constructed: the message's own text looks like fields
    ("id:0123456789 sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:UNDELIV err:001"
     " Text:stat:DELIVRD err:000", "0123456789", "UNDELIV", "001"),
    # any order, any case
    ("STAT:UNDELIV ERR:059 ID:a1 Done Date:2607171206", "a1", "UNDELIV", "059"),
    # the text before the other fields can not override what stands before it
    ("id:1 stat:UNDELIV text:stat:DELIVRD err:000 id:2", "1", "UNDELIV", None),
    # the first field wins
    ("id:1 id:2 stat:UNDELIV stat:DELIVRD err:001 err:000", "1", "UNDELIV", "001"),
    # a blank after the colon, letters in err
    ("id: 7 stat: UNDELIV err: 00a", "7", "UNDELIV", "00a"),
    # an empty err before another field
    ("id:7 err: stat:UNDELIV", "7", "UNDELIV", None),
    ("id:7 stat:UNDELIV err: done date:2607171206", "7", "UNDELIV", None),
    # a four-digit code is not cut to three
    ("id:7 sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:UNDELIV err:1190",
     "7", "UNDELIV", "1190"),
    # NUL-terminated
    ("id:7 stat:UNDELIV err:001\0", "7", "UNDELIV", "001"),
]  # fmt: skip


def decode(value: bytes | str | dict[str, Any]) -> Any:
    text = json.dumps(value) if isinstance(value, dict) else value
    (result,) = (
        format_of("smpp-receipt").decoder().decode_batch([text.encode() if isinstance(text, str) else text])
    )
    return result


@pytest.mark.parametrize("receipt, message_id, stat, err", SEEN)
@pytest.mark.parametrize(
    "wrap", [str, lambda r: {"short_message": r}, lambda r: {"short_message": r, "esm_class": 4}]
)
def test_receipts_seen_in_the_field(
    receipt: str, message_id: str, stat: str, err: str | None, wrap: Any
) -> None:
    r = decode(wrap(receipt))
    assert (r.message_id, r.status, r.code) == (message_id, stat, err)
    assert (r.sent_time_ms, r.provider_time_ms) == (None, None)


def test_a_text_that_is_not_utf8_does_not_matter() -> None:
    r = decode(b"id:1 submit date:1 done date:1 stat:UNDELIV err:001 text:\xff\xfe\x00")
    assert (r.message_id, r.code) == ("1", "001")


def test_tlvs_alone_make_a_receipt() -> None:
    r = decode("001E 0003 616200\n0427 0001 05\n0423 0003 030001")
    assert (r.message_id, r.status, r.code) == ("ab", "UNDELIV", "001")


@pytest.mark.parametrize(
    "tlvs",
    [
        {"0x001e": "61623132", "0x0427": "05", "0x0423": "03003b"},
        {"001E": "6162313200", "0427": "05", "0423": "059"},
        {"receipted_message_id": "61623132", "message_state": 5, "network_error_code": "0003003b"},
        {"receipted_message_id": "ab12", "message_state": "05", "network_error_code": "303539"},
    ],
)
def test_tlvs_by_any_key_make_a_receipt(tlvs: dict[str, Any]) -> None:
    r = decode({"short_message": "", "tlvs": tlvs})
    assert (r.status, r.code) == ("UNDELIV", "059")
    assert r.message_id == "ab12"


@pytest.mark.parametrize(
    "value, code",
    [("030000", "000"), ("030802", "2050"), ("001", "001"), ("313930", "190"), ("31313930", "1190"),
     ("00030001", "001"), ("03000100", "001"), ("1190", "1190"), ("zz", None), ("03", None)],
)  # fmt: skip
def test_network_error_codes_come_in_many_shapes(value: str, code: str | None) -> None:
    assert decode({"tlvs": {"001E": "61", "0427": "05", "0423": value}}).code == code


def test_an_error_in_the_text_wins_unless_it_is_zero() -> None:
    tlvs = {"0x0423": "03003b"}
    assert decode({"short_message": "id:1 stat:UNDELIV err:001", "tlvs": tlvs}).code == "001"
    assert decode({"short_message": "id:1 stat:UNDELIV err:000", "tlvs": tlvs}).code == "059"
    assert decode({"short_message": "id:1 stat:UNDELIV", "tlvs": tlvs}).code == "059"


def test_the_receipted_id_wins_over_the_texts() -> None:
    r = decode({"short_message": "id:1526758174 stat:UNDELIV", "tlvs": {"receipted_message_id": "35623030"}})
    assert r.message_id == "5b00"


def test_the_text_may_come_as_payload() -> None:
    payload = b"id:9 stat:UNDELIV err:007".hex()
    r = decode({"short_message": "", "tlvs": {"message_payload": payload}})
    assert (r.message_id, r.code) == ("9", "007")


def test_addresses_and_labels_come_with_the_json() -> None:
    r = decode(
        {
            "short_message": "id:1 stat:UNDELIV err:001", "source_addr": "15550000001",
            "destination_addr": "12345",
            "carrier": "310-260", "region": "US", "traffic_class": "otp",
        }
    )  # fmt: skip
    assert (r.to, r.sender, r.carrier, r.region, r.traffic_class) == (
        "+15550000001", "12345", "310-260", "US", "otp",
    )  # fmt: skip


@pytest.mark.parametrize(
    "number, ton, to",
    [
        ("15550000001", None, "+15550000001"),
        ("+15550000001", None, "+15550000001"),
        ("5550000001", None, "5550000001"),  # ten digits may be national
        ("5550000001", 1, "+5550000001"),
        ("15550000001", 2, "15550000001"),
        ("", None, None),
        ("BANK", 5, "BANK"),
    ],
)
def test_a_recipient_gets_its_plus(number: str, ton: int | None, to: str | None) -> None:
    r = decode({"short_message": "id:1 stat:UNDELIV", "source_addr": number, "source_addr_ton": ton})
    assert r.to == to


def test_without_receipt_bits_it_is_an_inbound_message() -> None:
    r = decode({"short_message": "STOP", "esm_class": 0, "source_addr": "15550000001"})
    assert format_of("smpp-receipt").decoder().status(r.status) is Status.INBOUND


def test_an_intermediate_receipt_is_in_flight_whatever_it_says() -> None:
    status = format_of("smpp-receipt").decoder().status
    for stat in ("ENROUTE", "UNDELIV", "UNKNOWN"):
        r = decode({"short_message": f"id:1 stat:{stat} err:001", "esm_class": 0x20})
        assert status(r.status) is Status.IN_FLIGHT


@pytest.mark.parametrize(
    "word, status",
    [
        *[(w, Status.IN_FLIGHT) for w in ["ENROUTE", "ACCEPTD", "BUFFRED", "BUFFERD", "ACKED", "SCHEDULED"]],
        ("DELIVRD", Status.DELIVERED),
        *[(w, Status.UNDELIVERED) for w in ["UNDELIV", "REJECTD", "FAILED"]],
        ("EXPIRED", Status.EXPIRED),
        *[(w, Status.CANCELLED) for w in ["DELETED", "SKIPPED"]],
        ("UNKNOWN", Status.UNKNOWN),
    ],
)
def test_status_words(word: str, status: Status) -> None:
    assert format_of("smpp-receipt").decoder().status(word) is status


@pytest.mark.parametrize(
    "state, word",
    [
        (0, "SCHEDULED"),
        (1, "ENROUTE"),
        (2, "DELIVRD"),
        (3, "EXPIRED"),
        (4, "DELETED"),
        (5, "UNDELIV"),
        (6, "ACCEPTD"),
        (7, "UNKNOWN"),
        (8, "REJECTD"),
        (9, "SKIPPED"),
    ],
)
def test_message_states(state: int, word: str) -> None:
    assert decode({"tlvs": {"001E": "61", "message_state": f"{state:02x}"}}).status == word


@pytest.mark.parametrize(
    "value, reason",
    [
        ("hello there", Reason.BAD_RECEIPT),
        ("id:1 err:001", Reason.BAD_RECEIPT),
        ("{}", Reason.BAD_RECEIPT),
        ('{"tlvs":{"001E":"61","message_state":"63"}}', Reason.BAD_RECEIPT),
        ('{"tlvs":{"what":"61"}}', Reason.BAD_RECEIPT),
        ("stat:UNDELIV err:001", Reason.MISSING_FIELD),
        ('{"short_message":7}', Reason.WRONG_TYPE),
        ('{"short_message":', Reason.NOT_JSON),
        (b'{"short_message":"\xff"}', Reason.NOT_UTF8),
    ],
)
def test_what_is_no_receipt_says_why(value: str | bytes, reason: Reason) -> None:
    result = decode(value)
    assert isinstance(result, Malformed) and result.reason is reason


# -- dates ---------------------------------------------------------------------------------------

DATED = "id:1 sub:001 dlvrd:000 submit date:{} done date:{} stat:UNDELIV err:001 text:done date:2001010000"


def times(text: str | bytes, zone: str = "+02:00") -> tuple[int | None, int | None]:
    decoder = format_of("smpp-receipt").decoder(Options(zone_of(zone)))
    (reading,) = decoder.decode_batch([text if isinstance(text, bytes) else text.encode()])
    assert not isinstance(reading, Malformed), reading
    return reading.sent_time_ms, reading.provider_time_ms


def test_dates_are_times_where_the_source_names_their_zone() -> None:
    sent_ms, done_ms = times(DATED.format("2607171400", "260717140630"))
    assert (sent_ms, done_ms) == (1_784_289_600_000, 1_784_289_990_000)
    assert times(DATED.format("2607171400", "260717140630"), "") == (None, None)


@pytest.mark.parametrize(
    ("done", "done_ms"),
    [
        ("202607171406", 1_784_289_960_000),  # a year of four digits
        ("260717120600000+", 1_784_289_960_000),  # absolute SMPP time says its own offset
        ("260717140600008+", 1_784_289_960_000),
        ("0000000000", None),
        ("9999999999", None),
        ("1", None),
    ],
)
def test_dates_are_read_in_every_shape(done: str, done_ms: int | None) -> None:
    assert times(DATED.format("2607171400", done))[1] == done_ms


def test_dates_are_read_inside_json_and_in_any_order() -> None:
    text = "done date:2607171406 stat:DELIVRD err:000 id:7 submit date:2607171400"
    assert times(json.dumps({"short_message": text}).encode()) == (1_784_289_600_000, 1_784_289_960_000)


def test_done_may_be_before_submitted() -> None:
    sent_ms, done_ms = times(DATED.format("180711070003912+", "180711070000012+"))
    assert sent_ms is not None and done_ms is not None and done_ms < sent_ms
