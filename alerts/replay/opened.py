"""Files of a backtest, plain or packed, and how far they have been read."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

import cramjam

from streams.errors import MonitorError


class ReplayError(MonitorError):
    """A file can not be read, or a line of it: names file and line, never what is in it."""


class Opened(NamedTuple):
    """The plain bytes, and what tells the share of the file that was read."""

    file: IO[bytes]
    share: Callable[[], float]


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Raises ReplayError for a file that can not be opened, and for I/O errors while it is read."""
    try:
        with _unpacked(path) as found:
            yield found
    except (OSError, EOFError) as e:
        raise ReplayError(f"{path}: can not be read: {getattr(e, 'strerror', None) or e}") from None


@contextmanager
def _unpacked(path: Path) -> Iterator[Opened]:
    if path.suffix == ".zst":
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as plain:
            _unpack_zstd(path, plain.name)
            with open(plain.name, "rb") as file:
                yield Opened(file, _share(file))
        return
    with path.open("rb") as raw:
        if path.suffix != ".gz":
            yield Opened(raw, _share(raw))
            return
        with gzip.open(raw, "rb") as packed:
            yield Opened(cast("IO[bytes]", packed), _share(raw))


def _share(raw: IO[bytes]) -> Callable[[], float]:
    size = raw.seek(0, 2)
    raw.seek(0)
    return lambda: raw.tell() / size if size else 1.0


def _unpack_zstd(path: Path, to: str) -> None:
    """Into a file, since cramjam unpacks only whole frames, and a frame may be larger than memory."""
    path.stat()
    try:
        cramjam.zstd.decompress_into(cramjam.File(str(path)), cramjam.File(to))
    except cramjam.DecompressionError as e:
        raise ReplayError(f"{path}: no Zstandard file: {e}") from None
