"""Snapshots: exact, whole or nothing, small."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.baseline import HOUR_S
from alerts.decide import Decided, DetectorState, adopt, begin, decide
from alerts.policy import Policy
from alerts.snapshot import (
    COPIES,
    NOTHING,
    Part,
    SnapshotError,
    changes,
    ends_hour,
    restore,
    restored,
    shard_of,
    snapshot,
)
from tests.alerts.traffic import RULE, Counts, Fault, Network, names

BEFORE = Path(__file__).parent / "snapshots" / "schema-2.jsonl"
POLICY = Policy(quarantine_s=0, wobble_least=0.5, overdue_after_s=0)
"""Learns within these minutes: nothing waits longer than its block."""
FAULTS = (Fault(104, 300, 0.4, carrier="c1"), Fault(450, 600, 0.5, carrier="c1"))
PLAIN = Network(7, names("c", 4), names("r", 3), 30, faults=FAULTS).buckets(1300)
STREAM = [
    (at, {RULE: {leaf: c._replace(sends=c.n) for leaf, c in counts[RULE].items()}}) for at, counts in PLAIN
]


def follow(state: DetectorState, stream: list[tuple[int, Counts]]) -> tuple[DetectorState, list[Decided]]:
    out = []
    for bucket_s, counts in stream:
        state, decided = decide(state, POLICY, bucket_s, counts)
        out.append(decided)
    return state, out


END, WHOLE = follow(begin(POLICY, (RULE,)), STREAM)


def test_the_stream_of_these_tests_has_incidents() -> None:
    assert [t.what for d in WHOLE for t in d.transitions][:4] == [
        "opened",
        "resolved",
        "reopened",
        "resolved",
    ]


def test_the_state_of_these_tests_has_learned_something() -> None:
    learned = END.rules[0].learned
    assert learned.baseline.total.any() and learned.wobble.weight.any()
    assert END.rules[0].receipts.returned.any() and END.rules[0].receipts.wobble.weight.any()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, len(STREAM) - 1), min_size=1, max_size=3, unique=True))
def test_a_restart_at_any_bucket_decides_the_same(cuts: list[int]) -> None:
    state, decided, begun = begin(POLICY, (RULE,)), list[Decided](), 0
    for cut in [*sorted(cuts), len(STREAM)]:
        state, some = follow(state, STREAM[begun:cut])
        state, decided, begun = restore(snapshot(state)), decided + some, cut
    assert decided == WHOLE
    assert snapshot(state) == snapshot(END)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, len(STREAM) - 1), st.integers(0, 30))
def test_a_replay_from_an_older_snapshot_repeats_no_transition(cut: int, back: int) -> None:
    """Incidents are written at once, the snapshot is older: what was decided stays decided."""
    old, _ = follow(begin(POLICY, (RULE,)), STREAM[: max(1, cut - back)])
    new, _ = follow(begin(POLICY, (RULE,)), STREAM[:cut])
    state = adopt(restore(snapshot(old)), [c.incident for c in new.cases])
    state, replayed = follow(state, STREAM[max(1, cut - back) : cut])
    known = {(t.key, t.seq) for d in WHOLE for t in d.transitions}
    assert not [t for d in replayed for t in d.transitions if (t.key, t.seq) not in known]
    assert (
        {i.key for i in replayed[-1].incidents} == {c.incident.key for c in new.cases} if replayed else True
    )


def test_the_older_whole_snapshot_wins_over_a_newer_one_cut_short() -> None:
    old, _ = follow(begin(POLICY, (RULE,)), STREAM[:30])
    new, _ = follow(begin(POLICY, (RULE,)), STREAM[:36])
    topic = {shard_of(r): r for r in snapshot(old) + snapshot(new)[:1]}
    assert restore(topic.values()).bucket_s == old.bucket_s


def test_no_whole_snapshot_is_refused_in_words() -> None:
    with pytest.raises(SnapshotError, match="no whole snapshot"):
        restore(snapshot(END)[:1])


@settings(max_examples=10, deadline=None)
@given(st.dictionaries(st.integers(1, len(STREAM) // 6), st.floats(0, 1, exclude_max=True), max_size=4))
def test_a_crash_while_a_snapshot_is_written_leaves_the_last_one_whole(crashes: dict[int, float]) -> None:
    """Every minute a snapshot; in some only a share of its records is written before a restart."""
    state, last, topic = begin(POLICY, (RULE,)), NOTHING, dict[str, bytes]()
    decided, at, whole = dict[int, Decided](), 0, snapshot(state)
    while at < len(STREAM):
        state, some = follow(state, STREAM[at : at + 6])
        decided |= {at + i: one for i, one in enumerate(some)}
        at += 6
        records, written = changes(state, last)
        share = crashes.pop(at // 6, None)
        kept = records if share is None else records[: int(share * len(records))]
        topic |= {shard_of(record): record for record in kept}
        if share is None:
            last, whole = written, snapshot(state)
        elif last is not NOTHING:
            state, last = restored(topic.values())
            assert snapshot(state) == whole
            at = next(i for i, (bucket_s, _) in enumerate(STREAM) if bucket_s > state.bucket_s)
        else:
            state, at = begin(POLICY, (RULE,)), 0
    assert [decided[i] for i in range(len(STREAM))] == WHOLE
    assert snapshot(state) == snapshot(END)
    assert snapshot(restore(topic.values())) == whole


def test_a_minute_later_little_is_written() -> None:
    begun, _ = follow(begin(POLICY, (RULE,)), STREAM[:120])
    _, last = changes(begun, NOTHING)
    later, _ = follow(begun, STREAM[120:126])
    records, _ = changes(later, last)
    names = {shard_of(r).rsplit("/", 2)[0].removeprefix(f"rule/{RULE}/") for r in records}
    assert names == {"now", f"ring/{STREAM[120][0] // 60 % 64}", "station"}


def test_a_snapshot_of_another_schema_is_refused() -> None:
    newer = [r.replace(b'\\"schema\\":3', b'\\"schema\\":4') for r in snapshot(END)]
    assert newer != snapshot(END)
    with pytest.raises(SnapshotError, match="no whole snapshot"):
        restore(newer)


def test_a_snapshot_of_the_schema_before_is_read() -> None:
    """Four series, of which one carrier fails at 40 % since second 1204; written at second 1490."""
    topic = {shard_of(r): r for r in BEFORE.read_bytes().splitlines()}
    state, last = restored(topic.values())
    assert state.bucket_s == 1_800_001_490
    rule = state.rules[0]
    assert [c.incident.key for c in state.cases] == [f"ch:{RULE}:carrier:c1:all:1800001210"]
    assert rule.charts.w.sum() == pytest.approx(27444.36453889087)
    assert rule.learned.baseline.total.sum() == pytest.approx(7455.797950692483)
    assert rule.learned.wobble.weight.sum() == pytest.approx(5396.986793533642)
    assert rule.receipts.returned.sum() == pytest.approx(20156.297279776987)
    assert (sum(int(row.n.sum()) for row in rule.ring), len(rule.learned.blocks)) == (15063, 1)
    records, _ = changes(state, last)
    assert not topic.keys() & {shard_of(r) for r in records}, "the one before stays until this is whole"
    assert snapshot(restore([*topic.values(), *records])) == snapshot(state)


def test_three_thousand_series_fit() -> None:
    state = begin(POLICY, (RULE, "other"))
    took = []
    for bucket_s, counts in Network(1, names("c", 60), names("r", 50), 300, spread=2).buckets(600):
        begun = time.perf_counter()
        state, _ = decide(state, POLICY, bucket_s, counts | {"other": counts[RULE]})
        took.append(time.perf_counter() - begun)
    records = snapshot(state)
    size = sum(map(len, records)) / 1e6
    print(f"step of 2 x 3,000 series: {1000 * float(np.median(took)):.1f} ms; {size:.1f} MB")
    assert max(len(r) for r in records) <= 900_000
    assert {msgspec.json.decode(r, type=Part).bucket_s for r in records} == {state.bucket_s}


def by_minute(stream: list[tuple[int, Counts]]) -> tuple[dict[str, bytes], dict[int, list[bytes]]]:
    """The compacted topic after a snapshot a minute, and the state after each hour."""
    state, last, topic, hours = begin(POLICY, (RULE,)), NOTHING, dict[str, bytes](), dict[int, list[bytes]]()
    for bucket_s, counts in stream:
        state, _ = decide(state, POLICY, bucket_s, counts)
        if (bucket_s + 10) % 60 == 0:
            records, last = changes(state, last)
            topic |= {shard_of(record): record for record in records}
        if ends_hour(bucket_s):
            hours[bucket_s] = snapshot(state)
    return topic, hours


FEW = Network(3, ("c1",), ("r1", "r2"), 30, faults=(Fault(5000, 5600, 0.5, carrier="c1"),))
MINUTES = [(at, {RULE: counts[RULE]}) for at, counts in FEW.buckets(3 * HOUR_S + 600)]
TOPIC, HOURS = by_minute(MINUTES)


def test_the_state_at_the_end_of_each_hour_stays_known_exactly() -> None:
    assert len(HOURS) == 3
    for bucket_s, whole in HOURS.items():
        assert snapshot(restore(TOPIC.values(), bucket_s)) == whole
        assert restore(TOPIC.values(), bucket_s + 50).bucket_s == bucket_s


def test_what_was_written_since_the_last_hour_holds_the_newest_state() -> None:
    newest = restore(TOPIC.values())
    late = [r for r in TOPIC.values() if msgspec.json.decode(r, type=Part).bucket_s >= max(HOURS)]
    assert newest.bucket_s > max(HOURS)
    assert snapshot(restore(late)) == snapshot(newest)


def test_the_copy_of_an_hour_is_written_over_after_a_month() -> None:
    """By the same keys, whatever minutes and blocks it held."""
    hour = 500_000
    keys = []
    for at_s in (hour * HOUR_S, (hour + COPIES) * HOUR_S):
        stream = [(at_s + 10 * i, MINUTES[i][1]) for i in range(720)]
        state, _ = follow(begin(Policy(), (RULE,)), stream)
        assert ends_hour(state.bucket_s)
        keys.append({shard_of(record) for record in snapshot(state)})
    assert keys[0] == keys[1]
    assert any("/block/" in key for key in keys[0])
