"""Where a recipient lies in Redis: one of many small hashes, under a short name.

    64 bits of hash = 47 bits of name, and 17 bits of bucket
Hashes of a few hundred short fields are kept in one piece of memory: a recipient takes some 50 bytes,
where a key of its own would take 150.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

PREFIX = "carrier-health:"
BUCKET_BITS = 17
BUCKETS = 1 << BUCKET_BITS
NAME_BYTES = 6


class Place(NamedTuple):
    """A bucket's number, and the name in it of the failures that count."""

    bucket: int
    name: bytes

    @property
    def others(self) -> bytes:
        """The name of those that do not count."""
        return (int.from_bytes(self.name, "little") | 1).to_bytes(NAME_BYTES, "little")


def place(recipient: int) -> Place:
    """Of a recipient's 64-bit hash."""
    return Place(recipient % BUCKETS, (recipient >> BUCKET_BITS << 1).to_bytes(NAME_BYTES, "little"))


def recipient(bucket: int, name: bytes) -> int:
    """The hash that lies there."""
    return int.from_bytes(name, "little") >> 1 << BUCKET_BITS | bucket


def counts(name: bytes) -> bool:
    """Whether it is the entry of the failures that count for the list."""
    return name[0] % 2 == 0


def recipients(bucket: int, names: bytes) -> U64:
    """The hashes of names, one after the other."""
    padded = np.zeros((len(names) // NAME_BYTES, 8), np.uint8)
    padded[:, :NAME_BYTES] = np.frombuffer(names, np.uint8).reshape(-1, NAME_BYTES)
    hashes: U64 = padded.view("<u8")[:, 0] >> np.uint64(1) << np.uint64(BUCKET_BITS) | np.uint64(bucket)
    return hashes


class Known:
    """Which recipients are tracked, nearly: none of them is missed, some others pass. One bit a hash.

    Deliveries are many, and nearly all are to recipients that nothing is kept of.
    """

    def __init__(self, most: int) -> None:
        """For `most` recipients one other in 16 passes, when it is full."""
        self._bits = max(16, (most * 16 - 1).bit_length())
        self._table = np.zeros(1 << (self._bits - 3), np.uint8)

    def add(self, hashes: U64) -> None:
        at = self._at(hashes)
        np.bitwise_or.at(self._table, at >> np.uint64(3), _bit(at))

    def has(self, hashes: U64) -> NDArray[np.bool_]:
        at = self._at(hashes)
        found: NDArray[np.bool_] = self._table[at >> np.uint64(3)] & _bit(at) != 0
        return found

    def _at(self, hashes: U64) -> U64:
        """By the upper bits: the lower ones are the bucket."""
        return hashes >> np.uint64(64 - self._bits)


def _bit(at: U64) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (at & np.uint64(7)).astype(np.uint8))
