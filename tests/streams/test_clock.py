"""A clock that was set is followed when records show that it is right, or when nothing shows anything."""

from __future__ import annotations

import pytest

from streams.clock import DOUBT_S, SteadyClock, WallClock
from streams.settings import Clock

START_MS = 1_800_000_000_000
STEP_S = 300


class Hands(WallClock):
    """Set by the test; `passes` moves it and the monotonic clock."""

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(Clock(speed=speed))
        self.ms, self.monotonic_s, self.speed = START_MS, 50.0, speed

    def now_ms(self) -> int:
        return self.ms

    def passes(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.ms += round(seconds * 1000 * self.speed)


def of(hands: Hands) -> SteadyClock:
    return SteadyClock(hands, lambda: hands.monotonic_s)


@pytest.mark.parametrize("speed", [1.0, 6.0])
def test_a_clock_that_runs_is_followed(speed: float) -> None:
    hands = Hands(speed)
    steady = of(hands)
    for _ in range(5):
        hands.passes(1.0)
        assert steady.now_ms(0) == hands.ms
    hands.ms += 3_000  # slewed, or two readings apart
    assert steady.now_ms(0) == hands.ms


def test_a_clock_set_ahead_is_not_followed_while_records_come_by_the_time_that_was() -> None:
    hands = Hands()
    steady = of(hands)
    hands.ms += STEP_S * 1000
    for _ in range(10 * int(DOUBT_S)):
        hands.passes(1.0)
        right_ms = hands.ms - STEP_S * 1000
        assert steady.now_ms(right_ms - 400) == right_ms
    hands.ms -= STEP_S * 1000
    hands.passes(1.0)
    assert steady.now_ms(hands.ms) == hands.ms


def test_after_a_sleep_the_first_record_shows_what_time_it_is() -> None:
    hands = Hands()
    steady = of(hands)
    hands.ms += STEP_S * 1000  # the monotonic clock sleeps too
    hands.passes(1.0)
    assert steady.now_ms(START_MS - 5_000) == START_MS + 1_000
    hands.passes(1.0)
    assert steady.now_ms(hands.ms - 200) == hands.ms
    hands.passes(1.0)
    assert steady.now_ms(0) == hands.ms


@pytest.mark.parametrize("newest_ms", [0, START_MS - 100_000])
def test_where_no_record_tells_a_clock_set_ahead_is_followed_after_a_while(newest_ms: int) -> None:
    hands = Hands()
    steady = of(hands)
    hands.ms += STEP_S * 1000
    told = []
    for _ in range(int(DOUBT_S) + 5):
        hands.passes(1.0)
        told.append(steady.now_ms(newest_ms) == hands.ms)
    assert told == sorted(told) and told.index(True) == int(DOUBT_S)


def test_a_clock_set_back_holds_and_the_time_that_was_is_known_when_it_is_right_again() -> None:
    hands = Hands()
    steady = of(hands)
    hands.ms -= STEP_S * 1000
    for _ in range(int(DOUBT_S) // 2):
        hands.passes(1.0)
        assert steady.now_ms(0) == hands.ms
    hands.ms += STEP_S * 1000
    hands.passes(1.0)
    assert steady.now_ms(0) == hands.ms
    hands.ms += STEP_S * 1000
    hands.passes(1.0)
    assert steady.now_ms(0) == hands.ms - STEP_S * 1000
