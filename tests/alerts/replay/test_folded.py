"""Lines of folded counts become buckets, or are refused with file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cramjam
import pytest

from alerts.replay.folded import EVER, Bucket, ReplayError, Span, buckets
from tests.alerts.replay.lines import T0_MS, line, write


def starts(*paths: Path, span: Span = EVER) -> list[int]:
    return [bucket.start_s * 1000 - T0_MS for bucket in buckets(paths, span)]


def test_empty_buckets_stand_between_those_with_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(), line(T0_MS + 30_000)])
    assert starts(path) == [0, 10_000, 20_000, 30_000]
    assert [len(b.lines) for b in buckets([path])] == [1, 0, 0, 1]


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl", [line(), line(T0_MS + 20_000)])
    other = write(tmp_path / "b.jsonl", [line(region="GB"), line(T0_MS + 10_000, region="GB")])
    assert [len(b.lines) for b in buckets([one, other])] == [2, 1, 1]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_packed_files_read_the_same(tmp_path: Path, name: str) -> None:
    plain = "".join(json.dumps(line(T0_MS + 10_000 * i)) + "\n" for i in range(3)).encode()
    packed = {".gz": gzip.compress, ".zst": lambda b: bytes(cramjam.zstd.compress(b))}
    path = tmp_path / name
    path.write_bytes(packed.get(path.suffix, bytes)(plain))
    assert starts(path) == [0, 10_000, 20_000]


def test_the_end_of_the_time_asked_for_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(T0_MS + 10_000 * i) for i in range(5)])
    t0_s = T0_MS // 1000
    assert starts(path, span=Span(t0_s + 10, t0_s + 30)) == [10_000, 20_000]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([line(), line(T0_MS - 10_000)], "a.jsonl:2: goes back in time"),
        ([line(), line(T0_MS + 60_000, bucket_s=60)], "a.jsonl:2: bucket_s is 60, and 10 before it"),
        ([line(bucket_s=15)], "a.jsonl:1: no line of folded counts"),
        ([line(T0_MS + 5_000)], "a.jsonl:1: bucket_start_ms is no multiple of 10 s"),
        ([line(counts={"30003": -1})], "a.jsonl:1: no line of folded counts"),
        ([line(latency_s={"delivered": 9})], "a.jsonl:1: no line of folded counts"),
        ([line(latency_s={"delivered": {"7": 9}})], "a.jsonl:1: latency_s has a bound that is none of 1, 5"),
        ([line(latency_s={"delivered": {"5": 10}})], "a.jsonl:1: latency_s holds more outcomes than counts"),
        ([{"carrier": "310-260"}], "a.jsonl:1: no line of folded counts"),
    ],
)
def test_a_line_that_can_not_be_used_is_refused(tmp_path: Path, rows: list[dict], words: str) -> None:
    with pytest.raises(ReplayError) as refused:
        list(buckets([write(tmp_path / "a.jsonl", rows)]))
    assert words in str(refused.value)


def test_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jsonl", [line()])
    other = write(tmp_path / "b.jsonl", [line(T0_MS + 60_000, bucket_s=60)])
    with pytest.raises(ReplayError, match="10 and 60"):
        list(buckets([one, other]))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_that_is_not_packed_as_it_says_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"hello " * 100)
    with pytest.raises(ReplayError, match=name):
        list(buckets([path]))


def test_a_refusal_does_not_quote_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"carrier": "+12025550123"\n')
    with pytest.raises(ReplayError) as refused:
        list(buckets([path]))
    assert "+1202" not in str(refused.value)


def test_no_line_is_no_bucket(tmp_path: Path) -> None:
    assert list(buckets([write(tmp_path / "a.jsonl", [])])) == []
    assert Bucket(0, 10, ()).lines == ()
