"""Code tables of the user's own: CSV files that stand alone or extend another table.

Columns `code` and `class`, and if wanted `name`, `permanence`, `side`, `description`, in any order.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from streams import settings
from streams.codes import builtin
from streams.codes.code_table import CLASSES, MAX_CODE_LENGTH, PERMANENCES, SIDES, CodeRow, CodeTable
from streams.errors import ConfigError
from streams.networks.names import LIKE_A_NUMBER

REQUIRED = ("code", "class")
COLUMNS = (*REQUIRED, "name", "permanence", "side", "description")


class CodeBook:
    """The code tables of one configuration by profile: the built-in ones and the user's own."""

    def __init__(self, own: Sequence[settings.CodeTable] = ()) -> None:
        """Reads the files. Raises ConfigError with file and line."""
        self._own: dict[str, CodeTable] = {}
        for config in own:
            self._check_name(config.name)
            self._own[config.name] = self._read(config)

    @property
    def profiles(self) -> tuple[str, ...]:
        """Names of all profiles, the user's own first."""
        return (*self._own, *builtin.profiles())

    def table(self, profile: str) -> CodeTable:
        """The table of a profile. Raises ConfigError that names the known ones."""
        own = self._own.get(profile)
        if own is None and profile not in builtin.profiles():
            raise ConfigError(
                f"codes = '{profile}': no such code profile; there are {', '.join(self.profiles)}"
            )
        return own or builtin.table(profile)

    def _check_name(self, name: str) -> None:
        if name in builtin.profiles():
            raise ConfigError(
                f"code_tables: the name '{name}' is that of a built-in profile; choose another, "
                f"and extends = '{name}' to override some of its codes"
            )
        if not name or name in self._own:
            raise ConfigError(f"code_tables: the name '{name}' is empty or used twice; each needs its own")

    def _read(self, config: settings.CodeTable) -> CodeTable:
        if config.extends and config.extends not in self.profiles:
            raise ConfigError(
                f"code_tables: '{config.name}' extends '{config.extends}': no such profile before it; "
                f"there are {', '.join(self.profiles)}"
            )
        parent = self.table(config.extends) if config.extends else None
        return CodeTable(config.name, tuple(_rows(Path(config.file))), parent)


BUILT_IN = CodeBook()
"""The tables of a configuration without any of its own."""


def family(profile: str, own: Sequence[settings.CodeTable] = ()) -> frozenset[str]:
    """A profile with all that it extends: a rule that names one of them looks at its sources too."""
    parents: Mapping[str, str] = {**builtin.PARENTS, **{t.name: t.extends for t in own}}
    names = [profile]
    while parents.get(names[-1], "") not in ("", *names):
        names.append(parents[names[-1]])
    return frozenset(names)


def _rows(path: Path) -> Iterator[CodeRow]:
    seen: dict[str, int] = {}
    for line, cells in _lines(path):
        row = _row(cells, f"{path}, line {line}")
        if row.code in seen:
            raise ConfigError(f"{path}, line {line}: the code '{row.code}' is in line {seen[row.code]} too")
        seen[row.code] = line
        yield row


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and cells by column, blank lines left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as e:
        raise ConfigError(f"the code table {path} can not be read: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise ConfigError(f"the code table {path} is not UTF-8: byte {e.start}") from None
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        head = [column.strip() for column in next(reader, [])]
        _check_head(head, path)
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) > len(head):
                raise ConfigError(f"{path}, line {reader.line_num}: {len(cells)} cells, {len(head)} columns")
            yield reader.line_num, dict(zip(head, map(str.strip, cells), strict=False))
    except csv.Error as e:
        raise ConfigError(f"{path}, line {reader.line_num}: {e}") from None


def _check_head(head: list[str], path: Path) -> None:
    for column in REQUIRED:
        if column not in head:
            raise ConfigError(
                f"{path}, line 1: the column '{column}' is missing; columns are {', '.join(COLUMNS)}"
            )
    for column in head:
        if column not in COLUMNS or head.count(column) > 1:
            wrong = "is not known" if column not in COLUMNS else "is there twice"
            raise ConfigError(
                f"{path}, line 1: the column '{column}' {wrong}; columns are {', '.join(COLUMNS)}"
            )


def _row(cells: Mapping[str, str], where: str) -> CodeRow:
    code, outcome_class = cells["code"], cells.get("class", "")
    if not code or len(code) > MAX_CODE_LENGTH or LIKE_A_NUMBER.search(code):
        raise ConfigError(
            f"{where}: code = '{code}': must have 1 to {MAX_CODE_LENGTH} characters, and never seven "
            "digits in a row, which may be a phone number"
        )
    side = cells.get("side") or CLASSES.get(outcome_class, "")
    permanence = cells.get("permanence") or "unknown"
    _check_word(where, "class", outcome_class, tuple(CLASSES))
    _check_word(where, "permanence", permanence, PERMANENCES)
    _check_word(where, "side", side, SIDES)
    name, description = cells.get("name") or code, cells.get("description", "")
    return CodeRow(code, name, outcome_class, permanence, side, description, "own")


def _check_word(where: str, column: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise ConfigError(f"{where}: {column} = '{word}': must be one of {', '.join(allowed)}")
