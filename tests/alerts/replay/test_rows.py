"""Streams side by side: nothing is lost, nothing comes twice, nobody runs ahead."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.replay.rows import Clocks, Rows, steps

STEP_MS = 1000
gaps = st.lists(st.integers(0, 2500), max_size=60)


def stream(number: int, gaps: list[int], chunk: int, topic: str = "outcomes") -> list[Rows]:
    """Records of one partition, so many milliseconds after each other, in chunks."""
    read_ms = np.cumsum(np.array(gaps, np.int64))
    offsets = np.arange(len(gaps))
    whole = Rows(
        topic,
        "",
        np.full(len(gaps), number),
        offsets,
        read_ms,
        read_ms,
        read_ms.tolist(),
        [()] * len(gaps),
        [f"{number}-{i}".encode() for i in offsets],
    )
    return [whole.cut(i, i + chunk) for i in range(0, len(gaps), chunk)]


@settings(deadline=None)
@given(st.lists(gaps, max_size=5), st.integers(1, 20), st.booleans())
def test_every_record_comes_once_in_its_order_within_its_step(
    partitions: list[list[int]], chunk: int, apart: bool
) -> None:
    streams = [stream(n, own, chunk, f"t{n}" if apart else "outcomes") for n, own in enumerate(partitions)]
    seen, last_ms = defaultdict(list), -1
    for step in steps(streams, STEP_MS):
        assert step.start_ms > last_ms and step.start_ms % STEP_MS == 0 and step.rows
        last_ms = step.start_ms
        for rows in step.rows:
            assert ((rows.read_ms >= step.start_ms) & (rows.read_ms < step.start_ms + STEP_MS)).all()
            for number, offset, value in zip(
                rows.partition.tolist(), rows.offset.tolist(), rows.values, strict=True
            ):
                assert value == f"{number}-{offset}".encode()
                seen[number].append(offset)
    assert dict(seen) == {n: list(range(len(own))) for n, own in enumerate(partitions) if own}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10_000)), min_size=1), st.integers(1, 7))
def test_the_clock_of_a_partition_is_its_newest_receipt(told: list[tuple[int, int]], chunk: int) -> None:
    clocks, newest = Clocks(), dict[int, int]()
    for start in range(0, len(told), chunk):
        part = told[start : start + chunk]
        partition, clock_ms = (np.array(column, np.int64) for column in zip(*part, strict=True))
        for (number, ms), risen in zip(part, clocks.risen(partition, clock_ms).tolist(), strict=True):
            newest[number] = max(newest.get(number, 0), ms)
            assert risen == newest[number]
