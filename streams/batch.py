"""A batch of records as read, column by column, and what its headers say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.records import Malformed

I64 = NDArray[np.int64]
Headers = Sequence[tuple[str, bytes]]

_STAMP_DIGITS = 13
_STAMP_WEIGHTS = 10.0 ** np.arange(_STAMP_DIGITS - 1, -1, -1)


@dataclass
class Batch:
    """Records as read, column by column, in the order of each partition's offsets."""

    partition: I64
    """Index of each record's partition among the intake's own."""
    offset: I64
    timestamp_ms: Sequence[int]
    headers: Sequence[Headers | None]
    values: Sequence[bytes | None]
    key: Callable[[int], bytes | None]
    source: str = ""
    """Set when the topic is bound to one source and needs no header."""
    untouched: Sequence[bytes | None] | None = None
    """What a dead letter keeps of each record, where that is not its value."""


@dataclass(frozen=True)
class DeadLetter:
    """An unreadable record: its place in the batch's partition and why."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    malformed: Malformed
    source: str
    """`unknown` where no configured source is named."""
    timestamp_ms: int
    """Kafka's, of the record; 0 or less where it has none."""


def sources_and_stamps(batch: Batch) -> tuple[list[str], I64]:
    """Source names (one when all are the same) and receipt times (ms, -1 where none is told)."""
    raw, stamps = _header_columns(batch.headers)
    received_ms = _stamps_ms(stamps)
    if batch.source:
        return [batch.source], received_ms
    if raw.count(raw[0]) == len(raw):
        return [_text(raw[0])], received_ms
    known = {name: _text(name) for name in set(raw)}
    return [known[name] for name in raw], received_ms


def _header_columns(headers: Sequence[Headers | None]) -> tuple[list[bytes], list[bytes]]:
    """The values of `source` and `received_ms`, b'' where one is missing."""
    sources, stamps = list[bytes](), list[bytes]()
    try:  # as the gateway writes them, these two in this order: touched once, half the time of two passes
        for (first, source), (second, stamp) in headers:  # type: ignore[misc]
            if first != "source" or second != "received_ms":
                break
            sources.append(source or b"")
            stamps.append(stamp or b"")
    except (TypeError, ValueError):  # no headers, or another number of them
        pass
    if len(stamps) == len(headers):
        return sources, stamps
    pairs = [_search_headers(h) for h in headers]
    return [source for source, _ in pairs], [stamp for _, stamp in pairs]


def _search_headers(headers: Headers | None) -> tuple[bytes, bytes]:
    found = dict(reversed(headers or ()))  # of two with one name the first stands
    return found.get("source") or b"", found.get("received_ms") or b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _stamps_ms(stamps: list[bytes]) -> I64:
    """Receipt stamps as integers; -1 for what is no number."""
    joined = b"".join(stamps)
    if len(joined) == _STAMP_DIGITS * len(stamps) and set(map(len, stamps)) == {_STAMP_DIGITS}:
        digits = np.frombuffer(joined, np.uint8) - np.uint8(48)  # what is below '0' wraps to above 9
        if digits.max(initial=0) <= 9:
            exact = digits.reshape(-1, _STAMP_DIGITS).astype(np.float64) @ _STAMP_WEIGHTS
            return exact.astype(np.int64)  # 13 digits are exact in a double
    return np.array([int(s) if s.isdigit() and len(s) < 16 else -1 for s in stamps], np.int64)
