"""What the network has counted before the stream is of one piece with the stream."""

from __future__ import annotations

import numpy as np
import pytest

from streams.simulate.network import Network
from streams.simulate.past import BLOCK_S, Counts, past
from streams.simulate.scenario import load

DEMO = load("demo")
DAY = 144


def finals(counts: list[Counts]) -> int:
    return sum(c.delivered + sum(c.failed.values()) for c in counts)


def test_blocks_come_oldest_first_up_to_the_beginning_of_the_stream() -> None:
    assert [second for second, _ in past(DEMO, 1, 4)] == [-2400, -1800, -1200, -600]


def test_a_seed_gives_the_same_past_and_another_seed_another() -> None:
    assert list(past(DEMO, 1, 3)) == list(past(DEMO, 1, 3)) != list(past(DEMO, 2, 3))


def test_a_day_of_it_has_the_rate_and_the_ratio_of_the_scenario() -> None:
    day = [counts for _, counts in past(DEMO, 1, DAY)]
    assert sum(map(finals, day)) / DAY / BLOCK_S == pytest.approx(DEMO.rate, rel=0.03)
    failed = sum(sum(c.failed.values()) for counts in day for c in counts)
    assert failed / sum(map(finals, day)) == pytest.approx(0.0097, rel=0.1)


def test_it_ends_where_the_stream_begins() -> None:
    network = Network(DEMO, 1)
    (_, last) = next(past(DEMO, 1, 1))
    stream = sum(len(network.draw(second)) for second in range(120))
    assert finals(last) / BLOCK_S == pytest.approx(stream / 120, rel=0.1)


def test_the_night_is_quieter_and_fails_a_little_more() -> None:
    day = [counts for _, counts in past(DEMO, 1, DAY)]
    volumes = np.array([finals(counts) for counts in day])
    ratios = [sum(sum(c.failed.values()) for c in counts) / finals(counts) for counts in day]
    assert volumes.max() > 2.5 * volumes.min()
    assert np.corrcoef(volumes, ratios)[0, 1] < -0.5


def test_names_are_those_that_the_records_give() -> None:
    (_, demo), (_, plain) = next(past(DEMO, 1, 1)), next(past(load("twilio-plain"), 1, 1))
    assert ("router", "311-480", "US-CA") in {c[:3] for c in demo}
    assert {c.carrier for c in plain} == {"unknown"} and "US" in {c.region for c in plain}
    (_, soak) = next(past(load("soak"), 1, 1))
    assert ("smpp-east", "unknown", "unknown") in {c[:3] for c in soak}, "bare receipts name nothing"


def test_failures_have_the_codes_of_their_source() -> None:
    (_, counts) = next(past(DEMO, 1, 1))
    codes = {c.source: set(c.failed) for c in counts if c.carrier == "302-720"}
    assert "30003" in codes["twilio"] and codes["smpp-east"] <= {
        "001", "059", "007", "015", "002", "047", "054", "255", "052", "unknown",
    }  # fmt: skip
