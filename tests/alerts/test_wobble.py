"""How far a healthy ratio wanders, from its residuals."""

from __future__ import annotations

import numpy as np
import pytest

from alerts import wobble as wander
from alerts.policy import Policy
from alerts.wobble import Wobble, between_lengths

POLICY = Policy()
NOBODY = np.zeros(1, dtype=bool)


def watched(sigma: float, outcomes: int, buckets: int, ratio: float = 0.02) -> Wobble:
    """One scope whose log-odds are drawn anew in each bucket, settled each 10 min."""
    rng, wobble = np.random.default_rng(4), Wobble.empty(1)
    odds = ratio / (1 - ratio) * np.exp(rng.normal(0, sigma, buckets))
    failed = rng.binomial(outcomes, odds / (1 + odds))
    q = np.array([outcomes * ratio * (1 - ratio)])
    for i, k in enumerate(failed):
        error = np.array([k - outcomes * ratio])
        wobble = wander.watch(wobble, POLICY, error, q, ~NOBODY, 10 * i)
        if i % 60 == 59:
            wobble = wander.settle(wobble, POLICY, NOBODY, NOBODY, 10 * i + 10)
    return wobble


@pytest.mark.parametrize("sigma", [0.08, 0.15, 0.3])
def test_the_wobble_of_a_busy_series_is_learned(sigma: float) -> None:
    variance = watched(sigma, 20_000, 3000).variance(POLICY)
    assert np.sqrt(variance[0, 0]) == pytest.approx(sigma, rel=0.15)


def test_wobble_that_is_drawn_anew_each_10_s_averages_out_over_longer_times() -> None:
    sigma = np.sqrt(watched(0.3, 20_000, 3000).variance(POLICY)[:, 0])
    assert sigma[0] > 1.5 * sigma[1] > 2 * sigma[2]


def test_a_quiet_series_keeps_what_is_assumed() -> None:
    variance = watched(0.3, 5, 600).variance(POLICY)
    assert variance[0, 0] == pytest.approx(POLICY.sigma**2)


def test_it_stays_within_its_bounds() -> None:
    assert watched(2.0, 20_000, 600).variance(POLICY)[0, 0] == pytest.approx(POLICY.sigma_most**2)
    assert watched(0.0, 200_000, 3000).variance(POLICY)[0, 0] == pytest.approx(POLICY.sigma_least**2)


def test_what_is_suspect_waits_and_what_was_an_incident_is_dropped() -> None:
    wobble, q, everybody = Wobble.empty(1), np.array([100.0]), ~NOBODY
    wobble = wander.watch(wobble, POLICY, np.array([500.0]), q, everybody, 590)
    waiting = wander.settle(wobble, POLICY, everybody, NOBODY, 600)
    assert not waiting.weight.any() and waiting.held_weight.any()
    assert wander.settle(waiting, POLICY, NOBODY, NOBODY, 1200).weight.any()
    assert wander.settle(waiting, POLICY, everybody, NOBODY, 590 + POLICY.quarantine_most_s).weight.any()
    dropped = wander.settle(waiting, POLICY, everybody, everybody, 1200)
    assert not dropped.weight.any() and not dropped.held_weight.any() and not dropped.runs.any()


def test_between_the_lengths_it_is_interpolated_by_their_logarithm() -> None:
    variance = np.array([[1.0], [2.0], [3.0], [4.0]])
    at = np.array([[1.0], [10.0], [60.0], [190.0], [3600.0], [90_000.0]])
    assert between_lengths(variance, at)[:, 0] == pytest.approx([1, 1, 2, 2.5, 4, 4], abs=0.01)
