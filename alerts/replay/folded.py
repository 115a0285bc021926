"""Files of folded counts as a stream of buckets, in constant memory (contract: replay --folded).

One JSON object a line: a bucket's counts of one source, carrier and region. Several files are merged
by time; each must be in order of time itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO, Annotated, NamedTuple

import msgspec

from alerts.replay.opened import ReplayError, opened
from streams.records import BUCKET_S, LATENCY_BOUNDS_S

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
HOUR_S = 3600
LATENCY_COLUMNS = {name: i for i, name in enumerate((*map(str, LATENCY_BOUNDS_S), "+Inf"))}
"""Column of the latency histogram by its upper bound, as `le` of `receipt_latency_seconds` names it."""


class Line(msgspec.Struct, frozen=True):
    """One line. `counts` are final outcomes by code or class, `delivered` among them; `distinct` the
    failed recipients among them that had not failed in the series for an hour; both may leave out 0.
    `latency_s` are outcomes among them by how long their receipts took, by upper bound in seconds; not
    cumulative, and those that are not told are left out."""

    bucket_start_ms: Annotated[int, msgspec.Meta(ge=0)]
    bucket_s: Annotated[int, msgspec.Meta(gt=0, le=HOUR_S, multiple_of=BUCKET_S)]
    carrier: str
    region: str
    source: str
    counts: dict[str, Count]
    distinct: dict[str, Count] = {}
    sends: Count = 0
    latency_s: dict[str, dict[str, Count]] = {}


class Bucket(NamedTuple):
    """All lines of one bucket, of all files; none where nothing was counted."""

    start_s: int
    length_s: int
    lines: tuple[Line, ...]


class Span(NamedTuple):
    """Event time [from_s, to_s) in epoch seconds; a bucket belongs to it by its start."""

    from_s: float = 0
    to_s: float = float("inf")


EVER = Span()
_decoder = msgspec.json.Decoder(Line)


def buckets(paths: Sequence[Path], span: Span = EVER) -> Iterator[Bucket]:
    """The buckets of all files from the first to the last, empty ones between them too.

    Raises ReplayError for a line that can not be read, goes back in time or has another length.
    """
    merged = heapq.merge(*(_lines(path) for path in paths), key=lambda line: line.bucket_start_ms)
    last: Bucket | None = None
    for start_ms, group in groupby(merged, key=lambda line: line.bucket_start_ms):
        if start_ms // 1000 >= span.to_s:
            return
        bucket = _bucket(start_ms, tuple(group))
        if bucket.start_s < span.from_s:
            continue
        if last is not None:
            yield from _between(last, bucket)
        yield bucket
        last = bucket


def _bucket(start_ms: int, lines: tuple[Line, ...]) -> Bucket:
    lengths = {line.bucket_s for line in lines}
    if len(lengths) > 1:
        raise ReplayError(f"bucket_s differs between files at {start_ms} ms: {_words(lengths)}")
    return Bucket(start_ms // 1000, lines[0].bucket_s, lines)


def _between(last: Bucket, then: Bucket) -> Iterator[Bucket]:
    if last.length_s != then.length_s:
        words = _words({last.length_s, then.length_s})
        raise ReplayError(f"bucket_s differs between files at {then.start_s * 1000} ms: {words}")
    for start_s in range(last.start_s + last.length_s, then.start_s, last.length_s):
        yield Bucket(start_s, last.length_s, ())


def _words(lengths: Iterable[int]) -> str:
    return " and ".join(map(str, sorted(lengths)))


def _lines(path: Path) -> Iterator[Line]:
    last: Line | None = None
    with opened(path) as (file, _):
        for number, raw in _numbered(path, file):
            line = _decoded(path, number, raw)
            _check(line, last, f"{path}:{number}")
            last = line
            yield line


def _numbered(path: Path, file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    try:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                yield number, raw
    except (OSError, EOFError) as e:
        raise ReplayError(f"{path}: can not be read: {e}") from None


def _decoded(path: Path, number: int, raw: bytes) -> Line:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, ValueError) as e:
        raise ReplayError(f"{path}:{number}: no line of folded counts: {e}") from None


def _check(line: Line, last: Line | None, where: str) -> None:
    if line.bucket_start_ms % (line.bucket_s * 1000):
        raise ReplayError(f"{where}: bucket_start_ms is no multiple of {line.bucket_s} s")
    _check_latencies(line, where)
    if last is None:
        return
    if line.bucket_s != last.bucket_s:
        raise ReplayError(f"{where}: bucket_s is {line.bucket_s}, and {last.bucket_s} before it")
    if line.bucket_start_ms < last.bucket_start_ms:
        raise ReplayError(f"{where}: goes back in time: sort the file by bucket_start_ms")


def _check_latencies(line: Line, where: str) -> None:
    for name, by_bound in line.latency_s.items():
        if not by_bound.keys() <= LATENCY_COLUMNS.keys():
            raise ReplayError(f"{where}: latency_s has a bound that is none of {', '.join(LATENCY_COLUMNS)}")
        if sum(by_bound.values()) > line.counts.get(name, 0):
            raise ReplayError(f"{where}: latency_s holds more outcomes than counts")
