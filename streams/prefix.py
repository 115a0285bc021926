"""The operator that a number's prefix was allocated to, in countries where numbers do not port.

Elsewhere a prefix says who had the number first, not who has it now: nothing is told there, and in
North America nothing is known. Names and prefixes are those of libphonenumber.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, is_mobile_number_portable_region

from streams.networks import Networks
from streams.records import UNKNOWN
from streams.region import RegionOf

HEAD = 5
"""Characters of a number, `+` and four digits, by which most are decided."""

_PLAIN = re.compile(r"\+[1-9]\d{3}", re.ASCII)
_NONE: tuple[int, ...] = ()


class PrefixOf:
    """Carriers by the prefix of numbers. Costs a look in a dictionary where nothing is to be told."""

    def __init__(self, networks: Networks, region_of: RegionOf) -> None:
        self._networks, self._region_of = networks, region_of
        self._ids: dict[tuple[str, str], str] = {}
        # 0.4 s and 10 MB, which whoever asks for no prefix need not pay.
        from phonenumbers.carrierdata import CARRIER_DATA

        self._names: Mapping[str, Mapping[str, str]] = CARRIER_DATA
        self._heads = _Heads(CARRIER_DATA)

    def __call__(self, to: str | None) -> str:
        """The carrier's id, '' where none is told. Never raises."""
        return self.many([to or ""])[0]

    def many(self, numbers: Sequence[str]) -> list[str]:
        """The ids for many numbers, in order."""
        heads, look = self._heads, self._look_closer
        return [look(to, lengths) if (lengths := heads[to[:HEAD]]) else "" for to in numbers]

    def _look_closer(self, to: str, lengths: tuple[int, ...]) -> str:
        region = self._region_of(to)
        if region == UNKNOWN or is_mobile_number_portable_region(region):
            return ""
        for length in lengths:
            names = self._names.get(to[1 : 1 + length])
            if names:
                return self._id(names.get("en") or next(iter(names.values())), region)
        return ""

    def _id(self, name: str, region: str) -> str:
        """The ids of the names that libphonenumber has, some thousands, are kept."""
        known = self._ids.get((name, region))
        if known is None:
            carrier = self._networks.id_of(name, region)
            known = self._ids[name, region] = "" if carrier == UNKNOWN else carrier
        return known


class _Heads(dict[str, tuple[int, ...]]):
    """By the first characters of a number: how long the prefixes are that may tell its operator, the
    longest first; none where they tell nothing. At most 9,000."""

    def __init__(self, data: Mapping[str, object]) -> None:
        super().__init__()
        self._lengths: dict[str, set[int]] = {}
        for prefix in data:
            self._lengths.setdefault(prefix[: HEAD - 1], set()).add(len(prefix))

    def __missing__(self, head: str) -> tuple[int, ...]:
        if not _PLAIN.fullmatch(head):
            return _NONE  # not kept: what is no number has any number of beginnings
        found = self[head] = self._telling(head[1:])
        return found

    def _telling(self, digits: str) -> tuple[int, ...]:
        regions = next(
            (r for end in (1, 2, 3) if (r := COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:end])))), ()
        )
        if all(map(is_mobile_number_portable_region, regions)):
            return _NONE
        shorter = (self._lengths.get(digits[:end], set()) for end in range(1, HEAD))
        return tuple(sorted(set().union(*shorter), reverse=True))
