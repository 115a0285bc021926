"""Regions of numbers, compared with the library's own answer for valid ones."""

from __future__ import annotations

import random
from collections import Counter

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumber, geocoder

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


# -- states and provinces ----------------------------------------------------------------------

NAMES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Washington D.C.": "DC", "Florida": "FL", "Georgia": "GA",
    "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS",
    "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD", "Massachusetts": "MA",
    "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS", "Missouri": "MO", "Montana": "MT",
    "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM",
    "New York": "NY", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK",
    "Oregon": "OR", "Pennsylvania": "PA", "Rhode Island": "RI", "South Carolina": "SC",
    "South Dakota": "SD", "Tennessee": "TN", "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA",
    "Washington State": "WA", "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
    "Alberta": "AB", "British Columbia": "BC", "Manitoba": "MB", "New Brunswick": "NB",
    "Newfoundland and Labrador": "NL", "Nova Scotia": "NS", "Ontario": "ON", "Prince Edward Island": "PE",
    "Quebec": "QC", "Saskatchewan": "SK",
}  # fmt: skip
OF_SEVERAL_PROVINCES = {"902": "CA", "782": "CA", "867": "CA"}
STATE_OF = RegionOf("state")


def told_by_the_library(area_code: str) -> tuple[str | None, str | None]:
    """(country, state) of an area code, as the library's own descriptions tell it: `City, ST` or the
    state's name. No state where they name none, or fewer than nine in ten the same."""
    states: Counter[str] = Counter()
    country = None
    for office in range(200, 1000, 23):
        number = PhoneNumber(country_code=1, national_number=int(f"{area_code}{office}0123"))
        country = country or phonenumbers.region_code_for_number(number)
        last = geocoder.description_for_number(number, "en").rsplit(", ", 1)[-1]
        state = NAMES.get(last, last if last in NAMES.values() else "")
        states.update([state] if state else [])
    most = states.most_common(1)
    clear = most and most[0][1] >= 0.9 * states.total()
    return country, f"{country}-{most[0][0]}" if clear else None


def test_every_area_code_agrees_with_the_librarys_descriptions() -> None:
    wrong, told = [], 0
    for area_code in map(str, range(200, 1000)):
        country, state = told_by_the_library(area_code)
        if country not in ("US", "CA") or area_code in OF_SEVERAL_PROVINCES:
            continue
        told += state is not None
        found = STATE_OF(f"+1{area_code}5550123")
        if found != (state or country) and area_code != "257":  # described in another spelling
            wrong.append((area_code, country, state, found))
    assert wrong == []
    assert told > 400


def test_every_state_and_most_provinces_have_an_area_code() -> None:
    found = {STATE_OF(f"+1{area_code}5550123") for area_code in range(200, 1000)}
    states = {r for r in found if r.startswith("US-")}
    provinces = {r for r in found if r.startswith("CA-")}
    assert len(states) == 51
    assert provinces == {f"CA-{p}" for p in ("AB", "BC", "MB", "NB", "NL", "ON", "QC", "SK")}


@pytest.mark.parametrize(
    "number, region",
    [
        ("+14155550123", "US-CA"),
        ("+12025550123", "US-DC"),
        ("+16465550123", "US-NY"),
        ("+14165550123", "CA-ON"),
        ("+12575550123", "CA-BC"),
        ("+19025550123", "CA"),
        ("+18675550123", "CA"),
        ("+15550000001", "US"),
        ("+18005550123", "US"),
        ("+17875550123", "PR"),
        ("+18765550123", "JM"),
        ("+447700900123", "GB"),
        ("+4915123456789", "DE"),
        ("whatsapp:+1 415 555 0123", "US-CA"),
    ],
)
def test_a_state_is_told_where_there_is_one_and_the_country_elsewhere(number: str, region: str) -> None:
    assert STATE_OF(number) == region
    assert STATE_OF.many([number, number]) == [region, region]


@pytest.mark.parametrize(
    "to, region",
    [
        ("12345", "unknown"),
        ("BANK", "unknown"),
        ("rcs:agent", "unknown"),
        ("whatsapp:", "unknown"),
        ("whatsapp:+447700900123", "GB"),
        ("rcs:+12025550123", "US-DC"),
        ("messenger:1234567890", "unknown"),
        ("+1", "unknown"),
        ("+1٤١٥5550123", "unknown"),
        ("\ud800", "unknown"),
    ],
)
def test_trap_10_odd_addresses_never_crash_and_have_a_region_only_with_a_number(to: str, region: str) -> None:
    assert STATE_OF(to) == region
    assert RegionOf()(to) == region.partition("-")[0]


@given(st.none() | st.text(max_size=20) | st.from_regex(r"\A(whatsapp|rcs|sms):\+?\d{0,15}\Z"))
def test_trap_10_any_address_has_a_region(to: str | None) -> None:
    assert STATE_OF(to).partition("-")[0] == RegionOf()(to)
