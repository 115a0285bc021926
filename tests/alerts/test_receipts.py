"""Receipts that come late, or not: what is due of them, and what is missing.

0 min            30 min              40 min                    50 min
|--- healthy ----|=== 40 % fail, ====|== their failures come ==|-- healthy
                     no receipt yet
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from alerts import receipts as post
from alerts.counts import Count, Table, tables
from alerts.decide import Decided, begin, decide
from alerts.flags import Nature
from alerts.paging import pages, summary
from alerts.policy import Policy
from alerts.receipts import Receipts
from alerts.records import Decision, Severity, State
from alerts.scopes import Index
from streams.records import Cells, SeriesKey
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES, Source
from tests.alerts.traffic import RULE, START_S

POLICY = Policy(overdue_after_s=1200)
LEAVES = [("ill", "x"), ("ill", "y"), ("well", "x"), ("well", "y")]
ILL = np.array([True, True, False, False])
MINUTE = 6


@dataclass
class World:
    """Sends at `rate` a second and leaf; successes come within a minute, failures of the outage later."""

    seed: int = 1
    rate: float = 10.0
    volume: float = 1.0
    late_from: int = 30 * MINUTE
    late_to: int = 40 * MINUTE
    back_after: int = 10 * MINUTE
    lost: float = 0.4
    silent: bool = False
    """Nothing at all is heard of the ill carrier in that time, sends included."""

    def buckets(self, count: int) -> Iterator[dict[tuple[str, str], Count]]:
        rng, waiting = np.random.default_rng(self.seed), np.zeros(len(LEAVES))
        late = np.zeros((count + self.back_after + 1, len(LEAVES)))
        for i in range(count):
            sends = rng.poisson(10 * self.rate, len(LEAVES))
            hurt = ILL * (self.late_from <= i < self.late_to)
            gone = rng.binomial(sends, self.lost * hurt)
            late[i + self.back_after] += gone
            waiting += sends - gone
            came = rng.binomial(waiting.astype(int), 0.5)
            waiting -= came
            failed = rng.binomial(came, 0.01) + late[i].astype(int)
            n = came + late[i].astype(int)
            if self.silent:
                sends, n, failed = (np.where(hurt, 0, a) for a in (sends, n, failed))
            yield {
                leaf: Count(int(n[j]), int(failed[j]), int(n[j]), int(failed[j]), int(sends[j]))
                for j, leaf in enumerate(LEAVES)
            }


def follow(world: World, count: int, policy: Policy = POLICY) -> list[Decided]:
    state, out = begin(policy, (RULE,)), []
    for i, counts in enumerate(world.buckets(count)):
        state, decided = decide(state, policy, START_S + 10 * i, {RULE: counts})
        out.append(decided)
    return out


def test_an_outage_whose_failures_come_late_is_seen_by_the_successes_that_do_not_come() -> None:
    decided = follow(World(), 38 * MINUTE)
    (incident,) = decided[-1].incidents
    assert (incident.scope, incident.carrier) == ("carrier", "ill")
    assert (incident.reason, incident.severity) == (Decision.OVERDUE, Severity.WARNING)
    assert incident.detected_ms / 1000 - START_S - 1800 <= 60
    assert summary(incident).startswith("Receipts overdue") and "successes that are due" in summary(incident)
    assert [p.action for p in pages(incident)] == ["trigger"]
    natures = {(f.carrier, f.nature) for d in decided for f in d.flags}
    assert natures == {("ill", Nature.OVERDUE)}


def test_of_a_series_that_is_new_nothing_is_overdue() -> None:
    decided = follow(World(), 38 * MINUTE, Policy())
    assert not any(d.incidents for d in decided)


def test_it_is_promoted_when_the_failures_follow_and_ends_with_them() -> None:
    decided = follow(World(), 60 * MINUTE)
    what = [t.what for d in decided for t in d.transitions]
    assert what[:2] == ["opened", "escalated"] and what[-1] == "resolved"
    (incident,) = decided[-1].incidents
    assert incident.was_critical and incident.state is State.RESOLVED


def test_without_an_outage_nothing_is_overdue() -> None:
    decided = follow(World(lost=0.0), 60 * MINUTE)
    assert not any(d.incidents or d.flags for d in decided)


def test_silence_is_neither_health_nor_failure() -> None:
    decided = follow(World(lost=0.0, silent=True), 45 * MINUTE)
    assert not any(d.incidents for d in decided)


def test_a_source_that_tells_of_no_sends_has_no_overdue_receipts() -> None:
    state = begin(POLICY, (RULE,))
    for i, counts in enumerate(World().buckets(36 * MINUTE)):
        quiet = {leaf: count._replace(sends=0) for leaf, count in counts.items()}
        state, decided = decide(state, POLICY, START_S + 10 * i, {RULE: quiet})
        assert not decided.incidents
    assert not state.rules[0].receipts.charts.w.any()


ONE = Index().grown([("a", "x")])


def known_delays(failures: list[float]) -> Receipts:
    receipts = Receipts.empty(POLICY).grown(Index(), ONE)
    delays = np.array([[0.9, 0.1, 0, 0, 0], failures])[..., np.newaxis] * 1e6
    return Receipts(**(vars(receipts) | {"delays": delays}))


def test_after_a_blast_slow_failures_outweigh_and_at_its_start_quick_successes() -> None:
    receipts, offsets = known_delays([0.3, 0.3, 0.4, 0, 0]), []
    for i in range(600):
        sends = np.array([3000.0 if 300 <= i < 330 else 100.0])
        receipts, due = post.released(receipts, POLICY, ONE, sends)
        offsets.append(due.offset[0])
    assert offsets[299] == pytest.approx(0, abs=0.05)
    assert offsets[301] < -0.3 and offsets[345] > 1


def test_the_late_failures_of_a_blast_are_no_incident_whenever_they_come() -> None:
    """All of them come 25 min after, where an exponential expects hardly any."""
    rng, state = np.random.default_rng(3), begin(POLICY, (RULE,))
    late = np.zeros(12 * 60 * MINUTE)
    for i in range(8 * 60 * MINUTE):
        blast = 7 * 60 * MINUTE <= i < 7 * 60 * MINUTE + 10 * MINUTE
        sends = int(rng.poisson(3000 if blast else 300))
        failed = rng.binomial(sends, 0.012)
        quick = int(rng.binomial(failed, 0.6))
        late[i + 25 * MINUTE] += failed - quick
        k = quick + int(late[i])
        delays = np.array([[sends - failed, 0, 0, 0, 0], [quick, 0, late[i], 0, 0]], dtype=np.int32)[
            ..., np.newaxis
        ]
        now, zero = (np.array([v], dtype=np.int32) for v in (sends, 0))
        n, failures = (np.array([v], dtype=np.int32) for v in (sends - failed + k, k))
        table = Table((("a", "x"),), n, failures, n, failures, now, zero, zero, delays)
        state, decided = decide(state, POLICY, START_S + 10 * i, {RULE: table})
        assert not decided.incidents


def test_what_was_sent_is_due_once() -> None:
    receipts, successes = known_delays([1, 0, 0, 0, 0]), 0.0
    for i in range(300):
        receipts, due = post.released(receipts, POLICY, ONE, np.array([1000.0 if i == 0 else 0.0]))
        successes += due.successes[0]
    assert successes == pytest.approx(1000, rel=1e-3)


@pytest.mark.parametrize(
    ("failures", "old", "left_out"),
    [
        pytest.param([1, 0, 0, 0, 0], 1, True, id="failures-come-in-time"),
        pytest.param([0, 0, 0, 0, 1], 5, False, id="failures-are-expiries"),
        pytest.param([0, 0, 0, 0, 1], 500, True, id="a-backlog"),
    ],
)
def test_receipts_of_the_past_are_no_evidence_of_now(failures: list[float], old: int, left_out: bool) -> None:
    _, past = post.without_old(known_delays(failures), POLICY, ONE, np.array([float(old)]))
    assert bool(past[0]) is left_out


def test_a_backlog_that_is_flushed_is_no_spike() -> None:
    state = begin(POLICY, (RULE,))
    for i in range(20 * MINUTE):
        flush = 300 if 60 <= i < 90 else 0
        count = Count(100 + flush, 1 + flush, 100 + flush, 1 + flush, 0, flush, flush)
        state, decided = decide(state, POLICY, START_S + 10 * i, {RULE: {("a", "x"): count}})
        assert not decided.incidents and not decided.flags


def test_cells_give_sends_old_receipts_and_delays_by_leaf() -> None:
    book = RuleBook.of(DEFAULT_RULES, (Source(name="tw", format="canonical", codes="twilio"),))
    keys = [SeriesKey("tw", "a", "x", name, code) for name, code in (("delivered", ""), ("route", "30003"))]
    cells = Cells(
        keys=keys,
        key=[0, 1],
        bucket_s=[0, 0],
        finals=[90, 10],
        sends=[70, 0],
        latency_cell=[0, 0, 1],
        latency_bin=[1, 10, 11],
        latency_n=[80, 10, 4],
    )
    table: Table = tables(cells, book)["twilio_30003"]
    assert table.by_leaf() == {("a", "x"): Count(100, 10, 100, 10, 70, 14, 4)}
    assert table.delays[..., 0].tolist() == [[80, 0, 0, 0, 10], [0, 0, 0, 0, 4]]
    assert table.without_old(np.array([True])).by_leaf()["a", "x"] == Count(86, 6, 100, 10, 70, 14, 4)
