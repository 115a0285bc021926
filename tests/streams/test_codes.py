"""The code tables."""

from __future__ import annotations

import pytest

from streams.codes import CodeRow, absent_diagnostics, profiles, table
from streams.errors import ConfigError

COUNTS = {"twilio": 95, "twilio-smpp": 65, "twilio-smpp-2025": 65}
CLASSES = set(
    [
        "delivered_or_none",
        "absent_subscriber",
        "memory_full",
        "connection",
        "route",
        "malformed",
        "expired",
        "credit",
        "destination",
        "throttled",
        "policy",
        "portability",
        "subscriber_barred",
        "equipment",
        "no_receipt",
        "spam",
        "network_failure",
        "unknown",
    ]
)
SIDES = {"handset", "carrier", "number", "route", "own", "unknown"}
ROWS = [(name, row) for name in profiles() for row in table(name).rows]


@pytest.mark.parametrize("name, count", COUNTS.items())
def test_a_profile_is_whole(name: str, count: int) -> None:
    assert len(table(name).rows) == count == len({r.code for r in table(name).rows})


@pytest.mark.parametrize("name, row", ROWS, ids=[f"{n}-{r.code}" for n, r in ROWS])
def test_a_row_is_found_and_well_formed(name: str, row: CodeRow) -> None:
    assert table(name).lookup(row.code) == row
    assert row.code == row.code.strip() != ""
    assert row.outcome_class in CLASSES
    assert row.side in SIDES
    assert row.permanence in {"permanent", "temporary", "unknown"}
    assert row.name


@pytest.mark.parametrize(
    "name, absent",
    [
        ("twilio", {"30003", "63036"}),
        ("twilio-smpp", {"001", "007", "015", "059"}),
        ("twilio-smpp-2025", {"001", "016", "017", "018", "059"}),
    ],
)
def test_the_absent_subscriber_codes_of_a_profile(name: str, absent: set[str]) -> None:
    assert {r.code for r in table(name).rows if r.outcome_class == "absent_subscriber"} == absent


@pytest.mark.parametrize("written", ["21", "021", "0021"])
def test_a_receipt_may_write_a_code_with_other_zeros(written: str) -> None:
    row = table("twilio-smpp").lookup(written)
    assert row is not None and row.code == "021"


@pytest.mark.parametrize("code", ["", "00a", "0dc", "999", "1190", "²", "-1"])
def test_an_unknown_code_is_none(code: str) -> None:
    assert table("twilio-smpp").lookup(code) is None


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="twilio, twilio-smpp, twilio-smpp-2025"):
        table("nobody")


def test_other_providers_have_their_own_meaning_of_a_code() -> None:
    assert table("sinch-smpp").lookup("1") != table("twilio-smpp").lookup("001")
    assert "vonage" in profiles()


def test_a_table_is_read_once() -> None:
    assert table("twilio") is table("twilio")


def test_the_absent_diagnostics_are_there() -> None:
    assert len(absent_diagnostics()) == 14
    assert absent_diagnostics()[1][1] == "imsi_detached"
