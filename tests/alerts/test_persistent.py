"""Series that are always above the line: certain from two windows, and back by the step-down rule.

minute  0 ........ 60 ........ 120
always  |==========|==========|      one ticket after the hour has shown it
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.baseline import Baseline
from alerts.persistent import Late, Persistent, above, watch
from alerts.policy import Policy
from alerts.scopes import Index

POLICY = Policy()
START_S = 1_800_000_000


def exactly_above(a: float, b: float, line: float) -> float:
    """P(Beta(a, b) > line) by brute force over many points."""
    p = np.linspace(0, 1, 200_001)[1:-1]
    log = (a - 1) * np.log(p) + (b - 1) * np.log1p(-p)
    density = np.exp(log - log.max())
    return float(density[p > line].sum() / density.sum())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 400), st.integers(0, 5000), st.sampled_from([0.04, 0.05, 0.2]))
def test_the_posterior_is_that_of_beta(k: int, well: int, line: float) -> None:
    n = float(k + well)
    a, b = k + 20 * 0.05, well + 20 * 0.95
    got = float(above(np.array([float(k)]), np.array([n]), line, POLICY)[0])
    assert got == pytest.approx(exactly_above(a, b, line), abs=2e-3)


def test_millions_of_outcomes_are_no_trouble() -> None:
    n = np.array([3.6e7, 3.6e7])
    assert above(np.array([0.0502, 0.0498]) * n, n, 0.05, POLICY).tolist() == pytest.approx(
        [1.0, 0.0], abs=1e-6
    )


def base_of(*means: float) -> Baseline:
    index = Index().grown([(f"c{i}", "x") for i in range(len(means))])
    base = Baseline.empty().grown(index, POLICY, START_S)
    return replace(base, mean=np.array(means))


def late_of(short: tuple[float, float], long: tuple[float, float], asked: list[int]) -> Late:
    """(n, k) of the last 5 min and of the last hour, for every leaf asked."""

    def late(from_s: int, leaves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(leaves))
        n, k = short if (from_s + 300 - START_S) % 3600 == 60 else long
        return np.full(len(leaves), n), np.full(len(leaves), k)

    return late


AT_S = START_S + 50
"""The bucket that ends a minute."""
HOT, HOT_HOUR, COLD = (1000.0, 80.0), (12_000.0, 900.0), (1000.0, 20.0)


@pytest.mark.parametrize(
    ("short", "long", "mean", "ticket"),
    [
        (HOT, HOT_HOUR, 0.08, True),
        (HOT, (12_000.0, 300.0), 0.08, False),
        (COLD, HOT_HOUR, 0.08, False),
        (HOT, HOT_HOUR, 0.03, False),
        ((12.0, 2.0), (20.0, 3.0), 0.08, False),
    ],
    ids=["both", "hour not", "5 min not", "its normal is low: a spike's business", "too few to be sure"],
)
def test_it_needs_both_windows_and_a_normal_above_the_line(
    short: tuple[float, float], long: tuple[float, float], mean: float, ticket: bool
) -> None:
    held = Persistent.empty().grown(1)
    held = watch(held, POLICY, base_of(mean), late_of(short, long, []), AT_S)
    assert (held.since_s > 0).tolist() == [ticket]


def test_it_ends_after_two_minutes_surely_below() -> None:
    held, base = Persistent(np.array([START_S - 600]), np.array([0])), base_of(0.08)
    shown = []
    for minute in range(4):
        late = late_of((3000.0, 90.0), HOT_HOUR, [])
        held = watch(
            held, POLICY, base, lambda f, at, late=late: late(AT_S + 10 - 300, at), AT_S + 60 * minute
        )
        shown.append(bool(held.since_s[0]))
    assert shown == [True, True, False, False]


def test_silence_ends_nothing() -> None:
    held = Persistent(np.array([START_S - 600]), np.array([0]))
    for minute in range(30):
        held = watch(held, POLICY, base_of(0.08), late_of((0.0, 0.0), (0.0, 0.0), []), AT_S + 60 * minute)
    assert held.since_s[0] == START_S - 600


def test_healthy_series_cost_nothing() -> None:
    asked: list[int] = []
    held = watch(
        Persistent.empty().grown(2), POLICY, base_of(0.02, 0.03), late_of(HOT, HOT_HOUR, asked), AT_S
    )
    assert asked == [] and not held.since_s.any()
