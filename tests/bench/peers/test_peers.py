"""The parts that a race stands on: the traffic, what must come out of it, and the check."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import numpy as np
import pytest

from tests.bench.peers import plot, report
from tests.bench.peers.__main__ import BEGIN, END, JSON, PAGE, PLOT
from tests.bench.peers.check import check, expected
from tests.bench.peers.outcomes import DISORDER_MS, SIZE_S, STEP_S, Buckets, Job, batches, ticks

JOB = Job("sample", 3_000, 5.0)
START_MS = 1_700_000_040_000


@pytest.fixture(scope="module")
def sample() -> tuple[Buckets, list[dict[str, object]]]:
    buckets = Buckets.of(JOB, START_MS)
    written = [json.loads(v) for batch in batches(JOB, START_MS, buckets) for v in batch.values]
    return buckets, written


@pytest.fixture(scope="module")
def rows(sample: tuple[Buckets, list[dict[str, object]]]) -> list[bytes]:
    """Of a count as simple as can be: each outcome into each of its 30 windows."""
    total, n30003, absent = Counter(), Counter(), Counter()
    for o in sample[1]:
        first_end_s = o["received_ms"] // 1000 // STEP_S * STEP_S + STEP_S
        for end_s in range(first_end_s, first_end_s + SIZE_S, STEP_S):
            window = o["carrier"], o["region"], end_s * 1000
            total[window] += 1
            n30003[window] += o["code"] == "30003"
            absent[window] += o["code"] in ("30003", "63036")
    names = ("carrier", "region", "end_ms", "total", "n30003", "absent")
    return [
        msgspec.json.encode(dict(zip(names, (*w, total[w], n30003[w], absent[w]), strict=True)))
        for w in total
    ]


def test_a_seed_decides_every_byte(sample: tuple[Buckets, list[dict[str, object]]]) -> None:
    again, other = Buckets.of(JOB, START_MS), Buckets.of(JOB, START_MS)
    assert [json.loads(v) for b in batches(JOB, START_MS, again) for v in b.values] == sample[1]
    assert (again.counts == sample[0].counts).all()
    assert [
        json.loads(v) for b in batches(JOB._replace(seed=2), START_MS, other) for v in b.values
    ] != sample[1]


def test_outcomes_are_at_most_30_s_out_of_order_and_of_every_kind(
    sample: tuple[Buckets, list[dict[str, object]]],
) -> None:
    at_ms = np.array([o["received_ms"] for o in sample[1]])
    behind = np.maximum.accumulate(at_ms) - at_ms
    assert DISORDER_MS / 2 < behind.max() <= DISORDER_MS
    assert {o["code"] for o in sample[1]} == {None, "30003", "63036", "30006"}
    assert len({o["message_id"] for o in sample[1]}) == JOB.outcomes


def test_what_must_come_out_is_what_a_count_window_by_window_finds(
    sample: tuple[Buckets, list[dict[str, object]]], rows: list[bytes]
) -> None:
    verdict = check(sample[0], rows)
    assert verdict.exact
    assert verdict.windows == verdict.rows == len(rows) == int((expected(sample[0])[:, :, 0] > 0).sum())
    assert verdict.short_ratio == 0


def test_the_ticks_count_for_nothing_and_end_every_window(
    sample: tuple[Buckets, list[dict[str, object]]], rows: list[bytes]
) -> None:
    given = [json.loads(value) for _, value, _ in ticks(JOB, START_MS, 30)]
    last_end_ms = max(json.loads(row)["end_ms"] for row in rows)
    assert all(o["received_ms"] - 30_000 > last_end_ms for o in given)
    zeros = {"end_ms": last_end_ms, "total": 1, "n30003": 0, "absent": 0}
    tick_rows = [msgspec.json.encode({"carrier": o["carrier"], "region": o["region"]} | zeros) for o in given]
    assert check(sample[0], [*rows, *tick_rows]).exact


@pytest.mark.parametrize("field", ["total", "n30003", "absent"])
def test_one_count_that_is_wrong_is_caught(
    sample: tuple[Buckets, list[dict[str, object]]], rows: list[bytes], field: str
) -> None:
    spoilt = json.loads(rows[7])
    spoilt[field] += 1
    verdict = check(sample[0], [*rows[:7], msgspec.json.encode(spoilt), *rows[8:]])
    assert (verdict.wrong, verdict.missing, verdict.surplus) == (1, 0, 0)
    assert not verdict.exact


def test_a_window_that_is_missing_twice_there_or_nobodys_is_caught(
    sample: tuple[Buckets, list[dict[str, object]]], rows: list[bytes]
) -> None:
    short = check(sample[0], rows[1:])
    assert (short.missing, short.exact) == (1, False)
    assert short.short_ratio > 0
    assert check(sample[0], [*rows, rows[0]]).surplus == 1
    for change in ({"end_ms": json.loads(rows[0])["end_ms"] + 1}, {"end_ms": 0}, {"carrier": "nobody"}):
        stray = msgspec.json.encode(json.loads(rows[0]) | change)
        assert check(sample[0], [*rows, stray]).surplus == 1


def test_the_page_and_the_plot_are_those_of_the_figures() -> None:
    result = msgspec.json.decode(JSON.read_bytes(), type=report.Result)
    assert PAGE.read_text().split(BEGIN)[1].split(END)[0] == report.page(result)
    assert PLOT.read_text() == plot.svg(result)
    assert {e.kind for heat in result.heats for e in heat.entries} == {"limit", "ours", "peer"}


def test_our_runs_in_the_figures_are_exact() -> None:
    result = msgspec.json.decode(JSON.read_bytes(), type=report.Result)
    assert all(e.exact for heat in result.heats for e in heat.entries if e.kind == "ours")
