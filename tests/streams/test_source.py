"""What a record counts as, and the normalised outcome that `decode` prints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import settings
from streams.errors import ConfigError
from streams.kinds import Kinds
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import Malformed, Outcome, Reason, Result, Status
from streams.region import RegionOf
from streams.source import FINAL_BITS, Kind, Source, outcome, profile_of

NOW_MS = 1_784_289_600_000


def source(form: str = "twilio-status-callback", **fields: str) -> Source:
    return Source.of(settings.Source(name="s", format=form, **fields))


TWILIO, SMPP, CANONICAL = source(), source("smpp-receipt"), source("canonical")


def kind(of: Source, status: str, code: str | int | None = None, **fields: Any) -> Kind:
    return of.kind(status, code, fields.get("carrier"), fields.get("region"))


@pytest.mark.parametrize(
    "of, status, code, result, outcome_class, key_code, side",
    [
        (TWILIO, "delivered", None, Result.COUNTED, "delivered", "", "unknown"),
        (TWILIO, "read", "", Result.COUNTED, "delivered", "", "unknown"),
        (TWILIO, "undelivered", "30003", Result.COUNTED, "absent_subscriber", "30003", "handset"),
        (TWILIO, "undelivered", 30003, Result.COUNTED, "absent_subscriber", "30003", "handset"),
        (TWILIO, "failed", "30003", Result.COUNTED, "absent_subscriber", "30003", "handset"),
        (TWILIO, "undelivered", None, Result.COUNTED, "unknown", "", "unknown"),
        (TWILIO, "undelivered", "39999", Result.COUNTED, "unknown", "39999", "unknown"),
        (TWILIO, "undelivered", "30008", Result.COUNTED, "unknown", "30008", "carrier"),
        (TWILIO, "failed", "30001", Result.OWN_SIDE, "throttled", "30001", "own"),
        (TWILIO, "failed", "30036", Result.OWN_SIDE, "expired", "30036", "own"),
        (TWILIO, "canceled", None, Result.OWN_SIDE, "unknown", "", "own"),
        (TWILIO, "sent", None, Result.IN_FLIGHT, "in_flight", "", "unknown"),
        (TWILIO, "delivery_unknown", None, Result.IN_FLIGHT, "in_flight", "", "unknown"),
        (TWILIO, "received", None, Result.INBOUND, "in_flight", "", "unknown"),
        (TWILIO, "failed", "30038", Result.INBOUND, "in_flight", "", "unknown"),
        (TWILIO, "lost", None, Result.MALFORMED, "in_flight", "", "unknown"),
        (SMPP, "DELIVRD", "001", Result.COUNTED, "delivered", "", "unknown"),
        (SMPP, "UNDELIV", "001", Result.COUNTED, "absent_subscriber", "001", "handset"),
        (SMPP, "UNDELIV", "000", Result.COUNTED, "unknown", "000", "unknown"),
        (SMPP, "UNDELIV", "21", Result.OWN_SIDE, "connection", "021", "own"),
        (SMPP, "EXPIRED", "000", Result.COUNTED, "unknown", "000", "unknown"),
        (SMPP, "EXPIRED", None, Result.COUNTED, "unknown", "", "unknown"),
        (SMPP, "EXPIRED", "030", Result.COUNTED, "unknown", "030", "unknown"),
        (SMPP, "EXPIRED", "059", Result.COUNTED, "absent_subscriber", "059", "handset"),
        (SMPP, "DELETED", "059", Result.OWN_SIDE, "absent_subscriber", "059", "own"),
        (SMPP, "UNKNOWN", "059", Result.IN_FLIGHT, "in_flight", "", "unknown"),
        (SMPP, "ENROUTE", "059", Result.IN_FLIGHT, "in_flight", "", "unknown"),
    ],
)
def test_status_first_then_code(
    of: Source, status: str, code: Any, result: Result, outcome_class: str, key_code: str, side: str
) -> None:
    k = kind(of, status, code)
    assert (k.result, k.key.outcome_class, k.key.code, k.side) == (result, outcome_class, key_code, side)
    assert k.failed == (k.result is Result.COUNTED and k.status is not Status.DELIVERED)


@pytest.mark.parametrize("of", [TWILIO, SMPP, CANONICAL])
def test_every_word_has_one_bit_of_what_was_seen(of: Source) -> None:
    stages = [kind(of, word).stage for word in of.decoder.in_flight]
    assert stages == [1 << i for i in range(len(stages))]
    assert all(stage & FINAL_BITS == 0 for stage in stages)


def test_the_bits_of_finals() -> None:
    finals = ("delivered", "undelivered", "failed", "expired", "cancelled")
    assert [kind(CANONICAL, s).stage for s in finals] == [1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12]
    assert FINAL_BITS == 0b1_1111_0000_0000
    assert kind(CANONICAL, "unknown").stage == 1 << 7
    assert kind(CANONICAL, "inbound").stage == kind(CANONICAL, "nonsense").stage == 0


def test_read_after_delivered_is_the_same_final() -> None:
    assert kind(TWILIO, "read").stage == kind(TWILIO, "delivered").stage


def test_a_2025_profile_reads_the_same_code_otherwise() -> None:
    newer = source("smpp-receipt", codes="twilio-smpp-2025")
    assert kind(newer, "UNDELIV", "007").key.outcome_class != "absent_subscriber"
    assert kind(SMPP, "UNDELIV", "007").key.outcome_class == "absent_subscriber"


@pytest.mark.parametrize(
    "given_carrier, configured, carrier, carrier_source",
    [
        ("310-260", "", "310-260", "record"),
        ("310260", "", "310-260", "record"),
        ("23410", "", "234-10", "record"),
        ("310 260", "", "310-260", "record"),
        ("T-Mobile USA, Inc.", "", "310-260", "record"),
        ("Some Mobile, Inc.", "", "some-mobile-inc", "record"),
        (None, "310-410", "310-410", "connector"),
        ("", "310410", "310-410", "connector"),
        ("unknown", "east", "east", "connector"),
        ("\x00\x07", "", "unknown", "unknown"),
        (None, "", "unknown", "unknown"),
        ("+15550000001", "", "unknown", "unknown"),
    ],
)
def test_carriers(given_carrier: str | None, configured: str, carrier: str, carrier_source: str) -> None:
    k = kind(source(carrier=configured), "delivered", carrier=given_carrier)
    assert (k.key.carrier, k.carrier_source) == (carrier, carrier_source)


@pytest.mark.parametrize(
    "given_region, configured, region",
    [
        ("us", "", "US"),
        ("us-ca", "", "US-CA"),
        ("West Coast", "", "West Coast"),
        (None, "de", "DE"),
        ("unknown", "DE", "DE"),
        (" ", "", "unknown"),
        ("a\x00b", "", "a?b"),
        ("+15550000001", "", "unknown"),
    ],
)
def test_regions(given_region: str | None, configured: str, region: str) -> None:
    assert kind(source(region=configured), "delivered", region=given_region).key.region == region


@given(st.text(), st.none() | st.integers() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_anything_has_a_kind_with_short_printable_labels(
    status: str, code: Any, carrier: str | None, region: str | None
) -> None:
    for of in (TWILIO, SMPP, CANONICAL):
        for word in (status, "failed"):
            k = of.kind(word, code, carrier, region)
            assert len(k.key.code) <= 48 and len(k.key.carrier) <= 64 and len(k.key.region) <= 64
            assert all(part.isprintable() for part in k.key)
            assert k.key.carrier and k.key.region and k.key.outcome_class


def test_a_source_takes_its_formats_profile_and_its_own_account() -> None:
    assert profile_of(settings.Source(name="s", format="smpp-receipt")) == "twilio-smpp"
    assert (TWILIO.account, source(account="AC1").account) == ("s", "AC1")


@pytest.mark.parametrize("fields", [{"format": "x"}, {"format": "canonical", "codes": "x"}])
def test_a_bad_source_is_refused_by_name(fields: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"source 's': .*'x'"):
        Source.of(settings.Source(name="s", **fields))


MINIMAL = {"message_id": "m", "status": "failed", "received_ms": 1}
REGIONS, HASHER = RegionOf(), RecipientHasher(DEMO_KEY)


def normalise(of: Source, **fields: Any) -> Any:
    (reading,) = of.decoder.decode_batch([json.dumps(fields).encode()])
    assert not isinstance(reading, Malformed), reading
    return outcome(of, reading, NOW_MS, REGIONS, HASHER)


def test_a_whole_outcome() -> None:
    assert normalise(
        CANONICAL, message_id="m", status="undelivered", code="30003", to="+14155550100", carrier="310260",
        sender="pool", traffic_class="otp", provider_time_ms=NOW_MS - 5, sent_time_ms=NOW_MS - 9,
    ) == Outcome(
        message_id="m", source="s", status="undelivered", code="30003", outcome_class="absent_subscriber",
        side="handset", carrier="310-260", carrier_source="record", region="US",
        recipient=HASHER.hex("+14155550100"),
        sender="pool", traffic_class="otp", received_ms=NOW_MS, event_time_ms=NOW_MS,
        sent_time_ms=NOW_MS - 9,
        provider_time_ms=NOW_MS - 5, final=True,
    )  # fmt: skip


def test_an_outcome_in_flight_still_tells_the_class_of_its_code() -> None:
    o = normalise(SMPP, short_message="id:1 stat:ENROUTE err:001", esm_class=0x20)
    assert (o.status, o.outcome_class, o.final) == ("in_flight", "absent_subscriber", False)


def test_a_label_of_the_record_comes_before_the_number_s_home() -> None:
    of = source("canonical", region_level="state", region="XX")
    told = [
        outcome_region(of, to="+14155550100", region="west"),
        outcome_region(of, to="+14155550100"),
        outcome_region(of, to="+447700900123"),
        outcome_region(of, to="12345"),
    ]
    assert told == ["west", "US-CA", "GB", "XX"]


def outcome_region(of: Source, **fields: Any) -> str:
    reading = of.decoder.decode_batch([json.dumps({**MINIMAL, **fields}).encode()])[0]
    assert not isinstance(reading, Malformed)
    told = outcome(of, reading, NOW_MS, RegionOf(of.config.region_level), HASHER)
    (row,) = (kinds := Kinds([of.name], {})).rows(of, [reading])
    assert isinstance(told, Outcome) and kinds.keys[row].region == told.region
    return told.region


def test_a_hash_in_place_of_the_number_is_kept() -> None:
    o = normalise(CANONICAL, message_id="m", status="failed", received_ms=1, recipient="00FF00FF00FF00FF")
    assert o.recipient == "00ff00ff00ff00ff"


def test_the_providers_time_may_be_five_minutes_ahead_and_no_more() -> None:
    fields = {"message_id": "m", "status": "failed"}
    assert isinstance(normalise(CANONICAL, **fields, provider_time_ms=NOW_MS + 300_000), Outcome)
    late = normalise(CANONICAL, **fields, provider_time_ms=NOW_MS + 300_001)
    assert late.reason is Reason.FUTURE_PROVIDER_TIME


def test_a_word_that_is_no_status_is_malformed() -> None:
    assert normalise(CANONICAL, message_id="m", status="lost", received_ms=1).reason is Reason.BAD_STATUS


@given(st.sampled_from([*TWILIO.decoder.in_flight, "delivered", "read", "failed", "undelivered", "canceled"]),
       st.sampled_from([r.code for r in TWILIO.table.rows] + ["", "39999"]))  # fmt: skip
def test_what_decode_prints_agrees_with_what_is_counted(status: str, code: str) -> None:
    o = normalise(TWILIO, MessageSid="m", MessageStatus=status, ErrorCode=code)
    k = kind(TWILIO, status, code)
    assert o.final == (k.result is Result.COUNTED)
    assert o.status == k.status
    if k.stage & FINAL_BITS:
        assert (o.outcome_class, o.side) == (k.key.outcome_class, k.side)


def test_an_id_that_only_the_recipient_makes_unique_holds_its_hash_with_the_configured_key() -> None:
    hasher = RecipientHasher(settings.Secret("a key of our own"))
    configured = Source.of(settings.Source(name="s", format="bird"), hasher=hasher)
    (reading,) = configured.decoder.decode_batch([b"id=m1&recipient=12025550123&status=sent"])
    assert not isinstance(reading, Malformed)
    assert reading.message_id == f"m1:{hasher.hex('+12025550123')}"
