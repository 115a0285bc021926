"""Lookup's pure parts: what an answer means, what may be spent, what waits in memory."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.lookup import answer as answers
from streams.lookup import memory as memories
from streams.lookup.answer import NOTHING, Answer
from streams.lookup.budget import Pace, daily_limit, day, until_tomorrow_s
from streams.lookup.memory import Memory, Wanted
from streams.networks import built_in
from streams.settings import Lookup, Secret

NETWORKS = built_in()
NOON_MS = 1_784_289_600_000  # 2026-07-17T12:00:00Z


# -- answers -----------------------------------------------------------------------------------


def body(country: str | None = "US", valid: bool = True, **line: Any) -> bytes:
    """As Twilio writes it; the fields of `line_type_intelligence` by name, or null."""
    return json.dumps(
        {"phone_number": "+12025550123", "country_code": country, "valid": valid,
         "line_type_intelligence": line or None}
    ).encode()  # fmt: skip


@pytest.mark.parametrize(
    "line, country, carrier",
    [
        ({"mobile_country_code": "310", "mobile_network_code": "260", "carrier_name": "T-Mobile USA, Inc.",
          "type": "mobile", "error_code": None}, "US", "310-260"),
        ({"mobile_country_code": "310", "mobile_network_code": "120", "carrier_name": "Sprint Spectrum, L.P.",
          "type": "mobile", "error_code": None}, "US", "310-260"),
        ({"mobile_country_code": "313", "mobile_network_code": "981", "type": "nonFixedVoip",
          "carrier_name": "Bandwidth/13 - Bandwidth.com - SVR", "error_code": None}, "US", "313-981"),
        ({"mobile_country_code": None, "mobile_network_code": None, "carrier_name": "Verizon Wireless",
          "type": "mobile", "error_code": None}, "US", "311-480"),
        ({"mobile_country_code": None, "mobile_network_code": None, "carrier_name": "AT&T",
          "type": "landline", "error_code": None}, "US", "landline"),
        ({"mobile_country_code": None, "mobile_network_code": None, "carrier_name": None,
          "type": "tollFree", "error_code": None}, "US", "toll-free"),
        ({"mobile_country_code": None, "mobile_network_code": None, "carrier_name": None,
          "type": None, "error_code": 60601}, "CA", ""),
        ({"mobile_country_code": "262", "mobile_network_code": "02", "carrier_name": "Vodafone",
          "type": "mobile", "error_code": None}, "DE", "262-02"),
    ],
)  # fmt: skip
def test_what_an_answer_means(line: dict[str, Any], country: str, carrier: str) -> None:
    read = answers.read(body(country, **line))
    assert read is not None and read.carrier(NETWORKS) == carrier


def test_an_answer_is_kept_as_it_was_said_so_that_another_table_reads_it_anew() -> None:
    read = answers.read(body(mobile_country_code="310", mobile_network_code="120", type="mobile"))
    assert read is not None
    kept = answers.decode(answers.encode(read))
    assert kept == read
    assert kept.carrier(built_in(roll_up=False)) == "310-120"
    assert b"2025550123" not in answers.encode(read)


def test_a_number_that_is_not_valid_has_no_carrier() -> None:
    assert answers.read(body(valid=False)) == NOTHING
    assert answers.read(body(valid=True)) is None


@given(st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
    lambda x: json.dumps({"line_type_intelligence": {"type": x, "mnc": x}, "country_code": x}).encode()
))  # fmt: skip
def test_no_answer_breaks_the_reader(text: bytes) -> None:
    read = answers.read(text)
    assert read is None or isinstance(read.carrier(NETWORKS), str)


# -- budget ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "requests, cost, price, limit",
    [(1_000, 0.0, 0.008, 1_000), (1_000, 4.0, 0.008, 500), (100, 4.0, 0.008, 100), (1_000, 0.8, 0.008, 100),
     (0, 0.0, 0.008, 0), (1_000, 0.001, 0.008, 0)],
)  # fmt: skip
def test_the_day_is_bounded_by_requests_and_by_cost(
    requests: int, cost: float, price: float, limit: int
) -> None:
    lookup = Lookup(daily_requests=requests, daily_cost=cost, price_per_request=price)
    assert daily_limit(lookup) == limit


@given(st.integers(1, 10_000), st.integers(1, 100_000))
def test_what_is_asked_never_costs_more_than_was_said(cost: int, price: int) -> None:
    lookup = Lookup(daily_requests=10**7, daily_cost=float(cost), price_per_request=price / 1_000)
    assert daily_limit(lookup) * price <= cost * 1_000


def test_a_day_is_one_of_utc() -> None:
    assert (day(NOON_MS), day(NOON_MS + 43_199_999), day(NOON_MS + 43_200_000)) == (
        "2026-07-17", "2026-07-17", "2026-07-18",
    )  # fmt: skip
    assert until_tomorrow_s(NOON_MS) == 43_200
    assert until_tomorrow_s(NOON_MS + 43_200_000) == 86_400


@given(st.floats(0.1, 100), st.lists(st.floats(0, 5), min_size=1, max_size=50))
def test_requests_are_never_closer_than_the_rate_allows(per_s: float, steps: list[float]) -> None:
    pace, now_s, asked = Pace(per_s), 100.0, []
    for step in steps:
        now_s += step
        asked.append(now_s + pace.reserve(now_s))
    assert all(b - a >= 1 / per_s - 1e-6 for a, b in pairwise(asked))


def test_failures_hold_everybody_longer_each_time_and_an_answer_ends_that() -> None:
    pace = Pace(10)
    held = []
    for _ in range(9):
        pace.failed(0.0)
        held.append(pace.held_s(0.0))
    assert held == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    pace.succeeded()
    pace.failed(100.0)
    assert pace.held_s(100.0) == 1


def test_who_says_how_long_to_wait_is_heeded() -> None:
    pace = Pace(10)
    pace.failed(0.0, retry_after_s=120)
    assert (pace.held_s(0.0), pace.held_s(119.0), pace.held_s(120.0)) == (120, 1, 0)


# -- memory ------------------------------------------------------------------------------------


def numbers(memory: Memory) -> list[str]:
    taken = []
    while (wanted := memory.take()) is not None:
        taken.append(wanted.number)
    return taken


def test_failed_numbers_are_asked_for_first_and_none_twice() -> None:
    memory = Memory(10, 0)
    for recipient, number, failed in [(1, "a", False), (2, "b", True), (1, "a", True), (3, "c", True)]:
        memory.offer(recipient, number, failed)
    assert numbers(memory) == ["b", "c", "a"]
    assert memory.known == {1: "", 2: "", 3: ""}


def test_a_full_queue_takes_failed_numbers_in_place_of_sampled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories, "QUEUE", 2)
    memory = Memory(10, 0)
    memory.offer(1, "a", False)
    memory.offer(2, "b", False)
    memory.offer(3, "c", False)
    memory.offer(4, "d", True)
    assert memory.known == {2: "", 4: ""}
    assert numbers(memory) == ["d", "b"]


def test_answers_end_and_the_number_may_be_asked_for_again() -> None:
    memory = Memory(10, 0)
    memory.answer(1, "310-260", ends_s=100)
    memory.answer(2, "", ends_s=50)
    memory.expire(50)
    assert memory.known == {1: "310-260"}
    memory.expire(100)
    memory.offer(1, "a", True)
    assert numbers(memory) == ["a"]


def test_there_are_never_more_answers_than_were_allowed() -> None:
    memory = Memory(3, 0)
    for recipient in range(10):
        memory.answer(recipient, "310-260", ends_s=100 - recipient)
    assert sorted(memory.known) == [0, 1, 2]


def test_what_was_forgotten_or_put_back_is_asked_for_again() -> None:
    memory = Memory(10, 0)
    memory.offer(1, "a", True)
    memory.offer(2, "b", True)
    first = memory.take()
    assert first is not None
    memory.put_back(first)
    assert numbers(memory) == ["a", "b"]
    memory.forget(1)
    memory.offer(1, "a", True)
    assert numbers(memory) == ["a"]


def test_nothing_shows_a_number_or_the_token() -> None:
    assert "2025550123" not in repr(Wanted(1, "+12025550123", True))
    assert "token-of" not in repr(Lookup(account_sid="AC1", auth_token=Secret("token-of-account")))


def test_answers_of_another_version_may_have_more_fields() -> None:
    assert answers.decode(b'{"mcc":"310","mnc":"260","ported":true,"v":1}') == Answer("310", "260")
