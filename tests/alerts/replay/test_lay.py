"""Folded lines become the cells that `windows` would have written."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.replay.folded import Bucket, Line
from alerts.replay.lay import Reader
from streams.errors import ConfigError
from streams.records import Cells, SeriesKey
from streams.settings import Source
from tests.alerts.replay.lines import T0_MS, line

T0_S = T0_MS // 1000


def slots(*rows: dict, sources: tuple[Source, ...] = ()) -> list[tuple[int, Cells]]:
    parsed = tuple(msgspec.convert(row, Line) for row in rows)
    return list(Reader(sources).slots(Bucket(T0_S, parsed[0].bucket_s, parsed)))


def cells(*rows: dict, sources: tuple[Source, ...] = ()) -> Cells:
    ((_, table),) = slots(*rows, sources=sources)
    return table


@pytest.mark.parametrize(
    ("source", "name", "outcome_class", "code"),
    [
        ("twilio", "delivered", "delivered", ""),
        ("twilio", "30003", "absent_subscriber", "30003"),
        ("twilio", "absent_subscriber", "absent_subscriber", ""),
        ("twilio", "99999", "unknown", "99999"),
        ("smpp-east", "1", "absent_subscriber", "001"),
        ("smpp-east", "000", "delivered", ""),
    ],
)
def test_a_code_or_class_is_read_by_the_table_of_its_source(
    source: str, name: str, outcome_class: str, code: str
) -> None:
    table = cells(line(counts={name: 3}, source=source))
    assert table.keys == [SeriesKey(source, "310-260", "US", outcome_class, code)]
    assert table.finals == [3]


@pytest.mark.parametrize("name", ["30001", "throttled", "malformed"])
def test_what_is_the_senders_own_fault_is_no_outcome(name: str) -> None:
    assert cells(line(counts={name: 3})).keys == []


def test_a_configured_source_has_its_own_code_profile() -> None:
    source = Source(name="twilio", format="smpp-receipt")
    assert cells(line(counts={"001": 3}), sources=(source,)).keys[0].outcome_class == "absent_subscriber"


def test_a_source_that_nothing_is_known_of_is_refused() -> None:
    with pytest.raises(ConfigError, match="'east' is not in the configuration"):
        cells(line(source="east"))


def test_recipients_that_failed_before_are_repeats() -> None:
    table = cells(line(counts={"delivered": 9, "30003": 5, "30005": 4}, distinct={"30003": 2}))
    assert list(zip(table.finals, table.distinct, table.repeats, strict=True)) == [
        (9, 0, 0),
        (5, 2, 3),
        (4, 0, 0),
    ]


def test_sends_are_a_cell_without_finals() -> None:
    table = cells(line(sends=7))
    assert (table.finals, table.sends) == ([9, 0], [0, 7])


def test_lines_of_one_series_are_one_cell() -> None:
    table = cells(line(counts={"30003": 2}, distinct={"30003": 1}), line(counts={"30003": 3}))
    assert (table.finals, table.distinct, table.repeats) == ([5], [4], [1])


def test_latencies_are_columns_of_the_histogram() -> None:
    told = {"delivered": {"5": 6, "60": 2}, "30003": {"+Inf": 1}}
    table = cells(line(counts={"delivered": 9, "30003": 1}, latency_s=told))
    columns = zip(table.latency_cell, table.latency_bin, table.latency_n, strict=True)
    assert list(columns) == [(0, 1, 6), (0, 4, 2), (1, 11, 1)]


def test_latencies_of_lines_of_one_series_add_up() -> None:
    rows = (line(counts={"30003": 3}, latency_s={"30003": {"5": n}}) for n in (1, 2))
    table = cells(*rows, line(counts={"30003": 3}))
    assert (table.finals, table.latency_bin, table.latency_n) == ([9], [1], [3])


@given(st.lists(st.integers(0, 300), min_size=2, max_size=2), st.integers(0, 50), st.integers(2, 12))
def test_latencies_are_dealt_with_their_outcomes(told: list[int], untold: int, parts: int) -> None:
    quick, slow = told
    row = line(0, {"30003": sum(told) + untold}, latency_s={"30003": {"5": quick, "+Inf": slow}})
    tables = [table for _, table in slots(row | {"bucket_s": 10 * parts})]
    for column, n in ((1, quick), (11, slow)):
        assert n == sum(
            m for t in tables for c, m in zip(t.latency_bin, t.latency_n, strict=True) if c == column
        )
    assert all(sum(t.latency_n) <= sum(t.finals) for t in tables)


@given(
    finals=st.integers(0, 10_000),
    distinct=st.integers(0, 10_000),
    good=st.integers(0, 100_000),
    parts=st.integers(1, 12),
)
def test_slots_add_up_to_the_bucket(finals: int, distinct: int, good: int, parts: int) -> None:
    counts = {"delivered": good, "30003": finals}
    rows = line(0, counts, distinct={"30003": distinct}, bucket_s=10 * parts, sends=good)
    laid = slots(rows)
    assert [bucket_s for bucket_s, _ in laid] == [T0_S + 10 * i for i in range(parts)]
    tables = [table for _, table in laid]
    assert sum(sum(t.finals) for t in tables) == finals + good
    assert sum(sum(t.distinct) for t in tables) == min(distinct, finals)
    assert sum(sum(t.sends) for t in tables) == good
    assert all(d + r == f for t in tables for k, f, d, r in _failures(t))


def _failures(table: Cells) -> list[tuple[SeriesKey, int, int, int]]:
    columns = zip(table.keys, table.finals, table.distinct, table.repeats, strict=True)
    return [row for row in columns if row[0].code == "30003"]


def test_the_same_bucket_is_laid_out_the_same() -> None:
    row = line(0, {"delivered": 1000, "30003": 40}, bucket_s=60)
    assert slots(row) == slots(row)
