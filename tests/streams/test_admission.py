"""More series than the cap: flagged ones are named, then the largest; the sum with `other` is exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from streams.admission import OTHER, STAYS_S, Admission, Capped
from streams.exposition import Key, Table

T0_S = 1_784_289_600
A, B, C, D = (("a", "x"), ("b", "x"), ("c", "x"), ("d", "x"))


def nobody(_: Key) -> bool:
    return False


def test_whoever_comes_first_is_named_while_there_is_room() -> None:
    admission = Admission(2)
    assert [admission.see(key, 1) for key in (A, B, C, A)] == [True, True, False, True]


def test_after_a_restart_the_largest_are_named() -> None:
    admission = Admission(2)
    admission.begin({A: 1, B: 5, C: 9}, T0_S)
    assert set(admission.named) == {B, C}


def test_a_larger_one_waits_for_a_day_and_then_takes_the_place_of_the_smallest() -> None:
    admission = Admission(2)
    admission.begin({A: 1, B: 5}, T0_S)
    admission.see(C, 100)
    assert admission.review(T0_S + STAYS_S - 1, nobody) == []
    assert admission.review(T0_S + STAYS_S, nobody) == [A]
    assert set(admission.named) == {B, C}


def test_who_is_named_before_the_first_review_stays_for_a_day_as_well() -> None:
    admission = Admission(1)
    admission.see(A, 1)
    admission.see(B, 100)
    assert admission.review(T0_S, nobody) == admission.review(T0_S + STAYS_S - 1, nobody) == []
    assert admission.review(T0_S + STAYS_S, nobody) == [A]


def test_a_smaller_one_never_takes_a_place() -> None:
    admission = Admission(1)
    admission.begin({A: 50}, T0_S)
    admission.see(B, 3)
    assert admission.review(T0_S + 2 * STAYS_S, nobody) == []


def test_a_flagged_one_is_named_at_once_and_never_gives_way() -> None:
    admission = Admission(2)
    admission.begin({A: 9, B: 5}, T0_S)
    admission.see(C, 1)
    assert admission.review(T0_S + 10, lambda key: key == C) == [B]
    admission.see(D, 1)
    assert admission.review(T0_S + 20, lambda key: key in (A, C, D)) == []


def test_volumes_of_invented_keys_are_not_kept_without_end() -> None:
    admission = Admission(1)
    for i in range(5_000):
        admission.see((str(i),), 1)
    admission.review(T0_S + 10, nobody)
    assert len(admission._volume) == 1


@given(st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.integers(0, 50)), max_size=40), st.integers(1, 3))
def test_the_sum_with_other_is_what_was_added(told: list[tuple[Key, int]], most: int) -> None:
    table = Table("t_total", "counter", "", ("carrier", "region"))
    limited = Counter("limited", "", ["metric"], registry=CollectorRegistry()).labels("t_total")
    capped = Capped(table, most, lambda key: (OTHER, OTHER), limited)
    for key, n in told:
        capped.add(key, n)
    shown = dict(table.items())
    assert sum(shown.values()) == sum(n for _, n in told)
    assert len(shown) <= most + 1
