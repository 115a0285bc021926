"""Arrays as text: exact, and small where most is zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from alerts.packing import packed, unpacked

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=12)
DTYPES = st.sampled_from(["<f8", "<f4", "<i8", "<i4", "|u1"])


@given(DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES, fill=st.just(0))))
def test_an_array_comes_back_bit_for_bit(array: np.ndarray) -> None:
    again = unpacked(packed(array))
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize("odd", [-0.0, np.nan, np.inf])
def test_odd_values_among_zeros_come_back(odd: float) -> None:
    array = np.zeros((4, 100))
    array[2, 7] = odd
    assert packed(array).at
    assert unpacked(packed(array)).tobytes() == array.tobytes()


def test_a_few_values_among_zeros_are_small() -> None:
    rng = np.random.default_rng(1)
    array = np.where(rng.random(10_000) < 0.1, rng.random(10_000), 0)
    own = packed(array)
    assert len(own.data) + len(own.at) < 14_000  # 1,000 values of 8 bytes, and 10,000 places
    assert not packed(rng.random(10_000)).at
