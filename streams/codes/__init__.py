"""Code tables: what a provider's code says, one table a profile, kept as CSV files beside this one.

Codes are text and are never read as numbers: leading zeros, hexadecimal and composites occur. The
same code means different things at different providers, so a source names its profile.
Names and codes are the providers' own; class, permanence and side are this project's reading.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from streams.errors import ConfigError

NO_FAULT_CLASS = "delivered_or_none"
_OWN_FILES = ("twilio", "twilio-smpp", "twilio-smpp-2025")

_SIDE_OF_CLASS = {
    "absent_subscriber": "handset",
    "memory_full": "handset",
    "equipment": "handset",
    "destination": "number",
    "subscriber_barred": "number",
    "network_failure": "carrier",
    "route": "route",
    "connection": "route",
    "portability": "route",
    "malformed": "own",
    "throttled": "own",
    "credit": "own",
}
"""Side of a class for the partial tables, which do not say it; anything else is `unknown`."""


class CodeRow(NamedTuple):
    """One code. `permanence` is permanent, temporary or unknown; `side` is who can mend it."""

    code: str
    name: str
    outcome_class: str
    permanence: str
    side: str
    description: str
    source: str
    """How far the row can be trusted: verified, likely, inherited, source, third_party, inferred."""


class CodeTable:
    """The codes of one profile."""

    def __init__(self, profile: str, rows: tuple[CodeRow, ...]) -> None:
        self.profile = profile
        self.rows = rows
        self._by_code: Mapping[str, CodeRow] = {r.code: r for r in rows}
        widths = {len(r.code) for r in rows if r.code.isdecimal()}
        self._width = widths.pop() if len(widths) == 1 else 0

    def lookup(self, code: str) -> CodeRow | None:
        """The row of `code`, or None.

        In a table of three-digit codes `21` and `0021` find `021`: receipts differ in how many
        zeros they write, and a code in such a table is never told apart by its zeros.
        """
        row = self._by_code.get(code)
        if row is None and self._width and code.isascii() and code.isdecimal():
            row = self._by_code.get(code.lstrip("0").rjust(self._width, "0"))
        return row


@cache
def table(profile: str) -> CodeTable:
    """The table of a profile. Raises ConfigError that names the known ones."""
    if profile in _OWN_FILES:
        return CodeTable(profile, tuple(_own_row(r) for r in _read(profile)))
    rows = tuple(_partial_row(r) for r in _read("other-providers") if _name(r) == profile)
    if not rows:
        raise ConfigError(f"codes = '{profile}': no such code profile; there are {', '.join(profiles())}")
    return CodeTable(profile, rows)


@cache
def profiles() -> tuple[str, ...]:
    """Names of all profiles: the whole tables first, then those of which only some codes are known."""
    others = sorted({_name(r) for r in _read("other-providers")})
    return (*_OWN_FILES, *others)


@cache
def absent_diagnostics() -> tuple[tuple[str, str, str], ...]:
    """The diagnostics of an absent subscriber, as (value, name, what a spike suggests). TS 23.040."""
    return tuple((r["value"], r["name"], r["suggests"]) for r in _read("absent-diagnostics"))


@cache
def _read(name: str) -> tuple[dict[str, str], ...]:
    text = files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _own_row(raw: Mapping[str, str]) -> CodeRow:
    source = raw.get("source", "source")
    return CodeRow(
        raw["code"], raw["name"], raw["class"], raw["permanence"], raw["side"], raw["description"], source
    )


def _name(raw: Mapping[str, str]) -> str:
    return raw["provider"].replace("_", "-")


def _partial_row(raw: Mapping[str, str]) -> CodeRow:
    outcome_class = raw["class"]
    side = _SIDE_OF_CLASS.get(outcome_class, "unknown")
    name = f"{raw['key']} {raw['code']}"
    return CodeRow(raw["code"], name, outcome_class, raw["permanence"], side, raw["note"], raw["verified"])
