"""Regions of numbers, compared with the library's own answer for valid ones."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumber

from streams.region import RegionOf

SHARED = {c: r for c, r in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items() if len(r) > 1}
KINDS = [
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
]


@pytest.mark.parametrize(
    "number, region",
    [
        ("+14155550100", "US"),
        ("+16045550100", "CA"),
        ("+17875550100", "PR"),
        ("+18095550100", "DO"),
        ("+18765550100", "JM"),
        ("+447400123456", "GB"),
        ("+447911123456", "GG"),
        ("+447797712345", "JE"),
        ("+447624123456", "IM"),
        ("+447700900123", "GB"),
        ("+79161234567", "RU"),
        ("+77012345678", "KZ"),
        ("+4915123456789", "DE"),
        ("+393123456789", "IT"),
        ("+390669812345", "VA"),
        ("+358181234567", "AX"),
        ("+358412345678", "FI"),
        ("+8613812345678", "CN"),
    ],
)
def test_numbers_at_home(number: str, region: str) -> None:
    assert RegionOf()(number) == region


def test_a_fictional_area_code_counts_for_the_codes_main_country() -> None:
    assert RegionOf()("+15550000001") == "US"


@pytest.mark.parametrize(
    "to",
    [
        None,
        "",
        "12345",
        "+",
        "+1",
        "+123",
        "BANK",
        "whatsapp:",
        "+870123456789",
        "+999123456",
        "+0123456789",
        "\x00",
    ],
)
def test_what_is_no_number_is_unknown(to: str | None) -> None:
    assert RegionOf()(to) == "unknown"


@pytest.mark.parametrize(
    "to", ["whatsapp:+14155550100", "001 415 555 0100", "+1 (415) 555-0100", " +1-415-555-0100"]
)
def test_other_spellings_of_a_number_are_read(to: str) -> None:
    assert RegionOf()(to) == "US"


def numbers(code: int, region: str, draw: random.Random) -> list[tuple[str, str]]:
    """Valid numbers near the examples of a region, with the library's region."""
    metadata = PhoneMetadata.metadata_for_region(region)
    examples = {getattr(metadata, k).example_number for k in KINDS if getattr(metadata, k)} - {None}
    found = []
    for example in sorted(examples):
        for _ in range(40):
            cut = draw.randrange(1, len(example))
            national = example[:cut] + "".join(draw.choice("0123456789") for _ in example[cut:])
            zeros = len(national) - len(national.lstrip("0"))
            number = PhoneNumber(
                country_code=code, national_number=int(national), italian_leading_zero=zeros > 0 or None,
                number_of_leading_zeros=zeros if zeros > 1 else None,
            )  # fmt: skip
            expected = phonenumbers.region_code_for_number(number)
            # In +1 the plan also has service numbers of seven digits, and 0800 in one country.
            if expected and (code != 1 or (len(national) == 10 and national[:3] != "800")):
                found.append((f"+{code}{national}", expected))
    return found


@pytest.mark.parametrize("code", sorted(SHARED))
def test_shared_calling_codes_agree_with_the_library(code: int) -> None:
    draw, region_of = random.Random(code), RegionOf()
    cases = [case for region in SHARED[code] for case in numbers(code, region, draw)]
    assert len(cases) > 100
    assert [(n, e, region_of(n)) for n, e in cases if region_of(n) != e] == []


@given(st.lists(st.none() | st.text(max_size=14) | st.from_regex(r"\A\+[1-9]\d{2,13}\Z"), max_size=20))
def test_no_answer_depends_on_what_was_asked_before(tos: list[str | None]) -> None:
    warm = RegionOf()
    warm.many([*tos, "+447911123456", "+14155550100"])
    assert warm.many(tos) == [warm(to) for to in tos] == [RegionOf()(to) for to in tos]
