"""From what a record says of a carrier to its id, and from the id to what people call it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from streams.errors import ConfigError
from streams.networks.names import MAX_READ, candidates, key, slips, slug
from streams.networks.rows import NETWORK, Row, read, shipped
from streams.records import UNKNOWN

SLIP_LENGTH = 8
"""Shorter names are too close to each other (Telcel, Telecel) to be mended."""

_JOINED = re.compile(r"([2-79]\d\d|001)[-/_ .:]?(\d{2,3})", re.ASCII)


class Networks:
    """The table, ready to be asked. Immutable."""

    def __init__(self, rows: Sequence[Row], over: Sequence[Row] = (), roll_up: bool = True) -> None:
        """`over`: rows and names that win. Raises ConfigError for a roll-up that leads nowhere."""
        layers, rows = (rows, over), [*rows, *over]
        self._rows: Mapping[str, Row] = {row.id: row for row in rows}
        self._roll_up = roll_up
        self._main = {id_: _main_of(id_, self._rows) for id_ in self._rows}
        self._long = {row.mcc for row in rows if len(row.mnc) == 3}
        self._names = _Names(layers, self._main)
        brands = {(row.brand, row.country) for row in self._rows.values()}
        self._brands = Counter(brand for brand, _ in brands)

    def id_of(self, text: str | None, country: str = "") -> str:
        """`310-260`, a slug such as `twilio`, or `unknown`; at most 64 characters. Never raises.

        `country` (ISO 3166-1, where known) tells apart brands that many countries have.
        """
        if not text:
            return UNKNOWN
        network = _JOINED.fullmatch(text.strip()[:MAX_READ])
        if network:
            return self._roll(self._network(*network.groups()))
        found = self._names.find(text, country)
        return self._roll(found) if found else slug(text)

    def display(self, carrier: str) -> str:
        """What people read: `T-Mobile US (310-260)`, `310-999 (unknown)`, `Twilio`; else as it is."""
        row = self._rows.get(carrier)
        if row is None:
            return f"{carrier} (unknown)" if NETWORK.fullmatch(carrier) else carrier
        brand = f"{row.brand} {row.country}" if self._brands[row.brand] > 1 else row.brand
        return f"{brand} ({carrier})" if row.mcc else brand

    def _network(self, mcc: str, mnc: str) -> str:
        """MCC always has three digits, so joined ones split without doubt. Where a country has none but
        two-digit MNCs, three with a zero in front are two that somebody filled up."""
        if len(mnc) == 3 and mnc[0] == "0" and mcc not in self._long and f"{mcc}-{mnc[1:]}" in self._rows:
            return f"{mcc}-{mnc[1:]}"
        return f"{mcc}-{mnc}"

    def _roll(self, carrier: str) -> str:
        return self._main.get(carrier, carrier) if self._roll_up else carrier


class _Names:
    """Ids by the key of a name, in each country and, where only one has it, anywhere.

    A brand alone says little without its country (Claro, Orange): found whatever the country are
    operators and aliases alone, and only those that no other carrier goes by.
    """

    def __init__(self, layers: Iterable[Iterable[Row]], main: Mapping[str, str]) -> None:
        """`layers`: the names of a later one win."""
        self._in: dict[tuple[str, str], str] = {}
        self._anywhere: dict[str, str] = {}
        self._shortened: dict[tuple[str, str], set[str]] = {}
        for rows in layers:
            self._lay(rows, main)
        for country, name in self._in:
            for i in range(len(name) if len(name) >= SLIP_LENGTH else 0):
                self._shortened.setdefault((country, name[:i] + name[i + 1 :]), set()).add(name)

    def _lay(self, rows: Iterable[Row], main: Mapping[str, str]) -> None:
        told: dict[str, set[str]] = {}
        telling: set[str] = set()
        for row in rows:
            brand, operator = key(row.brand), key(row.operator)
            aliases = set(map(key, row.aliases))
            for name in ({brand, operator} | aliases) - {""}:
                self._in[row.country, name] = main[row.id]
                told.setdefault(name, set()).add(main[row.id])
            telling |= aliases | ({operator} - {brand} if row.country else {brand, operator})
        for name in telling - {""}:
            self._anywhere.pop(name, None)
            if len(told[name]) == 1:
                self._anywhere[name] = min(told[name])

    def find(self, text: str, country: str) -> str | None:
        keys = [k for k in map(key, candidates(text)) if k]
        for name in keys:
            found = self._in.get((country, name)) or self._anywhere.get(name)
            if found:
                return found
        return next(filter(None, (self._mended(name, country) for name in keys)), None)

    def _mended(self, name: str, country: str) -> str | None:
        """The id that a name with one slip of the keyboard means, when it can mean no other."""
        if len(name) < SLIP_LENGTH:
            return None
        meant = {s for s in slips(name) if len(s) >= SLIP_LENGTH and (country, s) in self._in}
        meant |= self._shortened.get((country, name), set())
        ids = {self._in[country, m] for m in meant}
        return ids.pop() if len(ids) == 1 else None


def _main_of(carrier: str, rows: Mapping[str, Row]) -> str:
    passed = [carrier]
    while (main := rows[passed[-1]].main) and main != passed[-1]:
        if main not in rows:
            raise ConfigError(f"{passed[-1]} rolls up to {main}, which has no row")
        if main in passed:
            raise ConfigError(f"the roll-up of {carrier} goes round in a circle over {main}")
        passed.append(main)
    return passed[-1]


def networks_of(file: str = "", roll_up: bool = True) -> Networks:
    """The shipped table with a user's file laid over it. Raises ConfigError when that is malformed."""
    if not file:
        return built_in(roll_up)
    try:
        return Networks(shipped(), read(Path(file)), roll_up)
    except ConfigError as e:
        raise ConfigError(f"carriers.file = '{file}': {e}") from None


@cache
def built_in(roll_up: bool = True) -> Networks:
    """The shipped table, read once."""
    return Networks(shipped(), roll_up=roll_up)
