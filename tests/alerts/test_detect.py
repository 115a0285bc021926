"""From cells to leaf counts, flags and memory."""

from __future__ import annotations

import pytest

from alerts import detect
from alerts.counts import Count, leaves
from alerts.flags import flags
from alerts.policy import Policy
from alerts.records import Scope, ScopeKind, Severity
from streams.records import Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES, Source

BOOK = RuleBook.of(
    DEFAULT_RULES,
    (
        Source(name="tw", format="twilio-status-callback", codes="twilio"),
        Source(name="smpp", format="smpp-receipt", codes="twilio-smpp"),
    ),
)
GOOD = SeriesKey("tw", "unknown", "US", "delivered", "")
BAD = SeriesKey("tw", "unknown", "US", "absent_subscriber", "30003")
OTHER = SeriesKey("smpp", "310-260", "US", "delivered", "")
POLICY = Policy()


def cells(distinct: list[int] | None = None, repeats: list[int] | None = None) -> Cells:
    return Cells(
        keys=[GOOD, BAD, OTHER],
        key=[0, 1, 2],
        bucket_s=[10] * 3,
        finals=[90, 10, 5],
        distinct=distinct or [],
        repeats=repeats or [],
    )


def test_each_rule_counts_the_sources_of_its_profiles() -> None:
    counts = leaves(cells(), BOOK)
    assert counts["twilio_30003"] == {("unknown", "US"): Count(100, 10, 100, 10)}
    assert counts["smpp_absent_subscriber"] == {("310-260", "US"): Count(5, 0, 5, 0)}


def test_repeats_of_a_recipient_count_for_people_but_not_as_evidence() -> None:
    counts = leaves(cells(distinct=[0, 3, 0], repeats=[0, 7, 0]), BOOK)
    assert counts["twilio_30003"]["unknown", "US"] == Count(93, 3, 100, 10)


def test_failures_without_any_recipient_still_count() -> None:
    counts = leaves(cells(distinct=[0, 0, 0], repeats=[0, 0, 0]), BOOK)
    assert counts["twilio_30003"]["unknown", "US"] == Count(100, 10, 100, 10)


def test_a_handset_tried_again_and_again_flags_nothing() -> None:
    state = detect.fresh("r", POLICY)
    for i in range(60):
        counts = {("a", "x"): Count(100, int(i == 0), 140, 40)}
        state, said = detect.step(state, POLICY, 10 * i, counts)
        assert not len(said.alarms.scopes)


def ill_state() -> tuple[detect.RuleState, detect.Step]:
    state = detect.fresh("r", POLICY)
    for i in range(1, 5):
        counts = {("a", "x"): Count(100, 40, 100, 40), ("b", "x"): Count(100, 1, 100, 1)}
        state, said = detect.step(state, POLICY, 10 * i, counts)
    return state, said


def test_the_ill_leaf_is_flagged_with_its_ratio() -> None:
    state, said = ill_state()
    (flag,) = flags(state, POLICY, said, 40)
    assert flag[:4] == ("r", "a", "x", Severity.CRITICAL)
    assert flag.ratio == pytest.approx(0.4, abs=0.03)
    assert flag.since_s == 10


def test_forgetting_a_scope_leaves_its_neighbours_their_past() -> None:
    state, said = ill_state()
    after = detect.forget(state, Scope(ScopeKind.PAIR, "a", "x"))
    assert not flags(after, POLICY, said, 40)
    assert detect.tally(after, said.pi, Scope(ScopeKind.GLOBAL, "all", "all"), 0).finals == 400


def test_an_hour_is_kept() -> None:
    state = detect.fresh("r", POLICY)
    for i in range(500):
        state, _ = detect.step(state, POLICY, 10 * i, {})
    assert (len(state.ring), state.ring[0].bucket_s) == (360, 1400)
