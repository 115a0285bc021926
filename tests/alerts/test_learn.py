"""Learning while things go wrong: what is healthy teaches, an incident does not.

0 h                30 h (12 %)        42 h            45 h
|---- healthy ----|=== incident ====|--- healthy ---|
"""

from __future__ import annotations

import numpy as np
import pytest

from alerts import detect
from alerts.counts import Table
from alerts.detect import RuleState
from alerts.odds import logit
from alerts.policy import Policy
from alerts.records import Scope, ScopeKind

POLICY = Policy()
START_S = 1_799_971_200
LEAVES = (("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"))
NONE = np.zeros(len(LEAVES), dtype=np.int32)
HOUR = 360  # buckets


def follow(
    state: RuleState, begin: int, end: int, ratio: np.ndarray, volume: int = 100, **how: object
) -> tuple[RuleState, int]:
    """Buckets [begin, end) at `ratio` by leaf; how many leaves alarmed anew."""
    rng, alarms = np.random.default_rng(begin), 0
    for i in range(begin, end):
        n = rng.poisson(volume, len(LEAVES)).astype(np.int32)
        k = rng.binomial(n, ratio).astype(np.int32)
        leaves = state.index.leaves or LEAVES
        table = Table(leaves, n, k, n, k, NONE, NONE, NONE)
        state, said = detect.step(state, POLICY, START_S + 10 * i, table, **how)  # type: ignore[arg-type]
        alarms += int(said.alarms.fresh.sum())
    return state, alarms


def bias(state: RuleState, at: int, truth: float) -> np.ndarray:
    found = state.learned.baseline.expected(POLICY, START_S + 10 * at)
    return logit(found) - logit(np.array(truth))


HEALTHY = np.full(len(LEAVES), 0.01)
WARM, WARM_ALARMS = follow(detect.fresh("r", POLICY), 0, 30 * HOUR, HEALTHY)


def test_a_day_is_enough_to_know_what_is_normal_and_raises_nothing() -> None:
    assert np.abs(bias(WARM, 30 * HOUR, 0.01)).max() < 0.1
    assert not WARM_ALARMS


def test_an_incident_of_12_hours_is_not_learned() -> None:
    ill = np.array([0.12, 0.01, 0.01, 0.01])
    state, alarms = follow(WARM, 30 * HOUR, 42 * HOUR, ill)
    assert alarms
    state, _ = follow(state, 42 * HOUR, 45 * HOUR, HEALTHY)
    assert np.abs(bias(state, 45 * HOUR, 0.01)).max() < 0.1


def test_a_drift_within_the_doubled_odds_is_followed() -> None:
    state, alarms = follow(WARM, 30 * HOUR, 78 * HOUR, HEALTHY * 1.3)
    assert not alarms
    assert np.abs(bias(state, 78 * HOUR, 0.013)).max() < 0.2


def test_counts_younger_than_an_hour_teach_nothing() -> None:
    state, _ = follow(detect.fresh("r", POLICY), 0, 6 * 12 - 1, HEALTHY)
    assert not state.learned.baseline.total.any() and state.learned.blocks
    state, _ = follow(detect.fresh("r", POLICY), 0, 60 + HOUR, HEALTHY)
    assert state.learned.baseline.total.all()


def test_counts_that_are_not_whole_teach_nothing() -> None:
    state, _ = follow(detect.fresh("r", POLICY), 0, 3 * HOUR, HEALTHY, whole=False)
    assert not state.learned.baseline.total.any() and not state.learned.blocks


def test_what_an_open_incident_covers_teaches_nothing() -> None:
    held = {Scope(ScopeKind.CARRIER, "a", "all"): START_S}
    state, _ = follow(detect.fresh("r", POLICY), 0, 3 * HOUR, HEALTHY, held=held)
    assert state.learned.baseline.total[1].tolist() == pytest.approx(
        [0, 0, *state.learned.baseline.total[1, 2:]]
    )
    assert state.learned.baseline.total[1, 2:].all()


def test_a_blast_is_one_observation_of_the_rate() -> None:
    few, _ = follow(detect.fresh("r", POLICY), 0, 2 * HOUR, HEALTHY)
    many, _ = follow(detect.fresh("r", POLICY), 0, 2 * HOUR, HEALTHY, volume=100_000)
    gained = many.learned.baseline.total[1] / few.learned.baseline.total[1]
    assert gained.max() < 4
