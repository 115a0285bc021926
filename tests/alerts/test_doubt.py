"""How little is known of what is expected, cut by how long its errors last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.doubt import expectation

PRIOR = 10.0
NONE = np.zeros(1)
failures = st.floats(0, 1e9)


def at(known: float, own: float, *, settled: bool = True, **doubts: float) -> tuple[float, float, float]:
    """Of the hour, of the day and lasting; `doubts` are variances of the one leaf."""
    m = np.array([4.0])
    steep, unseen, echo = (m * doubts.get(name, 0.0) for name in ("steep", "unseen", "echo"))
    rests = (np.array([known]), np.array([own]))
    doubt = expectation(m, np.stack((m * settled, steep, unseen, echo)), *rests, PRIOR)
    return float(doubt.of_hour[0]), float(doubt.of_day[0]), float(doubt.lasting[0])


@given(failures, failures)
def test_at_one_moment_it_is_one_over_the_failures_on_which_hour_and_leaf_rest(
    known: float, own: float
) -> None:
    assert sum(at(known, own)) == pytest.approx(1 / (known + PRIOR) + 1 / (own + PRIOR))


def test_an_hour_without_failures_errs_as_its_neighbours_do() -> None:
    assert at(0, 1e9) == pytest.approx((0, 1 / PRIOR, 0), abs=1e-8)


def test_the_mean_of_some_hours_is_none_to_which_a_day_comes_back() -> None:
    of_hour, of_day, lasting = at(2, 30, settled=False, unseen=0.02)
    assert of_day == 0
    assert (of_hour, lasting) == pytest.approx((2 / 144, 10 / 144 + 0.02 + 1 / 40))


def test_an_hour_with_many_errs_by_itself() -> None:
    of_hour, of_day, _ = at(990, 1e9)
    assert of_hour == pytest.approx(99 * of_day)


def test_each_doubt_lasts_as_long_as_its_cause() -> None:
    before, after = at(90, 90), at(90, 90, steep=0.01, unseen=0.02, echo=0.03)
    assert np.subtract(after, before) == pytest.approx([0.01, 0.02, 0.03])


def test_nothing_expected_is_no_error() -> None:
    doubt = expectation(NONE, np.zeros((4, 1)), NONE, NONE, PRIOR)
    assert np.isfinite(doubt.all).all()
