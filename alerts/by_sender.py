"""Counts of one closed bucket by sender: what tells a bad sender from a bad carrier (docs/detection.md, 7).

Of failures a cell names 20 senders, of deliveries 8, of one in four and in the company of failures alone
(`streams.intake`, `streams.fold`); what is left is under ''. Numbers are masked here: from here on nobody
knows them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.privacy import shown_sender
from streams.records import DELIVERED, Cells
from streams.rules import RuleBook
from streams.settings import Rule

Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class BySender(NamedTuple):
    """Entries of one bucket: leaf, sender, and counts [3, entries] of FAILED, OTHERS and DELIVERED."""

    names: tuple[str, ...]
    leaf: Int32s
    sender: Int32s
    """Place in `names`; '' stands for all that are not named."""
    counts: Int32s


FAILED, UNCOUNTED, TOLD = range(3)
"""Failures of the rule; what else did not arrive; deliveries as far as they were told by sender."""
_NONE = np.zeros(0, dtype=np.int32)
NOBODY = BySender((), _NONE, _NONE, np.zeros((3, 0), dtype=np.int32))
KEPT_S = 3600
MOST_ENTRIES = 200_000
"""Of all kept buckets; 20 bytes each."""


class SenderRow(NamedTuple):
    """The entries of one bucket as they are kept."""

    bucket_s: int
    by: BySender


class Flat(NamedTuple):
    """The senders of a bucket's cells, cell by cell."""

    names: tuple[str, ...]
    cell: Ints
    sender: Ints
    n: Ints


def flattened(cells: Cells) -> Flat:
    """Once a bucket, for all rules."""
    number: dict[str, int] = {}
    entries = [
        (cell, number.setdefault(shown_sender(sender), len(number)), n)
        for cell, senders in cells.senders.items()
        for sender, n in senders.items()
    ]
    columns = np.array(entries, dtype=np.int64).reshape(-1, 3).T
    return Flat(tuple(number), *columns)


def of_rule(cells: Cells, flat: Flat, book: RuleBook, rule: Rule, leaf_of_cell: Ints) -> BySender:
    """The entries of a rule. `leaf_of_cell` is -1 where a cell is not the rule's."""
    if not len(flat.cell):
        return NOBODY
    fails = np.array([book.failing(rule, key) for key in cells.keys], dtype=bool)
    arrived = np.array([key.outcome_class == DELIVERED for key in cells.keys], dtype=bool)
    key = np.array(cells.key, dtype=np.int64)[flat.cell]
    kind = np.where(fails[key], FAILED, np.where(arrived[key], TOLD, UNCOUNTED))
    leaf = leaf_of_cell[flat.cell]
    own = leaf >= 0
    flat_at = leaf[own] * len(flat.names) + flat.sender[own]
    pairs, at = np.unique(flat_at, return_inverse=True)
    counts = np.zeros((3, len(pairs)), dtype=np.int32)
    np.add.at(counts, (kind[own], at), flat.n[own])
    by_leaf, sender = np.divmod(pairs, len(flat.names))
    return BySender(flat.names, by_leaf.astype(np.int32), sender.astype(np.int32), counts)


def remembered(
    rows: tuple[SenderRow, ...], by: BySender, where: Ints, suspect: Callable[[], Bools], bucket_s: int
) -> tuple[SenderRow, ...]:
    """The kept buckets with a new one: what nobody suspects [L] is not kept, and the oldest go where room
    is short. `where` are the numbers of the leaves that `by` counts in its own order."""
    rows = rows[sum(row.bucket_s <= bucket_s - KEPT_S for row in rows) :]
    if not len(by.leaf):
        return rows
    leaf = where[by.leaf].astype(np.int32)
    wanted = suspect()[leaf]
    if not wanted.any():
        return rows
    rows = (*rows, SenderRow(bucket_s, _some(by, leaf, wanted)))
    sizes = np.cumsum([len(row.by.leaf) for row in reversed(rows)])
    return rows[-max(1, int(np.searchsorted(sizes, MOST_ENTRIES, side="right"))) :]


def forgotten(rows: tuple[SenderRow, ...], members: Bools) -> tuple[SenderRow, ...]:
    """The same without some leaves."""
    return tuple(SenderRow(at, _some(by, by.leaf, ~members[by.leaf])) for at, by in rows)


def _some(by: BySender, leaf: Int32s, wanted: Bools) -> BySender:
    """The entries that are `wanted`, with `leaf` as their leaves, and no more names than they need."""
    used, sender = np.unique(by.sender[wanted], return_inverse=True)
    names = tuple(by.names[i] for i in used.tolist())
    return BySender(names, leaf[wanted], sender.astype(np.int32), by.counts[:, wanted])
