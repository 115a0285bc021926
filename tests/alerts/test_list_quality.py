"""Tickets of list quality over weeks of hours, each scenario a ratio by day.

day    0 ............ 21 ..... 28 ..... 42
slow   |---- 2 % -----|-- rises, x1.9 --|      one ticket, of the carrier alone
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from alerts import baseline as normal
from alerts.learn import Block, Learned
from alerts.list_quality import ListQuality, Ticket, hourly, tickets
from alerts.policy import Policy
from alerts.records import Scope, ScopeKind
from alerts.scopes import Index

POLICY = Policy()
INDEX = Index().grown([(c, r) for c in ("a", "b", "c") for r in ("x", "y")])
START_S = 1_799_971_200
"""A midnight of UTC."""
DAY_S, HOUR_S = 86_400, 3600
OF_A = INDEX.members(Scope(ScopeKind.CARRIER, "a", "all"))


def weeks(
    days: int, odds: Callable[[float], np.ndarray | float], seed: int = 1, swing: float = 0.3
) -> Iterator[tuple[float, ListQuality]]:
    """Day and state after each hour: 2,000 outcomes an hour and series, 2 % with a daily swing and a
    wobble from day to day; `odds` [L] by day multiply the odds."""
    rng = np.random.default_rng(seed)
    quality = ListQuality.empty(POLICY).grown(Index(), INDEX)
    learned = Learned.empty().grown(Index(), INDEX, POLICY, START_S)
    wobble = np.zeros(len(INDEX.leaves))
    for hour in range(24 * days):
        day, at_s = hour / 24, START_S + HOUR_S * hour
        if hour % 24 == 0:
            wobble = rng.normal(0, 0.03, len(INDEX.leaves))
        u = normal.logit(np.array(0.02)) + swing * np.sin(2 * np.pi * day) + wobble + np.log(odds(day))
        n = rng.poisson(2000, len(INDEX.leaves)).astype(np.float32)
        k = rng.binomial(n.astype(int), normal.expit(u)).astype(np.float32)
        learned = replace(learned, blocks=(Block(at_s, k, n),))
        quality = hourly(quality, INDEX, POLICY, learned, at_s + HOUR_S)
        base = learned.baseline
        weight = 1 / (1 + n * 0.02 * 0.15**2)
        base = normal.learn(base, POLICY, at_s, k, n, weight, at_s + HOUR_S)
        learned = replace(learned, baseline=normal.settled(base, INDEX, POLICY, at_s + HOUR_S))
        yield day, quality


def risen(day: float) -> np.ndarray:
    """Carrier a rises from day 21 on, to 1.9 times the odds on day 28."""
    return np.where(OF_A, 1 + 0.9 * np.clip((day - 21) / 7, 0, 1), 1.0)


def found(quality: ListQuality) -> list[tuple[Scope, Ticket]]:
    return [(INDEX.scope(t.scope), t) for t in tickets(quality, INDEX, POLICY)]


def test_a_slow_rise_becomes_one_ticket_of_the_scope_that_rises() -> None:
    first, last = None, None
    for day, quality in weeks(32, risen):
        last = found(quality)
        if last and first is None:
            first = day
    assert first is not None and 22 < first < 28
    [(scope, ticket)] = last or []
    assert scope == Scope(ScopeKind.CARRIER, "a", "all")
    assert ticket.expected == pytest.approx(0.021, abs=0.002)
    assert ticket.failed / ticket.outcomes > 1.3 * ticket.expected
    assert ticket.evidence >= POLICY.ticket_threshold


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_daily_swing_and_wobble_from_day_to_day_are_no_ticket(seed: int) -> None:
    assert not any(found(quality) for _, quality in weeks(35, lambda day: 1.0, seed))


def test_a_ticket_ends_when_the_ratio_is_back() -> None:
    states = [(day, bool(found(q))) for day, q in weeks(34, lambda day: risen(day) if day < 30 else 1.0)]
    assert dict(states)[29.5]
    assert not states[-1][1]


def test_what_the_guard_against_blasts_leaves_unsaid_becomes_a_ticket() -> None:
    """Half of the hours of a day at 1.8 times the odds: too little for a page in a blast."""

    def blasts(day: float) -> np.ndarray:
        return np.where(OF_A & (day > 24) & (day % 1 > 0.5), 1.8, 1.0)

    *_, (_, quality) = weeks(26, blasts)
    assert [scope.carrier for scope, _ in found(quality)] == ["a"]


def test_new_series_find_their_place_and_move_no_other() -> None:
    *_, (_, quality) = weeks(25, risen)
    grown = INDEX.grown([("d", "x"), ("a", "z")])
    after = quality.grown(INDEX, grown)
    assert after.total.shape == (2, len(grown.leaves))
    for i in range(INDEX.size):
        j = grown.number(INDEX.scope(i))
        assert after.charts.w[:, j].tolist() == quality.charts.w[:, i].tolist()
        assert after.wander[:, j].tolist() == quality.wander[:, i].tolist()


def test_an_accepted_ratio_is_normal_at_once() -> None:
    *_, (_, quality) = weeks(30, risen)
    assert found(quality)
    ratio = np.full(len(INDEX.leaves), 0.04)
    after = quality.moved_to(OF_A, INDEX, POLICY, ratio, START_S + 30 * DAY_S)
    assert not found(after)
    assert (after.total[0] / after.total[1])[OF_A].tolist() == pytest.approx([0.04, 0.04])
