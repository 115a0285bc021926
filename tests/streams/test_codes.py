"""The built-in code tables: every row, and what a source makes of it."""

from __future__ import annotations

import pytest

from streams import settings
from streams.codes import (
    CLASSES,
    NO_FAULT_CLASS,
    PARENTS,
    PERMANENCES,
    SIDES,
    CodeRow,
    CodeTable,
    differences,
    explain,
    family,
    profiles,
    table,
)
from streams.decode import FORMATS
from streams.errors import ConfigError
from streams.records import Result
from streams.source import Kind, Source

COUNTS = {
    "twilio": 95,
    "twilio-smpp": 65,
    "twilio-smpp-2025": 65,
    "map": 60,
    "absent-diagnostics": 14,
    "smpp-submit": 38,
}
PROVIDERS = {"vonage", "infobip", "sinch", "aws", "bird", "plivo", "telnyx", "bandwidth"}
ROWS = [(name, row) for name in profiles() for row in table(name).rows]
IDS = [f"{name}-{row.code}" for name, row in ROWS]


def source(codes: str, form: str = "canonical") -> Source:
    return Source.of(settings.Source(name="s", format=form, codes=codes))


SOURCES = {name: source(name) for name in profiles()}


def kind(of: Source, status: str, code: str | int | None) -> Kind:
    return of.kind(status, code, None, None)


@pytest.mark.parametrize("name, count", COUNTS.items())
def test_a_profile_is_whole(name: str, count: int) -> None:
    assert len(table(name).rows) == count == len({r.code for r in table(name).rows})


@pytest.mark.parametrize("name, row", ROWS, ids=IDS)
def test_a_row_is_found_and_well_formed(name: str, row: CodeRow) -> None:
    assert table(name).lookup(row.code) == row
    assert row.code == row.code.strip() != ""
    assert row.outcome_class in CLASSES
    assert row.side in SIDES
    assert row.permanence in PERMANENCES
    assert row.name


@pytest.mark.parametrize("name, row", ROWS, ids=IDS)
def test_an_undelivered_message_with_the_code_of_a_row_has_its_class(name: str, row: CodeRow) -> None:
    k = kind(SOURCES[name], "undelivered", row.code)
    says_nothing = row.outcome_class in (NO_FAULT_CLASS, "unknown")
    assert k.key.outcome_class == ("unknown" if says_nothing else row.outcome_class)
    side = "own" if row.refused else row.side
    assert (k.key.code, k.side) == (row.code, side)
    assert k.result is (Result.OWN_SIDE if side == "own" else Result.COUNTED)
    assert k.failed == (side != "own")


@pytest.mark.parametrize("name, row", ROWS, ids=IDS)
def test_trap_16_a_delivered_message_never_fails_whatever_its_code(name: str, row: CodeRow) -> None:
    k = kind(SOURCES[name], "delivered", row.code)
    assert (k.result, k.failed, k.key.outcome_class, k.key.code) == (Result.COUNTED, False, "delivered", "")


@pytest.mark.parametrize("name, row", ROWS, ids=IDS)
def test_every_row_is_explained_in_words(name: str, row: CodeRow) -> None:
    words = explain(row)
    assert words.startswith(f"{row.outcome_class}: ") and words.endswith(".") and ".." not in words


@pytest.mark.parametrize(
    "name, absent",
    [
        ("twilio", {"30003", "63036"}),
        ("twilio-smpp", {"001", "007", "015", "059"}),
        ("twilio-smpp-2025", {"001", "016", "017", "018", "059"}),
        ("map", {"6", "27"}),
        ("vonage", {"2", "3", "1180", "1190"}),
        ("infobip", {"6", "27", "EC_ABSENT_SUBSCRIBER", "EC_ABSENT_SUBSCRIBER_SM"}),
        ("sinch", {"153", "159", "201", "202"}),
        ("aws", {"TEXT_UNREACHABLE"}),
        ("mmg", {"4/6", "4/27"}),
        ("bandwidth", {"4702"}),
        ("telnyx", set()),
    ],
)
def test_the_absent_subscriber_codes_of_a_profile(name: str, absent: set[str]) -> None:
    assert {r.code for r in table(name).rows if r.outcome_class == "absent_subscriber"} == absent


def test_the_profiles_of_formats_and_providers_exist() -> None:
    assert {f.codes for f in FORMATS.values()} | PROVIDERS <= set(profiles())


# -- how a code is found -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, written, code",
    [
        ("twilio-smpp", "21", "021"),
        ("twilio-smpp", "0021", "021"),
        ("twilio-smpp", "0", "000"),
        ("sinch-smpp", "001", "1"),
        ("8x8", "0046", "46"),
        ("hollatags", "UNDELIV/0DC", "UNDELIV/0dc"),
        ("hollatags", "undeliv/58", "UNDELIV/058"),
        ("mmg", "04/06", "4/6"),
        ("infobip", "EC_absent_subscriber", "EC_ABSENT_SUBSCRIBER"),
    ],
)
def test_a_receipt_may_write_a_code_with_other_zeros_or_case(name: str, written: str, code: str) -> None:
    row = table(name).lookup(written)
    assert row is not None and row.code == code


@pytest.mark.parametrize("code", ["", "00a", "0dc", "999", "1190", "²", "-1", "/", "001/"])
def test_an_unknown_code_is_none(code: str) -> None:
    assert table("twilio-smpp").lookup(code) is None


