"""Never more than the limit in any minute, whatever the clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.notify.budget import LocalBudget


@given(st.lists(st.integers(0, 500), max_size=60))
async def test_no_window_holds_more_than_the_limit(steps: list[int]) -> None:
    budget, now, granted = LocalBudget(limit=3, window_ms=1000), 0, []
    for step in steps:
        now += step
        wait_ms = await budget.take(now)
        if wait_ms == 0:
            granted.append(now)
        else:
            assert await budget.take(now + wait_ms - 1) > 0
    for at in granted:
        assert sum(at - 1000 < other <= at for other in granted) <= 3


async def test_the_wait_it_names_is_enough() -> None:
    budget = LocalBudget(limit=1, window_ms=1000)
    assert await budget.take(0) == 0
    wait_ms = await budget.take(400)
    assert wait_ms == 600
    assert await budget.take(400 + wait_ms) == 0


async def test_a_clock_that_goes_back_does_not_stop_paging() -> None:
    budget = LocalBudget(limit=1, window_ms=1000)
    assert await budget.take(1_000_000) == 0
    assert await budget.take(5_000) == 0
