"""A benchmark of wrong results is worthless: whatever does not add up is found."""

from collections.abc import Callable

import msgspec
import pytest

from alerts.bench.check import Closed, Counted
from alerts.bench.errors import BenchFailed
from alerts.bench.traffic import Series, Truth
from streams.fold import pack
from streams.records import Cells, ClosedBucket, Partial, Range, SeriesKey, encode

DELIVERED = SeriesKey("canonical", "310-100", "US-CA", "delivered", "")
ABSENT = SeriesKey("canonical", "310-100", "US-CA", "absent_subscriber", "30003")
CELLS = Cells(
    keys=[DELIVERED, ABSENT],
    key=[0, 1],
    bucket_s=[1_000, 1_000],
    finals=[9, 2],
    sends=[0, 0],
    recipients_n=[0, 2],
    recipients=pack([17, 18]),
    distinct=[0, 2],
    repeats=[0, 0],
)
TRUTH = Truth(
    records=11,
    failed=2,
    counts={
        Series("310-100", "US-CA", "delivered"): 9,
        Series("310-100", "US-CA", "absent_subscriber"): 2,
    },
)


def partial(cells: Cells = CELLS, part: int = 1, parts: int = 1, **tally: int) -> bytes:
    ranges = [Range("outcomes", "id", 0, 0, 11, 1_010_000, {"canonical": tally or {"counted": 11}})]
    return encode(Partial("ingest-0", 1_010_000, {"outcomes": 1}, ranges, cells, part, parts))


def counted(*values: bytes) -> Counted:
    counted = Counted()
    for value in values:
        counted.add(value)
    return counted


def test_partials_that_add_up_pass() -> None:
    found = counted(partial())
    found.check("ingest", "canonical", TRUTH)
    assert (found.cells, found.ends, found.least_clock_ms) == (2, {0: 11}, 1_010_000)


def test_ranges_count_once_however_many_parts_there_are() -> None:
    counted(partial(part=1, parts=2), partial(Cells(), part=2, parts=2)).check("ingest", "canonical", TRUTH)


def fewer(cells: Cells) -> Cells:
    return msgspec.structs.replace(cells, finals=[8, 2])


def moved(cells: Cells) -> Cells:
    return msgspec.structs.replace(cells, keys=[DELIVERED._replace(region="US-NY"), ABSENT])


def forgotten(cells: Cells) -> Cells:
    return msgspec.structs.replace(cells, recipients_n=[0, 1])


@pytest.mark.parametrize("wrong", [fewer, moved, forgotten])
def test_cells_that_differ_from_the_truth_fail(wrong: Callable[[Cells], Cells]) -> None:
    with pytest.raises(BenchFailed, match="ingest"):
        counted(partial(wrong(CELLS))).check("ingest", "canonical", TRUTH)


def test_a_record_that_counts_as_something_else_fails() -> None:
    with pytest.raises(BenchFailed, match="duplicate"):
        counted(partial(counted=10, duplicate=1)).check("ingest", "canonical", TRUTH)


def closed(cells: Cells, late: Cells | None = None) -> Closed:
    record = ClosedBucket(
        bucket_s=1_000,
        attempt="a",
        part=1,
        parts=1,
        through=5,
        low_water=6,
        sources={"outcomes": 1},
        positions=[],
        cells=cells,
        late=late or Cells(),
    )
    found = Closed()
    found.add(0, encode(record))
    return found


def test_closed_buckets_that_add_up_pass() -> None:
    found = closed(CELLS)
    found.check("windows", TRUTH)
    assert found.is_through(1_010_000) and not found.is_through(1_020_000)
    assert (found.finals, found.last_offset) == (11, 0)


def test_closed_buckets_that_differ_fail() -> None:
    with pytest.raises(BenchFailed, match="10 of 11"):
        closed(fewer(CELLS)).check("windows", TRUTH)


def test_records_that_came_in_order_are_never_late() -> None:
    with pytest.raises(BenchFailed, match="11 records are late"):
        closed(CELLS, CELLS).check("windows", TRUTH)
