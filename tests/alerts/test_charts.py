"""The bank of charts: recursion, limits of evidence, latch."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from alerts import charts as bank
from alerts.charts import Charts
from alerts.doubt import Doubt
from alerts.norms import Norms
from alerts.policy import Policy
from alerts.scopes import Index

POLICY = Policy()
J = len(POLICY.thetas)
MIRRORS = bank.mirrors(POLICY)
NORMS = Norms(
    Index(),
    threshold=np.array([POLICY.threshold]),
    variance=np.full((4, 1), POLICY.sigma**2),
    unknown=np.array([0.001]),
    volume=np.zeros((24, 0), dtype=np.float32),
    familiar=np.zeros(0, dtype=bool),
)
"""One scope that is well known: what limits it is its wobble."""


AT = np.array([0])


def seen(pairs: list[tuple[int, int]], pi: float = 0.02) -> list[bool]:
    """Whether it alarms in each of some buckets of (failures, outcomes), as the detector steps."""
    charts, alarmed = Charts.empty(J, 1), list[bool]()
    for i, (k, n) in enumerate(pairs, 1):
        ks, ns = np.array([float(k)]), np.array([float(n)])
        llr = bank.likelihoods(POLICY, ks, ns, np.array([pi]))
        charts = bank.advance(charts, llr, ks, ns, ns * pi, Doubt(np.array([0.001])), 10 * i)
        charts = bank.watched(charts, POLICY, ks, ns, ns * pi, ns * pi * (1 - pi), 10 * i)
        hits = bank.alarms(charts, POLICY, NORMS, 10 * i)
        charts = bank.latch(charts, POLICY, llr, hits, 10 * i, MIRRORS)
        alarmed.append(bool(len(hits.scopes)))
    return alarmed


CALM, TWICE_AND_A_HALF, SIXFOLD = (2_000, 100_000), (5_000, 100_000), (12_000, 100_000)


def test_one_bucket_of_a_busy_series_does_not_decide_alone() -> None:
    assert not any(seen([CALM, TWICE_AND_A_HALF, CALM, CALM]))


def test_two_buckets_in_a_row_decide() -> None:
    assert seen([CALM, TWICE_AND_A_HALF, TWICE_AND_A_HALF]) == [False, False, True]


def test_one_bucket_decides_alone_where_the_odds_have_risen_far() -> None:
    assert seen([CALM, SIXFOLD]) == [False, True]


def test_a_series_that_is_known_to_jump_must_say_it_twice() -> None:
    jump = (14_000, 100_000)
    first = seen([CALM, jump, *[CALM] * 60, SIXFOLD, SIXFOLD])
    assert first[1] and not first[-2] and first[-1]


def fed(pairs: list[tuple[int, int]], pi: float = 0.02, doubt: float = 0.001) -> Charts:
    """Charts of one scope after (failures, outcomes) in buckets 10, 20, ..."""
    charts = Charts.empty(J, 1)
    for i, (k, n) in enumerate(pairs, 1):
        ks, ns = np.array([float(k)]), np.array([float(n)])
        llr = bank.likelihoods(POLICY, ks, ns, np.array([pi]))
        charts = bank.advance(charts, llr, ks, ns, ns * pi, Doubt(np.array([doubt])), 10 * i)
        charts = bank.latch(charts, POLICY, llr, bank.alarms(charts, POLICY, NORMS, 10 * i), 10 * i, MIRRORS)
    return charts


def test_the_likelihood_ratio_is_that_of_the_specification() -> None:
    llr = bank.likelihoods(POLICY, np.array([3.0]), np.array([10.0]), np.array([0.02]))
    assert llr[0, 0] == pytest.approx(3 * math.log(2) - 10 * math.log(1.02))


def test_a_segment_begins_after_the_sum_was_zero() -> None:
    charts = fed([(0, 50), (0, 50), (4, 20), (3, 20)])
    assert charts.start_s[3, 0] == 30
    assert (charts.k[3, 0], charts.n[3, 0]) == (7, 40)


def test_healthy_traffic_keeps_the_charts_at_zero() -> None:
    assert not fed([(1, 100)] * 20).w[2:].any()


@pytest.mark.parametrize(("failures", "alarms"), [(4, 0), (6, 1)])
def test_six_failures_in_a_row_are_the_least_that_can_alarm(failures: int, alarms: int) -> None:
    assert len(bank.alarms(fed([(failures, failures)]), POLICY, NORMS, 10).scopes) == alarms


def test_high_volume_within_the_wobble_does_not_alarm() -> None:
    """3.5 % over an expected 2 % on a million messages: W is huge, the odds are not doubled."""
    charts = fed([(35_000, 1_000_000)])
    assert charts.w.max() > 1000
    assert not len(bank.alarms(charts, POLICY, NORMS, 10).scopes)


def test_evidence_is_w_with_little_data_and_the_wobble_test_with_much() -> None:
    delta = np.array([1.5])
    little = bank.limited(np.array([0.5]), delta, 0.15**2, math.log(2))
    much = bank.limited(np.array([1e9]), delta, 0.15**2, math.log(2))
    assert little[0] == pytest.approx(0.5, rel=0.02)
    assert much[0] == pytest.approx(1.5**2 / (2 * 0.15**2), rel=1e-3)


def test_a_flag_holds_until_recovery_is_proved_and_two_minutes_are_over() -> None:
    ill, well = [(40, 100)] * 3, [(1, 100)]
    assert fed(ill).flagged_s[0] == 10
    assert fed(ill + well * 5).flagged_s[0] == 10
    assert fed(ill + well * 12).flagged_s[0] == 0


def test_a_bigger_fleet_and_a_smaller_budget_ask_for_more_evidence() -> None:
    assert POLICY.evidence(100) == POLICY.threshold
    assert POLICY.evidence(5000) == pytest.approx(POLICY.threshold + math.log(5 / 0.5))
    seldom = msgspec.structs.replace(POLICY, false_pages_per_week=0.25)
    assert seldom.evidence(5000) == pytest.approx(POLICY.threshold + math.log(5 / 0.125))


def test_wide_scopes_have_half_of_the_budget_to_themselves() -> None:
    index = Index().grown((f"c{i}", f"r{j}") for i in range(70) for j in range(70))
    h = bank.thresholds(POLICY, index)
    assert h[: index.first_leaf] == pytest.approx(POLICY.threshold)
    assert h[index.first_leaf :] == pytest.approx(POLICY.threshold + math.log(4.9 / 0.5))


def test_what_is_not_known_limits_the_evidence_of_the_whole_segment() -> None:
    """A 9 % stream against an expected 2 % of which nothing was learned."""
    known, unknown = (
        bank.evidence(fed([(9, 100)] * 20, doubt=d), POLICY, NORMS, AT, 200) for d in (0.001, 0.1)
    )
    assert known.max() > POLICY.threshold > unknown.max()


@pytest.mark.parametrize(("typical", "alarms"), [(0, 1), (1000, 1), (10, 0)])
def test_in_a_blast_the_odds_must_rise_further(typical: int, alarms: int) -> None:
    """5.6 % over an expected 2 % are odds x2.9: an outage, but not within a blast."""
    index = Index().grown([("a", "x")])
    leaf = index.size - 1
    wide = Charts.empty(J, index.size)
    one = fed([(56, 1000)] * 5)
    for name in ("w", "k", "n", "m", "v", "start_s"):
        getattr(wide, name)[:, leaf] = getattr(one, name)[:, 0]
    volume = np.full((24, 1), typical * 60 / 1, dtype=np.float32)
    norms = Norms(
        index,
        np.full(index.size, 16.0),
        np.full((4, index.size), 0.08**2),
        np.full(index.size, 0.001),
        volume,
        np.ones(1, dtype=bool),
    )
    assert len(bank.alarms(wide, POLICY, norms, 50).scopes) == alarms


@pytest.mark.parametrize(
    ("doubt", "alarms"),
    [
        pytest.param(Doubt(np.array([1 / 15])), False, id="for-good"),
        pytest.param(Doubt(np.zeros(1), of_hour=np.array([1 / 15])), True, id="of-each-hour"),
        pytest.param(Doubt(np.zeros(1), of_day=np.array([1 / 15])), True, id="of-the-shape-of-the-day"),
    ],
)
def test_a_day_proves_what_no_single_hour_of_a_quiet_series_can(doubt: Doubt, alarms: bool) -> None:
    """5 failures an hour where 1.7 are normal, and that is known by 15 failures."""
    charts, alarmed = Charts.empty(J, 1), list[int]()
    for hour in range(24):
        ks, ns = np.array([5.0]), np.array([83.0])
        llr = bank.likelihoods(POLICY, ks, ns, np.array([0.02]))
        charts = bank.advance(charts, llr, ks, ns, ns * 0.02, doubt, 3600 * hour)
        if len(bank.alarms(charts, POLICY, NORMS, 3600 * hour + 3590).scopes):
            alarmed.append(hour)
    assert bool(alarmed) is alarms
    assert not alarmed or alarmed[0] > 5


def test_reset_empties_only_the_scopes_named() -> None:
    charts = Charts.empty(J, 2)
    charts.w[:] = 5.0
    after = charts.reset(np.array([True, False]))
    assert not after.w[:, 0].any() and after.w[:, 1].all()
