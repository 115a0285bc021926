"""Numbers that are dead, and who must be on the list of recipients for it.

failed      x x x x           listed
failed      x x . x x x       not: a delivery lies between
            |---- 7 d ----|
"""

from collections import defaultdict

import msgspec
import pytest

from streams.simulate.ledger import Ledger
from streams.simulate.network import Network
from streams.simulate.numbers import numbers_of
from streams.simulate.parts import Disturbances, Scenario
from streams.simulate.refuse import complaints
from streams.simulate.runs import WITHIN_S, Runs
from streams.simulate.scenario import load
from streams.simulate.traffic import Emission, new_ledger, records

START_MS = 1_800_000_000_000
SOMEBODY = 12025550100
CLEAN = msgspec.structs.replace(load("demo"), duration_s=60, rate=60.0, disturbances=Disturbances())
DYING = msgspec.structs.replace(CLEAN, disturbances=Disturbances(dead=0.05, conflicts=0.3, duplicates=0.05))


def failing(*at_s: int) -> Runs:
    runs = Runs()
    for i, moment_s in enumerate(at_s):
        runs.fail(SOMEBODY, f"m{i}", moment_s)
    return runs


def drawn(scenario: Scenario, ledger: Ledger | None = None) -> list[Emission]:
    return list(records(scenario, 7, START_MS, ledger))


def finals(emissions: list[Emission]) -> dict[bytes, Emission]:
    return {e.key: e for e in emissions if e.result == "counted"}


@pytest.mark.parametrize(("at_s", "listed"), [((10, 20, 30), False), ((10, 20, 30, 40), True)])
def test_more_than_three_messages_in_a_row_make_the_list(at_s: tuple[int, ...], listed: bool) -> None:
    assert (SOMEBODY in failing(*at_s).listed(50)) is listed


def test_a_message_that_fails_time_and_again_counts_once() -> None:
    runs = failing(10, 20, 30)
    runs.fail(SOMEBODY, "m0", 40)
    assert runs.listed(50) == set()


@pytest.mark.parametrize("first", ["failed", "reached"])
def test_a_delivery_ends_the_run_whichever_is_heard_of_first(first: str) -> None:
    runs = Runs() if first == "reached" else failing(10, 20, 30, 40)
    runs.reach(SOMEBODY, 40)
    for i, moment_s in enumerate((10, 20, 30, 40, 41, 42, 43)):
        runs.fail(SOMEBODY, f"m{i}", moment_s)
    assert runs.listed(50) == set()
    runs.fail(SOMEBODY, "m7", 44)
    assert runs.listed(50) == {SOMEBODY}


def test_what_failed_more_than_a_week_ago_does_not_count() -> None:
    runs = failing(10, 20, 30, 40)
    assert runs.listed(9 + WITHIN_S) == {SOMEBODY}
    assert runs.listed(10 + WITHIN_S) == set()


def test_nothing_is_delivered_to_a_dead_number_and_all_others_are_as_they_were() -> None:
    dead = set(Network(DYING, 7).dead.tolist())
    with_dead, without = finals(drawn(DYING)), finals(drawn(CLEAN))
    to_dead = [e for e in with_dead.values() if e.truth.recipient in dead]
    assert len(to_dead) > 0.03 * len(with_dead)
    assert {(e.truth.verdict.status, e.truth.verdict.code) for e in to_dead} <= {
        *(("undelivered", "30003"), ("undelivered", "001"))
    }
    others = {key: e for key, e in with_dead.items() if e.truth.recipient not in dead}
    assert {key: (e.truth.recipient, e.truth.verdict) for key, e in others.items()} == {
        key: (without[key].truth.recipient, without[key].truth.verdict) for key in others
    }


def test_each_region_has_one_dead_number_of_its_own() -> None:
    network = Network(DYING, 7)
    assert all(number in numbers_of(r.id) for number, r in zip(network.dead, DYING.regions, strict=True))
    assert len(set(network.dead.tolist())) == len(DYING.regions)
    assert len(Network(CLEAN, 7).dead) == 0


def test_the_list_of_the_truth_is_that_of_a_count_by_hand() -> None:
    ledger = new_ledger(DYING, START_MS, 7)
    failed, reached = defaultdict[int, dict[str, int]](dict), defaultdict[int, int](int)
    for e in drawn(DYING, ledger):
        if e.result not in ("counted", "conflict", "late"):
            continue
        at_s, t = e.truth.received_ms // 1000, e.truth
        if t.verdict.status == "delivered":
            reached[t.recipient] = max(reached[t.recipient], at_s)
        elif t.verdict.code in ("30003", "001"):
            failed[t.recipient][t.message_id] = at_s
    runs = {n: [s for s in seen.values() if s > reached[n]] for n, seen in failed.items()}
    assert ledger.listed == [f"+{n}" for n in sorted(runs) if len(runs[n]) > 3] != []


def test_a_share_of_dead_numbers_beyond_half_is_refused() -> None:
    (why,) = complaints(msgspec.structs.replace(CLEAN, disturbances=Disturbances(dead=0.6)))
    assert why.startswith("disturbances.dead = 0.6")
