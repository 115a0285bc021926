"""Rows, and what becomes of them."""

import json
from pathlib import Path

from alerts.bench import report
from alerts.bench.child import Usage
from alerts.bench.rows import Row, beside_raw, row, with_cells

RAW = row(1_000_000, Usage(1.1, 200.0), 0.1, 2.0, 225)
INGEST = row(1_000_000, Usage(4.5, 300.0), 0.5, 5.0, 225)
WHERE = report.machine("4.3.1", 0.25)


def all_rows() -> dict[str, Row]:
    windows = with_cells(INGEST, 8_000)
    return {name: RAW for name in report.ORDER} | {
        "windows": windows,
        "ingest_dense": beside_raw(INGEST, RAW),
    }


def test_the_whole_process_counts_and_the_steady_figure_leaves_its_start_out() -> None:
    assert (INGEST.records_per_cpu_s, INGEST.records_per_cpu_s_steady) == (222_222, 250_000)
    assert INGEST.records_per_wall_s == 200_000


def test_like_is_held_against_like() -> None:
    one = beside_raw(INGEST, RAW)
    assert (one.ratio_to_raw, one.ratio_to_raw_steady) == (0.244, 0.25)


def test_a_run_as_short_as_its_start_has_no_steady_figure() -> None:
    short = row(100, Usage(0.52, 100.0), 0.5, 1.0)
    assert short.records_per_cpu_s_steady is None
    assert beside_raw(short, RAW).ratio_to_raw_steady is None


def test_cells_have_rates_of_their_own() -> None:
    one = with_cells(INGEST, 8_000)
    assert (one.cells_per_cpu_s, one.cells_per_cpu_s_steady) == (1_778, 2_000)


def test_the_json_has_what_the_contract_names() -> None:
    told = json.loads(report.as_json(all_rows(), WHERE))
    for name in ("raw_consumer", "ingest_dense", "ingest_sparse", "windows", "end_to_end"):
        assert {"records_per_cpu_s", "records_per_wall_s", "peak_rss_mb", "records"} <= told[name].keys()
    assert told["machine"]["kafka"] == "4.3.1"
    assert told["machine"]["load_1m"][0] == 0.25


def test_the_table_is_aligned_and_names_every_row() -> None:
    table = report.as_table(all_rows(), WHERE).splitlines()
    lines = table[: len(report.ORDER) + 1]
    assert [line.split()[0] for line in lines[1:]] == list(report.ORDER)
    assert len({len(line) for line in lines}) == 1


def test_the_page_about_it_explains_every_row() -> None:
    page = Path(__file__).parents[3] / "docs" / "benchmark.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert named[: len(report.ORDER)] == list(report.ORDER)
