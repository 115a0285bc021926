"""Emissions as a file in the capture format, as if read from a topic: what `replay` takes."""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from streams.errors import ConfigError
from streams.simulate.traffic import Emission

PARTITIONS = 12
_M, _MASK = 0x5BD1E995, 0xFFFFFFFF

_encode = msgspec.json.Encoder().encode


def partition_of(key: bytes, partitions: int = PARTITIONS) -> int:
    """Where the Java clients (and `murmur2_random`) put that key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 as Kafka's Java client computes it (Utils.murmur2), as 32 unsigned bits."""
    h = (0x9747B28C ^ len(data)) & _MASK
    whole = len(data) & ~3
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = k * _M & _MASK
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def row(emission: Emission, partition: int, offset: int) -> dict[str, Any]:
    """One line of the capture format. A value that is no UTF-8 goes in base64."""
    line: dict[str, Any] = {
        "source": emission.source,
        "received_ms": emission.truth.received_ms,
        "partition": partition,
        "offset": offset,
        "key": emission.key.decode(),
    }
    try:
        line["value"] = emission.value.decode()
    except UnicodeDecodeError:
        line["value_b64"] = base64.b64encode(emission.value).decode()
    line["headers"] = {name: text.decode() for name, text in emission.headers}
    line["clock_ms"] = emission.at_ms
    return line


class CaptureSink:
    """Writes a capture file, gzipped when its name ends in `.gz`. The same rows give the same bytes."""

    def __init__(self, path: Path, partition: Callable[[bytes], int] = partition_of) -> None:
        self._raw, self._file = _open(path)
        self._partition = partition
        self._next: dict[int, int] = {}

    def write(self, emission: Emission) -> None:
        partition = self._partition(emission.key)
        offset = self._next.get(partition, 0)
        self._next[partition] = offset + 1
        self._file.write(_encode(row(emission, partition, offset)) + b"\n")

    def tick(self) -> None:
        """Nothing is due between two records."""

    def close(self) -> None:
        self._file.close()
        self._raw.close()


def _open(path: Path) -> tuple[IO[bytes], IO[bytes]]:
    if path.suffix == ".zst":
        raise ConfigError(f"--to {path}: write .jsonl or .jsonl.gz; zstandard is for reading only")
    try:
        raw = path.open("wb")
    except OSError as e:
        raise ConfigError(f"--to {path}: can not be written: {e.strerror}") from None
    if path.suffix != ".gz":
        return raw, raw
    # No name and no time in the gzip header: the same seed gives the same file.
    packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=5)
    return raw, cast("IO[bytes]", packed)
