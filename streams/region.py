"""Where a number is at home: ISO 3166-1, from its E.164 prefix. Not where the phone is.

A calling code that one country has for itself says it at once. Those that several share (+1, +7,
+44, …) are decided by the numbering plans in `phonenumbers`, on a prefix that is long enough; a
number that no country of its code owns counts for the code's main one (+1 US, +44 GB, +7 RU).

States and provinces of the US and Canada (ISO 3166-2) come from the area code, by a table of our own,
`regions/nanp.csv`. Area codes of several provinces (902, 782, 867) and those of no place stay countries.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import phonenumbers
from phonenumbers import PhoneNumber

from streams.records import UNKNOWN

Level = Literal["country", "state"]

_LONGER_HEADS = {39: 8, 44: 8, 61: 8, 212: 8, 262: 8, 358: 6, 590: 9}
"""Characters that tell apart the countries of the other shared codes; a test compares."""

_LONGEST = max(_LONGER_HEADS.values())
_MAX_LONG = 200_000
_PREFIX = re.compile(r"\+[1-9]\d{3}", re.ASCII)
_FILLING = re.compile(r"^(?:[a-z]+:)?(\+|00)", re.I)
_OUTSIDE_ANY = "001"  # phonenumbers' region of satellite and other global services
_PROBES = ("2345678", "0000000", "2000000", "5000000")


class RegionOf:
    """The region of numbers. Keeps what it has worked out, in bounded memory; no result depends on it.

    `level` state tells ISO 3166-2 where there is one to tell, and countries elsewhere.
    """

    def __init__(self, level: Level = "country") -> None:
        self._short = _Heads(_states() if level == "state" else {})
        self._long: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def __call__(self, to: str | None) -> str:
        """ISO 3166-1 alpha-2 (or 3166-2), or `unknown`: no number, a short code, a name. Never raises."""
        try:
            return self._short[to[:5]] or self._look_closer(to)  # type: ignore[index, arg-type]
        except TypeError:
            return UNKNOWN

    def many(self, numbers: Sequence[str | None]) -> list[str]:
        """The regions of many numbers, in order: the same, without a call each."""
        short, closer = self._short, self._look_closer
        try:
            return [short[to[:5]] or closer(to) for to in numbers]  # type: ignore[index, arg-type]
        except TypeError:
            return [self(to) for to in numbers]

    def _look_closer(self, to: str) -> str:
        """For what five characters do not decide: a longer shared prefix, or no plain number."""
        known = self._long.get(to[:_LONGEST])
        if known is not None:
            return known
        if not _PREFIX.match(to):
            bare = _bare(to)
            return self(bare) if _PREFIX.match(bare) else UNKNOWN
        if len(self._long) >= _MAX_LONG:
            self._long.clear()
            self._owners.clear()
        known = self._long[to[:_LONGEST]] = self._owner_of(to)
        return known

    def _owner_of(self, to: str) -> str:
        code, regions = _calling_code(to)
        head = to[: _LONGER_HEADS[code]]
        known = self._owners.get(head)
        if known is None:
            known = self._owners[head] = _owner(code, head, regions)
        return known


class _Heads(dict[str, str]):
    """Region by the first five characters of a number, `+` and four digits; '' where they do not
    decide. They do for a calling code of its own and for any NANP area code. At most 9,000."""

    def __init__(self, by_area_code: Mapping[str, str]) -> None:
        super().__init__()
        self._by_area_code = by_area_code

    def __missing__(self, head: str) -> str:
        if not _PREFIX.fullmatch(head):
            return ""
        code, regions = _calling_code(head)
        if code in _LONGER_HEADS:
            region = ""
        elif code == 1 and head[2:] in self._by_area_code:
            region = self._by_area_code[head[2:]]
        elif len(regions) > 1:
            region = _owner(code, head, regions)
        else:
            region = regions[0] if regions and regions[0] != _OUTSIDE_ANY else UNKNOWN
        self[head] = region
        return region


@cache
def _states() -> Mapping[str, str]:
    """State or province by NANP area code."""
    text = files("streams").joinpath("regions/nanp.csv").read_text(encoding="utf-8")
    return {row["area_code"]: row["region"] for row in csv.DictReader(text.splitlines())}


def _bare(text: str) -> str:
    """A number without channel, blanks and marks, `+` in front; other text as it is."""
    start = _FILLING.match(text.strip())
    if not start:
        return text
    return "+" + re.sub(r"[\s().\-]+", "", text.strip()[start.end() :])


def _calling_code(to: str) -> tuple[int, tuple[str, ...]]:
    for end in (2, 3, 4):
        code = int(to[1:end])
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code)
        if regions:
            return code, regions
    return 0, ()


def _owner(code: int, head: str, regions: tuple[str, ...]) -> str:
    """Which of a code's countries owns the numbers that begin with `head`.

    Depends on the prefix alone, so that the first number seen decides nothing for the others: full
    numbers are made from it, and the first that a country owns tells.
    """
    national = re.sub(r"[^0-9]", "", head[1 + len(str(code)) :])
    for digits in _lengths(regions):
        for probe in _PROBES:
            number = (national + probe * 2)[:digits]
            found = phonenumbers.region_code_for_number(_number(code, number))
            if found:
                return found
    return regions[0]


def _lengths(regions: tuple[str, ...]) -> tuple[int, ...]:
    """Digits of a national number in the code's main plan, the usual length for a mobile first."""
    example = phonenumbers.example_number_for_type(regions[0], phonenumbers.PhoneNumberType.MOBILE)
    usual = len(str(example.national_number)) if example else 9
    return usual, usual - 1, usual + 1


def _number(code: int, national: str) -> PhoneNumber:
    zeros = len(national) - len(national.lstrip("0"))
    return PhoneNumber(
        country_code=code,
        national_number=int(national),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
