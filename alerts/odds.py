"""Log-odds, half-lives and room for more: small functions of arrays that many stations need."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


def padded(array: NDArray[Number], size: int) -> NDArray[Number]:
    """`array` with zeros at the end of its last axis up to `size`."""
    more = [(0, 0)] * (array.ndim - 1) + [(0, size - array.shape[-1])]
    return np.pad(array, more)


def decay(age_s: int, half_life_s: float) -> float:
    """What is left of a count after `age_s`; none is left of what was never counted."""
    return float(0.5 ** (max(age_s, 0) / half_life_s))


def logit(p: Floats) -> Floats:
    safe = np.clip(p, 1e-9, 1 - 1e-9)
    odds: Floats = safe / (1 - safe)
    return np.log(odds)


def expit(x: Floats) -> Floats:
    p: Floats = 1 / (1 + np.exp(-x))
    return p
