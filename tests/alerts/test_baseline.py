"""What is normal: hours, weekends, level, and what a new series inherits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import baseline as normal
from alerts.baseline import BLOCK_S, DAY_S, HOUR_S, Baseline, between, bin_of
from alerts.odds import logit
from alerts.policy import Policy
from alerts.scopes import Index

POLICY = Policy()
MONDAY_S = 1_799_971_200 // DAY_S * DAY_S
MONDAY_S -= (MONDAY_S // DAY_S + 3) % 7 * DAY_S
ONE = Index().grown([("a", "x")])


def taught(days: int, ratio: object, outcomes: int = 2000, index: Index = ONE) -> Baseline:
    """A baseline after whole days from a Monday on; `ratio(second)` gives failures of each leaf [L]."""
    base = Baseline.empty().grown(index, POLICY, MONDAY_S)
    size = len(index.leaves)
    n = np.full(size, outcomes, dtype=np.float32)
    for at in range(0, days * DAY_S, BLOCK_S):
        k = (n * ratio(at)).astype(np.float32)  # type: ignore[operator]
        base = normal.learn(base, POLICY, MONDAY_S + at, k, n, np.ones(size), MONDAY_S + at + HOUR_S)
        base = normal.settled(base, index, POLICY, MONDAY_S + at + HOUR_S)
    return base


def expected(base: Baseline, at: int) -> float:
    return float(base.expected(POLICY, MONDAY_S + at)[0])


def doubt(base: Baseline, at_s: int) -> float:
    return float(sum(base.doubt(POLICY, base.hours(POLICY, at_s)))[0])


def test_hours_of_weekdays_and_of_weekends_have_bins_of_their_own() -> None:
    assert [bin_of(MONDAY_S + day * DAY_S + 5 * HOUR_S) for day in range(7)] == [5] * 5 + [29] * 2


def test_between_the_middles_of_two_hours_both_count() -> None:
    assert between(MONDAY_S + 5 * HOUR_S + HOUR_S // 2) == (5, 6, 0.0)
    assert between(MONDAY_S + 6 * HOUR_S) == (5, 6, 0.5)
    assert between(MONDAY_S) == (47, 0, 0.5)


def test_of_what_nothing_is_known_the_prior_is_expected() -> None:
    base = Baseline.empty().grown(ONE, POLICY, MONDAY_S)
    assert expected(base, 0) == pytest.approx(POLICY.prior)
    assert base.known(POLICY, MONDAY_S)[0] == pytest.approx(0, abs=1e-9)


def night(at: int) -> float:
    return 0.04 if at % DAY_S < 6 * HOUR_S else 0.01


def test_a_night_pattern_is_learned_by_the_hour() -> None:
    base = taught(4, night)
    at_night, by_day = expected(base, 4 * DAY_S + 3 * HOUR_S), expected(base, 4 * DAY_S + 15 * HOUR_S)
    assert at_night == pytest.approx(0.04, rel=0.15)
    assert by_day == pytest.approx(0.01, rel=0.15)


@given(st.integers(0, 7 * DAY_S))
def test_the_expected_ratio_lies_between_those_that_were_seen(at: int) -> None:
    assert 0.008 < expected(TAUGHT, at) < 0.05


TAUGHT = taught(2, night)


def test_what_was_learned_is_forgotten_by_half_in_14_days() -> None:
    base = taught(1, lambda at: 0.02)
    now = base.known(POLICY, MONDAY_S + DAY_S)[0]
    later = base.known(POLICY, MONDAY_S + DAY_S + POLICY.memory_s)[0]
    assert later == pytest.approx(now / 2, rel=0.01)


def test_the_level_follows_within_a_day_and_only_so_far() -> None:
    base = taught(3, lambda at: 0.01 if at < 2 * DAY_S else 0.02)
    hours = float(base.by_hour(POLICY, MONDAY_S + 3 * DAY_S)[0])
    assert hours < 0.016 < expected(base, 3 * DAY_S)
    base = taught(3, lambda at: 0.001 if at < 2 * DAY_S else 0.4)
    lifted = logit(np.array(expected(base, 3 * DAY_S))) - logit(base.by_hour(POLICY, MONDAY_S + 3 * DAY_S))
    assert lifted[0] == pytest.approx(POLICY.level_most, abs=1e-6)


def weekend(at: int) -> float:
    return 0.03 if (at // DAY_S) % 7 >= 5 else 0.01


def test_weekends_are_told_apart_once_one_was_seen() -> None:
    before, after = taught(5, weekend, 200), taught(12, weekend, 200)
    friday, saturday = 4 * DAY_S + 12 * HOUR_S, 5 * DAY_S + 12 * HOUR_S
    assert before.by_hour(POLICY, MONDAY_S + saturday)[0] == pytest.approx(0.01, rel=0.1)
    both = [after.by_hour(POLICY, MONDAY_S + 7 * DAY_S + day)[0] for day in (friday, saturday)]
    assert both[1] > 1.6 * both[0]


def test_an_hour_not_seen_on_such_a_day_yet_may_be_like_any_other() -> None:
    """On the first weekend the night may last longer than on the days before."""
    base = taught(5, night)
    noon, saturday = MONDAY_S + 3 * DAY_S + 15 * HOUR_S, MONDAY_S + 5 * DAY_S + 15 * HOUR_S
    assert doubt(base, noon) < 0.01
    assert doubt(base, saturday) > 0.2
    assert doubt(taught(7, night), saturday + 7 * DAY_S) < 0.03


def test_between_two_hours_that_differ_it_may_happen_at_any_moment() -> None:
    base = taught(5, night)
    change, calm = MONDAY_S + 4 * DAY_S + 6 * HOUR_S, MONDAY_S + 4 * DAY_S + 12 * HOUR_S
    jump = logit(np.array([0.04])) - logit(np.array([0.01]))
    assert doubt(base, change) == pytest.approx(0.25 * jump[0] ** 2, rel=0.15)
    assert doubt(base, calm) < 0.01


def test_a_new_series_begins_with_what_its_carrier_and_region_let_expect() -> None:
    index = Index().grown([("good", "x"), ("good", "y"), ("bad", "x"), ("bad", "y"), ("other", "x")])
    ratio = np.array([0.01, 0.01, 0.04, 0.04, 0.02])
    base = taught(1, lambda at: ratio, index=index)
    wider = index.grown([("bad", "z"), ("good", "z"), ("new", "z")])
    bad, good, new = base.grown(wider, POLICY, MONDAY_S + DAY_S).prior[-3:]
    assert bad == pytest.approx(0.04, rel=0.2) and good == pytest.approx(0.01, rel=0.2)
    assert good < new < bad


def test_a_blast_does_not_become_the_typical_volume() -> None:
    base = Baseline.empty().grown(ONE, POLICY, MONDAY_S)
    for at in range(0, 3 * DAY_S, BLOCK_S):
        n = np.array([100_000 if at == 2 * DAY_S + 12 * HOUR_S else 100], dtype=np.float32)
        base = normal.learn_volume(base, POLICY, MONDAY_S + at, n, np.ones(1, dtype=bool))
    assert base.volume[12, 0] < 120
    assert base.volume[5, 0] == pytest.approx(100)


def test_a_new_normal_is_as_sure_as_a_prior_and_holds_at_all_hours() -> None:
    moved = normal.moved_to(TAUGHT, POLICY, np.array([True]), np.array([0.3]), MONDAY_S + 2 * DAY_S)
    for hour in range(24):
        assert moved.expected(POLICY, MONDAY_S + 2 * DAY_S + hour * HOUR_S)[0] == pytest.approx(0.3, rel=0.01)
