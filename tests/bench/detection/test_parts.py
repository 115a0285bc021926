"""The benchmark's own parts say what they should: statistics, traffic, limit, rivals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.bench.detection.limit import LN_A, Excursions, divergence, logit, ratio_llr
from tests.bench.detection.numbers import caught, median, poisson_interval, quantile, seconds
from tests.bench.detection.rivals import DEFAULTS, Rivals
from tests.bench.detection.scored import FACTORS, Scored, best, thresholds
from tests.bench.detection.seeds import first_seed
from tests.bench.detection.series import BLOCK, Habits, Series

CALM = Habits(wobble_sd=(0, 0), noise_sd=(0, 0), drift_sd=0, day_logit=(0, 0), blasts_a_day=0)


def series(rates: list[float], habits: Habits = CALM, seed: int = 1) -> Series:
    return Series(np.random.default_rng(seed), np.array(rates), habits)


def test_the_interval_of_three_alarms_in_ten_thousand_weeks_is_the_textbooks() -> None:
    low, high = poisson_interval(3, 10.5)
    assert (round(low, 3), round(high, 3)) == (0.059, 0.835)
    assert poisson_interval(0, 1)[0] == 0 and poisson_interval(0, 1)[1] == pytest.approx(3.689, abs=1e-3)


def test_a_miss_is_an_infinite_delay() -> None:
    delays = [10.0, math.inf, 20.0]
    assert median(delays) == 20 and quantile(delays, 0.9) == math.inf
    assert caught(delays) == pytest.approx(2 / 3)
    assert [seconds(x) for x in (40, 1200, 36_000, math.inf)] == ["40 s", "20 min", "10 h", "missed"]


def test_the_limit_is_that_of_the_theory() -> None:
    known = {(0.02, 0.05): 0.0163, (0.02, 0.10): 0.0843, (0.02, 0.30): 0.5769, (0.005, 0.05): 0.0712}
    for (p0, p1), nats in known.items():
        assert divergence(logit(p0), logit(p1)) == pytest.approx(nats, rel=0.01)
    assert pytest.approx(17.9, abs=0.05) == LN_A


def test_the_oracles_threshold_allows_one_false_alarm_in_a_thousand_weeks() -> None:
    """By Wald, a cycle passes h with probability about e^-h: so 10 to 18 nats."""
    found, rng = Excursions(400), np.random.default_rng(1)
    normal, wrong = np.full((2000, 400), logit(0.02)), np.full((2000, 400), logit(0.10))
    n = rng.poisson(10, (2000, 400))
    found.add(ratio_llr(n, rng.binomial(n, 0.02), normal, wrong))
    assert 10 < found.threshold(np.ones(400, dtype=bool)) < 18


def test_the_first_seed_is_fixed_by_the_commit() -> None:
    seed, whence = first_seed()
    assert (seed, whence) == first_seed() and seed >= 0


def test_traffic_has_the_volume_and_ratio_that_it_says() -> None:
    made = series([100.0], Habits(base=(0.02, 0.02), **_only(CALM)))
    blocks = [made.block() for _ in range(144)]
    n, k = (sum(int(getattr(b, name).sum()) for b in blocks) for name in "nk")
    assert n / 86_400 == pytest.approx(100, rel=0.05)
    assert k / n == pytest.approx(0.02, rel=0.05)


def _only(habits: Habits) -> dict:
    names = ("wobble_sd", "noise_sd", "drift_sd", "day_logit", "blasts_a_day")
    return {name: getattr(habits, name) for name in names}


def test_twins_differ_in_their_incident_alone() -> None:
    one, other = series([1.0] * 9, Habits()), series([1.0] * 9, Habits())
    for _ in range(6):
        well, ill = one.block(), other.block(np.full((BLOCK, 9), 3.0))
        assert np.array_equal(well.normal, ill.normal)
        assert ill.k.sum() > 3 * well.k.sum()


def test_a_ramp_ends_where_it_should() -> None:
    made = series([1.0], Habits(base=(0.02, 0.02), ramp=1.8, ramp_s=3600, **_only(CALM)))
    before = made.quiet_logit()
    for _ in range(12):
        made.block()
    assert made.quiet_logit() - before == pytest.approx(np.log(1.8))


def test_phones_that_are_off_at_night_fail_more_then() -> None:
    made = series([1.0], Habits(base=(0.02, 0.02), night_logit=1.0, **_only(CALM)))
    at_midnight = made.quiet_logit()
    for _ in range(60):
        made.block()
    assert at_midnight - made.quiet_logit() == pytest.approx(1.0)


def scores_after(minutes: int, ill_from: int, ratio: float) -> dict[str, list[int]]:
    """By rival, the minutes in which it alarms as deployed: 600 outcomes a minute, 1 % failing before."""
    rivals, alarms = Rivals(1), {name: list[int]() for name in DEFAULTS}
    rng = np.random.default_rng(1)
    for minute in range(minutes):
        p = ratio if minute >= ill_from else 0.01
        scores = rivals.step(np.array([600.0]), rng.binomial(600, [p]).astype(float))
        for name, score in scores.items():
            if minute >= ill_from - 5 and score[0] > DEFAULTS[name]:
                alarms[name].append(minute - ill_from)
    return alarms


def test_every_rival_sees_half_of_the_messages_fail_within_the_hour() -> None:
    alarms = scores_after(3 * 1440 + 60, 3 * 1440, 0.5)
    first = {name: min((m for m in at if m >= 0), default=None) for name, at in alarms.items()}
    assert None not in first.values()
    assert first["static"] == first["static, n >= 50"] == 0
    assert first["Grafana adaptive"] == 4  # `for: 5m`
    assert first["two windows"] > first["static"]


def test_the_best_threshold_is_the_least_with_few_enough_alarms() -> None:
    assert best(np.array([50, 9, 2, 0]), 2000.0) == 2
    assert best(np.array([50, 9]), 2000.0) is None


@pytest.mark.parametrize("rival", DEFAULTS)
def test_thresholds_rise_from_the_default(rival: str) -> None:
    grid = thresholds(rival)
    assert grid[0] == DEFAULTS[rival] and (np.diff(grid) >= 0).all()


def test_alarms_within_an_hour_are_one_episode() -> None:
    scored, calm = Scored(1), np.ones(1, dtype=bool)
    for minute in (0, 5, 59, 200):
        scored.add({name: np.array([DEFAULTS[name] * 1.01]) for name in DEFAULTS}, minute, calm)
    assert scored.episodes[:, 0, 0].tolist() == [2] * len(DEFAULTS)
    assert scored.episodes[:, len(FACTORS) - 1, 0].sum() == 0
