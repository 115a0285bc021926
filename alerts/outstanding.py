"""Messages without an end by age, and how many of those sent have one at all: counted, never by message.

closed bucket -> counts of the step under way -> every 10 min a cohort of sends more, and ends to cohorts

Ingest says which ends answer a send that it remembers, so what has no end after its horizon is exact. Later
ends go to older cohorts by their latency where the source tells it, else by likelihood: an estimate
(docs/receipts.md). Sources that never tell of sends are left out. Arrays end in pairs [P]; none is ever
changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts import cohorts
from alerts.odds import decay, padded
from alerts.scopes import Leaf
from streams.admission import OTHER
from streams.records import CANARY, LATENCY_BOUNDS_S, OPTIONAL_COUNTS, Cells
from streams.source import IN_FLIGHT_CLASS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Int32s = NDArray[np.int32]
Bools = NDArray[np.bool_]
Relaid = Callable[[NDArray[Any]], NDArray[Any]]

STEP_S = 600
KEPT = 86_400 // STEP_S
"""Cohorts: what has no end after a day is given up."""
AGES_S = {"1h": 3_600, "4h": 14_400, "12h": 43_200}
"""The values of the label `age`."""
DUE = slice(3_600 // STEP_S, 7_200 // STEP_S)
"""The cohorts that coverage is of: sent one to two hours ago."""
MEMORY_S = 2 * 86_400
"""Half-life of what coverage usually is."""
LEAST_SENDS = 100
"""With fewer nothing is known of a pair's receipts."""
SILENT_RATIO = 0.01
"""Who answers less than this is taken to send no receipts."""
MOST_PAIRS = 50_000
ELSE: Leaf = (OTHER, OTHER)
"""All pairs beyond the most."""

_LATE_S = (*LATENCY_BOUNDS_S[LATENCY_BOUNDS_S.index(STEP_S) :], KEPT * STEP_S)
"""Between these latencies are the columns that are later than a step."""
_FIRST_LATE = len(LATENCY_BOUNDS_S) + 2 - len(_LATE_S)
SENDS, ENDS, ANSWERED, UNTIMED, TIMED = 0, 1, 2, 3, 4
_ROWS = TIMED + len(_LATE_S) - 1
_LIKELY = np.maximum(np.arange(KEPT), 1.0) ** -1.5
"""How likely a late end is of a message of that age, up to a factor: what is late has a long tail. Measured
against the simulator's truth in tests/alerts/test_outstanding.py."""


