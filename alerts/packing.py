"""Arrays as text and back again, exactly: byte planes deflated, and only what is not zero where most is."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

LEAST = 64
"""Shorter arrays are packed as they are."""


class Array(msgspec.Struct, frozen=True, omit_defaults=True):
    """An array: dtype and shape in numpy's words, byte planes deflated. `at` are the places of its
    values, a bit each, where all others are 0; '' where all values are there."""

    dtype: str
    shape: tuple[int, ...]
    data: str
    at: str = ""


def packed(array: NDArray[Any]) -> Array:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    flat, at = little.reshape(-1), ""
    used = flat.view(f"<u{little.itemsize}") != 0  # bits, not values: -0.0 is not 0
    if len(flat) >= LEAST and 2 * np.count_nonzero(used) < len(flat):
        flat, at = flat[used], _deflated(np.packbits(used))
    planes = flat.view(np.uint8).reshape(-1, little.itemsize).T
    return Array(little.dtype.str, little.shape, _deflated(np.ascontiguousarray(planes)), at)


def unpacked(array: Array) -> NDArray[Any]:
    dtype = np.dtype(array.dtype)
    planes = _inflated(array.data).reshape(dtype.itemsize, -1)
    flat = np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
    if array.at:
        whole = np.zeros(array.shape, dtype=dtype)
        whole.reshape(-1)[np.unpackbits(_inflated(array.at), count=whole.size) > 0] = flat
        flat = whole
    return flat.reshape(array.shape).astype(dtype.newbyteorder("="))


def _deflated(octets: NDArray[np.uint8]) -> str:
    """Runs and Huffman codes only: matches are rare in counts, and looking for them costs most."""
    press = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    return base64.b64encode(press.compress(octets.tobytes()) + press.flush()).decode()


def _inflated(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
