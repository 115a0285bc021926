"""One code table: the rows of a profile and how a code of a receipt finds its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

NO_FAULT_CLASS = "delivered_or_none"
MAX_CODE_LENGTH = 48
"""Longer codes are cut, so that a record can not make a label as long as it likes."""

PERMANENCES = ("permanent", "temporary", "unknown")
SIDES = ("handset", "carrier", "number", "route", "own", "unknown")
CLASSES: Mapping[str, str] = {
    NO_FAULT_CLASS: "unknown",
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
    "policy": "unknown",
    "spam": "unknown",
    "expired": "unknown",
    "no_receipt": "unknown",
    "unknown": "unknown",
}
"""Every outcome class that a code can have, and its side where a table does not say another."""


class CodeRow(NamedTuple):
    """One code. `permanence` is permanent, temporary or unknown; `side` is who can mend it."""

    code: str
    name: str
    outcome_class: str
    permanence: str
    side: str
    description: str
    source: str
    """How far the row can be trusted: verified, likely, inherited, source, third_party, inferred; `own`."""

    @property
    def refused(self) -> bool:
        """Whether the provider's API refuses such a message, so that no carrier ever sees it."""
        return self.description.startswith("API reject")


class CodeTable:
    """The codes of one profile, on top of those of its parent, which it may override."""

    def __init__(self, profile: str, rows: Iterable[CodeRow], parent: CodeTable | None = None) -> None:
        self.profile = profile
        own = tuple(rows)
        self.rows: tuple[CodeRow, ...] = own
        if parent is not None:
            self.rows += _not_overridden(parent.rows, own)
        self._exact: Mapping[str, CodeRow] = {r.code: r for r in self.rows}
        spelled: dict[str, list[CodeRow]] = {}
        for row in self.rows:
            spelled.setdefault(_spelling(row.code), []).append(row)
        # Codes that a table does tell apart by zeros or case are found as they are written alone.
        self._spelled = {text: found[0] for text, found in spelled.items() if len(found) == 1}
        self._pairs = any("/" in r.code for r in self.rows)

    def lookup(self, code: str, status: str = "") -> CodeRow | None:
        """The row of `code`, or None. `status` is the provider's word, where there is one.

        Where a table has pairs, as in `UNDELIV/058`, status and code together come first, the code
        alone second. Receipts differ in how many zeros they write and in the case of hexadecimal
        codes, so `21` and `0021` find `021`, and `0DC` finds `0dc`.
        """
        if status and self._pairs:
            row = self._find(f"{status}/{code}")
            if row is not None:
                return row
        return self._find(code)

    def _find(self, code: str) -> CodeRow | None:
        return self._exact.get(code) or self._spelled.get(_spelling(code))


def _not_overridden(inherited: Iterable[CodeRow], own: Iterable[CodeRow]) -> tuple[CodeRow, ...]:
    spellings = {_spelling(r.code) for r in own}
    return tuple(r for r in inherited if _spelling(r.code) not in spellings)


def _spelling(code: str) -> str:
    """A code without what receipts vary: case, and zeros in front of digits."""
    return "/".join(
        part.lstrip("0") or "0" if part.isascii() and part.isdecimal() else part
        for part in code.upper().split("/")
    )
