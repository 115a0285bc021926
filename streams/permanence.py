"""Whether a failure lasts: what the code table of the message's source says of its code."""

from __future__ import annotations

from collections.abc import Sequence

from streams.codes import CodeBook, CodeTable
from streams.records import UNKNOWN
from streams.settings import Source
from streams.source import SUBMISSIONS, profile_of


class Permanence:
    """`permanent`, `temporary` or `unknown` by source and code (docs/codes.md)."""

    def __init__(self, sources: Sequence[Source], codes: CodeBook) -> None:
        """Raises ConfigError for an unknown code profile."""
        self._tables: dict[str, CodeTable] = {s.name: codes.table(profile_of(s)) for s in sources}

    def __call__(self, source: str, code: str) -> str:
        """`code` as the record of the failure has it; unknown too where the source is configured no more."""
        table = self._tables.get(source)
        row = (table.lookup(code) or SUBMISSIONS.lookup(code)) if table and code else None
        return row.permanence if row else UNKNOWN
