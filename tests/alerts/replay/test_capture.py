"""Files in the capture format: what is read of a line, in which order, and what is refused."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import cramjam
import pytest

from alerts.replay.capture import OutOfOrder, by_partition, in_order
from alerts.replay.opened import ReplayError
from alerts.replay.rows import Rows
from streams.batch import Batch, sources_and_stamps

T0_MS = 1_800_000_000_000


def line(offset: int = 0, partition: int = 0, at_ms: int = 0, **more: object) -> dict:
    own = {"source": "twilio", "received_ms": T0_MS + at_ms, "partition": partition, "offset": offset}
    return own | {"key": "SM1", "value": "a=b"} | more


def text(*lines: dict) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def written(path: Path, *lines: dict) -> Path:
    path.write_bytes(text(*lines))
    return path


def read(path: Path) -> Rows:
    (rows,) = in_order(path, 1000)
    return rows


def headers(rows: Rows) -> tuple[list[str], list[int]]:
    """Sources and receipt stamps, as the live path reads them."""
    batch = Batch(rows.partition, rows.offset, (), rows.headers, rows.values, lambda _: None)
    names, stamps = sources_and_stamps(batch)
    return names, stamps.tolist()


def test_a_line_is_a_record_as_kafka_held_it(tmp_path: Path) -> None:
    told = {"source": "smpp", "received_ms": str(T0_MS + 5), "other": "x"}
    packed = base64.b64encode(b"\xff\x00").decode()
    rows = read(
        written(
            tmp_path / "a.jsonl",
            line(7, 3, headers=told, clock_ms=T0_MS + 400),
            line(8, 3, at_ms=300, value=None, value_b64=packed),
            {k: v for k, v in line(9, 3, at_ms=500).items() if k != "value"},
        )
    )
    assert (rows.partition.tolist(), rows.offset.tolist()) == ([3, 3, 3], [7, 8, 9])
    assert list(rows.values) == [b"a=b", b"\xff\x00", None]
    assert (rows.clock_ms - T0_MS).tolist() == [400, 400, 500]
    assert headers(rows) == (["smpp", "twilio", "twilio"], [T0_MS + 5, T0_MS + 300, T0_MS + 500])


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_packed_files_hold_the_same(tmp_path: Path, suffix: str) -> None:
    path, plain = tmp_path / f"a.jsonl{suffix}", text(*(line(i) for i in range(50)))
    pack = {"": bytes, ".gz": gzip.compress, ".zst": lambda b: bytes(cramjam.zstd.compress(b))}[suffix]
    path.write_bytes(pack(plain))
    assert read(path).offset.tolist() == list(range(50))


def test_how_far_a_file_was_read_is_told(tmp_path: Path) -> None:
    shares: list[float] = []
    list(in_order(written(tmp_path / "a.jsonl", line()), 1000, shares.append))
    assert shares[-1] == 1.0


def test_no_line_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n\n")
    assert list(in_order(path, 1000)) == []


def test_a_partition_that_lags_within_the_step_is_in_order(tmp_path: Path) -> None:
    rows = read(written(tmp_path / "a.jsonl", line(0, 0, 900), line(0, 1, 100)))
    assert (rows.clock_ms - T0_MS).tolist() == [900, 100]
    assert (rows.read_ms - T0_MS).tolist() == [900, 900]


def test_a_partition_that_lags_further_is_not_and_the_file_is_taken_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", line(0, 0, 5000), line(0, 1, 100), line(1, 0, 6000))
    with pytest.raises(OutOfOrder):
        list(in_order(path, 1000))
    with by_partition(path) as files:
        streams = [read(file) for file in files]
        assert [rows.offset.tolist() for rows in streams] == [[0, 1], [0]]
        assert [list(rows.values) for rows in streams] == [[b"a=b"] * 2, [b"a=b"]]
        assert headers(streams[1]) == (["twilio"], [T0_MS + 100])
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"{", "a.jsonl:2: no record in the capture format"),
        (b'{"source": "twilio"}', "a.jsonl:2: no record in the capture format"),
        (b'{"bucket_start_ms": 1}', "a.jsonl:2: no record in the capture format"),
        (text(line(-1)).strip(), "a.jsonl:2: no record in the capture format"),
        (
            text(line(4, 2, value=None, value_b64="+1202555012")).strip(),
            "partition 2, offset 4 is no base64",
        ),
    ],
)
def test_a_line_that_can_not_be_used_is_refused_and_not_quoted(
    tmp_path: Path, wrong: bytes, words: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(text(line()) + wrong + b"\n" + text(line(5)))
    with pytest.raises(ReplayError) as refused:
        list(in_order(path, 1000))
    assert words in str(refused.value) and "+1202" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"none\.jsonl"):
        list(in_order(tmp_path / "none.jsonl", 1000))
