"""Files of provider records in the capture format, one JSON object a line (contract: replay).

A file tells in which order its records were read. Where a partition lags behind the others in it, as in
one that was written partition after partition, it is taken apart by partition and read side by side.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.replay.opened import ReplayError, opened
from alerts.replay.rows import Clocks, Rows
from streams.topics import OUTCOMES

I64 = NDArray[np.int64]
Natural = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
_CHUNK = 1 << 21


class Told(msgspec.Struct, gc=False):
    """The headers that are read; others, and the key, matter to dead letters alone."""

    source: str | None = None
    received_ms: str | int | None = None


class Line(msgspec.Struct, gc=False):
    """One line. `source` and `received_ms` stand for the headers of these names where those are missing;
    a value that is no UTF-8 is in `value_b64`; a record without a value has neither."""

    source: str
    received_ms: Natural
    partition: Annotated[int, msgspec.Meta(ge=0, lt=100_000)]
    offset: Natural
    value: str | None = None
    value_b64: str | None = None
    headers: Told | None = None
    clock_ms: Natural | None = None


class OutOfOrder(Exception):
    """A partition of a file lags behind the others of it."""


Progress = Callable[[float], None]
"""Told the share of a file that was read."""
_UNTOLD = Told()
_decoder = msgspec.json.Decoder(Line)


def in_order(path: Path, step_ms: int, progress: Progress = lambda _: None) -> Iterator[Rows]:
    """The records of a file as it tells them. Raises ReplayError, and OutOfOrder where a record was read
    at a time of its partition that lies a step or more before what was read already."""
    clocks, read_ms = Clocks(), 0
    with opened(path) as (file, share):
        for number, lines in _chunks(path, file):
            rows = _rows(lines, clocks, read_ms, f"{path}:{number}")
            if (rows.clock_ms < rows.read_ms // step_ms * step_ms).any():
                raise OutOfOrder
            read_ms = int(rows.read_ms[-1])
            progress(share())
            yield rows


@contextmanager
def by_partition(path: Path) -> Iterator[list[Path]]:
    """The file as one for each partition, in the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="carrier-health-") as folder, ExitStack() as stack:
        files: dict[int, IO[bytes]] = {}
        with opened(path) as (file, _):
            for _, lines in _chunks(path, file):
                for line in lines:
                    if line.partition not in files:
                        name = f"{folder}/{line.partition}.jsonl"
                        files[line.partition] = stack.enter_context(open(name, "wb"))
                    files[line.partition].write(msgspec.json.encode(line) + b"\n")
        for one in files.values():
            one.flush()
        yield [Path(one.name) for one in files.values()]


def _chunks(path: Path, file: IO[bytes]) -> Iterator[tuple[int, list[Line]]]:
    """(number of the first, lines), many at a time."""
    number = 1
    while text := file.read(_CHUNK):
        text += file.readline()
        if lines := _decoded(path, number, text):
            yield number, lines
        number += text.count(b"\n")


def _decoded(path: Path, number: int, text: bytes) -> list[Line]:
    try:
        return _decoder.decode_lines(text)
    except (msgspec.DecodeError, ValueError):
        raise _refusal(path, number, text.split(b"\n")) from None


def _refusal(path: Path, number: int, lines: Sequence[bytes]) -> ReplayError:
    """Which line it is, and why; never what is in it."""
    for at, line in enumerate(lines, number):
        try:
            if line.strip():
                _decoder.decode(line)
        except (msgspec.DecodeError, ValueError) as e:
            return ReplayError(f"{path}:{at}: no record in the capture format: {e}")
    return ReplayError(f"{path}:{number}: no records in the capture format")


def _rows(lines: Sequence[Line], clocks: Clocks, read_ms: int, where: str) -> Rows:
    names: dict[str, tuple[str, bytes]] = {}
    partition = np.array([line.partition for line in lines], np.int64)
    clock_ms = np.array([line.received_ms if line.clock_ms is None else line.clock_ms for line in lines])
    clock_ms = clocks.risen(partition, clock_ms)
    return Rows(
        OUTCOMES,
        "",
        partition,
        np.array([line.offset for line in lines], np.int64),
        clock_ms,
        np.maximum.accumulate(np.maximum(clock_ms, read_ms)),
        [line.received_ms for line in lines],
        [_headers(line, names) for line in lines],
        [line.value.encode() if line.value is not None else _packed(line, where) for line in lines],
    )


def _headers(line: Line, names: dict[str, tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """As the gateway writes them; `names` are the first of them by source."""
    told = line.headers or _UNTOLD
    source = line.source if told.source is None else told.source
    named = names.get(source) or names.setdefault(source, ("source", source.encode()))
    return [named, ("received_ms", str(told.received_ms or line.received_ms).encode())]


def _packed(line: Line, where: str) -> bytes | None:
    if line.value_b64 is None:
        return None
    try:
        return base64.b64decode(line.value_b64, validate=True)
    except ValueError:
        which = f"partition {line.partition}, offset {line.offset}"
        raise ReplayError(f"{where}: value_b64 of {which} is no base64") from None
