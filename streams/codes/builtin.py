"""The code tables that come with the monitor, as CSV files beside this one.

Names and codes are the providers' own; class, permanence and side are this project's reading.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from streams.codes.code_table import CLASSES, CodeRow, CodeTable
from streams.errors import ConfigError

SUBMIT = "smpp-submit"
WHOLE = ("twilio", "twilio-smpp", "twilio-smpp-2025", "map", "absent-diagnostics", SUBMIT)
"""Profiles with a file of their own, every code in it: `map` holds the local errors of 3GPP TS
29.002, `absent-diagnostics` the reasons of an absent subscriber of TS 23.040, 9.2.3.25,
`smpp-submit` what a message centre may answer to a submission (SMPP v3.4, 5.1.3), the value as name."""

PARENTS: Mapping[str, str] = {"sinch": "sinch-smpp", "vonage": "vonage-messages"}
"""Built-in tables that go on in another: one API of the provider may pass on codes of its other."""


@cache
def table(profile: str) -> CodeTable:
    """The built-in table of a profile. Raises ConfigError that names the known ones."""
    if profile in WHOLE:
        return CodeTable(profile, tuple(map(_whole_row, _read(profile))))
    rows = tuple(_partial_row(r) for r in _read("other-providers") if _name(r) == profile)
    if not rows:
        raise ConfigError(f"codes = '{profile}': no such code profile; there are {', '.join(profiles())}")
    parent = PARENTS.get(profile)
    return CodeTable(profile, rows, table(parent) if parent else None)


@cache
def profiles() -> tuple[str, ...]:
    """Names of all built-in profiles: the whole tables first, then those of which some codes are known."""
    return (*WHOLE, *sorted({_name(r) for r in _read("other-providers")}))


@cache
def _read(name: str) -> tuple[dict[str, str], ...]:
    text = files(__package__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _whole_row(raw: Mapping[str, str]) -> CodeRow:
    source = raw.get("source", "source")
    return CodeRow(
        raw["code"], raw["name"], raw["class"], raw["permanence"], raw["side"], raw["description"], source
    )


def _name(raw: Mapping[str, str]) -> str:
    return raw["provider"].replace("_", "-")


def _partial_row(raw: Mapping[str, str]) -> CodeRow:
    side = raw["side"] or CLASSES[raw["class"]]
    name = f"{raw['key']} {raw['code']}"
    return CodeRow(raw["code"], name, raw["class"], raw["permanence"], side, raw["note"], raw["verified"])
