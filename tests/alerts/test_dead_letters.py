"""What is shown of a dead letter, what is re-driven of it, and that no number is shown."""

from __future__ import annotations

import base64
import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from alerts.cli.dead_letters import dead_letters
from alerts.dead_letters import described, each, groups, row_of
from streams.letters import Letter, Wanted
from streams.privacy import mask_numbers
from streams.records import Reason
from streams.redrive import MOST_BYTES, MOST_LETTERS, Fate, Going, Judge, batches, headers
from streams.settings import Ingest, Settings, Source

AT_MS = 1_784_289_600_000
SETTINGS = Settings(
    sources=(
        Source(name="twilio", format="twilio-status-callback"),
        Source(name="api", format="canonical"),
        Source(name="east", format="smpp-receipt", topic="east-receipts"),
        Source(name="events", format="twilio-event-streams", envelope="path:events.*"),
    ),
    ingest=Ingest(max_record_bytes=2_000),
)
OUTCOMES = SETTINGS.topic("outcomes")
EVENT = b'{"data":{"messageSid":"SM%d","messageStatus":"SENT","timestamp":"2026-07-17T12:00:00Z"}}'
GOOD = b"MessageSid=SM1&MessageStatus=delivered&To=%2B12025550123"


def letter(
    value: bytes | None = GOOD,
    source: str | None = "twilio",
    topic: str = OUTCOMES,
    received_ms: str | None = str(AT_MS),
    **more: str,
) -> Letter:
    given = {
        "source": source,
        "received_ms": received_ms,
        "reason": "not_json",
        "source_topic": topic,
        **more,
    }
    pairs = tuple((k, v.encode()) for k, v in given.items() if v is not None)
    return Letter(2, 118, AT_MS + 1_000, b"SM1", value, pairs)


def judged(one: Letter, redriven: bool = False) -> tuple[Fate, str]:
    return Judge(SETTINGS, AT_MS).fate(one, redriven)


# -- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        "+12025550123",
        "12025550123",
        "0012025550123",
        "+1 (202) 555-0123",
        "%2B12025550123",
        "%2b1%20202%20555%200123",
        "+1+202+555+0123",
        "447700900123",
        "+44\u00a07700\u00a0900123",
        "2025550123",
        "\\u002B12025550123",
        "1\x002\x000\x002\x005\x005\x005\x000\x001\x002\x003",
    ],
)
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    shown = mask_numbers(f"To={number}&x=1".encode()).decode()
    assert "•••" in shown and shown.startswith("To=") and shown.endswith("&x=1")
    digits = re.sub(r"%2[0bB89DdEe]|u002B|\D", "", number)
    assert digits[-9:] not in re.sub(r"\D", "", shown)


@given(st.binary(max_size=30), st.from_regex(rb"[1-9][0-9]{9,14}", fullmatch=True), st.binary(max_size=30))
def test_no_digits_of_a_number_are_left_together(before: bytes, number: bytes, after: bytes) -> None:
    assert number not in mask_numbers(before + number + after)


@given(st.binary(max_size=200))
def test_masking_again_changes_nothing(data: bytes) -> None:
    once = mask_numbers(data)
    assert mask_numbers(once) == once


def test_dates_words_and_codes_stay() -> None:
    text = b'{"status":"undelivered","code":"30003","at":"2026-07-17T12:06:00Z","id":"c0ffee","mcc":"310"}'
    assert mask_numbers(text) == text


def test_base64_that_holds_a_number_is_left_out() -> None:
    held, harmless = base64.b64encode(GOOD), base64.b64encode(b"nothing that would be a number")
    shown = mask_numbers(b'{"body":"' + held + b'","x":"' + harmless + b'"}')
    assert held not in shown and b"bytes that hold a number" in shown and harmless in shown
    assert base64.urlsafe_b64encode(GOOD).rstrip(b"=") not in mask_numbers(
        base64.urlsafe_b64encode(GOOD).rstrip(b"=")
    )


def test_what_is_shown_of_a_letter_is_masked_unless_it_is_asked_for_in_clear() -> None:
    one = letter(tenant="+12025550123")._replace(key=b"12025550123")
    masked, clear = "\n".join(described(one, False)), "\n".join(described(one, True))
    assert "025550123" not in masked and masked.count("1202•••0123") == 3
    assert f"received_ms: {AT_MS}" in masked and "letter 2-118" in masked
    assert clear.count("12025550123") == 3


def test_a_long_value_is_cut_after_it_was_masked() -> None:
    text = "\n".join(described(letter(b"x" * 1_995 + b"12025550123" * 9), False))
    assert "2025550123" not in text and "more" in text


def test_letters_are_counted_by_reason_and_source() -> None:
    again = letter(attempts="2")._replace(timestamp_ms=AT_MS)
    letters = [letter(), again, letter(source="12025550123")]
    rows = [row_of(one, {}, {(2, 118): AT_MS + 5_000} if one is again else {}) for one in letters]
    table = [line.split() for line in groups(iter(rows), False)]
    assert table[1:] == [
        ["not_json", "1202•••0123", "1", "0", "2026-07-17", "12:00:01", "2026-07-17", "12:00:01"],
        ["not_json", "twilio", "2", "1", "2026-07-17", "12:00:00", "2026-07-17", "12:00:01"],
    ]
    assert "attempt 2, re-driven 2026-07-17 12:00:05" in list(each(iter(rows), False))[1]


def test_a_letter_is_wanted_when_all_fits() -> None:
    one, bound = letter(source=None, topic="east-receipts"), {"east-receipts": "east"}
    assert Wanted().fits(one, bound)
    assert Wanted(["not_json"], ["east"], AT_MS, AT_MS + 2_000, ["2-118"]).fits(one, bound)
    for other in (
        Wanted(reasons=["empty"]),
        Wanted(sources=["twilio"]),
        Wanted(since_ms=AT_MS + 1_001),
        Wanted(until_ms=AT_MS + 1_000),
        Wanted(ids=["2-11"]),
    ):
        assert not other.fits(one, bound)


