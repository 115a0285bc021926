"""What is advised of the budget, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.policy import Policy
from alerts.replay.advice import ENOUGH, FACTORS, Rung, Share, chosen, ladder, lines
from alerts.replay.verdicts import Score


def rung(budget: float, kept: int, dropped: int, wanted: int = 8, false: int = 6) -> Rung:
    return Rung(budget, 16.4, Share.of(kept, wanted), Share.of(dropped, false), Score())


def test_the_budget_that_drops_most_false_pages_and_no_wanted_one_is_advised() -> None:
    advice = chosen([rung(1, 8, 0), rung(0.3, 8, 3), rung(0.1, 8, 5), rung(0.01, 6, 6), rung(3, 8, 0)])
    assert advice.budget == 0.1
    assert "5 of 6" in advice.why and "8 of 8" in advice.why
    assert [r.budget for r in advice.rungs] == [0.01, 0.1, 0.3, 1, 3]


def test_of_two_that_drop_the_same_the_nearest_to_the_one_in_force_is_advised() -> None:
    assert chosen([rung(1, 8, 0), rung(0.1, 8, 3), rung(0.3, 8, 3)]).budget == 0.3


def test_where_nothing_is_better_the_budget_stays() -> None:
    advice = chosen([rung(1, 8, 2), rung(0.1, 7, 6), rung(10, 8, 2)])
    assert advice.budget == 1 and advice.why.startswith("no other budget")


@pytest.mark.parametrize(("wanted", "false"), [(ENOUGH - 1, 20), (20, ENOUGH - 1), (0, 0)])
def test_too_few_verdicts_are_said_to_be_too_few(wanted: int, false: int) -> None:
    rungs = [rung(1, wanted, 0, wanted, false), rung(0.1, wanted, false, wanted, false)]
    advice = chosen(rungs)
    assert advice.budget is None and advice.why.startswith("too few verdicts")
    assert "No advice: too few verdicts" in "\n".join(lines(advice))


def test_the_ladder_begins_with_the_policy_itself() -> None:
    policies, names = ladder(Policy(false_pages_per_week=2.0, warning=0.07))
    assert policies[0] == Policy(false_pages_per_week=2.0, warning=0.07)
    assert [p.false_pages_per_week for p in policies] == pytest.approx([2 * f for f in FACTORS])
    assert {p.warning for p in policies} == {0.07} and names[0] == "2"


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_its_share_and_is_wide_where_little_is_known(k: int, more: int) -> None:
    share = Share.of(k, k + more)
    assert 0 <= share.low <= share.high <= 1
    if share.n:
        assert share.low <= share.k / share.n <= share.high
        assert share.high - share.low >= 3.8 / (share.n + 4)


def test_the_interval_is_wilsons() -> None:
    share = Share.of(8, 10)
    assert (share.low, share.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share.of(0, 0).words() == "none"
