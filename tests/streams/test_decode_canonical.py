"""The format `canonical`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.decode import format_of
from streams.decode.times import epoch_ms
from streams.records import Malformed, Reading, Reason, Status

NOON_MS = 1_784_289_600_000  # 2026-07-17T12:00:00Z


def decode(**fields: Any) -> Reading | Malformed:
    return raw(json.dumps(fields).encode())


def raw(value: bytes) -> Reading | Malformed:
    (result,) = format_of("canonical").decoder().decode_batch([value])
    return result


def reading(**fields: Any) -> Any:
    result = decode(**{"message_id": "m1", "status": "delivered", **fields})
    assert not isinstance(result, Malformed), result
    return result


def reason(**fields: Any) -> Reason:
    result = decode(**{"message_id": "m1", "status": "delivered", **fields})
    assert isinstance(result, Malformed)
    return result.reason


def test_every_field_is_read() -> None:
    r = reading(
        code="001", to="+15550000001", sender="pool-1", carrier="310-260", region="US",
        traffic_class="time_critical", received_ms=5, sent_time_ms=1, provider_time_ms=4,
    )  # fmt: skip
    assert (r.message_id, r.status, r.code, r.to) == ("m1", "delivered", "001", "+15550000001")
    assert (r.sender, r.carrier, r.region, r.traffic_class) == ("pool-1", "310-260", "US", "time_critical")
    assert (r.received_ms, r.sent_time_ms, r.provider_time_ms) == (5, 1, 4)


def test_what_decode_prints_can_be_read_again() -> None:
    r = reading(
        source="twilio", outcome_class="unknown", side="own", carrier_source="record", final=True,
        received_ms=9, event_time_ms=9, provider_time_ms=None, recipient="00ff00ff00ff00ff", code=None,
    )  # fmt: skip
    assert r.recipient == "00ff00ff00ff00ff"
    assert r.provider_time_ms is None


@pytest.mark.parametrize("field", ["received_ms", "event_time_ms", "provider_time_ms", "sent_time_ms"])
def test_any_one_time_is_enough(field: str) -> None:
    reading(**{field: NOON_MS})


def test_the_event_time_alone_is_the_providers() -> None:
    assert reading(event_time_ms=NOON_MS).provider_time_ms == NOON_MS
    assert reading(event_time_ms=NOON_MS).received_ms is None


@pytest.mark.parametrize(
    "text",
    ["2026-07-17T12:00:00Z", "2026-07-17T14:00:00+02:00", "2026-07-17 12:00:00.000", "2026-07-17T12:00"],
)
def test_iso_times_are_read_and_without_a_zone_are_utc(text: str) -> None:
    assert reading(received_ms=text).received_ms == NOON_MS


def test_iso_and_epoch_times_mix_in_one_record() -> None:
    r = reading(received_ms=NOON_MS, sent_time_ms="2026-07-17T11:59:59.5Z")
    assert (r.received_ms, r.sent_time_ms) == (NOON_MS, NOON_MS - 500)


@pytest.mark.parametrize("missing", ["message_id", "status"])
@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_required_field_is_missing(missing: str, empty: str | None) -> None:
    assert reason(**{missing: empty, "received_ms": 1}) is Reason.MISSING_FIELD


def test_an_absent_required_field_is_missing_and_named() -> None:
    result = decode(status="delivered", received_ms=1)
    assert result == Malformed(Reason.MISSING_FIELD, "the field message_id is missing or empty")


def test_a_record_without_a_time_is_refused() -> None:
    assert reason() is Reason.MISSING_TIME
    assert reason(received_ms=None) is Reason.MISSING_TIME


@pytest.mark.parametrize(
    "value",
    [-1, 253_402_300_800_000, 10**40, 1.5, True, "yesterday", "2026-07-17", "1969-12-31T23:59:59Z", "", []],
)
def test_an_absurd_time_is_refused(value: Any) -> None:
    assert reason(received_ms=value) is Reason.BAD_TIME


@pytest.mark.parametrize("fields", [{"message_id": 7}, {"to": 15550000001}, {"code": []}, {"recipient": "x"}])
def test_a_field_of_the_wrong_type_is_refused(fields: dict[str, Any]) -> None:
    assert reason(received_ms=1, **fields) is Reason.WRONG_TYPE


@pytest.mark.parametrize("value", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_json_that_is_no_object_is_of_the_wrong_type(value: bytes) -> None:
    assert raw(value)[0] is Reason.WRONG_TYPE  # type: ignore[index]


@pytest.mark.parametrize(
    "value", [b"{", b"x", b'{"a":1}x', b'{"message_id":"m' + b'{"a":' * 5000, b"[" * 9999]
)
def test_what_is_not_json_says_so(value: bytes) -> None:
    assert raw(value)[0] is Reason.NOT_JSON  # type: ignore[index]


def test_what_is_not_utf8_says_so() -> None:
    assert raw(b'{"message_id":"\xff","status":"sent","received_ms":1}')[0] is Reason.NOT_UTF8  # type: ignore[index]


def test_a_number_as_code_is_kept() -> None:
    assert reading(code=30003, received_ms=1).code == 30003


@pytest.mark.parametrize("status", list(Status))
def test_the_statuses_are_the_normalised_ones(status: Status) -> None:
    assert format_of("canonical").decoder().status(status.value.upper()) is status


def test_a_date_at_the_edge_of_the_calendar_does_not_overflow() -> None:
    assert epoch_ms("0001-01-01T00:00:00+23:59") is None
    assert epoch_ms("9999-12-31T23:59:59.999Z") == 253_402_300_799_999