def test_codes_that_a_table_tells_apart_by_zeros_are_found_as_written_alone() -> None:
    rows = [CodeRow(c, c, "unknown", "unknown", "unknown", "", "own") for c in ("1", "01", "02")]
    odd = CodeTable("odd", rows)
    assert [odd.lookup(c) for c in ("1", "01", "001", "2")] == [rows[0], rows[1], None, rows[2]]


@pytest.mark.parametrize(
    "stat, err, outcome_class, code",
    [
        ("UNDELIV", "058", "absent_subscriber", "UNDELIV/058"),
        ("undeliv", "58", "absent_subscriber", "UNDELIV/058"),
        ("EXPIRED", "21b", "absent_subscriber", "EXPIRED/21b"),
        ("UNDELIV", "254", "memory_full", "UNDELIV/254"),
        ("EXPIRED", "254", "unknown", "254"),
        ("REJECTD", "058", "unknown", "058"),
        ("UNDELIV", "001", "unknown", "001"),
    ],
)
def test_the_status_word_takes_part_where_the_table_has_pairs(
    stat: str, err: str, outcome_class: str, code: str
) -> None:
    k = kind(source("hollatags", "smpp-receipt"), stat, err)
    assert (k.key.outcome_class, k.key.code, k.result) == (outcome_class, code, Result.COUNTED)


def test_the_same_substatus_means_another_thing_under_another_status() -> None:
    of = source("mmg")
    assert kind(of, "undelivered", "4/6").key.outcome_class == "absent_subscriber"
    assert kind(of, "undelivered", "5/6").key.outcome_class == "route"
    assert kind(of, "undelivered", "6").key.outcome_class == "unknown"


def test_infobip_is_read_by_name_and_by_id() -> None:
    by_name, by_id = (table("infobip").lookup(c) for c in ("EC_SUBSCRIBER_BUSY_FOR_MT_SMS", "31"))
    assert by_name is not None and by_id is not None
    assert by_name[2:5] == by_id[2:5] == ("network_failure", "temporary", "handset")


@pytest.mark.parametrize("code", ["REJECTED_NOT_ENOUGH_CREDITS", "REJECTED_NETWORK", "REJECTED_SOURCE"])
def test_what_a_provider_refuses_for_the_account_is_on_our_own_side(code: str) -> None:
    assert kind(SOURCES["infobip"], "failed", code).result is Result.OWN_SIDE


@pytest.mark.parametrize("child, parent", PARENTS.items())
def test_a_table_that_goes_on_in_another_holds_its_codes(child: str, parent: str) -> None:
    assert {r.code for r in table(parent).rows} <= {r.code for r in table(child).rows}
    assert family(child) == {child, parent}


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="twilio, twilio-smpp, twilio-smpp-2025"):
        table("nobody")


def test_a_table_is_read_once() -> None:
    assert table("twilio") is table("twilio")


# -- traps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, code", [("aws", "TEXT_SUCCESSFUL"), ("mmg", "3/2")])
def test_trap_13_delivered_to_an_operator_is_not_said_to_be_at_the_phone(name: str, code: str) -> None:
    row = table(name).lookup(code)
    assert row is not None and row.outcome_class == NO_FAULT_CLASS
    assert "no proof that the phone has the message" in explain(row)


@pytest.mark.parametrize(
    "code, profile, outcome_class",
    [
        ("1", "twilio-smpp", "absent_subscriber"),
        ("1", "map", "destination"),
        ("1", "sinch", "route"),
        ("6", "map", "absent_subscriber"),
        ("6", "twilio-smpp", "unknown"),
        ("27", "map", "absent_subscriber"),
        ("27", "8x8", "unknown"),
        ("201", "sinch", "absent_subscriber"),
        ("201", "routemobile", "network_failure"),
        ("60", "hsl-family", "absent_subscriber"),
        ("60", "twilio-smpp", "portability"),
    ],
)
def test_trap_14_a_code_means_what_the_source_s_own_profile_says(
    code: str, profile: str, outcome_class: str
) -> None:
    assert kind(SOURCES[profile], "undelivered", code).key.outcome_class == outcome_class


@pytest.mark.parametrize("code", ["00a", "0dc", "21b", "1190", "0999", "EC_NOBODY", "UNDELIV/001", "é"])
def test_trap_14_an_unknown_code_is_counted_as_unknown_under_its_own_name(code: str) -> None:
    k = kind(source("twilio-smpp", "smpp-receipt"), "UNDELIV", code)
    assert (k.result, k.failed, k.key.outcome_class, k.key.code) == (Result.COUNTED, True, "unknown", code)


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, code, words",
    [
        ("twilio", "30003", "Send again after 30 minutes or more, at most 3 times"),
        ("twilio", "30003", "within 7 days"),
        ("vonage", "3", "Take the number off the list."),
        ("map", "1", "Permanent, with the number itself. Take the number off the list."),
        ("twilio", "30034", "Look at your own account"),
        ("bandwidth", "4781", "Send more slowly"),
        ("map", "34", "Temporary, on the carrier's side."),
        ("map", "21", "Sending again gives the same"),
        ("plivo", "80", "check it against your receipts"),
    ],
)
def test_a_code_says_what_to_do(name: str, code: str, words: str) -> None:
    row = table(name).lookup(code)
    assert row is not None and words in explain(row)


def test_differences_are_said_only_where_there_are_any() -> None:
    old, new = ((n, table(n).lookup("007")) for n in ("twilio-smpp", "twilio-smpp-2025"))
    assert old[1] and new[1]
    told = differences([(old[0], old[1]), (new[0], new[1])])
    assert told == (
        "The profiles differ: absent_subscriber in twilio-smpp; subscriber_barred in twilio-smpp-2025"
    )
    assert differences([(old[0], old[1])] * 2) == ""
