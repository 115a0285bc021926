"""What is shown of dead letters: counts, one line each, or all of one, with numbers masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from streams.letters import Letter
from streams.privacy import mask_numbers
from streams.redrive import OWN_HEADERS

HEADINGS = ("REASON", "SOURCE", "LETTERS", "RE-DRIVEN", "FIRST", "LAST")
MOST_SHOWN = 2_000
"""Characters of one value."""
MOST_LABEL = 64


class Row(NamedTuple):
    """One letter, with nothing of what it holds."""

    id: str
    time_ms: int
    source: str
    reason: str
    detail: str
    bytes: int
    topic: str
    partition: str
    offset: str
    attempts: int
    redriven_ms: int | None


class Group:
    """The letters of one reason and source."""

    def __init__(self) -> None:
        self.letters = self.redriven = 0
        self.first_ms = self.last_ms = 0

    def add(self, row: Row) -> None:
        self.first_ms = min(self.first_ms, row.time_ms) if self.letters else row.time_ms
        self.last_ms = max(self.last_ms, row.time_ms)
        self.letters += 1
        self.redriven += row.redriven_ms is not None


def row_of(letter: Letter, bound: Mapping[str, str], redriven: Mapping[tuple[int, int], int]) -> Row:
    """`bound` is topic -> source; `redriven` when each letter was, by partition and offset."""
    return Row(
        letter.id,
        letter.timestamp_ms,
        _label(letter.source(bound)),
        _label(letter.reason),
        letter.header("detail"),
        letter.size,
        letter.header("source_topic"),
        letter.header("source_partition"),
        letter.header("source_offset"),
        letter.attempts,
        redriven.get((letter.partition, letter.offset)),
    )


def groups(rows: Iterator[Row], as_json: bool) -> Iterator[str]:
    """Counts by reason and source: a table, or one JSON object a line."""
    groups: dict[tuple[str, str], Group] = {}
    for row in rows:
        groups.setdefault((row.reason, row.source), Group()).add(row)
    if as_json:
        for (reason, source), group in sorted(groups.items()):
            yield _json({"reason": reason, "source": source} | vars(group))
        return
    table = [HEADINGS]
    for (reason, source), g in sorted(groups.items()):
        times = _utc(g.first_ms), _utc(g.last_ms)
        table.append((reason, source, f"{g.letters:,}", f"{g.redriven:,}", *times))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def each(rows: Iterator[Row], as_json: bool) -> Iterator[str]:
    """One line a letter."""
    for row in rows:
        if as_json:
            yield _json(row._asdict())
            continue
        again = f", attempt {row.attempts}" if row.attempts else ""
        back = f", re-driven {_utc(row.redriven_ms)}" if row.redriven_ms else ""
        yield (
            f"{row.id}  {_utc(row.time_ms)}  {row.source}  {row.reason}  {row.bytes:,} bytes  "
            f"{row.detail}{again}{back}"
        )


def described(letter: Letter, clear: bool) -> Iterator[str]:
    """Headers and bytes; what is not of the monitor is masked."""
    yield f"letter {letter.id}, {_utc(letter.timestamp_ms)}"
    for name, value in letter.headers:
        plain = clear or name in OWN_HEADERS or name == "received_ms"
        yield f"  {_text(name.encode(), clear)}: {_text(value, plain)}"
    if letter.key is not None:
        yield f"  key: {_text(letter.key, clear)}"
    yield f"  {letter.size:,} bytes:" if letter.value is not None else "  no value"
    if letter.value:
        most = letter.size if clear else MOST_SHOWN
        # Masked before it is cut: half a number is none that would be masked.
        yield _text(letter.value, clear, most)


def _text(data: bytes, clear: bool, most: int = MOST_SHOWN) -> str:
    """Bytes as text without control characters, the first `most` of it."""
    text = (data if clear else mask_numbers(data)).decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text[:most])
    return shown if len(text) <= most else f"{shown} … {len(text) - most:,} more"


def _label(text: str) -> str:
    """A name that a header gave: short, printable, no number."""
    return "".join(c if c.isprintable() else "?" for c in _text(text.encode()[:MOST_LABEL], False))


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _json(values: dict[str, Any]) -> str:
    return msgspec.json.encode(values).decode()
