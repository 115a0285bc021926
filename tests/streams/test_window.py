"""The windows station as a state machine over the log: what it closes, when, and after a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import journal
from streams.errors import GapError, LossError
from streams.journal import Assembler
from streams.records import BUCKET_S, Partial, SeriesKey
from streams.watermark import Lost
from streams.window import HOUR_S, OLDEST_START_S, Closing, Windows
from tests.streams.logs import BAD, GOOD, KEYS, T0_S, TOPIC, Cell, finals, partial, reach, sums

LATENESS_S = 5
Log = list[tuple[int, Partial]]
"""(offset, partial)"""


def station(accept: Callable[[Lost], bool] = lambda _: False) -> Windows:
    return Windows(lateness_ms=LATENESS_S * 1000, accept_loss=accept)


def run(windows: Windows, log: Log) -> list[Closing]:
    return [closing for offset, p in log for closing in windows.apply(offset, p)]


def log_of(*told: tuple[float, Sequence[float]]) -> Log:
    """One partition: each partial is (clock, receipts), in seconds after T0."""
    return [
        (i, partial([reach(0, i, i + 1, clock_s)], finals(GOOD, *receipts)))
        for i, (clock_s, receipts) in enumerate(told)
    ]


def seen(closings: Sequence[Closing]) -> list[tuple[int, int, int]]:
    """(bucket after T0, finals in it, late reported with it)"""
    return [(c.bucket_s - T0_S, sum(c.cells.finals), sum(c.late.finals)) for c in closings]


# -- closing -----------------------------------------------------------------------------------
#
#  T0        10        20        30        40        50   seconds, lateness 5
#  |---------|---------|---------|---------|---------|


@pytest.mark.parametrize(
    "told, closed",
    [
        #  r    r    c                     the clock has passed 10, but not by the lateness
        ([(14.9, [1, 4])], []),
        #  r    r     c                    now it has
        ([(15, [1, 4])], [(0, 2, 0)]),
        ([(14, [1, 4]), (15, [])], [(0, 2, 0)]),
        #  r                          c    empty buckets are closed too, in order
        ([(8, [1]), (36, [])], [(0, 1, 0), (10, 0, 0), (20, 0, 0)]),
        #  r      r  c                     on the edge: the later bucket has it
        ([(16, [9.999, 10])], [(0, 1, 0)]),
        #  r         c  r                  a receipt behind the clock, in an open bucket
        ([(14, [1]), (14, [2]), (15, [])], [(0, 2, 0)]),
        #  r          c ; late at 3        what comes after the closing is told with the next one
        ([(15, [1]), (16, [3]), (25, [])], [(0, 1, 0), (10, 0, 1)]),
        ([(15, [1]), (16, [3]), (35, []), (45, [])], [(0, 1, 0), (10, 0, 1), (20, 0, 0), (30, 0, 0)]),
        #  late in the very partial that closes the next
        ([(15, [1]), (25, [3, 4, 12])], [(0, 1, 0), (10, 1, 2)]),
        #  clocks never fall
        ([(15, [1]), (3, []), (24, []), (25, [])], [(0, 1, 0), (10, 0, 0)]),
    ],
)
def test_buckets_close_once_the_clock_less_lateness_has_passed(
    told: list[tuple[float, list[float]]], closed: list[tuple[int, int, int]]
) -> None:
    assert seen(run(station(), log_of(*told))) == closed


def test_the_least_clock_decides() -> None:
    two = {TOPIC: 2}
    log = [
        (0, partial([reach(0, 0, 1, 60)], finals(GOOD, 1), two)),
        (1, partial([reach(1, 0, 1, 17)], finals(GOOD, 2), two)),
        (2, partial([reach(0, 1, 2, 80)], finals(GOOD, 61), two)),
        (3, partial([reach(1, 1, 2, 26)], finals(GOOD, 25), two)),
    ]
    windows = station()
    assert [seen(windows.apply(o, p)) for o, p in log] == [[], [(0, 2, 0)], [], [(10, 0, 0)]]


def test_a_partition_without_a_clock_holds_all_buckets() -> None:
    windows, two = station(), {TOPIC: 2}
    assert windows.apply(0, partial([reach(0, 0, 1, 900)], finals(GOOD, 1), two)) == []
    assert windows.apply(1, partial([reach(1, 0, 0, None)], (), two)) == []
    assert seen(windows.apply(2, partial([reach(1, 0, 0, 15)], (), two))) == [(0, 1, 0)]


def test_a_closing_says_what_it_counted() -> None:
    windows = station()
    rows: list[Cell] = [(BAD, T0_S, 3, (1, 2)), (GOOD, T0_S + 17, 1, ())]
    [c] = windows.apply(40, partial([reach(0, 3, 9, 18)], rows))
    assert (c.bucket_s, c.through, c.low_water, c.sources) == (T0_S, 40, 40, {TOPIC: 1})
    assert [(p.end, p.clock_ms) for p in c.positions] == [(9, (T0_S + 18) * 1000)]
    assert sums(c.cells) == {(BAD, T0_S): 3}


# -- the start ---------------------------------------------------------------------------------


def test_the_first_bucket_after_a_start_with_backlog_loses_nothing() -> None:
    # partition 1 is an hour behind: the watermark is known once its first clock is
    two = {TOPIC: 2}
    log = [
        (0, partial([reach(0, 0, 9, 3_600)], finals(GOOD, 3_598), two)),
        (1, partial([reach(1, 0, 9, 3)], finals(GOOD, 1, 2, 3), two)),
        (2, partial([reach(1, 9, 19, 3_600)], finals(GOOD, 4, 14, 3_590), two)),
        (3, partial([reach(0, 9, 9, 3_620), reach(1, 19, 19, 3_620)], (), two)),
    ]
    closings = run(station(), log)
    assert not any(c.late.key for c in closings)
    assert sum(sums(*(c.cells for c in closings)).values()) == 7


def test_old_receipts_before_the_first_watermark_are_counted() -> None:
    assert seen(run(station(), log_of((33, [1, 12, 31])))) == [(0, 1, 0), (10, 1, 0)]


def test_a_receipt_older_than_any_topic_keeps_is_late_not_a_million_empty_buckets() -> None:
    ancient = -(OLDEST_START_S + 100_000)
    closings = run(station(), log_of((8, [1, ancient]), (15, [])))
    assert seen(closings) == [(0, 1, 1)]
    closings = run(station(), log_of((8, [1]), (15, [ancient]), (25, [])))
    assert seen(closings) == [(0, 1, 1), (10, 0, 0)]


# -- within the lateness -----------------------------------------------------------------------

READS = st.lists(st.tuples(st.sampled_from([0, 0, 1, 3, 11, 40]), st.integers(0, LATENESS_S)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), READS, st.sampled_from([0, 0, 0, 2, 90])), max_size=30))
def test_nothing_within_the_lateness_of_its_own_clock_is_ever_late(
    told: list[tuple[int, list[tuple[int, int]], int]],
) -> None:
    """Whatever the other partitions do, and however far behind its own is."""
    clocks, ends, log = {0: 0, 1: 700, 2: 100}, {0: 0, 1: 0, 2: 0}, Log()
    for offset, (number, reads, idle_s) in enumerate(told):
        receipts = []
        for advance, behind in reads:
            clocks[number] += advance
            receipts.append(clocks[number] - behind)
        clocks[number] += idle_s  # at its end: the time of the fetch
        r = reach(number, ends[number], ends[number] + len(reads), clocks[number])
        ends[number] += len(reads)
        log.append((offset, partial([r], finals(GOOD, *receipts), {TOPIC: 3})))
    assert not any(c.late.key for c in run(station(), log))


# -- repeats of a recipient --------------------------------------------------------------------

HOUR_AGO = HOUR_S - BUCKET_S


@pytest.mark.parametrize(
    "second_s, key, distinct",
    [
        (3, BAD, 0),
        (HOUR_AGO, BAD, 0),  # 360 buckets: both are in the window of an hour
        (HOUR_S, BAD, 1),
        (20, BAD._replace(code="30005"), 0),
        (20, BAD._replace(region="CA"), 1),
        (20, BAD._replace(carrier="other"), 1),
        (20, BAD._replace(outcome_class="route"), 1),
    ],
)
def test_a_recipient_counts_once_an_hour_per_series_and_class(
    second_s: int, key: SeriesKey, distinct: int
) -> None:
    rows: list[Cell] = [(BAD, T0_S, 1, (77,)), (key, T0_S + second_s, 1, (77,))]
    log = [(0, partial([reach(0, 0, 2, second_s + 30)], rows))]
    closings = run(station(), log)
    total = sum(sum(c.cells.distinct) for c in closings)
    assert total == 1 + distinct
    assert sum(sum(c.cells.repeats) for c in closings) == 2 - total


# -- known, lost, in parts ---------------------------------------------------------------------


def test_a_partial_that_is_known_counts_nothing() -> None:
    windows = station()
    log = log_of((8, [1]), (9, [2]))
    run(windows, log)
    assert windows.apply(2, log[0][1]) == []
    assert windows.through == 2
    assert seen(windows.apply(3, log_of((0, []), (0, []), (15, []))[2][1])) == [(0, 2, 0)]


def test_a_loss_stops_the_station() -> None:
    windows = station()
    run(windows, log_of((3, [1])))
    with pytest.raises(LossError, match=r"lost outcomes-0 \[1,5\)"):
        windows.apply(1, partial([reach(0, 5, 6, 4)]))


@pytest.mark.parametrize("start, end", [(3, 9), (0, 9)])
def test_an_overlap_stops_it_even_where_losses_are_accepted(start: int, end: int) -> None:
    windows = station(accept=lambda _: True)
    windows.apply(0, partial([reach(0, 0, 5, 3)]))
    with pytest.raises(GapError):
        windows.apply(1, partial([reach(0, start, end, 4)]))


#   clock 8         lost [1,5)           clock 42
#   |---------|---------|---------|---------|---------|
#   incomplete ------------------------------>  whole
def test_an_accepted_loss_marks_every_bucket_that_it_may_have_emptied() -> None:
    windows = station(accept=lambda _: True)
    windows.apply(0, partial([reach(0, 0, 1, 8)], finals(GOOD, 1)))
    closings = windows.apply(1, partial([reach(0, 5, 6, 42)], finals(GOOD, 41)))
    closings += windows.apply(2, partial([reach(0, 6, 6, 75)]))
    words = ["lost outcomes-0 [1,5)"]
    marks = {c.bucket_s - T0_S: c.incomplete for c in closings}
    assert marks == {0: words, 10: words, 20: words, 30: words, 40: words, 50: [], 60: []}
    assert [str(x) for x in windows.lost] == words


def test_a_loss_before_a_clock_is_known_marks_the_buckets_under_way() -> None:
    windows = station(accept=lambda _: True)
    windows.apply(0, partial([reach(0, 0, 1, 8)], finals(GOOD, 1)))
    windows.apply(1, partial([reach(0, 5, 5, None)]))
    assert [c.incomplete != [] for c in windows.apply(2, partial([reach(0, 5, 5, 30)]))] == [True, False]


def test_a_loss_told_in_parts_is_one_loss() -> None:
    windows = station(accept=lambda _: True)
    windows.apply(0, partial([reach(0, 0, 1, 3)]))
    windows.apply(1, partial([reach(0, 5, 6, 4)], part=1, parts=2))
    windows.apply(2, partial([reach(0, 5, 6, 4)], part=2, parts=2))
    assert [str(x) for x in windows.lost] == ["lost outcomes-0 [1,5)"]


def test_positions_and_clocks_move_with_the_last_part() -> None:
    windows = station()
    ranges = [reach(0, 0, 9, 15)]
    assert windows.apply(0, partial(ranges, finals(GOOD, 1), part=1, parts=3)) == []
    assert windows.apply(1, partial(ranges, finals(GOOD, 2), part=2, parts=3)) == []
    assert seen(windows.apply(2, partial(ranges, finals(GOOD, 3), part=3, parts=3))) == [(0, 3, 0)]


# -- restart -----------------------------------------------------------------------------------


@dataclass
class Writer:
    """Writes a log of partials over three partitions, as several ingests would."""

    lossy: bool
    log: Log = field(default_factory=Log)
    clocks: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 12, 2: 3})
    ends: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0, 2: 0})
    offset: int = 0

    def write(
        self, number: int, rows: list[tuple[int, int, int]], advance: int, parts: int, gap: int
    ) -> None:
        """`rows`: seconds behind the clock, series, recipient (0: none). The offsets have holes."""
        self.clocks[number] += advance
        start = self.ends[number] + (gap if self.lossy else 0)
        self.ends[number] = start + len(rows)
        ranges = [reach(number, start, start + len(rows), self.clocks[number])]
        told: list[Cell] = [
            (KEYS[k], T0_S + self.clocks[number] - behind, 1, (r,) if r and k else ())
            for behind, k, r in rows
        ]
        pieces = [told[i::parts] for i in range(parts)]
        for i, piece in enumerate(pieces, 1):
            self._append(partial(ranges, piece, {TOPIC: 3}, i, parts))

    def _append(self, p: Partial) -> None:
        self.log.append((self.offset, p))
        self.offset += 1 if p.part < p.parts else 2  # the transaction's marker takes an offset

    def finish(self) -> Log:
        """Moves all clocks on, so that everything is closed and every late cell told; the last one
        closes nothing, as most partials do."""
        for ahead in (90, 110, 110):
            ranges = [reach(i, end, end, max(self.clocks.values()) + ahead) for i, end in self.ends.items()]
            self._append(partial(ranges, (), {TOPIC: 3}))
        return self.log


ROW = st.tuples(st.sampled_from([0, 0, 1, 4, 9, 20, 60]), st.integers(0, 2), st.integers(0, 4))
WRITE = st.tuples(
    st.integers(0, 2),
    st.lists(ROW, max_size=5),
    st.sampled_from([0, 1, 2, 10, 31, 250]),
    st.sampled_from([1, 1, 1, 2, 3]),
    st.sampled_from([0, 0, 0, 0, 4]),
)


@st.composite
def logs(draw: st.DrawFn, lossy: bool = False) -> Log:
    writer = Writer(lossy)
    for write in draw(st.lists(WRITE, min_size=1, max_size=14)):
        writer.write(*write)
    log = writer.finish()
    for i in range(len(log) - 1):  # another ingest's transaction may lie between two parts
        (a_at, a), (b_at, b) = log[i], log[i + 1]
        strangers = a.ranges[0].partition != b.ranges[0].partition and b.parts == 1 and len(b.ranges) == 1
        if a.part > 1 and strangers and draw(st.booleans()):
            log[i], log[i + 1] = (a_at, b), (b_at, a)
    return log


def restarted(log: Log, closings: list[Closing], records: int, accept: bool) -> tuple[Windows, list[Closing]]:
    """A new station that found `records` buckets in the journal, and what it closes from there."""
    windows, assembler = station(lambda _: accept), Assembler()
    low_water = 0
    for i, closing in enumerate(closings[:records]):
        for value in journal.parts(closing, "first"):
            complete = assembler.feed(i, value)
        assert complete is not None
        windows.remember(complete.record, complete.cells)
        assert complete.cells == closing.cells
        low_water = complete.record.low_water
    further = []
    for offset, p in log:
        if offset < low_water:
            continue
        if offset <= windows.through:
            windows.rebuild(offset, p)
        else:
            further += windows.apply(offset, p)
    return windows, further


@pytest.mark.parametrize("accept", [False, True], ids=["whole log", "losses accepted"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_restart_anywhere_closes_exactly_the_same(accept: bool, data: st.DataObject) -> None:
    log = data.draw(logs(lossy=accept))
    whole = station(lambda _: accept)
    closings = run(whole, log)
    records = data.draw(st.integers(0, len(closings)))
    again, further = restarted(log, closings, records, accept)
    assert further == closings[records:]
    assert (again.next_bucket_s, again.through, again.low_water) == (
        whole.next_bucket_s,
        whole.through,
        whole.low_water,
    )


@settings(max_examples=100, deadline=None)
@given(logs())
def test_what_is_closed_and_what_is_late_add_up_to_the_input(log: Log) -> None:
    closings = run(station(), log)
    told = sums(*(p.cells for _, p in log))
    assert sums(*(t for c in closings for t in (c.cells, c.late))) == told
    buckets = [c.bucket_s for c in closings]
    assert buckets == list(range(buckets[0], buckets[-1] + 1, BUCKET_S))
    assert all(set(c.cells.bucket_s) <= {c.bucket_s} for c in closings)
    failed = Counter[SeriesKey]()
    for c in closings:
        for k, n, d, r in zip(c.cells.key, c.cells.finals, c.cells.distinct, c.cells.repeats, strict=True):
            assert d + r in (0, n)
            failed[c.cells.keys[k]] += d
    assert failed[GOOD] == 0


@settings(max_examples=100, deadline=None)
@given(logs())
def test_the_low_water_mark_is_safe_and_never_falls(log: Log) -> None:
    windows, before = station(), 0
    for offset, p in log:
        closings = windows.apply(offset, p)
        marks = [c.low_water for c in closings] + [windows.low_water]
        assert marks == sorted(marks) and marks[0] >= before
        assert marks[-1] <= offset + 1
        before = marks[-1]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_two_restarts_are_as_good_as_none(data: st.DataObject) -> None:
    """The second life's own records follow the first life's in the journal."""
    log = data.draw(logs())
    closings = run(station(), log)
    first = data.draw(st.integers(0, len(closings)))
    _, further = restarted(log, closings, first, accept=False)
    journalled = closings[:first] + further
    second = data.draw(st.integers(0, len(journalled)))
    _, last = restarted(log, journalled, second, accept=False)
    assert last == closings[second:]
