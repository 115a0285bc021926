"""One bad sender is not a bad carrier, and a failing carrier is none of its senders.

minute  0 ...... 2 xxxxxxxxxxxx      what is ill from then on
Outcomes are folded as ingest folds them, so that what is not told by sender is not known here either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from alerts import snapshot
from alerts.blame import words
from alerts.counts import Table, tables
from alerts.decide import Decided, DetectorState, begin, decide
from alerts.flags import Nature
from alerts.paging import pages
from alerts.records import Incident, Severity
from streams.fold import NO_LATENCY, Fold
from streams.privacy import shown_sender
from streams.records import SeriesKey
from streams.rules import RuleBook
from streams.settings import Rule, Source
from tests.alerts.traffic import KNOWN, RULE, START_S, names

BOOK = RuleBook.of((Rule(name=RULE, codes=("30003",)),), (Source(name="s", format="canonical"),))
CARRIERS, REGIONS = names("c", 4), names("r", 3)
LEAVES = [(c, r) for c in CARRIERS for r in REGIONS]
KEYS = [SeriesKey("s", c, r, "delivered", "") for c, r in LEAVES]
KEYS += [SeriesKey("s", c, r, "absent_subscriber", "30003") for c, r in LEAVES]
POOL = tuple(f"+1202555{n:04}" for n in range(100, 110))
BAD, GOOD = POOL[3], POOL[0]
ILL_S = 120
Share = Callable[[int, str, str, str], float]
"""(second, carrier, region, sender) -> share that fails."""


@dataclass
class Played:
    state: DetectorState
    decided: list[Decided] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)

    @property
    def one(self) -> Incident:
        (incident,) = self.incidents.values()
        return incident

    @property
    def what(self) -> list[str]:
        return [f"{t.what} {t.detail}".strip() for d in self.decided for t in d.transitions]


def buckets(
    fails: Share,
    seconds: int,
    rate: float,
    traffic: dict[str, float] | None = None,
    seed: int = 1,
    pools: dict[str, tuple[str, ...]] | None = None,
) -> Iterator[tuple[int, dict[str, Table]]]:
    """`rate` outcomes a second of each series, by `traffic` of each sender (all alike without). `pools`: who
    sends to one region of some carriers, and nothing else is sent."""
    rng, shares = np.random.default_rng(seed), traffic or dict.fromkeys(POOL, 1.0)
    whole = sum(shares.values())
    for at in range(0, seconds, 10):
        fold = Fold()
        for row, (carrier, region) in enumerate(LEAVES):
            own = shares
            if pools is not None:
                own = dict.fromkeys(pools.get(carrier, ()) if region == "r1" else (), 1.0)
            for sender, share in own.items():
                n = int(rng.poisson(10 * rate * share / whole))
                k = int(rng.binomial(n, fails(at, carrier, region, sender)))
                where = np.full(n - k, START_S + at)
                fold.add(np.full(n - k, row), where, np.full(n - k, NO_LATENCY))
                told = int(rng.binomial(n - k, 0.25))
                fold.add_delivered(np.full(told, row), where[:told], [sender] * told)
                ill = np.full(k, row + len(LEAVES))
                fold.add(ill, np.full(k, START_S + at), np.full(k, NO_LATENCY))
                for recipient in rng.integers(2**60, size=k).tolist():
                    fold.add_failed(row + len(LEAVES), START_S + at, recipient, sender)
        yield START_S + at, tables(fold.cells(KEYS), BOOK)


def play(stream: Iterator[tuple[int, dict[str, Table]]]) -> Played:
    out = Played(begin(KNOWN, (RULE,)))
    for bucket_s, counts in stream:
        out.state, decided = decide(out.state, KNOWN, bucket_s, counts)
        out.decided.append(decided)
        out.incidents |= {i.key: i for i in decided.incidents}
    return out


def one_sender_at_c1(at: int, carrier: str, region: str, sender: str) -> float:
    return 0.9 if at >= ILL_S and (carrier, sender) == ("c1", BAD) else 0.01


def one_sender_everywhere(at: int, carrier: str, region: str, sender: str) -> float:
    return 0.9 if at >= ILL_S and sender == BAD else 0.01


def c1_is_ill(at: int, carrier: str, region: str, sender: str) -> float:
    return 0.4 if at >= ILL_S and carrier == "c1" else 0.01


@pytest.mark.parametrize("seed", range(2))
def test_one_bad_sender_among_many_on_one_carrier_is_no_carrier(seed: int) -> None:
    out = play(buckets(one_sender_at_c1, 300, 5, seed=seed))
    one = out.one
    assert one.key == f"ch:{RULE}:sender:c1:all:{one.opened_bucket_s}"
    assert (one.scope, one.current_scope, one.current_carrier) == ("sender", "sender", "c1")
    assert one.senders is not None and [s.name for s in one.senders.bad] == [shown_sender(BAD)]
    bad = one.senders.bad[0]
    assert 0.8 < bad.failed / bad.outcomes <= 1 and one.senders.others_failed / one.senders.others < 0.03
    assert one.opened_bucket_s - START_S - ILL_S <= KNOWN.sender_wait_s


def test_flag_and_page_say_that_it_is_the_sender_and_hold_no_number() -> None:
    out = play(buckets(one_sender_at_c1, 300, 5))
    flags = [f for f in out.decided[-1].flags if f.carrier == "c1"]
    assert flags and {f.nature for f in flags} == {Nature.SENDER}
    (page,) = pages(out.one)
    assert page.summary.startswith(f"Sender {shown_sender(BAD)} failing, not the carrier: {RULE}, carrier c1")
    assert page.details["scope"] == "sender" and page.details["senders"] == shown_sender(BAD)
    told = repr((flags, page, out.one, snapshot.snapshot(out.state)))
    assert "The sender fails, not the carrier" in told and not [n for n in POOL if n[1:] in told]


def test_one_bad_sender_across_carriers_is_one_incident_of_that_sender() -> None:
    out = play(buckets(one_sender_everywhere, 300, 5))
    assert (out.one.scope, out.one.carrier, out.one.region) == ("sender", "all", "all")
    assert out.one.senders is not None and [s.name for s in out.one.senders.bad] == [shown_sender(BAD)]


def test_severity_is_that_of_what_fails_whoever_is_to_blame() -> None:
    half = play(buckets(one_sender_at_c1, 300, 5, {BAD: 9.0} | dict.fromkeys(POOL[:3], 3.0)))
    assert half.one.scope == "sender" and half.one.severity is Severity.CRITICAL
    tenth = play(buckets(one_sender_at_c1, 300, 5, dict.fromkeys(POOL, 1.0) | {BAD: 0.7}))
    assert tenth.one.scope == "sender" and tenth.one.severity is Severity.WARNING


@pytest.mark.parametrize(("rate", "seed"), [(0.5, 0), (0.5, 1), (5, 2)])
def test_an_outage_of_a_carrier_where_one_sender_has_most_of_the_traffic_stays_the_carriers(
    rate: float, seed: int
) -> None:
    out = play(buckets(c1_is_ill, 420, rate, {BAD: 95.0} | dict.fromkeys(POOL[:3], 5 / 3), seed))
    assert (out.one.scope, out.one.current_scope, out.one.carrier) == ("carrier", "carrier", "c1")
    assert out.one.opened_bucket_s - START_S - ILL_S <= 20
    assert out.one.senders is not None and not out.one.senders.bad
    assert f"{shown_sender(BAD)}, has 9" in words(out.one.senders)


def test_an_outage_says_that_it_is_not_one_sender() -> None:
    out = play(buckets(c1_is_ill, 300, 5))
    assert out.one.current_scope == "carrier" and "Not one sender" in out.one.explanation


def test_where_nobody_else_sends_nothing_is_said_of_the_sender() -> None:
    out = play(buckets(one_sender_at_c1, 300, 5, {BAD: 1.0}))
    assert out.one.current_scope == "carrier" and out.one.carrier == "c1"


def test_several_bad_senders_are_named() -> None:
    bad = POOL[2:5]
    out = play(buckets(lambda at, c, r, s: 0.8 if at >= ILL_S and c == "c1" and s in bad else 0.01, 300, 5))
    senders = out.one.senders
    assert senders is not None and {s.name for s in senders.bad} == set(map(shown_sender, bad))
    assert "3 senders fail" in words(out.one.senders)


def test_only_the_retries_of_the_sender_to_blame_are_held() -> None:
    out = play(buckets(one_sender_at_c1, 300, 5))
    held = out.one.spells[-1]
    assert held.where == ("sender", "c1", "all", (shown_sender(BAD),)) and not held.until_ms


def test_a_carrier_that_fails_during_the_incident_of_a_sender_takes_it_over() -> None:
    def then_the_carrier(at: int, carrier: str, region: str, sender: str) -> float:
        return 0.5 if at >= 300 and carrier == "c1" else one_sender_at_c1(at, carrier, region, sender)

    out = play(buckets(then_the_carrier, 720, 5))
    assert "scope_changed sender c1/all -> carrier c1/all" in out.what
    assert out.one.scope == "sender" and out.one.current_scope == "carrier"
    assert out.one.severity is Severity.CRITICAL and "Not one sender" in out.one.explanation


def test_a_restart_in_the_middle_decides_the_same() -> None:
    stream = list(buckets(one_sender_at_c1, 300, 1, seed=5))
    whole = play(iter(stream))
    state, found = begin(KNOWN, (RULE,)), list[Decided]()
    for bucket_s, counts in stream:
        state, decided = decide(state, KNOWN, bucket_s, counts)
        state = snapshot.restore(snapshot.snapshot(state))
        found.append(decided)
    assert found == whole.decided
    assert any(rule.senders for rule in state.rules)


def test_sources_that_tell_no_sender_are_judged_as_before() -> None:
    out = play(buckets(lambda at, c, r, s: c1_is_ill(at, c, r, s), 300, 5, {"": 1.0}))
    assert out.one.current_scope == "carrier" and out.one.senders is None


# -- tickets -----------------------------------------------------------------------------------


def test_tickets_name_the_list_or_route_that_they_point_to() -> None:
    """At c1 one list of ten is bad, at c2 all ten alike, at c3 one sender has all the traffic."""
    pools = {"c1": POOL, "c2": POOL, "c3": (GOOD,)}

    def fails(at: int, carrier: str, region: str, sender: str) -> float:
        return (0.6 if sender == BAD else 0.03) if carrier == "c1" else 0.09

    policy, state, said = msgspec.structs.replace(KNOWN, prior=0.08), begin(KNOWN, (RULE,)), dict[str, str]()
    for bucket_s, counts in buckets(fails, 3660, 2, pools=pools):
        state, decided = decide(state, policy, bucket_s, counts)
        said = {f.carrier: f.explanation for f in decided.flags if f.nature is Nature.PERSISTENT}
    assert f"It points to the list of sender {shown_sender(BAD)}" in said["c1"] and BAD not in repr(said)
    assert "No sender stands out among 10: it points to the route" in said["c2"]
    assert f"of its messages are from {shown_sender(GOOD)}" in said["c3"]
