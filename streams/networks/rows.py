"""Rows of the table, and how a CSV file of them is read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from streams.errors import ConfigError
from streams.networks.names import MAX_LENGTH, slug

COLUMNS = ("mcc", "mnc", "country", "brand", "operator", "main", "aliases")
REQUIRED = frozenset({"mcc", "mnc", "brand"})

NETWORK = re.compile(r"([2-79]\d\d|001)-(\d{2,3})", re.ASCII)
"""An id: MCC and MNC with a dash. The MNC is text: 310-26 and 310-260 are two networks."""

_MCC = re.compile(r"[2-79]\d\d|001", re.ASCII)
_MNC = re.compile(r"\d{2,3}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


class Row(NamedTuple):
    """One network, or a carrier without one of its own (`mcc` and `mnc` empty, `main` its id)."""

    mcc: str
    mnc: str
    country: str
    """ISO 3166-1 alpha-2, or '' when the name holds everywhere."""
    brand: str
    operator: str
    main: str
    """The id under which the brand is one series; '' when that is the network's own."""
    aliases: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.mcc}-{self.mnc}" if self.mcc else self.main


def shipped() -> list[Row]:
    """The rows of `networks.csv`."""
    text = resources.files("streams.networks").joinpath("networks.csv").read_text(encoding="utf-8")
    return list(_rows(text.splitlines()))


def read(path: Path) -> list[Row]:
    """The rows of a user's file. Raises ConfigError with the line and what is allowed."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as e:
        raise ConfigError(f"can not be read: {e.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError("must be UTF-8 text") from None
    return list(_rows(lines))


def _rows(lines: Iterable[str]) -> Iterator[Row]:
    reader = csv.DictReader(lines, strict=True)
    named = [name.strip() for name in reader.fieldnames or ()]
    if not set(named) >= REQUIRED or not set(named) <= set(COLUMNS) or len(set(named)) < len(named):
        raise ConfigError(
            f"the first line must name the columns {', '.join(COLUMNS)}, each once; "
            f"{', '.join(sorted(REQUIRED))} must be there"
        )
    reader.fieldnames = named
    seen: set[str] = set()
    try:
        for fields in reader:
            row = _row(fields, f"line {reader.line_num}")
            if row.mcc and row.id in seen:
                raise ConfigError(f"line {reader.line_num}: {row.id} is there twice")
            seen.add(row.id)
            yield row
    except csv.Error as e:
        raise ConfigError(f"line {reader.line_num}: {e}") from None


def _row(fields: dict[str, str], where: str) -> Row:
    if None in fields or None in fields.values():
        raise ConfigError(f"{where}: as many fields as columns; a field with a comma needs quotes")
    text = {name: fields.get(name, "").strip() for name in COLUMNS}
    aliases = tuple(a for a in map(str.strip, text.pop("aliases").split("|")) if a)
    row = Row(**text, aliases=aliases)
    _check(row, where)
    return row


def _check(row: Row, where: str) -> None:
    if bool(row.mcc) != bool(row.mnc) or not (row.mcc or row.main):
        raise ConfigError(f"{where}: mcc and mnc, or neither and an id in main")
    if row.mcc and not _MCC.fullmatch(row.mcc):
        raise ConfigError(f"{where}: mcc = '{row.mcc}': must be three digits, as in 310")
    if row.mnc and not _MNC.fullmatch(row.mnc):
        raise ConfigError(f"{where}: mnc = '{row.mnc}': must be two or three digits, zeros in front kept")
    if row.country and not _COUNTRY.fullmatch(row.country):
        raise ConfigError(f"{where}: country = '{row.country}': must be an ISO 3166-1 code, as in US")
    if not row.brand or len(row.brand) > MAX_LENGTH or not row.brand.isprintable():
        raise ConfigError(f"{where}: brand must be printable text of at most {MAX_LENGTH} characters")
    if row.main and not NETWORK.fullmatch(row.main) and slug(row.main) != row.main:
        raise ConfigError(f"{where}: main = '{row.main}': must be an id such as 310-260, or a slug")
