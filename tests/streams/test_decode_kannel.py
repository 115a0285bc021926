"""The format `kannel`: delivery reports on a dlr-url with the documented parameters."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import settings
from streams.decode import format_of
from streams.records import Malformed, Reason, Result, Status
from streams.source import Source

REPLY = (
    "id:1526758175 sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:{stat} err:{err} text:"
)
FIELDS = {
    "id": "my-1", "uuid": "0b0b2c4e-1f3a-4b7e-9b3a-0d5a1c2b3e4f", "type": "2", "smsc": "east",
    "time": "1784289960", "to": "+12025550123", "from": "Acme",
}  # fmt: skip


def meta(octets: bytes, before: str = "") -> str:
    """Meta-data as gw/meta_data.c packs it."""
    return f"?smpp?{before}dlr_err={quote_from_bytes(octets, safe='')}&"


def decode(**fields: str) -> Any:
    given = {k: v for k, v in {**FIELDS, **fields}.items() if v}
    form, flat = urlencode(given).encode(), json.dumps(given).encode()
    r, same = format_of("kannel").decoder().decode_batch([form, flat])
    assert r == same
    return r


def kind(reading: Any) -> Any:
    return Source.of(settings.Source(name="s", format="kannel")).kind(
        reading.status, reading.code, None, None
    )


def test_a_report_is_read() -> None:
    r = decode(reply=REPLY.format(stat="UNDELIV", err="001"))
    assert (r.message_id, r.status, r.code) == ("my-1", "UNDELIV", "001")
    assert (r.to, r.sender, r.carrier) == ("+12025550123", "Acme", "connector:east")
    assert r.provider_time_ms == 1_784_289_960_000


@pytest.mark.parametrize(
    "type_, stat, status",
    [
        ("1", "DELIVRD", Status.DELIVERED),
        ("1", "UNDELIV", Status.DELIVERED),  # the type is Kannel's reading of the PDU's message_state
        ("1", "", Status.DELIVERED),
        ("2", "UNDELIV", Status.UNDELIVERED),
        ("2", "REJECTD", Status.UNDELIVERED),
        ("2", "EXPIRED", Status.EXPIRED),
        ("2", "DELETED", Status.CANCELLED),
        ("2", "UNKNOWN", Status.UNKNOWN),
        ("2", "DELIVRD", Status.UNDELIVERED),
        ("2", "FAILED", Status.UNDELIVERED),
        ("2", "WHATEVER", Status.UNDELIVERED),
        ("2", "", Status.UNDELIVERED),
        ("4", "ENROUTE", Status.IN_FLIGHT),
        ("4", "UNDELIV", Status.IN_FLIGHT),
        ("8", "", Status.IN_FLIGHT),
        ("16", "", Status.FAILED),
        ("32", "UNDELIV", Status.IN_FLIGHT),
        ("34", "UNDELIV", Status.IN_FLIGHT),
    ],
)
def test_the_type_decides_and_the_receipt_refines_a_failure(type_: str, stat: str, status: Status) -> None:
    r = decode(type=type_, reply=REPLY.format(stat=stat, err="000") if stat else "")
    assert format_of("kannel").decoder().status(r.status) is status


def test_a_buffered_message_for_an_absent_phone_is_a_signal_and_no_final() -> None:
    found = kind(decode(type="4", reply=REPLY.format(stat="ENROUTE", err="001")))
    assert (found.result, found.signals) == (Result.IN_FLIGHT, True)


def test_an_error_beside_a_delivery_undoes_nothing() -> None:
    assert kind(decode(type="1", reply=REPLY.format(stat="DELIVRD", err="001"))).status is Status.DELIVERED


@pytest.mark.parametrize(
    "reply, octets, code",
    [
        (
            REPLY.format(stat="UNDELIV", err="1190"),
            b"\x03\x00\x77",
            "1190",
        ),  # whole, where the meta-data is cut
        (REPLY.format(stat="UNDELIV", err="00a"), b"\x03\x00\x00", "00a"),  # and decimal
        (REPLY.format(stat="UNDELIV", err="000"), b"\x03\x00\x3b", "059"),
        ("", b"\x03\x00\x01", "001"),
        ("", b"001", "001"),  # an SMSC that sends digits
        ("", b"\x03\x01\x00", "256"),
        ("", b"\x03\xff\xff", "65535"),
        ("", b"\x03\x00\x26", "038"),  # an octet that is `&` in clear
        ("", b"", None),
        ("", b"\x03", None),
    ],
)
def test_the_code_is_the_receipts_else_the_meta_datas(reply: str, octets: bytes, code: str | None) -> None:
    assert decode(reply=reply, meta=meta(octets, "tag=a%3Db&")).code == code


@pytest.mark.parametrize(
    "reply, code, side, result",
    [
        ("NACK/0x0000000b/Invalid Destination Address", "ESME_RINVDSTADR", "number", Result.COUNTED),
        ("NACK/0X00000058/Throttling error", "ESME_RTHROTTLED", "own", Result.OWN_SIDE),
        ("NACK/0x00000415/Unknown/Reserved", "0x415", "unknown", Result.COUNTED),
        ("NACK/Retries Exceeded", None, "unknown", Result.COUNTED),
        ("", None, "unknown", Result.COUNTED),
    ],
)
def test_a_refusal_has_its_command_status_as_code(
    reply: str, code: str | None, side: str, result: Result
) -> None:
    r = decode(type="16", reply=reply, meta=meta(b"\x03\x00\x01"))
    assert (r.code, kind(r).side, kind(r).result) == (code, side, result)


def test_without_an_id_of_its_own_a_report_goes_by_the_reports_uuid() -> None:
    assert decode(id="", type="8", reply="ACK/").message_id == FIELDS["uuid"]


def test_labels_come_from_the_users_own_parameters() -> None:
    r = decode(carrier="310-260", region="US", traffic_class="otp")
    assert (r.carrier, r.region, r.traffic_class) == ("310-260", "US", "otp")


def test_a_receipt_without_an_id_is_read_for_its_code() -> None:
    assert decode(reply="stat:EXPIRED err:059").code == "059"


@pytest.mark.parametrize("seconds", ["", "soon", "1784289960.5", "-1", "9" * 12, "%T"])
def test_what_is_no_epoch_is_no_time(seconds: str) -> None:
    assert decode(time=seconds).provider_time_ms is None


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"type": ""}, Reason.MISSING_FIELD),
        ({"id": "", "uuid": ""}, Reason.MISSING_FIELD),
        ({"type": "%d"}, Reason.BAD_STATUS),
        ({"type": "0"}, Reason.BAD_STATUS),
        ({"type": "64"}, Reason.BAD_STATUS),
        ({"type": "٢"}, Reason.BAD_STATUS),
    ],
)
def test_what_is_no_report_says_why(fields: dict[str, str], reason: Reason) -> None:
    r = decode(**fields)
    assert isinstance(r, Malformed) and r.reason is reason


@given(st.integers(0, 255), st.integers(0, 65_535))
def test_any_network_error_is_read_out_of_the_meta_data(network: int, error: int) -> None:
    code = decode(meta=meta(bytes([network]) + error.to_bytes(2, "big"))).code
    # First octets that are digits belong to SMSCs that send text.
    assert 0x30 <= network <= 0x39 or code == f"{error:03d}"
