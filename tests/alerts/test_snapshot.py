"""Snapshots: exact, whole or nothing, small."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.decide import Decided, DetectorState, adopt, begin, decide
from alerts.policy import Policy
from alerts.snapshot import Part, SnapshotError, restore, shard_of, snapshot
from tests.alerts.traffic import RULE, Counts, Fault, Network, names

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


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, len(STREAM) - 1), min_size=1, max_size=3, unique=True))
def test_a_restart_at_any_bucket_decides_the_same(cuts: list[int]) -> None:
    state, decided, begun = begin(POLICY, (RULE,)), list[Decided](), 0
    for cut in [*sorted(cuts), len(STREAM)]:
        state, some = follow(state, STREAM[begun:cut])
        state, decided, begun = restore(snapshot(state)), decided + some, cut
    assert decided == WHOLE
    assert snapshot(state) == snapshot(END)


@settings(max_examples=10, deadline=None)
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


def test_a_snapshot_of_another_schema_is_refused() -> None:
    older = [r.replace(b'\\"schema\\":2', b'\\"schema\\":1') for r in snapshot(END)]
    assert older != snapshot(END)
    with pytest.raises(SnapshotError, match="no whole snapshot"):
        restore(older)


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
