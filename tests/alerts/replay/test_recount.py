"""Records of the past are counted as ingest and windows count them.

receipt  0 ..... 10 ..... 20 ..... 30 s       lateness 5 s, flush 1 s
bucket   [ 0     )[ 10    )[ 20    )
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.replay.recount import Recount
from alerts.replay.rows import Rows, steps
from alerts.settings import Settings
from streams.settings import Source
from streams.window import Closing

T0_S = 1_800_000_000
SETTINGS = Settings(sources=(Source(name="api", format="canonical", codes="twilio"),))


def rows(*told: tuple[float, float, int], ids: Sequence[int] | None = None) -> Rows:
    """Records of (read at, received at, partition), seconds after T0; each of a message of its own."""
    read_ms = np.array([round((T0_S + read_s) * 1000) for read_s, _, _ in told], np.int64)
    stamps = [b"%d" % round((T0_S + at_s) * 1000) for _, at_s, _ in told]
    return Rows(
        "outcomes",
        "",
        np.array([partition for _, _, partition in told]),
        np.arange(len(told)),
        read_ms,
        np.maximum.accumulate(read_ms),
        read_ms.tolist(),
        [[("source", b"api"), ("received_ms", stamp)] for stamp in stamps],
        [record(i if ids is None else ids[i]) for i in range(len(told))],
    )


def record(number: int) -> bytes:
    own = {"message_id": f"m{number}", "status": "delivered", "event_time_ms": T0_S * 1000}
    return json.dumps(own | {"carrier": "310-260", "region": "US"}).encode()


def counted(one: Rows) -> tuple[list[Closing], Recount]:
    recount = Recount(SETTINGS)
    return list(recount.closings(steps([[one]], recount.step_ms))), recount


def finals(closings: list[Closing]) -> dict[int, int]:
    """By bucket from T0 on; an empty one or two come before, as live."""
    before = [c for c in closings if c.bucket_s < T0_S]
    assert not any(c.cells.finals for c in before)
    return {c.bucket_s - T0_S: sum(c.cells.finals) for c in closings[len(before) :]}


def test_buckets_close_in_order_and_empty_ones_too() -> None:
    closings, recount = counted(rows((1, 1, 0), (31, 31, 0)))
    assert finals(closings) == {0: 1, 10: 0, 20: 0, 30: 1}
    assert (recount.records, recount.results, recount.late) == (2, Counter(counted=2), 0)
    assert not any(c.incomplete for c in closings)


def test_a_partition_without_records_holds_nothing_up() -> None:
    recount = Recount(SETTINGS)
    told = [(0.5, 0.5, 1), *((s, s, 0) for s in range(1, 40))]
    closed = [c for step in steps([[rows(*told)]], 1000) for c in recount.take(step)]
    assert finals(closed) == {0: 10, 10: 10, 20: 10}


def test_what_comes_after_its_bucket_has_closed_is_late() -> None:
    in_time, too_late = (
        counted(rows((1, 1, 0), (14, 2, 0))),
        counted(rows((1, 1, 0), (17, 2, 0), (17, 17, 0))),
    )
    assert (finals(in_time[0])[0], in_time[1].late) == (2, 0)
    assert (finals(too_late[0])[0], too_late[1].late) == (1, 1)


def test_a_stamp_a_little_ahead_counts_as_when_it_was_read_and_one_far_ahead_is_malformed() -> None:
    closings, recount = counted(rows((5, 35, 0), (6, 86, 0), (7, 7, 0)))
    assert finals(closings) == {0: 2}
    assert recount.results == Counter(counted=2, malformed=1)


def test_partitions_of_any_number_are_counted() -> None:
    closings, _ = counted(rows((1, 1, 7), (2, 2, 3), (12, 12, 7)))
    assert finals(closings) == {0: 2, 10: 1}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20_000), st.integers(0, 9)), min_size=1, max_size=40)
)
def test_nothing_vanishes(told: list[tuple[int, int, int]]) -> None:
    """Every record is one result, and what was counted is in a bucket or late."""
    at_s = np.cumsum([ms / 1000 for _, ms, _ in told]).tolist()
    received = [
        (at, max(at - (i % 5) * 4, 0), p) for i, (at, (p, _, _)) in enumerate(zip(at_s, told, strict=True))
    ]
    closings, recount = counted(rows(*received, ids=[n for _, _, n in told]))
    assert recount.results.total() == recount.records == len(told)
    assert sum(finals(closings).values()) + recount.late == recount.results["counted"]
    starts = [c.bucket_s for c in closings]
    assert starts == list(range(starts[0], starts[-1] + 10, 10))
