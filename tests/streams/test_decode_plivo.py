"""The format `plivo`: message status callbacks."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from streams import settings
from streams.decode import Options, format_of
from streams.decode.times import zone_of
from streams.records import Malformed, Reason, Status
from streams.source import Source

FIELDS = {
    "MessageUUID": "m-1", "Status": "undelivered", "ErrorCode": "80", "To": "12025550123",
    "From": "12025550100", "MCC": "310", "MNC": "026", "Units": "1", "Sequence": "3",
    "SentTime": "2026-07-17 12:00:00.250000", "DeliveryReportTime": "2026-07-17 12:06:00.000000",
}  # fmt: skip


def decode(zone: str = "", **fields: Any) -> Any:
    given = {k: v for k, v in {**FIELDS, **fields}.items() if v is not None}
    decoder = format_of("plivo").decoder(Options(zone_of(zone)))
    r, same = decoder.decode_batch([urlencode(given).encode(), json.dumps(given).encode()])
    assert r == same
    return r


def test_a_callback_is_read_as_form_and_as_json() -> None:
    r = decode()
    assert (r.message_id, r.status, r.code) == ("m-1", "undelivered", "80")
    assert (r.to, r.sender) == ("+12025550123", "12025550100")


def test_the_network_is_the_recipients_and_keeps_its_zeros() -> None:
    assert decode().carrier == "310-026"
    assert decode(carrier="Verizon").carrier == "310-026"
    assert decode(MNC="", carrier="Verizon").carrier == "label:Verizon"
    assert decode(MCC=None, MNC=None).carrier is None


def test_times_are_used_where_the_zone_is_known() -> None:
    r = decode("UTC")
    assert (r.sent_time_ms, r.provider_time_ms) == (1_784_289_600_250, 1_784_289_960_000)
    r = decode("UTC", DeliveryReportTime="")
    assert (r.sent_time_ms, r.provider_time_ms) == (1_784_289_600_250, None)
    r = decode()
    assert (r.sent_time_ms, r.provider_time_ms) == (None, None)


def test_the_parts_of_a_long_message_are_one_message() -> None:
    parts = [decode(MessageUUID=f"m-{i}", ParentMessageUUID="m-1", PartInfo=f"{i} of 2") for i in (1, 2)]
    assert [p.message_id for p in parts] == ["m-1", "m-1"]


@pytest.mark.parametrize(
    "to, expected",
    [("4520123456", "+4520123456"), ("+12025550123", "+12025550123"), ("72345", "72345"), ("", None)],
)
def test_a_recipient_gets_its_plus(to: str, expected: str | None) -> None:
    assert decode(To=to).to == expected


@pytest.mark.parametrize(
    "word, status",
    [
        ("queued", Status.IN_FLIGHT),
        ("sent", Status.IN_FLIGHT),
        ("Delivered", Status.DELIVERED),
        ("read", Status.DELIVERED),
        ("undelivered", Status.UNDELIVERED),
        ("failed", Status.FAILED),
        ("rejected", Status.FAILED),
        ("received", Status.INBOUND),
        ("unheard of", None),
    ],
)
def test_status_words(word: str, status: Status | None) -> None:
    assert format_of("plivo").decoder().status(word) is status


def test_a_network_error_is_not_an_absent_phone() -> None:
    r = decode(ErrorCode="20")
    kind = Source.of(settings.Source(name="s", format="plivo")).kind(r.status, r.code, r.carrier, None)
    assert (kind.key.outcome_class, kind.key.carrier) == ("network_failure", "310-260")


@pytest.mark.parametrize("missing", ["MessageUUID", "Status"])
def test_an_id_and_a_status_are_needed(missing: str) -> None:
    r = decode(**{missing: ""})
    assert isinstance(r, Malformed) and r.reason is Reason.MISSING_FIELD and missing in r.detail
