"""Where the source partitions stand: what continues the log, and up to when all of them are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import GapError, LossError
from streams.records import Partial, Position, Range
from streams.watermark import SourcePositions, Step
from tests.streams.logs import T0_S, TOPIC, TOPIC_ID, partial, reach


def standing_at(*ends: int, clock_s: float | None = 0) -> SourcePositions:
    clock_ms = None if clock_s is None else int((T0_S + clock_s) * 1000)
    positions = [Position(TOPIC, TOPIC_ID, i, end, clock_ms) for i, end in enumerate(ends)]
    return SourcePositions.of({TOPIC: len(ends)}, positions)


# position of partition 0        20
#            ---------------------|---------------->
@pytest.mark.parametrize(
    "start, end, step",
    [
        (20, 30, Step.NEXT),
        (20, 20, Step.NEXT),
        (10, 20, Step.KNOWN),
        (0, 5, Step.KNOWN),
        (10, 10, Step.NEXT),  # without records: it can only tell a clock
    ],
)
def test_a_range_is_next_or_known(start: int, end: int, step: Step) -> None:
    assert standing_at(20).step(partial([reach(0, start, end, 1)])) is step


def test_the_first_range_of_a_partition_is_accepted() -> None:
    assert SourcePositions().step(partial([reach(7, 1_000, 2_000, 1)])) is Step.NEXT


def test_a_partial_without_ranges_is_next() -> None:
    assert standing_at(20).step(partial([], sources={"more": 3})) is Step.NEXT


def test_a_gap_is_a_loss_that_says_where() -> None:
    with pytest.raises(LossError, match=r"outcomes-0: a partial covers \[25,30\), expected it from 20"):
        standing_at(20).step(partial([reach(0, 25, 30, 1)]))
    assert [str(x) for x in standing_at(20).losses(partial([reach(0, 25, 30, 1)]))] == [
        "lost outcomes-0 [20,25)"
    ]


def test_an_overlap_is_no_loss_and_nobody_may_accept_it() -> None:
    with pytest.raises(GapError, match=r"outcomes-0: a partial covers \[15,30\), expected it from 20"):
        standing_at(20).step(partial([reach(0, 15, 30, 1)]))
    assert standing_at(20).losses(partial([reach(0, 15, 30, 1)])) == []


@pytest.mark.parametrize("repeated", [reach(0, 10, 20, 1), reach(0, 15, 22, 1)])
@pytest.mark.parametrize("other", [reach(1, 20, 30, 1), reach(1, 25, 30, 1)])
def test_a_partial_that_repeats_one_partition_and_not_the_other_is_refused(
    repeated: Range, other: Range
) -> None:
    where, odd = standing_at(20, 20), partial([repeated, other])
    with pytest.raises((GapError, LossError)):
        where.step(odd)
    if other.start > 20:
        with pytest.raises(GapError, match="repeats"):
            where.losses(odd)


def test_a_topic_made_anew_is_a_loss() -> None:
    anew = partial([reach(0, 0, 5, 1, topic_id="id-2")])
    where = standing_at(20)
    with pytest.raises(LossError, match="outcomes was made anew: its records from 20 on are gone"):
        where.step(anew)
    where.advance(anew)
    assert where.known[TOPIC, 0].end == 5 and where.known[TOPIC, 0].topic_id == "id-2"


def test_a_range_that_tells_nothing_new_does_not_move_the_position_back() -> None:
    where = standing_at(20, 20)
    where.advance(partial([reach(0, 10, 10, 1), reach(1, 20, 30, 1)]))
    assert [p.end for p in where.positions] == [20, 30]


# -- the union of source sets ------------------------------------------------------------------


def test_readers_hold_for_the_union_of_all_source_sets() -> None:
    where = SourcePositions()
    where.advance(partial([reach(0, 0, 1, 10)], sources={TOPIC: 2}))
    where.advance(partial([], sources={TOPIC: 1, "other": 1}))
    assert where.sources == {TOPIC: 2, "other": 1}
    assert where.least_clock_ms is None
    assert where.holding == [("other", 0), (TOPIC, 1)]


def test_a_retired_topic_holds_nobody() -> None:
    where = SourcePositions()
    where.advance(partial([reach(0, 0, 1, 10), reach(0, 0, 1, 3, topic="old")], sources={TOPIC: 1, "old": 2}))
    assert where.least_clock_ms is None
    where.advance(Partial("topics", 0, {TOPIC: 1}, retired=["old"]))
    assert where.least_clock_ms == (T0_S + 10) * 1000
    assert [p.topic for p in where.positions] == [TOPIC]


def test_a_partition_without_a_clock_holds_the_watermark() -> None:
    where = standing_at(5, 5, clock_s=10)
    where.advance(partial([], sources={TOPIC: 3}))
    assert where.least_clock_ms is None and where.holding == [(TOPIC, 2)]
    where.advance(partial([reach(2, 0, 0, None)], sources={TOPIC: 3}))
    assert where.least_clock_ms is None and where.holding == [(TOPIC, 2)]
    where.advance(partial([reach(2, 0, 0, 4)], sources={TOPIC: 3}))
    assert where.least_clock_ms == (T0_S + 4) * 1000 and where.holding == []


def test_without_sources_there_is_no_watermark() -> None:
    assert SourcePositions().least_clock_ms is None


@given(st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(-50, 50))), max_size=30))
def test_clocks_never_fall_and_the_least_counts(told: list[tuple[int, int | None]]) -> None:
    where, ends, clocks = SourcePositions(), [0, 0, 0], dict[int, int]()
    for number, clock_s in told:
        before = where.least_clock_ms
        where.advance(partial([reach(number, ends[number], ends[number] + 1, clock_s)], sources={TOPIC: 3}))
        ends[number] += 1
        if clock_s is not None:
            clocks[number] = max(clock_s, clocks.get(number, clock_s))
        least = (T0_S + min(clocks.values())) * 1000 if len(clocks) == 3 else None
        assert where.least_clock_ms == least
        assert before is None or (least is not None and least >= before)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=20))
def test_positions_given_back_are_the_same_positions(told: list[tuple[int, int]]) -> None:
    where = SourcePositions()
    for number, n in told:
        end = where.known[TOPIC, number].end if (TOPIC, number) in where.known else 0
        where.advance(partial([reach(number, end, end + n, n)], sources={TOPIC: 3}))
    again = SourcePositions.of(where.sources, where.positions)
    assert again == where and again.least_clock_ms == where.least_clock_ms
