"""The poison limit: what stops ingest, what does not, and that a restart lets nothing through."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.batch import DeadLetter
from streams.dedupe import SeenIds
from streams.errors import Poisoned
from streams.partition import PartitionIntake
from streams.poison import ALL, MOST_METADATA_CHARACTERS, WINDOW_S, Limit, Recent, Share, judge, shares
from streams.records import UNKNOWN, Malformed, Reason

LIMIT = Limit(0.5, 1_000)


def tally(source: str, good: int, bad: int) -> dict[str, dict[str, int]]:
    return {source: {"counted": good, "malformed": bad}}


def letters(source: str, n: int, partition: int = 3, first: int = 100) -> list[DeadLetter]:
    wrong = Malformed(Reason.NOT_JSON, "no JSON")
    return [DeadLetter("outcomes", partition, first + i, None, b"x", (), wrong, source, 1) for i in range(n)]


def flush(recent: Recent, now_s: float, source: str, good: int, bad: int, limit: Limit = LIMIT) -> None:
    """One flush of one partition; raises Poisoned."""
    recent.add(now_s, tally(source, good, bad))
    judge(limit, [tally(source, good, bad)], [recent], letters(source, bad))


def test_a_flush_that_mostly_fails_stops_at_once_and_says_what_where_and_what_to_do() -> None:
    with pytest.raises(Poisoned) as stopped:
        flush(Recent(), 0, "twilio", 400, 600)
    text = str(stopped.value)
    for part in ("source 'twilio'", "60.0% of the 1,000", "600 not_json", "outcomes-3 [100,700)"):
        assert part in text
    assert "poison_ratio = 1.0" in text


@pytest.mark.parametrize(
    ("source", "good", "bad", "limit"),
    [
        ("twilio", 500, 500, LIMIT),
        ("twilio", 0, 999, LIMIT),
        ("twilio", 0, 5_000, Limit(1.0, 1)),
    ],
    ids=["just the share", "too few", "switched off"],
)
def test_these_go_on(source: str, good: int, bad: int, limit: Limit) -> None:
    recent = Recent()
    flush(recent, 0, source, good, bad, limit)
    assert recent.shares[source] == Share(good + bad, bad)


def test_flushes_of_a_minute_are_taken_together() -> None:
    recent = Recent()
    for second in range(9):
        flush(recent, second, "twilio", 10, 90)
    flush(recent, WINDOW_S, "twilio", 10, 90)  # the first has left the window
    with pytest.raises(Poisoned):
        flush(recent, WINDOW_S + 0.5, "twilio", 10, 90)


def test_what_was_bad_stops_nothing_once_it_can_be_read_again() -> None:
    recent = Recent()
    flush(recent, 0, "twilio", 0, 990)
    flush(recent, 1, "twilio", 40, 2)
    assert recent.shares["twilio"] == Share(1_032, 992)


def test_partitions_are_taken_together_and_sources_apart() -> None:
    twilio, smpp = tally("twilio", 0, 600), tally("smpp", 4_000, 0)
    parts = [Recent(), Recent()]
    for recent in parts:
        recent.add(0, twilio | smpp)
    with pytest.raises(Poisoned, match="source 'twilio'"):
        judge(LIMIT, [twilio | smpp] * 2, parts, letters("twilio", 600))


def test_unknown_sources_count_in_the_share_of_everything_alone() -> None:
    mostly_good = tally("twilio", 10_000, 0) | tally(UNKNOWN, 0, 3_000)
    recent = Recent()
    recent.add(0, mostly_good)
    judge(LIMIT, [mostly_good], [recent], letters(UNKNOWN, 3_000))
    with pytest.raises(Poisoned, match="all sources together"):
        flush(recent, 1, UNKNOWN, 0, 10_001)


def restarted(part: PartitionIntake) -> Recent:
    return Recent.of(part.offset(600).metadata)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=60))
def test_a_restart_judges_the_same_and_lets_nothing_through(flushes: list[tuple[int, int]]) -> None:
    """What is not committed is read again, with what came meanwhile; what is committed is known."""
    limit = Limit(0.5, 200)
    part = PartitionIntake("outcomes", "id", 0, 0, SeenIds(600, 1_000))
    for second, (good, bad) in enumerate(flushes):
        before = restarted(part)
        try:
            flush(part.recent, second, "twilio", good, bad, limit)
        except Poisoned:
            with pytest.raises(Poisoned):
                flush(before, second + 1_000, "twilio", good, bad + 7, limit)
            return
    for name, share in part.recent.shares.items():
        if share.unread:
            assert restarted(part).shares[name] == share


@pytest.mark.parametrize("metadata", [None, "", "nonsense", "[]", '{"recent": 1}', '{"recent": {"a": [1]}}'])
def test_metadata_that_tell_nothing_are_an_empty_window(metadata: str | None) -> None:
    assert Recent.of(metadata).shares == {}


def test_what_is_committed_stays_small_and_keeps_the_worst() -> None:
    recent, many = Recent(), {f"source-{i}": {"malformed": i, "counted": 1} for i in range(500)}
    recent.add(0, many)
    told = recent.told()
    assert told[ALL] == list(shares(many)[ALL])
    assert told["source-499"] == [500, 499] and len(told) < 30
    recent.add(0, {"é" * 1_000: {"malformed": 10**6}})
    assert len(json.dumps(recent.told())) <= MOST_METADATA_CHARACTERS


def test_shares_forget_exactly_what_leaves_the_window() -> None:
    recent = Recent()
    steps: Sequence[int] = (0, 30, 59, 61, 130)
    for second in steps:
        recent.add(second, tally("a", 1, 2))
    assert recent.shares["a"] == Share(3, 2)
    recent.add(200, {})
    assert recent.shares["a"] == Share(0, 0)
