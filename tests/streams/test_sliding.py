"""Sliding windows equal the plain sum over the last buckets; rules say what fails of what."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.records import Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES, Rule, Source
from streams.sliding import WINDOWS_S, Sliding

SOURCES = (
    Source(name="tw", format="twilio-status-callback"),
    Source(name="smpp", format="smpp-receipt"),
    Source(name="smpp-old", format="smpp-receipt", codes="twilio-smpp-2025"),
)
ANY = Rule(name="any_memory", codes=("30003", "027"), classes=("memory_full",))
BOOK = RuleBook.of((*DEFAULT_RULES, ANY), SOURCES)

TW_OK = SeriesKey("tw", "310-260", "US", "delivered", "")
TW_30003 = SeriesKey("tw", "310-260", "US", "absent_subscriber", "30003")
TW_ROUTE = SeriesKey("tw", "310-260", "US", "route", "30006")
TW_FULL = SeriesKey("tw", "310-260", "CA", "memory_full", "")
SMPP_001 = SeriesKey("smpp", "310-260", "US", "absent_subscriber", "001")
OLD_059 = SeriesKey("smpp-old", "311-480", "US", "absent_subscriber", "059")
SMPP_OK = SeriesKey("smpp", "311-480", "US", "delivered", "")
STRANGE = SeriesKey("gone", "311-480", "US", "absent_subscriber", "30003")
KEYS = (TW_OK, TW_30003, TW_ROUTE, TW_FULL, SMPP_001, OLD_059, SMPP_OK, STRANGE)


def is_in(rule: str, key: SeriesKey) -> tuple[bool, bool]:
    r = next(r for r in BOOK.rules if r.name == rule)
    return BOOK.eligible(r, key), BOOK.failing(r, key)


@pytest.mark.parametrize(
    "rule, eligible, failing",
    [
        ("twilio_30003", {TW_OK, TW_30003, TW_ROUTE, TW_FULL}, {TW_30003}),
        ("smpp_absent_subscriber", {SMPP_001, OLD_059, SMPP_OK}, {SMPP_001, OLD_059}),
        ("any_memory", set(KEYS), {TW_30003, TW_FULL, STRANGE}),
    ],
)
def test_numerator_and_denominator(rule: str, eligible: set[SeriesKey], failing: set[SeriesKey]) -> None:
    assert {k for k in KEYS if is_in(rule, k)[0]} == eligible
    assert {k for k in KEYS if is_in(rule, k)[1]} == failing


def test_what_was_delivered_never_fails() -> None:
    book = RuleBook.of([Rule(name="odd", codes=("30003", ""), classes=("delivered",))], SOURCES)
    assert not book.failing(book.rules[0], TW_OK._replace(code="30003"))


def bucket(counts: dict[SeriesKey, tuple[int, int]]) -> Cells:
    """Finals and distinct failed recipients by series."""
    return Cells(
        keys=list(counts),
        key=list(range(len(counts))),
        bucket_s=[0] * len(counts),
        finals=[n for n, _ in counts.values()],
        sends=[1] * len(counts),
        distinct=[min(n, d) for n, d in counts.values()],
        repeats=[max(0, n - d) for n, d in counts.values()],
    )


def by_hand(buckets: list[Cells], length: int) -> dict[tuple[str, str], list[int]]:
    sums: dict[tuple[str, str], list[int]] = {}
    for table in buckets[-length:]:
        for k, n, d in zip(table.key, table.finals, table.distinct, strict=True):
            key = table.keys[k]
            columns = sums.setdefault((key.carrier, key.region), [0] * (3 + 3 * len(BOOK.rules)))
            columns[0] += n
            columns[-2] += 1
            columns[-1] += 1 - n
            for r, rule in enumerate(BOOK.rules):
                columns[1 + 3 * r] += n * BOOK.eligible(rule, key)
                columns[2 + 3 * r] += n * BOOK.failing(rule, key)
                columns[3 + 3 * r] += d * BOOK.failing(rule, key)
    return sums


def check(sliding: Sliding, buckets: list[Cells]) -> None:
    view = sliding.snapshot()
    for w, seconds in enumerate(WINDOWS_S.values()):
        want = by_hand(buckets, seconds // 10)
        got = {pair: view[w, row].tolist() for pair, row in sliding.pairs.items()}
        assert {p: c for p, c in got.items() if any(c)} == {p: c for p, c in want.items() if any(c)}


COUNTS = st.dictionaries(st.sampled_from(KEYS), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.lists(COUNTS, min_size=1, max_size=40), st.integers(0, 380))
def test_every_window_is_the_sum_of_its_last_buckets(counts: list[dict], quiet: int) -> None:
    sliding, buckets = Sliding(BOOK), list[Cells]()
    for table in [*map(bucket, counts[::2]), *[Cells()] * quiet, *map(bucket, counts[1::2])]:
        sliding.add(table)
        buckets.append(table)
    check(sliding, buckets)


def test_after_more_than_an_hour_the_sums_still_hold() -> None:
    rng, sliding, buckets = np.random.default_rng(3), Sliding(BOOK), list[Cells]()
    for i in range(800):
        chosen = rng.choice(len(KEYS), 3, replace=False)
        buckets.append(bucket({KEYS[k]: (int(rng.integers(0, 99)), int(rng.integers(0, 9))) for k in chosen}))
        sliding.add(buckets[-1])
        if i % 97 == 0 or i > 795:
            check(sliding, buckets)


def test_new_pairs_find_room_while_the_windows_are_full() -> None:
    sliding, buckets = Sliding(BOOK), list[Cells]()
    for i in range(420):
        keys = [TW_30003._replace(carrier=f"c{j}") for j in range(max(0, i - 70), i + 1, 7)]
        buckets.append(bucket({k: (3, 1) for k in keys}))
        sliding.add(buckets[-1])
    assert len(sliding.pairs) > 2 * 64
    check(sliding, buckets)


def test_a_snapshot_does_not_move() -> None:
    sliding = Sliding(BOOK)
    sliding.add(bucket({TW_OK: (5, 0)}))
    view = sliding.snapshot()
    sliding.add(bucket({TW_OK: (5, 0)}))
    assert view[0, sliding.pairs["310-260", "US"], 0] == 5


def test_sends_alone_are_no_outcomes() -> None:
    sliding = Sliding(BOOK)
    sliding.add(bucket({SeriesKey("tw", "310-260", "US", "in_flight", ""): (0, 0)}))
    view, sent = sliding.snapshot(), sliding.sent
    assert view[0, 0, list(sent)].tolist() == [1, 1]
    view[..., sent] = 0
    assert not view.any()


def test_finals_of_a_source_that_tells_of_no_sends_answer_nothing() -> None:
    sliding = Sliding(BOOK)
    told = bucket({TW_OK: (5, 0), TW_30003: (2, 1), SMPP_OK: (7, 0)})
    told.sends = [9, 0, 0]
    sliding.add(told)
    view = sliding.snapshot()
    of = {pair: view[3, row, list(sliding.sent)].tolist() for pair, row in sliding.pairs.items()}
    assert of == {("310-260", "US"): [9, 2], ("311-480", "US"): [0, 0]}


def test_what_ends_on_our_own_side_is_missing_no_more_and_no_outcome() -> None:
    sliding = Sliding(BOOK)
    told = bucket({TW_OK: (5, 0), TW_30003._replace(outcome_class="policy", code="30034"): (0, 0)})
    told.sends, told.own = [9, 0], [0, 3]
    sliding.add(told)
    view = sliding.snapshot()
    assert view[3, sliding.pairs["310-260", "US"], [0, *sliding.sent]].tolist() == [5, 9, 1]


def test_an_hour_of_many_pairs_is_kept_by_what_came_not_by_who_is_known() -> None:
    """20,000 pairs that say something once, then one of them alone: columns of each would be 300 MB."""
    sliding = Sliding(BOOK)
    everybody = {TW_OK._replace(carrier=f"c{i}"): (1, 0) for i in range(20_000)}
    one = {TW_OK._replace(carrier="c7"): (1, 0)}
    tracemalloc.start()
    try:
        sliding.add(bucket(everybody))
        for _ in range(359):
            sliding.add(bucket(one))
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 40e6
    assert sliding.snapshot()[-1, :, 0].sum() == 20_000 + 359
    sliding.add(bucket(one))
    assert sliding.snapshot()[-1, :, 0].sum() == 360
