"""Records out of files: the same however the bytes come, and in memory that does not grow."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.cli.record_stream import records

COUNTS = {"lines": (2_000, 20_000), "array": (14_000, 40_000)}
"""Few and many records; an array is read as it comes above 12 MB only."""
MORE_MB = 8
"""How much more memory many records may take: noise of the allocator, no more."""

pieces = st.sampled_from(list(b'[]{},:1" \n\r\\\xc3')).map(lambda byte: bytes([byte])) | st.sampled_from(
    [b'"a"', b"null", b"\r\n", b'{"a":1}', b"[1]\n"]
)
texts = st.lists(pieces, max_size=25).map(b"".join)
finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def taken(data: bytes, chunk: int = 1 << 20, look_ahead: int = 1 << 20) -> list[bytes]:
    return list(records(io.BytesIO(data).read, chunk, look_ahead))


def whole(data: bytes) -> list[bytes]:
    """What the records of a file are, said with all of it at hand."""
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        if data.lstrip()[:1] == b"[":
            return [_text(bytes(raw)) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]
        if data.lstrip()[:1] == b"{":
            return [bytes(msgspec.json.decode(data, type=msgspec.Raw)).strip()]
    except (msgspec.DecodeError, UnicodeError):
        pass
    return lines


def _text(raw: bytes) -> bytes:
    value = raw.strip()
    return msgspec.json.decode(value, type=str).encode() if value[:1] == b'"' else value


@given(texts | values.map(lambda v: json.dumps(v, indent=1).encode()), st.integers(1, 9))
@example(b'{"a":1}\n{"a":2}\n', 1)
@example(b'[{"a":1}]\n[{"a":2}]\n', 3)
@example(b"\n [1]\n\n", 1)
@example(b"a\r\nb\rc\n\nd", 2)
def test_records_are_the_same_however_the_bytes_come(data: bytes, chunk: int) -> None:
    assert [r.strip() for r in taken(data, chunk)] == [r.strip() for r in whole(data)]


@given(st.lists(values, min_size=1, max_size=8), st.sampled_from([None, 0, 2]), st.integers(1, 9))
def test_an_array_above_what_is_held_gives_the_same_items(
    items: list[object], indent: int | None, chunk: int
) -> None:
    data = b" " + json.dumps(items, indent=indent, ensure_ascii=False).encode() + b"\n"
    assert taken(data, chunk, look_ahead=max(len(data) - 2, 1)) == whole(data)


def test_where_a_large_array_breaks_off_the_rest_is_read_by_line() -> None:
    data = b'[{"a":1},\n {"a":2},\n {"a":\nhello\n'
    assert taken(data, 4, look_ahead=20) == [b'{"a":1}', b'{"a":2}', b' {"a":', b"hello"]


def test_a_large_file_of_lines_in_brackets_is_no_array() -> None:
    data = b"[12:00:01] id:1 stat:DELIVRD\n" * 9
    assert taken(data, 7, look_ahead=40) == data.splitlines()


def test_numbers_and_nesting_of_any_size_are_told_by_their_decoder() -> None:
    long, deep = b"9" * 10_000, b"[" * 100_000
    assert taken(b"[" + long + b"," + long + b"]", 100, look_ahead=15_000) == [long, long]
    assert taken(b"[1,\n" + deep, 1000, look_ahead=50_000) == [b"1", deep]


# In between, as a child's peak begins with what its parent held at the fork.
MEASURE = """
import os, subprocess, sys
line = [sys.executable, "-m", "alerts.cli", "decode", *sys.argv[1:]]
process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(process.returncode, usage.ru_maxrss // (1 << (20 if sys.platform == "darwin" else 10)))
"""


def _peak_mb(path: Path) -> int:
    """Peak memory of `decode` over a file."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "--format", "canonical", str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k != "CARRIER_HEALTH_CONFIG"},
    )
    code, peak_mb = map(int, done.stdout.split())
    assert code == 0
    return peak_mb


@pytest.mark.parametrize("shape", ["lines", "array"])
def test_memory_does_not_grow_with_the_file(shape: str, tmp_path: Path) -> None:
    line = '{"more":"' + "x" * 1_000 + '",'
    line += '"message_id":"%010d","status":"undelivered","code":"30003","to":"+12025550123","received_ms":%d}'
    begin, between, end = ("[\n", ",\n", "\n]\n") if shape == "array" else ("", "\n", "\n")
    peaks = []
    for n in COUNTS[shape]:
        path = tmp_path / f"{n}.json"
        path.write_text(begin + between.join(line % (i, 1_784_289_600_000 + i) for i in range(n)) + end)
        peaks.append(_peak_mb(path))
    assert peaks[1] < peaks[0] + MORE_MB


@pytest.mark.parametrize("chunk", [1, 2, 1 << 20])
@pytest.mark.parametrize(
    "data",
    [b"a=1\r\nb=2\r\n", b'{"a":1}\r\n{"a":2}', b'[{"a":1},{"a":2}]', b'{\n"a":1}', b"", b"\xef", b"\xef\xbb"],
)
def test_a_byte_order_mark_before_the_first_record_is_no_part_of_it(data: bytes, chunk: int) -> None:
    assert taken(b"\xef\xbb\xbf" + data, chunk) == taken(data, chunk) == whole(data)
