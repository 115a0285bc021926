"""Outcomes and canaries that come through, bucket by bucket.

one character is a bucket: `.` empty, `o` outcomes, `c` a canary, `b` both
"""

from __future__ import annotations

import pytest

from alerts.sight import Sight
from streams.canary import KEY
from streams.records import BUCKET_S, Cells, SeriesKey

START_S = 1_800_000_000
SERIES = SeriesKey("twilio", "310-260", "US", "delivered", "")


def cells(mark: str) -> Cells:
    found = Cells()
    for key, finals, sends in ((SERIES, 3, 0), (KEY, 0, 1)):
        if mark == "b" or mark == {SERIES: "o", KEY: "c"}[key]:
            found.keys.append(key)
            found.key.append(len(found.key))
            found.finals.append(finals)
            found.sends.append(sends)
    return found


def seen(drawn: str, sight: Sight | None = None) -> tuple[Sight, int]:
    """The sight after the drawing, and its last bucket."""
    sight = sight or Sight()
    for at, mark in enumerate(drawn):
        sight = sight.after(START_S + BUCKET_S * at, cells(mark))
    return sight, START_S + BUCKET_S * (len(drawn) - 1)


@pytest.mark.parametrize(
    ("drawn", "silent_s", "canary_at"),
    [
        ("o", 0, None),
        ("...", 20, None),
        ("oc..b.", 10, 4),
        ("ooccc", 30, 4),
        ("..o", 0, None),
    ],
)
def test_silence_is_counted_from_the_last_outcome(drawn: str, silent_s: int, canary_at: int | None) -> None:
    sight, last_s = seen(drawn)
    assert sight.without_outcomes_s(last_s) == silent_s
    wanted = 0 if canary_at is None else START_S + BUCKET_S * (canary_at + 1)
    assert sight.canary_seen_s == wanted


def test_a_new_owner_begins_with_the_bucket_that_it_takes_over_at() -> None:
    sight, last_s = seen("...", Sight(outcome_s=START_S - 100))
    assert sight.without_outcomes_s(last_s) == 120
