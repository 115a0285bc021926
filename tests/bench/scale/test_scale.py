"""What the page of scale stands on: the arithmetic, and the page itself."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.scale import plot, report
from tests.bench.scale.__main__ import BEGIN, END, JSON, PAGE, PLOT
from tests.bench.scale.arithmetic import DAY_S, PEAK, cells_per_s, need
from tests.bench.scale.figures import Result


@pytest.fixture(scope="module")
def measured() -> Result:
    return msgspec.json.decode(JSON.read_bytes(), type=Result)


@given(st.floats(0.1, 1e8), st.integers(1, 100), st.integers(1, 200_000), st.floats(0, 1))
def test_cells_are_never_more_than_records_nor_than_what_the_ingests_can_tell_apart(
    records_per_s: float, processes: int, series: int, failed: float
) -> None:
    cells = cells_per_s(records_per_s, processes, series, failed)
    assert 0 < cells <= min(records_per_s, processes * series * 2) * (1 + 1e-9)
    assert cells_per_s(records_per_s, processes + 1, series, failed) >= cells * (1 - 1e-9)


def test_cells_follow_the_records_where_few_fall_into_one_and_the_series_where_many_do() -> None:
    assert cells_per_s(1_000, 1, 1_000_000) == pytest.approx(1_000, rel=0.01)
    assert cells_per_s(10_000_000, 2, 100) == pytest.approx(400, rel=0.01)


def test_ten_times_the_messages_need_ten_times_the_ingest_and_not_ten_times_the_windows(
    measured: Result,
) -> None:
    one, ten = need(measured, 1e10), need(measured, 1e11)
    assert ten.ingest_cores == pytest.approx(10 * one.ingest_cores)
    assert one.mean_per_s * DAY_S == pytest.approx(1e10)
    assert one.peak_per_s == PEAK * one.mean_per_s
    assert one.windows_core < ten.windows_core <= 10 * one.windows_core
    assert ten.windows_gb == one.windows_gb


def test_the_page_and_the_plot_are_those_of_the_figures(measured: Result) -> None:
    assert PAGE.read_text().split(BEGIN)[1].split(END)[0] == report.page(measured)
    assert PLOT.read_text() == plot.svg(measured)
    assert {c.processes for c in measured.crews} == {1, 2, 3, 4}
    assert [s.series for s in measured.sizes] == [100, 1_000, 10_000, 100_000]
    assert measured.backlog is not None
    assert measured.takeovers is not None
    assert {s.who for s in measured.takeovers.strikes} == set(report.WHO)
