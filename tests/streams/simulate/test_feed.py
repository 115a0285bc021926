"""Writing: at the right time, not too fast, and as a file that replay reads."""

import base64
import gzip
import json
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from streams.errors import ConfigError
from streams.simulate.capture import CaptureSink, partition_of
from streams.simulate.feed import Limiter, Pacer, Progress, feed
from streams.simulate.scenario import load
from streams.simulate.traffic import Emission, records

START_MS = 1_800_000_000_000
SCENARIO = msgspec.structs.replace(load("soak"), duration_s=20, rate=100.0)
EMISSIONS = list(records(SCENARIO, 3, START_MS))


class Wall:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s

    def sleep(self, s: float) -> None:
        self.s += s


class Listed:
    """A sink that notes when each record came."""

    def __init__(self, wall: Wall) -> None:
        self.wall, self.times, self.closed, self.ticks = wall, list[float](), False, 0

    def write(self, emission: Emission) -> None:
        self.times.append(self.wall())

    def tick(self) -> None:
        self.ticks += 1

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_records_are_written_at_their_time_scaled_by_the_speed(speed: float) -> None:
    wall = Wall()
    sink = Listed(wall)
    feed(EMISSIONS, sink, Pacer(lambda: START_MS + wall() * 1000 * speed, speed, wall.sleep), clock=wall)
    want = [(e.at_ms - START_MS) / 1000 / speed for e in EMISSIONS]
    assert sink.times == pytest.approx(want, abs=0.002)
    assert sink.closed and sink.ticks > 10


def test_the_limiter_keeps_to_its_rate() -> None:
    wall = Wall()
    sink = Listed(wall)
    feed(EMISSIONS[:500], sink, Limiter(100.0, wall, wall.sleep), clock=wall)
    assert sink.times[-1] == pytest.approx(4.99, abs=0.01)


def test_progress_is_shown_every_so_often() -> None:
    wall = Wall()
    shown: list[Progress] = []
    pace = Limiter(100.0, wall, wall.sleep)
    done = feed(EMISSIONS[:500], Listed(wall), pace, shown.append, every_s=1.0, clock=wall)
    assert len(shown) == 4
    assert done == Progress(500, EMISSIONS[499].at_ms)


def test_a_feed_that_is_told_to_stop_closes_its_sink() -> None:
    sink = Listed(Wall())
    answers = iter([True, True, False])
    assert feed(EMISSIONS, sink, keep_going=lambda: next(answers)).records == 3
    assert sink.closed


@pytest.mark.parametrize("name", ["capture.jsonl", "capture.jsonl.gz"])
def test_every_row_of_a_capture_can_be_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    feed(EMISSIONS, CaptureSink(path))
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in data.splitlines()]
    assert len(rows) == len(EMISSIONS)
    offsets = defaultdict(list)
    for row, e in zip(rows, EMISSIONS, strict=True):
        value = row["value"].encode() if "value" in row else base64.b64decode(row["value_b64"])
        assert value == e.value
        assert row["headers"] == {name: text.decode() for name, text in e.headers}
        assert (row["source"], row["received_ms"]) == (e.source, e.truth.received_ms)
        assert (row["key"].encode(), row["clock_ms"]) == (e.key, e.at_ms)
        offsets[row["partition"]].append(row["offset"])
    assert set(offsets) == set(range(12))
    assert all(found == list(range(len(found))) for found in offsets.values())


def test_the_same_records_make_the_same_gzip_file(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        feed(EMISSIONS, CaptureSink(tmp_path / name))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_keys_go_where_the_java_clients_put_them() -> None:
    # From Kafka's own UtilsTest: murmur2("21") = -973932308, murmur2("foobar") = -790332482.
    assert partition_of(b"21") == (-973932308 & 0x7FFFFFFF) % 12
    assert partition_of(b"foobar") == (-790332482 & 0x7FFFFFFF) % 12


@pytest.mark.parametrize("name", ["capture.jsonl.zst", "missing/capture.jsonl"])
def test_a_file_that_can_not_be_written_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--to"):
        CaptureSink(tmp_path / name)
