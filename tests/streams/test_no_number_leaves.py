"""Whatever field a number stands in, nothing that ingest hands on holds it: partials, failed
recipients, reasons of dead letters. The untouched value of a dead letter alone does."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import settings
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY, RecipientHasher, mask
from streams.records import Partial, encode
from streams.region import RegionOf
from streams.source import Source, outcome

NOW_MS = 1_784_289_600_000
DIGITS = "2025550187"
OWN_SENDER = "+15555550100"
HASHER = RecipientHasher(DEMO_KEY)
SOURCES = {
    form: Source.of(settings.Source(name=form, format=form, region_level="state"))
    for form in ("canonical", "twilio-status-callback", "smpp-receipt")
}
FIELDS = {
    "canonical": ("to", "code", "carrier", "region", "traffic_class", "status", "provider_time_ms", "other"),
    "twilio-status-callback": ("To", "ErrorCode", "carrier", "region", "MessageStatus", "Body", "other"),
    "smpp-receipt": ("source_addr", "carrier", "region", "traffic_class", "esm_class", "tlvs", "other"),
}
BASE: dict[str, dict[str, Any]] = {
    "canonical": {"message_id": "m", "status": "failed", "sender": OWN_SENDER, "received_ms": NOW_MS},
    "twilio-status-callback": {"MessageSid": "SM1", "MessageStatus": "undelivered", "From": OWN_SENDER},
    "smpp-receipt": {"short_message": "id:m stat:UNDELIV err:001", "destination_addr": OWN_SENDER},
}

spellings = st.sampled_from(
    [
        f"+1{DIGITS}", f"1{DIGITS}", DIGITS, f"001{DIGITS}", f"whatsapp:+1{DIGITS}", f"rcs:+1{DIGITS}",
        "+1 202 555 0187", "+1 (202) 555-0187", "202.555.0187", "(202) 555-0187", f" +1{DIGITS} ",
    ]
)  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> tuple[str, bytes]:
    """(format, value) of a record with the number in some of its fields; one in four is cut off."""
    form = draw(st.sampled_from(sorted(SOURCES)))
    put = draw(st.dictionaries(st.sampled_from(FIELDS[form]), spellings, min_size=1, max_size=3))
    fields = {**BASE[form], **put}
    if form == "smpp-receipt" and draw(st.booleans()):
        fields["short_message"] += f" text:call {draw(spellings)} err:{draw(spellings)}"
    as_form = form == "twilio-status-callback" and draw(st.booleans())
    value = (urlencode(fields) if as_form else json.dumps(fields)).encode()
    return form, value[: draw(st.integers(1, len(value)))] if draw(st.integers(0, 3)) == 0 else value


def digits(text: str) -> str:
    """The text without what people put between digits."""
    return "".join(c for c in text if c not in " ().-+")


def taken(written: list[tuple[str, bytes]]) -> Intake:
    intake = Intake(SOURCES, HASHER, 100_000)
    part = PartitionIntake("outcomes", "id", 0, 0, SeenIds(600, 10_000))
    batch = Batch(
        np.zeros(len(written), np.int64),
        np.arange(len(written), dtype=np.int64),
        [NOW_MS] * len(written),
        [[("source", form.encode())] for form, _ in written],
        [value for _, value in written],
        lambda i: b"key",
        "",
    )
    intake.take(batch, [part], NOW_MS)
    return intake


@given(st.lists(records(), min_size=1, max_size=6))
def test_trap_21_nothing_that_ingest_hands_on_holds_a_number(written: list[tuple[str, bytes]]) -> None:
    intake = taken(written)
    partial = Partial("w", NOW_MS, {"outcomes": 1}, cells=intake.fold.cells(intake.keys))
    said = [encode(partial).decode(), *(encode(f).decode() for f in intake.failed)]
    said += [encode(d).decode() for d in intake.delivered.records()]
    said += [f"{d.malformed.reason} {d.malformed.detail}" for d in intake.dead]
    assert [text for text in said if DIGITS in digits(text)] == []


@given(records())
def test_a_printed_outcome_has_the_hash_and_never_the_recipient(record: tuple[str, bytes]) -> None:
    form, value = record
    of = SOURCES[form]
    for reading in of.decoder.decode_batch([value]):
        told = outcome(of, reading, NOW_MS, RegionOf(), HASHER) if hasattr(reading, "to") else reading
        kept = {
            k: getattr(told, k, "") for k in ("carrier", "region", "recipient", "outcome_class", "detail")
        }
        assert DIGITS not in digits(str(kept))


def test_nothing_is_logged_about_a_record(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        taken(
            [
                ("canonical", json.dumps({**BASE["canonical"], "to": f"+1{DIGITS}"}).encode()),
                ("canonical", b"{"),
            ]
        )
    assert caplog.records == []


def test_the_masked_number_is_what_people_see() -> None:
    assert mask(f"+1{DIGITS}") == "+1202•••0187"
    assert DIGITS not in mask(DIGITS)


def test_a_senders_number_is_the_users_own_and_stays() -> None:
    intake = taken([("canonical", json.dumps({**BASE["canonical"], "to": f"+1{DIGITS}"}).encode())])
    assert intake.failed[0].sender == OWN_SENDER
    assert intake.failed[0].key_id == HASHER.key_id
