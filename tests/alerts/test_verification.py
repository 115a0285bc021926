"""What a sample of the failed numbers says, and what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.verification import CAUSES, Kind, kind_of, verified, words
from streams.lookup.answer import NOTHING, Answer
from streams.networks import built_in

T_MOBILE, AT_AND_T = "310-260", "310-410"
MOBILE = Answer("310", "260", "T-Mobile USA, Inc.", "US", "mobile")


@pytest.mark.parametrize(
    ("answer", "expected", "kind"),
    [
        (MOBILE, T_MOBILE, Kind.EXPECTED),
        (MOBILE, AT_AND_T, Kind.ELSEWHERE),
        (MOBILE, "unknown", Kind.EXISTS),
        (NOTHING, T_MOBILE, Kind.DEAD),
        (Answer(name="Frontier", country="US", line_type="landline"), T_MOBILE, Kind.OTHER_LINE),
        (Answer(name="Frontier", country="US", line_type="landline"), "landline", Kind.EXPECTED),
        (Answer(country="CA", error_code="60601"), "302-220", Kind.UNTOLD),
        (None, T_MOBILE, Kind.UNTOLD),
    ],
)
def test_a_number_is_of_one_kind(answer: Answer | None, expected: str, kind: Kind) -> None:
    assert kind_of(answer, expected, built_in()) is kind


def test_numbers_that_sit_where_they_should_rule_all_else_out() -> None:
    found = verified([Kind.EXPECTED] * 19 + [Kind.DEAD], 1)
    assert set(found.ruled_out) == {kind.value for kind in CAUSES} and not found.points_to
    assert words(found).startswith("Lookup of 20 failed numbers: 19 with the expected carrier, 1 that do not")
    assert "Ruled out as the main cause: numbers that do not exist; landlines" in words(found)


def test_dead_numbers_are_what_it_points_to() -> None:
    found = verified([Kind.DEAD] * 17 + [Kind.EXPECTED] * 3, 1)
    assert found.points_to == ("dead",) and "dead" not in found.ruled_out
    assert "It points to numbers that do not exist, not to the carrier." in words(found)


def test_few_numbers_decide_nothing() -> None:
    found = verified([Kind.EXPECTED, Kind.DEAD], 1, "the budget of the day is used up")
    assert not found.points_to and "dead" not in found.ruled_out
    assert words(found).endswith("Not more: the budget of the day is used up.")
    assert words(verified([], 1, "no message")) == "No failed number was looked up: no message."


@given(st.lists(st.sampled_from(Kind), max_size=40))
def test_nothing_is_both_ruled_out_and_pointed_to_and_all_are_counted(kinds: list[Kind]) -> None:
    found = verified(kinds, 1)
    assert not set(found.ruled_out) & set(found.points_to) and len(found.points_to) <= 1
    assert sum(found.found.values()) == found.looked_up == len(kinds)
    told = len(kinds) - kinds.count(Kind.UNTOLD)
    for kind in CAUSES:
        assert kind not in found.ruled_out or kinds.count(kind) < told / 2
        assert kind not in found.points_to or kinds.count(kind) > told / 2
