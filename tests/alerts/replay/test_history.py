"""History learned by blocks is what the live path learns of the same counts.

0 h                26 h (12 %)     29 h              36 h
|---- healthy ----|== incident ==|---- healthy ----|
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
import pytest

from alerts.detect import RuleState
from alerts.odds import expit, logit
from alerts.policy import Policy
from alerts.replay.blocks import Block, Blocks
from alerts.replay.folded import Bucket, Line
from alerts.replay.history import History
from alerts.replay.lay import Reader
from alerts.replay.run import Replay
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES

POLICY = Policy()
RULES = tuple(rule for rule in DEFAULT_RULES if rule.name == "twilio_30003")
HOUR = 3600
HOURS = 36
T0_S = 1_800_000_000 // 86_400 * 86_400
LEAVES = [(f"c{c}", f"r{r}") for c in range(3) for r in range(2)]
ILL = np.array([carrier == "c1" for carrier, _ in LEAVES])
BASE = logit(np.array([0.005, 0.008, 0.012, 0.009, 0.018, 0.006]))
RATES = np.array([80.0, 25.0, 60.0, 15.0, 40.0, 3.0])


@cache
def counts() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """(n, k) [leaves] of each 10 s: a day curve, more failures at night, a slow wobble, one incident."""
    rng, wobble, found = np.random.default_rng(7), np.zeros(len(LEAVES)), []
    for at_s in range(0, HOURS * HOUR, 10):
        if at_s % 60 == 0:
            wobble = wobble * 0.9 + rng.normal(0, 0.05, len(LEAVES))
        hour = at_s / HOUR
        ratio = expit(BASE + 0.3 * np.cos((hour - 3) / 24 * 2 * np.pi) + wobble)
        if 26.1 <= hour < 28.95:
            ratio = np.where(ILL, 0.12, ratio)
        n = rng.poisson(RATES * (1 + 0.6 * np.cos((hour - 15) / 24 * 2 * np.pi)))
        found.append((n, rng.binomial(n, ratio)))
    return tuple(found)


def folded(length_s: int) -> Iterator[Bucket]:
    parts = length_s // 10
    for i in range(0, len(counts()), parts):
        n, k = np.sum(counts()[i : i + parts], axis=0)
        yield bucket(T0_S + i * 10, length_s, zip(LEAVES, n.tolist(), k.tolist(), strict=True))


def bucket(start_s: int, length_s: int, rows: Iterable[tuple[tuple[str, str], int, int]]) -> Bucket:
    lines = (
        Line(start_s * 1000, length_s, *leaf, "twilio", {"delivered": n - k, "30003": k})
        for leaf, n, k in rows
        if n
    )
    return Bucket(start_s, length_s, tuple(lines))


@cache
def taught(kind: type[Replay], length_s: int = 10) -> RuleState:
    run = kind(POLICY, RULES, Reader(()))
    for one in folded(length_s):
        run.take(one)
    assert run.state.bucket_s == T0_S + HOURS * HOUR - 10
    return run.state.rules[0]


def expected(rule: RuleState, hour: int) -> np.ndarray:
    order = rule.index.numbers(LEAVES)
    found = rule.learned.baseline.expected(POLICY, T0_S + (HOURS + hour) * HOUR)
    return logit(found[order])


@pytest.mark.parametrize("length_s", [10, 60, 600])
@pytest.mark.parametrize("hour", [0, 4, 10, 17])
def test_the_same_ratio_is_expected_at_every_hour_however_long_the_buckets(length_s: int, hour: int) -> None:
    history, live = taught(History, length_s), taught(Replay)
    assert np.abs(expected(history, hour) - expected(live, hour)).max() < 0.05


def test_buckets_of_an_hour_blur_the_edges_of_an_incident_alone() -> None:
    far = np.abs(expected(taught(History, HOUR), 0) - expected(taught(Replay), 0))
    near = np.abs(expected(taught(History, HOUR), 10) - expected(taught(Replay), 10))
    assert far.max() < 0.05
    assert near.max() < 0.2


def test_an_incident_in_history_is_not_learned() -> None:
    truth = BASE + 0.3 * np.cos((3 - 3) / 24 * 2 * np.pi)
    bias = expected(taught(History), 27 - HOURS + 24) - truth
    assert np.abs(bias[ILL]).max() < 0.2
    naive = logit(np.array(0.12)) - truth[ILL]
    assert (naive > 1.5).all()


def test_volumes_are_those_of_the_live_path_where_nothing_was_wrong() -> None:
    history, live = (taught(kind).learned.baseline.volume for kind in (History, Replay))
    np.testing.assert_allclose(history[:, ~ILL], live[:, ~ILL], rtol=0.02)


@pytest.mark.parametrize("length_s", [10, 60, 600])
def test_the_wobble_is_that_of_the_live_path_at_all_lengths_that_the_buckets_tell(length_s: int) -> None:
    """Of series and carriers: what the live path keeps of a carrier's incident in the scopes around
    it, history leaves out."""
    rows = [i for i, length in enumerate((10, 60, 600, 3600)) if length >= length_s]
    history, live = taught(History, length_s), taught(Replay)
    sigma = [np.sqrt(rule.learned.wobble.variance(POLICY)) for rule in (history, live)]
    apart = [1, 3, *range(live.index.first_leaf, live.index.size)]
    assert np.abs(sigma[0] - sigma[1])[np.ix_(rows, apart)].max() < 0.04


def test_lengths_below_that_of_the_buckets_teach_no_wobble() -> None:
    wobble = taught(History, 600).learned.wobble
    assert not wobble.weight[:2].any()
    assert wobble.weight[2:].any()


def test_the_last_hour_waits_as_it_does_live() -> None:
    history, live = taught(History), taught(Replay)
    assert [b.start_s for b in history.learned.blocks][-6:] == [b.start_s for b in live.learned.blocks][-6:]
    assert history.learned.ill_s.tolist() == [0] * len(LEAVES)


def test_what_stays_out_of_line_for_a_week_is_the_new_normal() -> None:
    rng, run = np.random.default_rng(3), History(POLICY, RULES, Reader(()))
    for i in range(144 * 11):
        n = rng.poisson(2000, 2)
        k = rng.binomial(n, [0.01 if i < 144 * 2 else 0.06, 0.01])
        run.take(bucket(T0_S + i * 600, 600, zip(LEAVES, n.tolist(), k.tolist(), strict=False)))
    found = run.state.rules[0].learned.baseline.expected(POLICY, run.ended_s)
    assert found == pytest.approx([0.06, 0.01], rel=0.15)


def test_how_much_was_out_of_line_is_told() -> None:
    run = History(POLICY, RULES, Reader(()))
    for one in folded(600):
        run.take(one)
    ill = sum(int(n[ILL].sum()) for n, _ in counts()[int(26.1 * 360) : int(28.95 * 360)])
    assert run.ill["twilio_30003"] == pytest.approx(ill, rel=0.15)


def test_sends_teach_how_many_come_back() -> None:
    run = History(POLICY, RULES, Reader(()))
    for i in range(12):
        line = Line((T0_S + i * 600) * 1000, 600, "c", "r", "twilio", {"delivered": 900}, sends=1000)
        run.take(Bucket(T0_S + i * 600, 600, (line,)))
    outcomes, sends = run.state.rules[0].receipts.returned[:, 0]
    assert outcomes / sends == pytest.approx(0.9)


# Blocks


def blocks(*buckets: Bucket) -> list[Block]:
    summing = Blocks(Reader(()), RuleBook(RULES, {"twilio": frozenset({"twilio"})}))
    return [block for one in buckets for block in summing.add(one)]


def test_a_block_is_whole_once_its_last_slot_has_come() -> None:
    buckets = [bucket(T0_S + i * 60, 60, [(LEAVES[0], 5, 1)]) for i in range(19)]
    (one,) = blocks(*buckets)
    slots = one.rules["twilio_30003"]
    assert (one.start_s, slots.n.shape) == (T0_S, (10, 1))
    assert (slots.n.sum(), slots.k.sum(), slots.finals[0], slots.failed[0]) == (50, 10, 50, 10)


def test_what_comes_before_the_first_whole_block_is_left_out() -> None:
    buckets = [bucket(T0_S + 300 + i * 60, 60, [(LEAVES[0], 5, 1)]) for i in range(15)]
    assert [b.start_s for b in blocks(*buckets)] == [T0_S + 600]


@pytest.mark.parametrize(("length_s", "slot_s", "count"), [(900, 300, 3), (3600, 600, 6), (70, 10, 7)])
def test_buckets_that_do_not_fit_are_laid_out_and_none_is_lost(
    length_s: int, slot_s: int, count: int
) -> None:
    buckets = [bucket(T0_S + i * length_s, length_s, [(LEAVES[0], 900, 90)]) for i in range(count * 60)]
    found = [block.rules["twilio_30003"] for block in blocks(*buckets)]
    assert found[0].n.shape[0] == 600 // slot_s
    assert sum(s.n.sum() for s in found) == pytest.approx(900 * len(buckets), rel=600 / length_s / 60 / 60)
    assert np.mean([s.k.sum() / s.n.sum() for s in found]) == pytest.approx(0.1, rel=0.02)


def test_a_recipient_counts_once_where_recipients_are_told() -> None:
    line = Line(T0_S * 1000, 600, "c", "r", "twilio", {"delivered": 90, "30003": 10}, {"30003": 4})
    (one,) = blocks(Bucket(T0_S, 600, (line,)))
    table = one.rules["twilio_30003"].table()
    assert [int(c[0]) for c in (table.n, table.k, table.finals, table.failed)] == [94, 4, 100, 10]
