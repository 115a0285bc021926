"""Real records, damaged: a bit, a piece, a hostile word in the place of another. Whatever comes, ingest
takes it as a record or a dead letter, and its work grows with the size of what came, no faster.

What Hypothesis makes up by itself is in test_decoder_contract.py.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams import settings
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.source import Source

SAMPLES = Path(__file__).parents[1] / "samples"
INDEX = {path.stem: tomllib.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.toml"))}
ABOUT = {"source", "about"}
FILES = {f"{provider}/{name}": entry for provider, index in INDEX.items() for name, entry in index.items()}
NOW_MS = 1_784_289_600_000
MAX_BYTES = 100_000

HOSTILE = [
    *(
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"%00",
        b"%",
        b"%zz",
        b"%ff",
        b"+",
        b"&&&&",
    ),
    *(b"1e999999", b"-0", b"9" * 5000, b"-" + b"9" * 400, b"NaN", b"Infinity", b"1" * 19, b"0x7f", b"1_0"),
    *(b"[" * 3000, b'{"a":' * 3000, b"]" * 50, b"}" * 50, b'"', b"\\", b",", b":", b"\n" * 50, b"\r\n"),
    *(b"null", b"true", b"[]", b"{}", b'""', b"9999-12-31T23:59:59Z", b"0000-00-00T00:00:00Z", b"9912319999"),
    *(
        b"2026-02-30T25:61:61+99:99",
        b"\xe2\x80\xae",
        b"<script>",
        b"=cmd()",
        b"../../x",
        b"${jndi:x}",
        b"' or 1",
    ),
    *(b"a" * 20_000, "٣٣٣".encode(), "１２".encode(), b"id:" * 2000, b"stat:", b"err:" * 500, b" " * 5000),
]


def source_of(entry: dict[str, Any]) -> Source:
    chosen = {key: value for key, value in entry.items() if key not in ABOUT}
    return Source.of(settings.convert(settings.Settings, {"sources": [{"name": "s", **chosen}]}).sources[0])


SOURCES = {name: source_of(entry) for name, entry in FILES.items()}
VALUES = {name: (SAMPLES / name).read_bytes() for name in FILES}


@st.composite
def damaged(draw: st.DrawFn, value: bytes) -> bytes:
    """`value` after some of: a flipped bit, a cut, a piece twice, a hostile word for a word or in between."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(value)))
        match draw(st.integers(0, 5)):
            case 0 if at < len(value):
                value = value[:at] + bytes([value[at] ^ (1 << draw(st.integers(0, 7)))]) + value[at + 1 :]
            case 1:
                value = value[:at]
            case 2:
                value = value[: at + draw(st.integers(0, 40))] + value[at:]
            case 3:
                value = value[:at] + draw(st.sampled_from(HOSTILE)) + value[at:]
            case _:
                words = list(re.finditer(rb"[\w+.:-]+", value))
                if words:
                    word = draw(st.sampled_from(words))
                    value = value[: word.start()] + draw(st.sampled_from(HOSTILE)) + value[word.end() :]
    return value


def take(source: Source, values: list[bytes]) -> PartitionIntake:
    intake = Intake({"s": source}, RecipientHasher(DEMO_KEY), MAX_BYTES)
    part = PartitionIntake("outcomes", "id", 0, 0, SeenIds(600, 10_000))
    batch = Batch(
        np.zeros(len(values), np.int64),
        np.arange(len(values), dtype=np.int64),
        [NOW_MS] * len(values),
        [[("source", b"s"), ("received_ms", str(NOW_MS).encode())] for _ in values],
        values,
        lambda i: b"key",
    )
    intake.take(batch, [part], NOW_MS)
    return part


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@hypothesis_settings(max_examples=15, deadline=None)
def test_a_damaged_record_is_taken_or_buried_and_never_lost(name: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(damaged(VALUES[name]), min_size=1, max_size=4))
    part = take(SOURCES[name], values)
    counted = sum(n for results in part.tally.values() for n in results.values())
    assert counted == len(values) + part.split, (
        "each record has a result, and each that it held beside the first"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_word_in_any_place_is_taken_or_buried(name: str) -> None:
    whole = VALUES[name][:3000]
    words = list(re.finditer(rb"[\w+.:-]+", whole))
    places = words[:: max(1, len(words) // 12)]
    values = [whole[: w.start()] + hostile + whole[w.end() :] for w in places for hostile in HOSTILE]
    part = take(SOURCES[name], values)
    assert sum(n for results in part.tally.values() for n in results.values()) == len(values) + part.split


def calls(do: Callable[[], object]) -> int:
    """How many functions are called, Python's and C's."""
    count = 0

    def seen(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        do()
    finally:
        sys.setprofile(None)
    return count


REPEATED = [
    b"&a=b",
    b"[",
    b'{"a":1},',
    b'"a":"b",',
    b"id:1 stat:X ",
    b"err:001 ",
    b"%41",
    b"\\u0041",
    b"\n{}",
    b"9",
]


@pytest.mark.parametrize("name", FILES)
def test_work_grows_no_faster_than_the_record(name: str) -> None:
    source, start = SOURCES[name], VALUES[name]
    for piece in REPEATED:
        small, large = (start + piece * (n // len(piece)) for n in (8_000, 64_000))
        few = calls(lambda small=small: take(source, [small]))  # type: ignore[misc]
        many = calls(lambda large=large: take(source, [large]))  # type: ignore[misc]
        assert many <= 9 * few + 500, f"{piece!r}: {few} calls for 8 kB, {many} for 64 kB"
