"""One flush as partials: how it is cut."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.records import Cells, Partial, Range, SeriesKey, encode
from streams.transaction import MOST_PARTIAL_BYTES, partials
from tests.streams.logs import T0_S, cells, everything, reach

SOURCES = {"outcomes": 12}


def flush(n: int, recipients: int, name: str) -> Cells:
    rng = np.random.default_rng(n)
    keys = [SeriesKey("s", f"{name}-{i}", name, "absent_subscriber", "30003") for i in range(n)]
    return cells(*((k, T0_S, 5, tuple(rng.integers(0, 2**63, recipients).tolist())) for k in keys))


@pytest.mark.parametrize(
    "table",
    [
        flush(1, 0, "one"),
        flush(20_000, 0, "narrow"),
        flush(3_000, 30, "some recipients"),
        flush(4_000, 0, "é" * 60),
        flush(2, 120_000, "crowd"),
    ],
    ids=["one", "many", "recipients", "long names", "crowds"],
)
@pytest.mark.parametrize("partitions", [1, 500])
def test_no_partial_passes_the_size_and_none_is_short_of_a_cell(table: Cells, partitions: int) -> None:
    ranges = [_busy(p) for p in range(partitions)]
    flushed = partials("ingest-0", 1, SOURCES, ranges, table)
    values = [encode(p) for p in flushed]
    assert all(len(v) <= MOST_PARTIAL_BYTES for v in values)
    back = [msgspec.json.decode(v, type=Partial) for v in values]
    assert [(p.part, p.parts) for p in back] == [(i, len(back)) for i in range(1, len(back) + 1)]
    assert all((p.ranges, p.sources, p.writer) == (ranges, SOURCES, "ingest-0") for p in back)
    whole = everything(table)
    for p in back:
        whole.subtract(everything(p.cells))
    assert not any(whole.values())


def test_a_flush_without_cells_is_one_partial() -> None:
    [only] = partials("ingest-0", 1, SOURCES, [reach(0, 5, 9, 1)], Cells())
    assert (only.part, only.parts, only.cells) == (1, 1, Cells())


def _busy(partition: int) -> Range:
    tally = {"twilio": {"counted": 10**6, "duplicate": 10**6, "in_flight": 10**6, "malformed": 1}}
    return msgspec.structs.replace(reach(partition, 10**12, 10**12 + 9, 1), tally=tally)
