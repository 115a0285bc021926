"""Back-pressure: who waits for whom."""

from __future__ import annotations

import pytest

from streams.dedupe import SeenIds
from streams.pace import Key, ahead
from streams.partition import PartitionIntake

AHEAD_MS = 120_000


@pytest.mark.parametrize(
    "own, others, waits",
    [
        ({}, {}, []),
        ({0: 500_000}, {}, []),
        ({0: 120_000, 1: 0}, {}, []),  # just at the limit
        ({0: 120_001, 1: 0}, {}, [0]),
        ({0: 900_000, 1: 900_001, 2: 1}, {}, [0, 1]),
        ({0: 900_000}, {5: 1}, [0]),  # somebody else's partition is the slowest
        ({0: 900_000}, {5: 900_000}, []),
        ({0: 900_000, 1: 899_000}, {1: 1}, []),  # of an own partition the own clock counts
        ({0: 900_000, 1: None}, {}, []),  # without a clock nobody waits for it
        ({0: None}, {5: 1}, []),
        ({0: 1}, {5: 900_000}, []),
    ],
)
def test_a_partition_far_ahead_of_the_least_clock_waits(
    own: dict[int, int | None], others: dict[int, int], waits: list[int]
) -> None:
    parts = {("t", p): _part(p, clock_ms) for p, clock_ms in own.items()}
    foreign: dict[Key, int] = {("t", p): ms for p, ms in others.items()}
    assert ahead(parts, foreign, AHEAD_MS) == {("t", p) for p in waits}


def _part(number: int, clock_ms: int | None) -> PartitionIntake:
    return PartitionIntake("t", "id", number, 0, SeenIds(600, 1_000), clock_ms=clock_ms)
