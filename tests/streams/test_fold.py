"""Folding: what comes out as cells adds up to what went in, however it is cut."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode

from streams.fold import (
    ANSWERED,
    EXPIRED,
    MAX_SENDER_LENGTH,
    NO_LATENCY,
    OLD,
    OWN,
    SEND,
    SIGNAL,
    TOP_DELIVERED,
    TOP_SENDERS,
    Fold,
    latency_column,
    pack,
    top,
    unpack,
)
from streams.journal import join
from streams.pieces import split, take
from streams.records import BUCKET_S, LATENCY_BOUNDS_S, Cells, SeriesKey, encode
from streams.tally import Bucket, add, as_cells
from streams.traffic_class import MAX_CLASSES
from tests.streams.logs import BAD, GOOD, KEYS, OTHER, everything

HASHES = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    "latency_ms, column",
    [
        *[(bound * 1000, i) for i, bound in enumerate(LATENCY_BOUNDS_S)],
        *[(bound * 1000 + 1, i + 1) for i, bound in enumerate(LATENCY_BOUNDS_S)],
        (0, 0),
        (-5_000, 0),
        (10**12, len(LATENCY_BOUNDS_S)),
    ],
)
def test_a_latency_falls_into_the_column_whose_bound_holds_it(latency_ms: int, column: int) -> None:
    assert latency_column(np.array([latency_ms])).tolist() == [column]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.one_of(st.integers(0, 60), st.integers(1_784_289_600, 1_784_289_700), st.just(2**31)),
            st.sampled_from([0, 3, len(LATENCY_BOUNDS_S), NO_LATENCY, SEND, SIGNAL, OWN]),
            st.sampled_from([0, ANSWERED, OLD, EXPIRED, ANSWERED | EXPIRED, OLD | EXPIRED]),
            st.sampled_from([None, "time_critical", "otp"]),
        ),
        max_size=60,
    ),
    st.integers(1, 7),
)
def test_cells_add_up_to_what_was_added(
    entries: list[tuple[int, int, int, int, str | None]], batches: int
) -> None:
    fold, want = Fold(), Counter[tuple[object, ...]]()
    rows = [(row, s, column | flags, fold.class_number(name)) for row, s, column, flags, name in entries]
    for some in np.array_split(np.array(rows, np.int64).reshape(-1, 4), batches):
        fold.add(some[:, 0], some[:, 1], some[:, 2], some[:, 3])
    for row, second, column, flags, traffic_class in entries:
        name = KEYS[row], second // BUCKET_S * BUCKET_S
        kind = {SEND: "sends", SIGNAL: "signals", OWN: "own"}.get(column, "finals")
        want[*name, kind] += 1
        want[*name, "answered"] += flags & ANSWERED == ANSWERED
        want[*name, "old"] += flags & OLD == OLD
        want[*name, "expired"] += kind == "finals" and flags & EXPIRED == EXPIRED
        want[*name, "unsent"] += kind == "own" and flags & EXPIRED == EXPIRED
        if column < OWN:
            want[*name, "latency", column, *([traffic_class] if traffic_class else [])] += 1
    cells = fold.cells(KEYS)
    assert everything(cells) == want
    assert len(set(zip(cells.key, cells.bucket_s, strict=True))) == len(cells.key)
    assert fold.cells(KEYS) == Cells()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 29), HASHES, st.sampled_from(["a", "b", None]))))
def test_a_cell_has_its_failed_recipients_once_and_its_senders_summed(
    failed: list[tuple[int, int, int, str | None]],
) -> None:
    fold, rows = Fold(), (BAD, OTHER)
    fold.add(np.array([0, 1]), np.array([0, 0]), np.array([NO_LATENCY, NO_LATENCY]))
    recipients, senders = set(), Counter[tuple[object, ...]]()
    for row, second, recipient, sender in failed:
        fold.add(np.array([row]), np.array([second]), np.array([NO_LATENCY]))
        fold.add_failed(row, second, recipient, sender)
        recipients.add((rows[row], second // 10 * 10, recipient))
        senders[rows[row], second // 10 * 10, sender or ""] += 1
    said = everything(fold.cells(rows))
    assert {(k, b, rest[0]): n for (k, b, what, *rest), n in said.items() if what == "sender"} == senders
    assert {(k, b, rest[0]) for k, b, what, *rest in said if what == "recipient"} == recipients
    assert all(n == 1 for (_, _, what, *_), n in said.items() if what == "recipient")


def test_the_20_top_senders_are_named_and_the_rest_is_summed() -> None:
    senders = Counter({f"s{i:02}": 100 - i for i in range(25)} | {"": 1_000})
    told = top(senders)
    assert list(told) == [*(f"s{i:02}" for i in range(TOP_SENDERS)), ""]
    assert told[""] == 1_000 + sum(100 - i for i in range(20, 25))
    assert sum(told.values()) == senders.total()
    assert top(Counter({"a": 1})) == {"a": 1}


def test_a_sender_of_any_length_takes_little_room() -> None:
    fold = Fold()
    fold.add(np.array([0]), np.array([0]), np.array([NO_LATENCY]))
    fold.add_failed(0, 0, 1, "x" * 900_000)
    assert fold.cells([BAD]).senders == {0: {"x" * MAX_SENDER_LENGTH: 1}}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.one_of(st.integers(0, 39), st.just(1_784_289_600)),
            st.sampled_from([*(f"s{i}" for i in range(12)), "", None]),
        ),
        max_size=80,
    ),
    st.integers(1, 5),
)
def test_deliveries_by_sender_are_told_in_the_company_of_failures_and_add_up(
    outcomes: list[tuple[int, int, str | None]], batches: int
) -> None:
    """Rows 0 and 1 are deliveries of two series, 2 the failures of the first."""
    keys, fold = [GOOD, OTHER, BAD], Fold()
    assert GOOD[:3] == BAD[:3] != OTHER[:3]
    for some in np.array_split(np.array(outcomes, object).reshape(-1, 3), batches):
        well = [o for o in some.tolist() if o[0] < 2]
        rows, seconds = (np.array([o[i] for o in well], np.int64) for i in (0, 1))
        fold.add(rows, seconds, np.full(len(rows), NO_LATENCY))
        fold.add_delivered(rows, seconds, [o[2] for o in well])
        for row, second, sender in (o for o in some.tolist() if o[0] == 2):
            fold.add(np.array([row]), np.array([second]), np.array([NO_LATENCY]))
            fold.add_failed(row, second, 1, sender)
    want: dict[tuple[int, int], Counter[str]] = {}
    for row, second, sender in outcomes:
        want.setdefault((row, second // 10 * 10), Counter())[sender or ""] += 1
    cells = fold.cells(keys)
    told = {(keys.index(cells.keys[k]), b): cells.senders.get(i) for i, (k, b) in _placed(cells)}
    for (row, bucket_s), senders in want.items():
        if row == 1 or (row == 0 and (2, bucket_s) not in want):
            assert told[row, bucket_s] is None
        else:
            assert told[row, bucket_s] == top(senders, TOP_SENDERS if row == 2 else TOP_DELIVERED) or (
                _alike(told[row, bucket_s], senders)
            )
    assert fold.cells(keys) == Cells()


def _placed(cells: Cells) -> list[tuple[int, tuple[int, int]]]:
    return list(enumerate(zip(cells.key, cells.bucket_s, strict=True)))


def _alike(told: dict[str, int] | None, senders: Counter[str]) -> bool:
    """The same but for which of several with as many deliveries are named."""
    assert told is not None
    named = {s: n for s, n in told.items() if s}
    most = sorted((n for s, n in senders.items() if s), reverse=True)[:TOP_DELIVERED]
    exact = all(senders[s] == n for s, n in named.items())
    return exact and sorted(named.values(), reverse=True) == most and sum(told.values()) == senders.total()


def urgent(fold: Fold, row: int, second: int, recipient: int, traffic_class: str | None) -> None:
    fold.add(np.array([row]), np.array([second]), np.array([NO_LATENCY]))
    fold.add_failed(row, second, recipient, None, traffic_class)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 29), st.sampled_from(["time_critical", "otp", None])),
        min_size=1,
    ),
    st.integers(0, 60),
)
def test_time_critical_failures_are_counted_exactly_through_folding_cutting_and_adding_up(
    failed: list[tuple[int, int, str | None]], cut: int
) -> None:
    fold, rows, want = Fold(), (BAD, OTHER), Counter[tuple[object, int]]()
    for i, (row, second, traffic_class) in enumerate(failed):
        urgent(fold, row, second, i, traffic_class)
        want[rows[row], second // 10 * 10] += traffic_class == "time_critical"
    cells = fold.cells(rows)
    open_buckets: dict[int, Bucket] = {}
    at = min(cut, len(cells.key))
    for part in (take(cells, 0, at), take(cells, at, len(cells.key))):
        add(open_buckets, decode(encode(part), type=Cells))
    added = as_cells(open_buckets)
    whole = join([take(added, 0, at), take(added, at, len(added.key))])
    got = {(whole.keys[whole.key[i]], whole.bucket_s[i]): n for i, n in whole.time_critical.items()}
    assert got == +want
    assert b"time_critical" not in encode(Cells()) and fold.cells(rows).time_critical == {}


def test_cells_of_before_have_no_time_critical_column_and_are_read() -> None:
    old = b'{"keys":[["s","a","x","route","30003"]],"key":[0],"bucket_s":[0],"finals":[3],"sends":[0]}'
    assert decode(old, type=Cells).time_critical == {}


LABELS = st.lists(st.sampled_from(["time_critical", "otp", *(f"c{i:02}" for i in range(30))]))


@settings(max_examples=60, deadline=None)
@given(LABELS, LABELS)
def test_of_many_traffic_classes_few_are_kept_and_none_is_lost(first: list[str], second: list[str]) -> None:
    """By one flush those that came first, by a bucket those with most messages; the rest is `other`."""
    open_buckets: dict[int, Bucket] = {}
    for labels in (first, second):
        fold = Fold()
        for label in labels:
            fold.add(np.array([0]), np.array([0]), np.array([3]), fold.class_number(label))
        cells = fold.cells([GOOD])
        assert len(cells.classes) <= MAX_CLASSES
        add(open_buckets, cells)
    whole = as_cells(open_buckets)
    assert len(whole.classes) <= MAX_CLASSES and whole.classes == sorted(whole.classes)
    kept = Counter[str]()
    for which, n in zip(whole.latency_class, whole.latency_n, strict=True):
        kept[whole.classes[which]] += n
    all_labels = Counter(first + second)
    assert kept.total() == all_labels.total()
    assert kept["time_critical"] == all_labels["time_critical"]
    assert all(kept[label] <= n for label, n in all_labels.items())


def test_a_traffic_class_that_is_a_phone_number_or_can_not_be_printed_is_no_label() -> None:
    fold = Fold()
    numbers = [fold.class_number(label) for label in ("+12025550123", "a\nb", " otp ", "otp", "", None)]
    fold.add(np.zeros(6, np.int64), np.zeros(6, np.int64), np.zeros(6, np.int64), np.array(numbers))
    assert fold.cells([GOOD]).classes == ["", "other", "a?b", "otp"]


@given(st.lists(HASHES))
def test_hashes_come_back_as_they_were_packed(hashes: list[int]) -> None:
    assert unpack(pack(hashes)).tolist() == hashes


# -- split and take ----------------------------------------------------------------------------

NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "S", "P"]), max_size=64)
ROWS = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.lists(HASHES, max_size=6, unique=True),
    st.dictionaries(
        st.tuples(st.integers(0, 11), st.sampled_from(["", "otp", "time_critical"])),
        st.integers(1, 10**6),
        max_size=3,
    ),
    st.dictionaries(NAMES, st.integers(1, 10**6), max_size=3),
)


@st.composite
def tables(draw: st.DrawFn) -> Cells:
    rows = draw(st.lists(ROWS, max_size=25))
    keys = [SeriesKey("s", draw(NAMES), draw(NAMES), "c", draw(st.sampled_from(["", "1"]))) for _ in range(3)]
    latency = [(i, column, n, c) for i, r in enumerate(rows) for (column, c), n in r[5].items()]
    classes = sorted({c for _, _, _, c in latency})
    told = classes not in ([], [""])
    return Cells(
        keys=keys,
        key=[r[0] for r in rows],
        bucket_s=[r[1] * 10 for r in rows],
        finals=[r[2] for r in rows],
        sends=[r[3] for r in rows],
        signals=[r[3] // 3 for r in rows],
        own=[r[2] // 5 for r in rows],
        unsent=[r[2] // 9 for r in rows],
        expired=[r[2] // 4 for r in rows],
        answered=[r[2] // 2 for r in rows],
        old=[r[2] // 3 for r in rows],
        latency_cell=[i for i, _, _, _ in latency],
        latency_bin=[column for _, column, _, _ in latency],
        latency_n=[n for _, _, n, _ in latency],
        classes=classes if told else [],
        latency_class=[classes.index(c) for _, _, _, c in latency] if told else [],
        senders={i: r[6] for i, r in enumerate(rows) if r[6]},
        recipients_n=[len(r[4]) for r in rows],
        recipients=pack([h for r in rows for h in r[4]]),
        distinct=[r[2] // 2 for r in rows],
        repeats=[r[2] % 7 for r in rows],
    )


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from([60, 1_500, 4_000, 10**6]))
def test_parts_join_back_to_the_same(table: Cells, most_bytes: int) -> None:
    assert everything(join(split(table, most_bytes))) == everything(table)


@settings(max_examples=150, deadline=None)
@given(tables(), st.sampled_from([4_000, 6_000]))
def test_every_part_stays_under_the_size(table: Cells, most_bytes: int) -> None:
    empty = len(encode(Cells(keys=[GOOD])))
    assert all(len(encode(part)) <= most_bytes + empty for part in split(table, most_bytes))


@settings(max_examples=100, deadline=None)
@given(tables(), st.data())
def test_a_piece_has_what_its_cells_have(table: Cells, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(table.key)))
    both = join([take(table, 0, at), take(table, at, len(table.key))])
    assert everything(both) == everything(table)
    assert (both.bucket_s, both.finals, both.recipients) == (table.bucket_s, table.finals, table.recipients)


def test_what_fits_is_one_part() -> None:
    assert len(split(Cells(), 100_000)) == 1
    few = Cells(keys=[GOOD], key=[0], bucket_s=[0], finals=[3], sends=[0], recipients_n=[0])
    assert split(few, 100_000) == [few]


def test_one_cell_with_more_recipients_than_a_record_holds_is_cut_too() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64, 200_000, dtype=np.uint64).tolist()
    huge = Cells(
        keys=[GOOD, BAD],
        key=[0, 1, 0],
        bucket_s=[0, 0, 10],
        finals=[1, 300_000, 2],
        sends=[0, 0, 0],
        latency_cell=[1, 2],
        latency_bin=[3, 4],
        latency_n=[300_000, 2],
        senders={1: {"a": 300_000}},
        recipients_n=[0, len(hashes), 0],
        recipients=pack(hashes),
        distinct=[0, 199_000, 0],
        repeats=[0, 1_000, 0],
    )
    parts = split(huge, 800_000)
    assert 3 <= len(parts) <= 8
    assert all(len(encode(p)) <= 801_000 for p in parts)
    assert everything(join(parts)) == everything(huge)
