"""The operator that a number's prefix was allocated to, in countries where numbers do not port.

Elsewhere a prefix says who had the number first, not who has it now: nothing is told there, and in
North America nothing is known. Names and prefixes are those of libphonenumber.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, is_mobile_number_portable_region

from streams.networks import Networks
from streams.records import UNKNOWN
from streams.region import RegionOf

HEAD = 5
"""Characters of a number, `+` and four digits, by which most are decided."""

_PLAIN = re.compile(r"\+[1-9]\d{3}", re.ASCII)


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
        return self.of_many([to or ""]).get(0, "")

    def of_many(self, numbers: Sequence[str]) -> dict[int, str]:
        """The ids by the places of the numbers whose prefix tells one."""
        heads, look = self._heads, self._look_closer
        if not any(heads[head] for head in {to[:HEAD] for to in numbers}):
            return {}
        telling = [(i, head) for i, to in enumerate(numbers) if (head := heads[to[:HEAD]])]
        return {i: carrier for i, head in telling if (carrier := look(numbers[i], head))}

    def _look_closer(self, to: str, head: Head) -> str:
        region = head.region or self._region_of(to)
        if region == UNKNOWN or is_mobile_number_portable_region(region):
            return ""
        for length in head.lengths:
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


class Head(NamedTuple):
    """What the first characters of a number tell of its operator."""

    lengths: tuple[int, ...]
    """Digits of the prefixes that may tell it, the longest first."""
    region: str
    """The country that has the calling code for itself, '' where several share it."""


class _Heads(dict[str, Head | None]):
    """By `+` and four digits; None where they can tell nothing. At most 9,000."""

    def __init__(self, data: Iterable[str]) -> None:
        super().__init__()
        self._lengths: dict[str, set[int]] = {}
        for prefix in data:
            self._lengths.setdefault(prefix[: HEAD - 1], set()).add(len(prefix))

    def __missing__(self, head: str) -> Head | None:
        if not _PLAIN.fullmatch(head):
            return None  # not kept: what is no number has any number of beginnings
        found = self[head] = self._telling(head[1:])
        return found

    def _telling(self, digits: str) -> Head | None:
        codes = (int(digits[:end]) for end in (1, 2, 3))
        regions = next((r for code in codes if (r := COUNTRY_CODE_TO_REGION_CODE.get(code))), ())
        if all(map(is_mobile_number_portable_region, regions)):
            return None
        lengths = set().union(*(self._lengths.get(digits[:end], set()) for end in range(1, HEAD)))
        if not lengths:
            return None
        return Head(tuple(sorted(lengths, reverse=True)), regions[0] if len(regions) == 1 else "")
