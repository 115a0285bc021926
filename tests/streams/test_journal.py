"""The journal: closings in parts and back; the first complete attempt wins."""

from __future__ import annotations

import numpy as np
import pytest

from streams import journal
from streams.journal import MOST_BYTES, Assembler, Complete
from streams.records import Cells, Position, SeriesKey
from streams.window import Closing
from tests.streams.logs import BAD, GOOD, T0_S, cells, everything


def closing(
    bucket_s: int = T0_S, table: Cells | None = None, late: Cells | None = None, through: int = 7
) -> Closing:
    positions = [Position("outcomes", "id-1", i, 10 * i, 1_000 * i) for i in range(3)]
    return Closing(
        bucket_s,
        through,
        {"outcomes": 3},
        positions,
        table or Cells(),
        late or Cells(),
        ["lost a"],
        {"lost b": 9},
        5,
    )


def wide(n: int, bucket_s: int = T0_S, seed: int = 1) -> Cells:
    """`n` cells of series with long names, some with recipients."""
    rng = np.random.default_rng(seed)
    keys = [
        SeriesKey("s" * 20, f"carrier-{i:05}" + "é" * 30, "US-CA", "absent_subscriber", "30003")
        for i in range(n)
    ]
    return cells(*((k, bucket_s, 5, tuple(rng.integers(0, 2**63, 5).tolist())) for k in keys))


def fed(assembler: Assembler, values: list[bytes], offset: int = 0) -> list[Complete]:
    found = [assembler.feed(offset + i, value) for i, value in enumerate(values)]
    return [c for c in found if c is not None]


def test_a_closing_comes_back_as_it_was() -> None:
    c = closing(
        table=cells((GOOD, T0_S, 3, ()), (BAD, T0_S, 2, (8, 9))), late=cells((GOOD, T0_S - 50, 1, ()))
    )
    [value] = journal.parts(c, "a")
    [back] = fed(Assembler(), [value], offset=40)
    r = back.record
    assert (r.bucket_s, r.through, r.low_water, r.attempt, r.part, r.parts) == (T0_S, 7, 5, "a", 1, 1)
    assert (r.sources, r.positions, r.incomplete, r.gaps) == (
        c.sources,
        c.positions,
        ["lost a"],
        {"lost b": 9},
    )
    assert (back.cells, back.late, back.first_offset) == (c.cells, c.late, 40)


def test_an_empty_bucket_is_one_record() -> None:
    [value] = journal.parts(closing(), "a")
    [back] = fed(Assembler(), [value])
    assert back.cells == Cells() and back.late == Cells()


def test_a_wide_bucket_is_cut_into_records_that_kafka_takes() -> None:
    c = closing(table=wide(9_000), late=wide(5_000, T0_S - 60, seed=2))
    values = journal.parts(c, "a")
    assert len(values) >= 4 and all(len(v) <= MOST_BYTES for v in values)
    [back] = fed(Assembler(), values)
    assert everything(back.cells) == everything(c.cells)
    assert everything(back.late) == everything(c.late)


def test_many_partitions_leave_room_for_cells() -> None:
    c = closing(table=wide(9_000))
    c.positions = [Position("t" * 100, "i" * 22, i, 10**12, 1_784_289_600_000) for i in range(2_000)]
    assert all(len(v) <= MOST_BYTES for v in journal.parts(c, "a"))


# Letters are attempts, digits are buckets, a dot is one part: a1.. is all of bucket 1 by attempt a.
@pytest.mark.parametrize(
    "log, winners",
    [
        ("a1/1 a1/2 a2/1 a2/2", "a1 a2"),
        ("a1/2 a1/1", "a1"),
        ("a1/1 b1/1 b1/2", "b1"),  # the first life ended in the middle: its half is nothing
        ("a1/1 b1/1 b1/2 a1/2", "b1"),  # a zombie completes what another life has done
        ("a1/1 a1/2 b1/1 b1/2 b2/1 b2/2", "a1 b2"),  # a later duplicate is ignored
        ("a1/1 a1/2 a2/1 b2/1 a2/2 b2/2", "a1 a2"),  # of two at once the first complete one wins
        ("a1/1 a1/1 a1/2", "a1"),  # a part sent twice is one part
        ("a2/1 a2/2 b1/1 b1/2", "a2"),  # buckets rise: what is older comes from a zombie
        ("a1/1 a2/1", ""),
    ],
)
def test_the_first_complete_attempt_wins(log: str, winners: str) -> None:
    values = [_part(word) for word in log.split()]
    won = [(c.record.attempt, c.record.bucket_s, _attempts_of(c)) for c in fed(Assembler(), values)]
    assert won == [(w[0], T0_S + 10 * int(w[1]), {w[0]}) for w in winners.split()]


def _part(word: str) -> bytes:
    attempt, number, part = word[0], int(word[1]), int(word[3])
    bucket_s = T0_S + 10 * number
    key = SeriesKey(attempt, f"part-{part}", "", "", "")
    c = closing(bucket_s, cells((key, bucket_s, part, ())))
    return journal.encode(journal._record(c, attempt, part, 2, c.cells, Cells()))


def _attempts_of(complete: Complete) -> set[str]:
    assert sorted(complete.cells.finals) == [1, 2]
    return {k.source for k in complete.cells.keys}


def test_parts_in_any_order_join_in_theirs() -> None:
    values = journal.parts(closing(table=wide(9_000)), "a")
    [there], [back] = fed(Assembler(), values), fed(Assembler(), values[::-1])
    assert there.cells == back.cells