# -- what is re-driven ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "fate"),
    [
        (letter(), (Fate.GOES, "")),
        (letter(source=None, topic="east-receipts", value=b"id:1 stat:DELIVRD err:000"), (Fate.GOES, "")),
        (letter(b'{"events":[{},{"a":1}]}', "events"), (Fate.FAILS, "missing_field")),
        (letter(b"x", "nobody"), (Fate.FAILS, Reason.UNKNOWN_SOURCE)),
        (letter(b"[", "api"), (Fate.FAILS, Reason.NOT_JSON)),
        (letter(b"MessageSid=1&MessageStatus=what"), (Fate.FAILS, Reason.BAD_STATUS)),
        (letter(None), (Fate.FAILS, Reason.EMPTY)),
        (letter(b"x" * 2_001), (Fate.FAILS, Reason.TOO_LARGE)),
        (letter(received_ms=str(AT_MS + 61_000)), (Fate.FAILS, Reason.FUTURE_RECEIPT)),
        (letter(topic="somebody-elses"), (Fate.NO_TOPIC, "")),
    ],
)
def test_only_what_can_be_read_now_goes_back(one: Letter, fate: tuple[Fate, str]) -> None:
    assert judged(one) == fate
    assert judged(one, redriven=True) == (Fate.DONE, "")


def test_what_was_in_a_topic_goes_back_as_it_was() -> None:
    value = GOOD + b"&Body=hello"
    assert Judge(SETTINGS, AT_MS).records(letter(value)) == [(b"SM1", value)]


def buried_by_the_gateway(value: bytes, source: str = "twilio", parameters: str | None = None) -> Letter:
    more = {} if parameters is None else {"parameters": parameters}
    return letter(value, source, source_partition="-1", source_offset="-1", **more)._replace(key=None)


@pytest.mark.parametrize(
    ("one", "records"),
    [
        (buried_by_the_gateway(GOOD + b"&Body=hello"), [(b"SM1", GOOD + b"&Body=-")]),
        (
            buried_by_the_gateway(GOOD, parameters="carrier=310-260&region=US%2DCA"),
            [(b"SM1", GOOD + b"&carrier=310-260&region=US-CA")],
        ),
        (
            buried_by_the_gateway(b'{"events":[%b,%b]}' % (EVENT % 1, EVENT % 2), "events"),
            [(b"SM1", EVENT % 1), (b"SM2", EVENT % 2)],
        ),
    ],
)
def test_what_the_gateway_buried_is_written_as_it_writes_by_id_and_without_text(
    one: Letter, records: list[tuple[bytes, bytes]]
) -> None:
    judge = Judge(SETTINGS, AT_MS)
    assert judge.fate(one, False) == (Fate.GOES, "")
    assert judge.records(one) == records
    assert "parameters" not in dict(headers(one))


def test_of_what_the_gateway_buried_all_is_written_or_nothing() -> None:
    half = buried_by_the_gateway(b'{"events":[%b,{"data":{"body":"hello"}}]}' % (EVENT % 1), "events")
    assert judged(half) == (Fate.FAILS, Reason.MISSING_FIELD)


def test_what_no_topic_held_goes_to_outcomes() -> None:
    assert Judge(SETTINGS, AT_MS).topic(letter(source_topic="")) == OUTCOMES


def test_the_headers_of_the_record_stay_and_say_where_it_comes_from() -> None:
    one = letter(tenant="a", detail="d", source_partition="3", source_offset="9", source_timestamp_ms="5")
    assert headers(one) == [
        ("source", b"twilio"),
        ("received_ms", str(AT_MS).encode()),
        ("tenant", b"a"),
        ("redriven_from", b"2-118"),
        ("attempts", b"1"),
    ]
    assert dict(headers(letter(attempts="1", redriven_from="0-1")))["attempts"] == b"2"


@pytest.mark.parametrize("stamp", [None, "soon", "-5", "9" * 20])
def test_without_a_usable_receipt_time_the_time_of_the_record_is_it(stamp: str | None) -> None:
    one = letter(received_ms=stamp, source_timestamp_ms=str(AT_MS - 7))
    assert [v for k, v in headers(one) if k == "received_ms"] == [str(AT_MS - 7).encode()]
    older = letter(received_ms=stamp)
    assert dict(headers(older))["received_ms"] == str(older.timestamp_ms).encode()


def test_a_record_that_says_its_own_receipt_time_is_not_told_another() -> None:
    own = letter(b'{"message_id":"m","status":"delivered","received_ms":%d}' % AT_MS, "api", received_ms=None)
    assert "received_ms" not in dict(headers(own))


@given(st.lists(st.integers(0, MOST_BYTES), max_size=20), st.integers(0, 1_200))
def test_transactions_hold_every_letter_once_and_stay_small(sizes: list[int], more: int) -> None:
    values = [letter()._replace(offset=i, value=bytes(n)) for i, n in enumerate([*sizes, *[1] * more])]
    cut = list(batches(Going(one, OUTCOMES, []) for one in values))
    assert [going.letter.offset for batch in cut for going in batch] == list(range(len(values)))
    assert all(len(batch) <= MOST_LETTERS for batch in cut)
    assert all(sum(going.letter.size for going in batch[:-1]) < MOST_BYTES for batch in cut)


@pytest.mark.parametrize("args", ["show 2:118", "redrive --reason x", "list --since soon"])
def test_wrong_usage_exits_with_2(args: str) -> None:
    assert CliRunner().invoke(dead_letters, args.split()).exit_code == 2
