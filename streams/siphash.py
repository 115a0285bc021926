"""SipHash-2-4 of single 64-bit words, for many at a time.

Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012): a keyed function that nobody can
tell from chance without its 128-bit key. The test vectors are those of the reference implementation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_LENGTH = np.uint64(8 << 56)  # the last block of a message of 8 bytes holds its length alone
_FINAL = np.uint64(0xFF)
_MASK = 2**64 - 1


class SipKey(NamedTuple):
    """The two halves of a key, little-endian words of its 16 bytes."""

    k0: int
    k1: int

    @classmethod
    def of(cls, key: bytes) -> SipKey:
        """Of 16 bytes."""
        return cls(int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little"))


def siphash(key: SipKey, words: U64) -> U64:
    """The hash of each word, taken as a message of 8 bytes in little-endian order."""
    halves = (key.k0, key.k1, key.k0, key.k1)
    v = [np.full(len(words), k ^ c, np.uint64) for k, c in zip(halves, _INITIAL, strict=True)]
    spare = np.empty(len(words), np.uint64)
    for block in (words, _LENGTH):
        v[3] ^= block
        _rounds(2, v, spare)
        v[0] ^= block
    v[2] ^= _FINAL
    _rounds(4, v, spare)
    hashes: U64 = v[0] ^ v[1] ^ v[2] ^ v[3]
    return hashes


def siphash_one(key: SipKey, word: int) -> int:
    """The same of one word, without an array."""
    v0, v1, v2, v3 = (k ^ c for k, c in zip((*key, *key), _INITIAL, strict=True))
    for block, rounds in ((word, 2), (int(_LENGTH), 2), (0, 4)):
        v3 ^= block
        if rounds == 4:
            v2 ^= int(_FINAL)
        for _ in range(rounds):
            v0 = v0 + v1 & _MASK
            v1 = (v1 << 13 & _MASK | v1 >> 51) ^ v0
            v2 = v2 + v3 & _MASK
            v3 = (v3 << 16 & _MASK | v3 >> 48) ^ v2
            v0 = (v0 << 32 & _MASK | v0 >> 32) + v3 & _MASK
            v3 = (v3 << 21 & _MASK | v3 >> 43) ^ v0
            v2 = v2 + v1 & _MASK
            v1 = (v1 << 17 & _MASK | v1 >> 47) ^ v2
            v2 = v2 << 32 & _MASK | v2 >> 32
        v0 ^= block
    return v0 ^ v1 ^ v2 ^ v3


def _rounds(n: int, v: list[U64], spare: U64) -> None:
    """In place: nothing is allocated."""
    v0, v1, v2, v3 = v
    for _ in range(n):
        v0 += v1
        _rotate(v1, 13, spare)
        v1 ^= v0
        _rotate(v0, 32, spare)
        v2 += v3
        _rotate(v3, 16, spare)
        v3 ^= v2
        v0 += v3
        _rotate(v3, 21, spare)
        v3 ^= v0
        v2 += v1
        _rotate(v1, 17, spare)
        v1 ^= v2
        _rotate(v2, 32, spare)


def _rotate(x: U64, bits: int, spare: U64) -> None:
    np.left_shift(x, np.uint64(bits), out=spare)
    np.right_shift(x, np.uint64(64 - bits), out=x)
    np.bitwise_or(x, spare, out=x)
