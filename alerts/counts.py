"""The counts of one closed bucket by rule and leaf: what all deciding begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.by_sender import NOBODY, BySender, Flat, flattened, of_rule
from alerts.policy import Policy
from alerts.scopes import Leaf
from streams.records import LATENCY_BOUNDS_S, Cells
from streams.rules import RuleBook
from streams.settings import Rule

Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OLD_S = 3600
"""A receipt that took longer tells of the past, not of now."""
DELAYS_S = (10, 60, 600, 3600, 14_400)
"""Time constants of the mixture that stands for the delay of receipts."""
DELAY_OF_COLUMN = np.array((0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 4))
"""The time constant by column of LATENCY_BOUNDS_S and +Inf."""
_FIRST_OLD_BIN = LATENCY_BOUNDS_S.index(OLD_S) + 1


class Count(NamedTuple):
    """One leaf in one bucket. `n` and `k` are the evidence: every failed recipient counts once
    an hour. `finals` and `failed` are the outcomes as they came, for people."""

    n: int = 0
    k: int = 0
    finals: int = 0
    failed: int = 0
    sends: int = 0
    """Messages on their way since this bucket, where the source tells."""
    old_n: int = 0
    old_k: int = 0
    """The part of n and k whose receipts took more than OLD_S."""
    urgent: int = 0
    """The part of `failed` that was time-critical."""


class Tally(NamedTuple):
    """Counts of a scope over some time; `m` are the failures to be expected (sum of n pi)."""

    n: int
    k: int
    m: float
    finals: int
    failed: int
    urgent: int = 0
    """How many of the failed were time-critical."""

    def ratio(self, policy: Policy) -> float:
        """p_hat (detection, 5): drawn to the expected ratio by `prior_events`; 0 without outcomes."""
        if not self.n:
            return 0.0
        return (self.k + policy.prior_events * self.m / self.n) / (self.n + policy.prior_events)


LeafCounts = Mapping[Leaf, Count]


@dataclass(frozen=True)
class Table:
    """Counts of some leaves, each once, as parallel arrays named as in Count."""

    leaves: tuple[Leaf, ...]
    n: Int32s
    k: Int32s
    finals: Int32s
    failed: Int32s
    sends: Int32s
    old_n: Int32s
    old_k: Int32s
    delays: Int32s = field(default_factory=lambda: np.zeros((2, len(DELAYS_S), 1), dtype=np.int32))
    """[2, 5, leaves] successes and failures by delay, as DELAYS_S; [2, 5, 1] of zeros where not known."""
    urgent: Int32s = field(default_factory=lambda: np.zeros(1, dtype=np.int32))
    """[1] of zeros where not known."""
    by_sender: BySender = NOBODY

    @classmethod
    def of(cls, counts: LeafCounts) -> Table:
        columns = np.array(list(counts.values()), dtype=np.int32).reshape(-1, len(Count._fields)).T
        n, k, finals, failed, sends, old_n, old_k, urgent = columns
        return cls(tuple(counts), n, k, finals, failed, sends, old_n, old_k, urgent=urgent)

    def without_old(self, leaves: Bools) -> Table:
        """The table without old receipts as evidence of some of its `leaves`; people still see them."""
        if not leaves.any():
            return self
        n, k = (
            np.where(leaves, all_ - old, all_) for all_, old in ((self.n, self.old_n), (self.k, self.old_k))
        )
        return replace(self, n=n, k=k)

    def by_leaf(self) -> dict[Leaf, Count]:
        columns = (getattr(self, name).tolist() for name in Count._fields)
        return dict(zip(self.leaves, map(Count._make, zip(*columns, strict=True)), strict=True))


def tables(cells: Cells, book: RuleBook) -> dict[str, Table]:
    """Counts by rule of one bucket's cells, all parts merged; only leaves with outcomes or sends."""
    columns, senders = _columns(cells), flattened(cells)
    return {rule.name: _table(cells, columns, senders, book, rule) for rule in book.rules}


