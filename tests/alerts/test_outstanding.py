"""Messages without an end: nothing is lost or made, nearly as many as there really are, restarts forget none.

send ------- 10 min ------- 1 h ------- 2 h ---- 4 h ---- 12 h ---- 24 h
     exact by memory   | by age ->  |due|                         given up
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import cohorts, coverage
from alerts.decide import DetectorState, begin, decide
from alerts.outstanding import AGES_S, ELSE, KEPT, SENDS, STEP_S, Outstanding
from alerts.policy import Policy
from alerts.snapshot import NOTHING, changes, restore, snapshot
from streams.metrics import Metrics, Role
from streams.records import CANARY, Cells, SeriesKey
from tests.alerts.sent import ENDS, Really, buckets, lossy, stretched
from tests.streams.logs import T0_S

POLICY = Policy()
SENT = SeriesKey("twilio", "310-260", "US", "in_flight", "")
DELIVERED = SENT._replace(outcome_class="delivered")
REFUSED = SENT._replace(outcome_class="policy", code="30034")
QUIET = SENT._replace(carrier="310-410")
NEVER_TOLD = DELIVERED._replace(source="mute")
_COUNTS = ("sends", "finals", "own", "answered", "old")


def counts(key: SeriesKey = SENT, bucket_s: int = T0_S, **named: int) -> Cells:
    columns = {name: [named.get(name, 0)] for name in _COUNTS}
    return Cells(keys=[key], key=[0], bucket_s=[bucket_s], **columns)


def timed(latency_column: int, n: int) -> Cells:
    """`n` ends of older sends, of a latency that is told."""
    cells = counts(DELIVERED, finals=n, old=n)
    cells.latency_cell, cells.latency_bin, cells.latency_n = [0], [latency_column], [n]
    return cells


def follow(*steps: Cells, state: Outstanding | None = None) -> Outstanding:
    """One bucket in each step of 10 min, and a last empty one."""
    state, begun_s = state or Outstanding(), T0_S if state is None else state.bucket_s + STEP_S
    for i, cells in enumerate((*steps, Cells())):
        state = state.after(begun_s + i * STEP_S, cells)
    return state


NOTHING_SENT = Cells()
CELLS = st.builds(
    lambda key, column, sends, own, answered, late, old: Cells(
        keys=[key, key._replace(outcome_class="delivered")],
        key=[0, 1],
        bucket_s=[T0_S, T0_S],
        sends=[sends, 0],
        finals=[0, min(answered, sends) + late + old],
        own=[0, own],
        answered=[0, min(answered, sends)],
        old=[0, late + old],
        latency_cell=[1] if late else [],
        latency_bin=[column] if late else [],
        latency_n=[late] if late else [],
    ),
    st.sampled_from([SENT, QUIET, SENT._replace(region="CA")]),
    st.integers(0, 11),
    *[st.integers(0, 300)] * 2,
    *[st.integers(0, 300)] * 3,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), CELLS), max_size=25), st.integers(2, 5))
def test_what_was_sent_has_an_end_or_waits_or_is_given_up(some: list[tuple[int, Cells]], most: int) -> None:
    state, sent, ends, at_s = Outstanding(), 0, 0, T0_S
    for steps, cells in some:
        at_s += steps * STEP_S
        state = state.after(at_s, cells, most=most)
        sent += sum(cells.sends)
        ends += (sum(cells.finals) + sum(cells.own)) if SENT.source in state.sources else 0
    pending_ends = state.block[1].sum()
    given_up, unmatched = state.forgotten + np.array((state.given_up.sum(), state.unmatched.sum()))
    matched = ends - pending_ends - unmatched
    assert (state.waiting >= 0).all() and (state.block >= 0).all() and (state.given_up >= 0).all()
    assert len(state.pairs) <= most
    assert sent == state.block[SENDS].sum() + state.waiting.sum() + given_up + matched


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 30), st.integers(1, 4), st.integers(0, 10**6))
def test_ends_go_to_cohorts_whole_and_once(data: st.DataObject, kept: int, pairs: int, number: int) -> None:
    def drawn(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        values = data.draw(st.lists(st.integers(0, 500), min_size=size, max_size=size))
        return np.array(values, np.int64).reshape(shape)

    waiting, ends = drawn(kept, pairs), drawn(pairs)
    weight = np.maximum(np.arange(kept), 1.0) ** -1.5
    for after, left in (
        cohorts.newest_first(waiting, ends),
        cohorts.by_weight(waiting, ends, weight, number),
    ):
        assert (after >= 0).all() and (after <= waiting).all() and (left >= 0).all()
        assert (waiting.sum(axis=0) - after.sum(axis=0) + left == ends).all()
        assert (left[after.any(axis=0)] == 0).all()


def test_over_many_steps_single_ends_go_where_they_are_likely() -> None:
    waiting, taken = np.full((4, 1), 10**6), np.zeros(4)
    for number in range(1000):
        after, _ = cohorts.by_weight(waiting, np.array([1]), np.array([4.0, 2.0, 1.0, 1.0]), number)
        taken += (waiting - after)[:, 0]
    assert taken == pytest.approx([500, 250, 125, 125], abs=3)


def test_a_message_without_an_end_ages_and_is_given_up_after_a_day() -> None:
    state = follow(counts(sends=10, answered=0), counts(DELIVERED, finals=7, answered=7))
    sizes = []
    for _ in range(KEPT):
        sizes.append(tuple(int(state.missing(s).sum()) for s in AGES_S.values()))
        state = follow(state=state)
    assert sizes[0] == (0, 0, 0)
    assert [sizes.index(size) for size in ((3, 0, 0), (3, 3, 0), (3, 3, 3))] == [5, 23, 71]
    assert (state.waiting.sum(), *state.forgotten) == (0, 3, 0), "and nobody is left to show it of"


def test_an_end_whose_latency_is_told_answers_a_message_of_that_age() -> None:
    hourly = [counts(sends=10) if i % 6 == 0 else NOTHING_SENT for i in range(30)]
    before = follow(*hourly)
    after = follow(timed(9, 4), state=before)  # half an hour to an hour
    assert after.unmatched.sum() == 4, "nothing was sent at that time"
    after = follow(NOTHING_SENT, NOTHING_SENT, timed(10, 4), state=before)  # one to four hours
    assert (int(after.waiting.sum()), after.unmatched.sum()) == (50 - 4, 0)
    assert (after.waiting[:6].sum(), after.waiting[25:].sum()) == (0, 20), "others are left alone"


def test_our_own_side_ends_a_message_as_well() -> None:
    state = follow(counts(sends=5), counts(REFUSED, own=3, answered=3), *[NOTHING_SENT] * 8)
    assert state.missing(3600).tolist() == [2]
    assert state.coverage.tolist() == [pytest.approx(0.6)]


def test_an_end_that_overtook_its_send_is_taken_for_no_other() -> None:
    state = follow(counts(sends=5))
    at_s = state.bucket_s
    state = state.after(at_s + 10, counts(DELIVERED, finals=1, old=1))
    state = state.after(at_s + 20, counts(sends=1, answered=1)).after(at_s + STEP_S, Cells())
    assert state.waiting.sum() == 5


def test_a_source_that_never_tells_of_sends_is_left_out() -> None:
    state = follow(
        counts(NEVER_TOLD, finals=50, old=50), counts(sends=5), counts(NEVER_TOLD, finals=9, old=9)
    )
    assert (state.pairs, state.sources, state.waiting.sum()) == ((SENT[1:3],), ("twilio",), 5)
    assert follow(counts(SENT._replace(source=CANARY), sends=9)).pairs == ()


def test_a_carrier_that_never_sends_receipts_is_learned_and_one_that_stops_is_not() -> None:
    loyal = (counts(sends=40), counts(DELIVERED, finals=40, answered=40))
    state, known = Outstanding(), list[int]()
    for i in range(150):
        at_s = T0_S + i * STEP_S
        state = state.after(at_s, *(loyal if i < 100 else loyal[:1]), counts(QUIET, sends=40))
        known.append(len(state.known))
    by_pair = dict(zip(state.pairs, zip(state.expected, state.coverage, strict=True), strict=True))
    assert by_pair[QUIET[1:3]] == (False, 0)
    assert by_pair[SENT[1:3]] == (True, 0), "it used to answer, so silence is no habit"
    assert state.usual_coverage[state.pairs.index(SENT[1:3])] > 0.6
    assert known[:14] == [0] * 14 and known[20:] == [2] * 130, "two hours, and 100 messages"


def test_a_bucket_seen_before_changes_nothing() -> None:
    state = follow(counts(sends=5), counts(DELIVERED, finals=2, answered=2))
    assert state.after(state.bucket_s, counts(sends=9)) is state
    assert state.after(T0_S, counts(sends=9)) is state


def test_long_silence_gives_up_what_waits_and_forgets_who_is_idle() -> None:
    state = follow(counts(sends=5), counts(DELIVERED, finals=2, answered=2))
    later = state.after(state.bucket_s + 400 * STEP_S, Cells())
    assert (later.pairs, later.waiting.shape, later.sources) == ((), (KEPT, 0), ("twilio",))


@pytest.mark.parametrize(
    ("seed", "lost_percent", "error_ratio", "error_of_sent"), [(1, 3, 0.15, 0.002), (2, 0, 0.0, 0.005)]
)
def test_estimates_are_near_the_truth_of_the_simulator(
    seed: int, lost_percent: int, error_ratio: float, error_of_sent: float
) -> None:
    """A tenth of the receipts takes more than 10 min, and up to 10 h; one carrier's source tells latencies.

    What is wrong is at most a share of what is missing, and a share of what was sent in a day.
    """
    state, really, sent = Outstanding(), Really(), 0
    records = lossy(stretched(seed), lambda t: int(t.message_id[-6:], 16) % 100 < lost_percent)
    for bucket_s, cells, some in buckets(records):
        state = state.after(bucket_s, cells)
        really.take(some)
        sent += sum(t.verdict.status not in ENDS and not t.repeat for t in some)
        if (bucket_s + 10) % 7200 == 0:
            shown = state.after(bucket_s + 10)
            for age_s in AGES_S.values():
                missing = dict(zip(shown.pairs, shown.missing(age_s).tolist(), strict=True))
                truth = really.missing(bucket_s + 10, age_s)
                for (carrier, _), estimate in missing.items():
                    allowed = error_ratio * truth[carrier] + error_of_sent * sent / len(missing)
                    assert abs(estimate - truth[carrier]) <= allowed + 5, (carrier, age_s, bucket_s)
    assert len(state.pairs) == 2 and sent > 10_000
    assert state.coverage == pytest.approx([1 - lost_percent / 100] * 2, abs=0.06)


def test_after_a_restart_all_goes_on_as_before() -> None:
    """The state is part of the snapshot, of the same bucket as the rest of it."""
    state, written, kept = begin(POLICY, ("r",)), NOTHING, dict[str, bytes]()
    stream = list(islice(buckets(stretched(3)), 200))
    whole = state
    for i, (bucket_s, cells, _) in enumerate(stream):
        whole = _one(whole, bucket_s, cells)
        state = _one(state, bucket_s, cells)
        records, written = changes(state, written)
        kept |= {record[:80].decode(): record for record in records}
        if i in (30, 77, 133):
            state = restore(kept.values())
    assert _same(whole.outstanding, state.outstanding)
    assert whole.outstanding.waiting.any() and whole.outstanding.usual.any()
    assert _same(restore(snapshot(begin(POLICY, ("r",)))).outstanding, Outstanding())


def _one(state: DetectorState, bucket_s: int, cells: Cells) -> DetectorState:
    after, _ = decide(state, POLICY, bucket_s, {})
    return replace(after, outstanding=after.outstanding.after(bucket_s, cells))


def _same(one: Outstanding, other: Outstanding) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def test_a_scrape_shows_flagged_pairs_then_the_largest_and_the_sum_of_the_rest() -> None:
    keys = [SENT._replace(carrier=f"c{i}") for i in range(12)]
    sent = Cells(keys=keys, key=list(range(12)), bucket_s=[T0_S] * 12, finals=[0] * 12)
    sent.sends = list(range(1, 13))
    state = follow(sent, *[NOTHING_SENT] * 6)
    metrics, flagged = Metrics(Role.ALERTS), {("c1", "US")}
    coverage.provide(metrics, lambda: state, lambda: flagged, 12)
    rows = dict(metrics.receipts_missing_by_age.items())
    hour = {key[:2]: value for key, value in rows.items() if key[2] == "1h"}
    assert hour == {("c1", "US"): 2, ("c11", "US"): 12, ("c10", "US"): 11, ELSE: 78 - 25}
    assert len(rows) == 12
    assert dict(metrics.receipt_coverage_messages.items())[ELSE] == 78 - 25
    assert dict(metrics.receipt_coverage_ratio.items())[ELSE] == 0
    assert dict(metrics.receipts_given_up_total.items())[ELSE] == 0
