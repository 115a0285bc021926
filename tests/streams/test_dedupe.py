"""Once per message: the table of sightings does what a plain dictionary would do."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.dedupe import SLOTS, SeenIds

HORIZON_S = 600
NOW_S = 1_784_289_600
PLENTY = 50_000_000

Sighting = tuple[int, int, int, int]
"""Fingerprint, receipt second, clock second, status bit."""


@dataclass
class PlainMemory:
    """The same promise without any of the machinery."""

    horizon_s: int
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)

    def see(self, sighting: Sighting) -> int:
        fp, at_s, clock_s, bit = sighting
        last_s, mask = self.seen.get(fp or 1, (-(2**40), 0))
        if last_s < clock_s - self.horizon_s:
            last_s, mask = at_s, 0
        self.seen[fp or 1] = max(last_s, at_s), mask | bit
        return mask


def see(ids: SeenIds, sightings: list[Sighting]) -> list[int]:
    fp, at, clock, bit = zip(*sightings, strict=True) if sightings else ((), (), (), ())
    times = np.array(at, np.int64), np.array(clock, np.int64)
    return ids.see(np.array(fp, np.uint64), *times, np.array(bit, np.uint16)).tolist()


def at_once(ids: SeenIds, fps: np.ndarray, at_s: int, bit: int = 1) -> np.ndarray:
    n = len(fps)
    second = np.full(n, at_s, np.int64)
    return ids.see(fps.astype(np.uint64), second, second, np.full(n, bit, np.uint16))


def random_ids(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 2**64, n, dtype=np.uint64)


FEW_IDS = st.sampled_from([0, 1, 2, 3, 2**63, 2**63 + 1, 2**64 - 1, 7 << 60, 8 << 60])
STEPS = st.sampled_from([0, 0, 0, 1, 5, 299, 300, 301, 599, 600, 601, 9_999, 10_001, 59_000, 61_000, 700_000])
BEHIND = st.sampled_from([0, 0, 0, 1, 30, 300, 599, 600, 601, 602, 1_300, 70_000, NOW_S])


@st.composite
def timelines(draw: st.DrawFn) -> list[list[Sighting]]:
    """Batches of sightings; the clock never falls, receipts may lie far behind it."""
    clock_s, batches = NOW_S, []
    for _ in range(draw(st.integers(1, 6))):
        batch = []
        for _ in range(draw(st.integers(0, 14))):
            clock_s += draw(STEPS)
            at_s = max(0, clock_s - draw(BEHIND))
            batch.append((draw(FEW_IDS), at_s, clock_s, 1 << draw(st.integers(0, 12))))
        batches.append(batch)
    return batches


@settings(max_examples=400, deadline=None)
@given(timelines())
def test_it_remembers_what_a_dictionary_would(batches: list[list[Sighting]]) -> None:
    ids, plain = SeenIds(HORIZON_S, PLENTY), PlainMemory(HORIZON_S)
    for batch in batches:
        assert see(ids, batch) == [plain.see(s) for s in batch]


@settings(max_examples=150, deadline=None)
@given(timelines())
def test_how_the_batches_are_cut_changes_nothing(batches: list[list[Sighting]]) -> None:
    whole = [s for batch in batches for s in batch]
    one_by_one = SeenIds(HORIZON_S, PLENTY)
    assert see(SeenIds(HORIZON_S, PLENTY), whole) == [m for s in whole for m in see(one_by_one, [s])]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([40, 400, 4_000]), st.sampled_from([1, 40, 400]))
def test_it_remembers_so_while_it_grows_and_shrinks(seed: int, most: int, step_s: int) -> None:
    rng = np.random.default_rng(seed)
    ids, plain, clock_s = SeenIds(HORIZON_S, PLENTY), PlainMemory(HORIZON_S), NOW_S
    known = rng.integers(0, 2**64, 6_000, dtype=np.uint64)
    for n in rng.integers(1, most, 12).tolist():
        clock_s += int(rng.integers(0, step_s))
        behind = rng.integers(0, 900, n)
        batch = [
            (int(fp), clock_s - int(b), clock_s, 1 << int(bit))
            for fp, b, bit in zip(rng.choice(known, n), behind, rng.integers(0, 13, n), strict=True)
        ]
        assert see(ids, batch) == [plain.see(s) for s in batch]


# clock       0         600        601
#             |----------|----------|
# sighting    A          A? still   A? gone
@pytest.mark.parametrize("after_s, mask", [(0, 1), (599, 1), (600, 1), (601, 0), (60_001, 0), (10**7, 0)])
def test_a_sighting_is_forgotten_once_the_horizon_has_passed(after_s: int, mask: int) -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    see(ids, [(42, NOW_S, NOW_S, 1)])
    later_s = NOW_S + after_s
    assert see(ids, [(42, later_s, later_s, 2)]) == [mask]


def test_each_sighting_renews_the_memory() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    times = [NOW_S + 500 * i for i in range(5)]
    assert see(ids, [(42, t, t, 1 << i) for i, t in enumerate(times)]) == [0, 1, 3, 7, 15]


def test_an_older_sighting_does_not_shorten_the_memory() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    see(ids, [(42, NOW_S, NOW_S, 1), (42, NOW_S - 590, NOW_S, 2)])
    assert see(ids, [(42, NOW_S + 600, NOW_S + 600, 4)]) == [3]


def test_one_message_may_fill_a_batch() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    batch = [(42, NOW_S + i // 10, NOW_S + i // 10, 1 << (i % 5)) for i in range(20_000)]
    plain = PlainMemory(HORIZON_S)
    assert see(ids, batch) == [plain.see(s) for s in batch]


@pytest.mark.parametrize(
    "fps",
    [
        np.arange(1, 5_001, dtype=np.uint64),
        np.arange(1, 5_001, dtype=np.uint64) << np.uint64(48),
        np.arange(0, 5_000, dtype=np.uint64) | np.uint64(0xFFFF_FFFF_0000_0000),
        (np.arange(0, 16, dtype=np.uint64) << np.uint64(60)),
    ],
    ids=["few low bits", "high bits alone", "equal high bits", "four high bits"],
)
def test_like_fingerprints_are_told_apart(fps: np.ndarray) -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    distinct = len(np.unique(fps))
    assert not at_once(ids, fps, NOW_S, 1).any()
    assert (at_once(ids, fps, NOW_S, 2) == 1).all()
    assert len(ids) == distinct


def test_fingerprints_of_one_home_bucket_are_told_apart() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    fps = np.array([(i * inverse) % 2**64 for i in range(1, 3_000)], np.uint64)  # mixed: all near 0
    assert not at_once(ids, fps, NOW_S, 1).any()
    assert (at_once(ids, fps, NOW_S + 1, 2) == 1).all()


def test_an_empty_batch_is_nothing() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    assert see(ids, []) == [] and len(ids) == 0


# -- the cap -----------------------------------------------------------------------------------


def test_without_a_cut_the_whole_horizon_is_in_force() -> None:
    ids = SeenIds(HORIZON_S, 1_000)
    at_once(ids, random_ids(500, 1), NOW_S)
    assert ids.horizon_in_force_s(NOW_S) == HORIZON_S


@pytest.mark.parametrize("most, batch", [(1, 7), (10, 5_000), (1_000, 20_000), (1_000, 999), (1_000, 1_000)])
def test_the_cap_holds_whatever_the_batch_and_never_raises(most: int, batch: int) -> None:
    ids = SeenIds(HORIZON_S, most)
    for i in range(6):
        at_once(ids, random_ids(batch, i), NOW_S + 10 * i)
        slots_of_cap = max(128 * SLOTS, 2 * most + 2 * SLOTS)
        assert ids.nbytes <= 12.2 * slots_of_cap
        assert 0 <= ids.horizon_in_force_s(NOW_S + 10 * i) <= HORIZON_S


def test_a_cut_shortens_the_horizon_in_force_and_keeps_what_it_says() -> None:
    ids, most = SeenIds(HORIZON_S, 4_000), 4_000
    sent = {t: random_ids(100, t) for t in range(NOW_S, NOW_S + 300)}
    for t, fps in sent.items():
        at_once(ids, fps, t)
    clock_s = NOW_S + 299
    in_force_s = ids.horizon_in_force_s(clock_s)
    assert 10 <= in_force_s < most // 100 * 1.5
    kept = [t for t in sent if t >= clock_s - in_force_s]
    for t in kept:
        assert (at_once(ids, sent[t], clock_s, 2) == 1).all()


def test_after_a_cut_the_horizon_grows_again_with_the_clock() -> None:
    ids = SeenIds(HORIZON_S, 1_000)
    for t in range(NOW_S, NOW_S + 30):
        at_once(ids, random_ids(100, t), t)
    short_s = ids.horizon_in_force_s(NOW_S + 29)
    assert ids.horizon_in_force_s(NOW_S + 29 + 100) == short_s + 100
    assert ids.horizon_in_force_s(NOW_S + 10_000) == HORIZON_S


def test_after_a_cut_old_receipts_are_not_kept_longer_than_others() -> None:
    ids = SeenIds(HORIZON_S, 1_000)
    for t in range(NOW_S, NOW_S + 30):
        at_once(ids, random_ids(100, t), t)
    clock_s = NOW_S + 29
    see(ids, [(42, clock_s - 599, clock_s, 1)])
    assert see(ids, [(42, clock_s + 2, clock_s + 2, 1)]) == [0]


# -- size --------------------------------------------------------------------------------------


def test_an_id_takes_about_20_bytes() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    for i in range(60):
        at_once(ids, random_ids(5_000, i), NOW_S + i)
    assert len(ids) == 300_000
    assert 16 <= ids.nbytes / len(ids) <= 26


def test_what_was_forgotten_gives_its_room_back() -> None:
    ids = SeenIds(HORIZON_S, PLENTY)
    for i in range(20):
        at_once(ids, random_ids(5_000, i), NOW_S + i)
    full = ids.nbytes
    for i in range(2_000):
        at_once(ids, random_ids(60, 100 + i), NOW_S + 1_000 + i)
    assert ids.nbytes < full / 2


def test_a_search_ends_although_many_buckets_have_spilled() -> None:
    """Spilled buckets take nothing new: what is free in the others must be enough for the load."""
    ids, buckets = SeenIds(HORIZON_S, PLENTY), 128
    crowded = np.arange(0, 100, 2)
    at_once(ids, _with_homes(np.repeat(crowded, 9), 0), NOW_S)
    keep = _with_homes(np.arange(100, buckets).repeat(7), 10_000)
    at_once(ids, keep, NOW_S + 500)
    fresh = _with_homes(np.tile(np.arange(buckets), 6), 20_000)
    for i in range(0, len(fresh), 8):
        at_once(ids, fresh[i : i + 8], NOW_S + 700)
    assert (at_once(ids, keep, NOW_S + 700, 2) == 1).all()


def _with_homes(buckets: np.ndarray, salt: int) -> np.ndarray:
    """Distinct fingerprints whose home, among 128 buckets, is the wanted one."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    mixed = [((int(b) << 25) + salt + i) << 32 for i, b in enumerate(buckets)]
    return np.array([(m * inverse) % 2**64 for m in mixed], np.uint64)