@dataclass(frozen=True)
class Outstanding:
    """The state after a bucket."""

    bucket_s: int = -1
    """The last one applied."""
    step: int = -1
    """The step under way, in units of STEP_S since the epoch."""
    pairs: tuple[Leaf, ...] = ()
    sources: tuple[str, ...] = ()
    """Those that have told of sends."""
    block: Ints = field(default_factory=lambda: np.zeros((_ROWS, 0), np.int64))
    """[rows, P] counts of the step under way: SENDS, ENDS, ANSWERED, UNTIMED ends of older sends, and from
    TIMED on those whose latency is told, by its column."""
    waiting: Int32s = field(default_factory=lambda: np.zeros((KEPT, 0), np.int32))
    """[KEPT, P] messages without an end, by whole steps since their send."""
    sent: Int32s = field(default_factory=lambda: np.zeros((DUE.stop, 0), np.int32))
    """[DUE.stop, P] messages sent, the same way."""
    usual: Floats = field(default_factory=lambda: np.zeros((2, 0)))
    """[2, P] messages that had an end after two hours, and all of them; discounted."""
    given_up: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """[P] messages ever without an end after a day."""
    unmatched: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """[P] ends ever that found no send: nobody told of it, or it was given up."""
    forgotten: Ints = field(default_factory=lambda: np.zeros(2, np.int64))
    """[2] both of these of pairs that are known no more: with them, what was sent adds up."""

    def after(self, bucket_s: int, *tables: Cells, most: int = MOST_PAIRS) -> Outstanding:
        """One closed bucket on, what came too late for others included. One seen before changes nothing."""
        if bucket_s <= self.bucket_s:
            return self
        state, step = self, bucket_s // STEP_S
        for _ in range(min(step - self.step, KEPT + 1) if self.step >= 0 else 0):
            state = _stepped(state)
        state = replace(state, bucket_s=bucket_s, step=step)
        for cells in tables:
            state = _counted(state, cells, most)
        return state

    def missing(self, age_s: int) -> Ints:
        """[P] messages sent at least `age_s` ago, less than a day, that have no end."""
        older: Ints = self.waiting[age_s // STEP_S :].sum(axis=0, dtype=np.int64)
        return older

    @property
    def due(self) -> Ints:
        """[P] messages sent one to two hours ago."""
        sends: Ints = self.sent[DUE].sum(axis=0, dtype=np.int64)
        return sends

    @property
    def coverage(self) -> Floats:
        """[P] the share of `due` that has an end; NaN where there are none."""
        due, waiting = self.due, self.waiting[DUE].sum(axis=0, dtype=np.int64)
        return np.where(due > 0, 1 - waiting / np.maximum(due, 1), np.nan)

    @property
    def usual_coverage(self) -> Floats:
        """[P] what coverage has been in the last days; NaN while little is known."""
        ended, sends = self.usual
        return np.where(sends >= LEAST_SENDS, ended / np.maximum(sends, 1), np.nan)

    @property
    def known(self) -> Ints:
        """Places of the pairs whose receipts are known well enough to expect them, or not to."""
        return np.flatnonzero(self.usual[1] >= LEAST_SENDS)

    @property
    def expected(self) -> Bools:
        """[P] where receipts come: false where a pair is known to send none, or little is known of it."""
        come: Bools = (self.usual[1] >= LEAST_SENDS) & (self.usual[0] >= SILENT_RATIO * self.usual[1])
        return come

    def capped(self, most: int, first: Container[Leaf] = ()) -> Outstanding:
        """With at most so many pairs: those of `first`, then those with most messages; the rest as one."""
        if len(self.pairs) <= most:
            return self
        volume = self.usual[1] + self.sent.sum(axis=0)
        ranked = sorted(range(len(self.pairs)), key=lambda i: (self.pairs[i] not in first, -volume[i], i))
        kept, rest = ranked[: most - 1], ranked[most - 1 :]
        names = [*(self.pairs[i] for i in kept), ELSE]
        return _with_pairs(
            self, names, lambda a: np.concatenate((a[..., kept], a[..., rest].sum(-1, keepdims=True)), -1)
        )


def _stepped(state: Outstanding) -> Outstanding:
    """The step under way has ended: its sends are the newest cohort, its ends go to cohorts."""
    waiting, unmatched = state.waiting.astype(np.int64), state.block[ENDS]
    given_up = state.given_up + waiting[-1]
    waiting = np.concatenate((state.block[SENDS : SENDS + 1], waiting[:-1]))
    own = np.flatnonzero(state.block[ANSWERED:].any(axis=0))
    waiting[:, own], matched = _ended(waiting[:, own], state.block[:, own], state.step)
    unmatched = unmatched - np.bincount(own, matched, len(unmatched)).astype(np.int64)
    sent = np.concatenate((state.block[SENDS : SENDS + 1], state.sent[:-1])).astype(np.int32)
    taught = np.stack((sent[-1] - waiting[DUE.stop - 1], sent[-1]))
    after = replace(
        state,
        step=state.step + 1,
        block=np.zeros_like(state.block),
        waiting=waiting.astype(np.int32),
        sent=sent,
        usual=state.usual * decay(STEP_S, MEMORY_S) + taught,
        given_up=given_up,
        unmatched=state.unmatched + unmatched,
    )
    return _without_idle(after)


def _ended(waiting: Ints, block: Ints, step: int) -> tuple[Ints, Ints]:
    """Cohorts [KEPT, own] after the ends of a step, and how many [own] ends found a message."""
    before = waiting.sum(axis=0)
    waiting, _ = cohorts.newest_first(waiting, block[ANSWERED])
    for row, (low_s, high_s) in enumerate(pairwise(_LATE_S), TIMED):
        at = slice(low_s // STEP_S, high_s // STEP_S + 1)
        waiting = waiting.copy()
        waiting[at], _ = cohorts.by_weight(waiting[at], block[row], _LIKELY[at], step)
    older, _ = cohorts.by_weight(waiting[1:], block[UNTIMED], _LIKELY[1:], step)
    waiting = np.concatenate((waiting[:1], older))
    return waiting, before - waiting.sum(axis=0)


def _without_idle(state: Outstanding) -> Outstanding:
    """Forgets pairs to which nothing was sent for a day, once little is known of them."""
    idle = (state.usual[1] < LEAST_SENDS) & ~state.waiting.any(axis=0) & ~state.sent.any(axis=0)
    if not idle.any():
        return state
    stays = np.flatnonzero(~idle)
    forgotten = state.forgotten + np.array((state.given_up[idle].sum(), state.unmatched[idle].sum()))
    state = replace(state, forgotten=forgotten)
    return _with_pairs(state, [state.pairs[i] for i in stays.tolist()], lambda a: a[..., stays])


def _with_pairs(state: Outstanding, pairs: list[Leaf], relaid: Relaid) -> Outstanding:
    return replace(
        state,
        pairs=tuple(pairs),
        block=relaid(state.block),
        waiting=relaid(state.waiting),
        sent=relaid(state.sent),
        usual=relaid(state.usual),
        given_up=relaid(state.given_up),
        unmatched=relaid(state.unmatched),
    )


def _counted(state: Outstanding, cells: Cells, most: int) -> Outstanding:
    told = {cells.keys[k].source for k, n in zip(cells.key, cells.sends, strict=True) if n} - {CANARY}
    if not told <= set(state.sources):
        state = replace(state, sources=tuple(sorted({*state.sources, *told})))
    sources, number = set(state.sources), {pair: i for i, pair in enumerate(state.pairs)}
    of_key = [_number(number, k.carrier, k.region, most) if k.source in sources else -1 for k in cells.keys]
    if not sources or max(of_key, default=-1) < 0:
        return state
    size = len(number)
    if size > len(state.pairs):
        state = _with_pairs(state, list(number), lambda array: padded(array, size))
    pair = np.array(of_key)[np.array(cells.key, np.int64)]
    own, rows = pair >= 0, _columns(cells)
    sums = np.stack([np.bincount(pair[own], row[own], size) for row in rows]).astype(np.int64)
    return replace(state, block=np.maximum(state.block + sums, 0))


def _number(number: dict[Leaf, int], carrier: str, region: str, most: int) -> int:
    """The pair's place, a new one at the end."""
    pair = (carrier, region)
    if pair not in number and len(number) >= most - 1:
        pair = ELSE
    return number.setdefault(pair, len(number))


def _columns(cells: Cells) -> Ints:
    """[rows, cells] as `block`."""
    size = len(cells.key)
    counts = {name: np.array(getattr(cells, name) or [0] * size, np.int64) for name in OPTIONAL_COUNTS}
    sends, finals = np.array(cells.sends, np.int64), np.array(cells.finals, np.int64)
    late = np.zeros((_ROWS - TIMED, size), np.int64)
    timed = np.zeros(size, np.int64)
    at, column, n = (np.array(c, np.int64) for c in (cells.latency_cell, cells.latency_bin, cells.latency_n))
    np.add.at(timed, at, n)
    after = column >= _FIRST_LATE
    np.add.at(late, (column[after] - _FIRST_LATE, at[after]), n[after])
    rest = counts["old"].copy()
    for row in late[::-1]:
        np.minimum(row, rest, out=row)
        rest -= row
    untimed = np.minimum(rest, finals - timed + counts["own"])
    late_sends = np.array([k.outcome_class == IN_FLIGHT_CLASS for k in cells.keys], bool)[cells.key]
    untimed -= counts["answered"] * late_sends  # their ends came before, and were taken for old ones
    ends = finals + counts["own"]
    return np.stack((sends, ends, counts["answered"], untimed, *late))
