"""The change point found again in simulated counts whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.review.onset import Normal, onset, recovery

START_S = 1_700_000_000
KNOWN = Normal(0.02, 500.0)


def counts(
    rng: np.random.Generator, rate: float, onset_s: float, ratio: float, buckets: int, scatter: float = 0.0
) -> tuple[list[int], list[int]]:
    """Outcomes and failures: 2 % until `onset_s` after START_S, `ratio` from then on."""
    n = rng.poisson(rate * 10, buckets)
    share = np.clip((np.arange(1, buckets + 1) * 10 - onset_s) / 10, 0, 1)
    p = 0.02 + share * (ratio - 0.02)
    odds = p / (1 - p) * np.exp(rng.normal(0, scatter, buckets))
    k = rng.binomial(n, odds / (1 + odds))
    return n.tolist(), k.tolist()


def simulated(rate: float, ratio: float, scatter: float, ill_s: int) -> tuple[np.ndarray, float]:
    """Errors in seconds, and the share of intervals that hold the truth."""
    rng = np.random.default_rng(7)
    errors, held = [], []
    for _ in range(300):
        true_s = 900 + rng.uniform(0, 600)
        n, k = counts(rng, rate, true_s, ratio, int(true_s + ill_s) // 10, scatter)
        found = onset(START_S, n, k, KNOWN)
        assert found is not None
        errors.append(found.at_s - START_S - true_s)
        held.append(found.early_s - START_S <= true_s <= found.late_s - START_S)
    return np.abs(errors), float(np.mean(held))


@pytest.mark.parametrize(
    ("rate", "ratio", "ill_s"),
    [(10, 0.12, 60), (10, 0.3, 40), (50, 0.07, 60), (50, 0.4, 30), (500, 0.06, 30), (500, 0.5, 30)],
)
@pytest.mark.parametrize("scatter", [0.0, 0.15])
def test_the_onset_is_within_a_bucket_in_the_median(
    rate: float, ratio: float, ill_s: int, scatter: float
) -> None:
    errors, held = simulated(rate, ratio, scatter, ill_s)
    assert np.median(errors) <= 10
    assert held >= 0.95


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(10, 200), ratio=st.floats(0.3, 0.95))
def test_an_outage_that_nobody_could_miss_is_found_within_two_buckets(
    seed: int, rate: float, ratio: float
) -> None:
    true_s = 1205.0
    n, k = counts(np.random.default_rng(seed), rate, true_s, ratio, 126)
    found = onset(START_S, n, k, KNOWN)
    assert found is not None
    assert abs(found.at_s - START_S - true_s) <= 20
    assert found.early_s < found.at_s < found.late_s


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_end_is_the_onset_seen_from_behind(seed: int) -> None:
    n, k = counts(np.random.default_rng(seed), 20, 605.0, 0.4, 100)
    begun, ended = onset(START_S, n, k, KNOWN), recovery(START_S, n[::-1], k[::-1], KNOWN)
    assert begun is not None and ended is not None
    assert ended.at_s - START_S == 1000 - (begun.at_s - START_S)
    assert ended.early_s <= ended.at_s <= ended.late_s
    assert ended.before > ended.after


def test_a_series_that_never_changes_has_no_onset() -> None:
    rng = np.random.default_rng(1)
    n, k = counts(rng, 20, 1e9, 0.02, 120)
    assert onset(START_S, n, k, KNOWN) is None
    assert onset(START_S, [0] * 10, [0] * 10, KNOWN) is None
    assert onset(START_S, [], [], KNOWN) is None


def test_a_burst_that_was_normal_before_is_not_taken_for_the_onset() -> None:
    n = [100] * 120
    k = [2] * 120
    k[20] = 7
    k[110:] = [30] * 10
    found = onset(START_S, n, k, KNOWN)
    assert found is not None
    assert found.at_s == START_S + 1100
    assert found.uncertainty_s == 10