def leaves(cells: Cells, book: RuleBook) -> dict[str, dict[Leaf, Count]]:
    """The same as mappings."""
    return {rule: table.by_leaf() for rule, table in tables(cells, book).items()}


class _Columns(NamedTuple):
    """By cell; `k`, `failed`, `old_k` and `urgent` if it is one of failures."""

    n: Ints
    k: Ints
    finals: Ints
    failed: Ints
    sends: Ints
    old_n: Ints
    old_k: Ints
    urgent: Ints


_OF_FAILURES = ("k", "failed", "old_k", "urgent")


def evidence(cells: Cells) -> tuple[Ints, Ints, Ints]:
    """finals, n and k by cell, as in Count; k if it is one of failures.

    Failures that name no recipient at all (neither new nor repeated) are counted as they are, else a
    source without numbers would never alarm."""
    finals = _ints(cells.finals)
    repeats, distinct = (_or_none(column, finals) for column in (cells.repeats, cells.distinct))
    n = finals - repeats
    return finals, n, np.where((distinct == 0) & (repeats == 0), n, np.minimum(distinct, n))


def _or_none(column: Sequence[int], finals: Ints) -> Ints:
    """The column, zeros where the cells lack it."""
    return _ints(column) if len(column) == len(finals) else np.zeros_like(finals)


def _columns(cells: Cells) -> _Columns:
    finals, n, k = evidence(cells)
    sends = _or_none(cells.sends, finals)
    old = np.zeros_like(finals)
    late = _ints(cells.latency_bin) >= _FIRST_OLD_BIN
    np.add.at(old, _ints(cells.latency_cell)[late], _ints(cells.latency_n)[late])
    urgent = np.zeros_like(finals)
    urgent[list(cells.time_critical)] = list(cells.time_critical.values())
    return _Columns(n, k, finals, finals, sends, np.minimum(old, n), np.minimum(old, k), urgent)


def _table(cells: Cells, columns: _Columns, senders: Flat, book: RuleBook, rule: Rule) -> Table:
    number: dict[Leaf, int] = {}
    leaf_of_key = [
        number.setdefault((key.carrier, key.region), len(number)) if book.eligible(rule, key) else -1
        for key in cells.keys
    ]
    at = _ints(cells.key)
    leaf = _ints(leaf_of_key)[at]
    fails = np.array([book.failing(rule, key) for key in cells.keys], dtype=bool)[at]
    sums = {
        name: _summed(leaf, values * (fails if name in _OF_FAILURES else 1), len(number))
        for name, values in columns._asdict().items()
    }
    present = np.flatnonzero((sums["finals"] > 0) | (sums["sends"] > 0))
    names = list(number)
    place = np.full(len(number), -1)
    place[present] = np.arange(len(present))
    return Table(
        tuple(names[i] for i in present.tolist()),
        **{name: own[present] for name, own in sums.items()},
        delays=_delays(cells, leaf, fails, len(number))[..., present],
        by_sender=of_rule(cells, senders, book, rule, np.append(place, -1)[leaf]),
    )


def _delays(cells: Cells, leaf: Ints, fails: Bools, leaves: int) -> Int32s:
    """Outcomes [2, 5, leaves] by success or failure and delay."""
    delays = np.zeros((2, len(DELAYS_S), leaves), dtype=np.int32)
    cell = _ints(cells.latency_cell)
    own = leaf[cell] >= 0
    which, times = DELAY_OF_COLUMN[_ints(cells.latency_bin)], _ints(cells.latency_n)
    np.add.at(delays, (fails[cell[own]].astype(np.int64), which[own], leaf[cell[own]]), times[own])
    return delays


def _summed(leaf: Ints, values: Ints, leaves: int) -> Int32s:
    """By leaf; cells of none (-1) are left out."""
    own = leaf >= 0
    return np.bincount(leaf[own], weights=values[own], minlength=leaves).astype(np.int32)


def _ints(column: Sequence[int]) -> Ints:
    return np.array(column, dtype=np.int64)
