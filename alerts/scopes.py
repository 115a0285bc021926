"""The scopes of a rule: everything, each carrier, each region, each pair of both (a leaf).

Leaves are numbered in order of first sight. Scopes are laid out in blocks:
`[global | carriers | regions | pairs]`, S = 1 + C + R + L in all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.records import ALL, EVERYTHING, Scope, ScopeKind
from streams.records import UNKNOWN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Leaf = tuple[str, str]
Moves = tuple[tuple[slice, slice], ...]
"""From where to where blocks of an array go."""
EACH = slice(None)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(dict.fromkeys(names))}


@dataclass(frozen=True)
class Index:
    """Leaves (carrier, region) in order of first sight, and the scopes that they make."""

    leaves: tuple[Leaf, ...] = ()
    of_leaf: dict[Leaf, int] = field(default_factory=dict)

    def grown(self, seen: Iterable[Leaf]) -> Index:
        """This index with the new ones of `seen` at its end; itself if there are none."""
        if seen is self.leaves:
            return self
        new = tuple(dict.fromkeys(leaf for leaf in seen if leaf not in self.of_leaf))
        if not new:
            return self
        size = len(self.leaves)
        return Index(self.leaves + new, self.of_leaf | {leaf: size + i for i, leaf in enumerate(new)})

    def numbers(self, leaves: Sequence[Leaf]) -> Ints:
        """The numbers of some leaves, in their order. Raises KeyError where one was never seen."""
        if leaves is self.leaves:
            return np.arange(len(leaves), dtype=np.int64)
        return np.fromiter(map(self.of_leaf.__getitem__, leaves), dtype=np.int64, count=len(leaves))

    @cached_property
    def carriers(self) -> dict[str, int]:
        return _numbered(map(itemgetter(0), self.leaves))

    @cached_property
    def regions(self) -> dict[str, int]:
        return _numbered(map(itemgetter(1), self.leaves))

    @cached_property
    def _carrier_names(self) -> tuple[str, ...]:
        return tuple(self.carriers)

    @cached_property
    def _region_names(self) -> tuple[str, ...]:
        return tuple(self.regions)

    @cached_property
    def carrier_of(self) -> Ints:
        """Number of each leaf's carrier [L]; `region_of` likewise."""
        return _looked_up(self.carriers, map(itemgetter(0), self.leaves))

    @cached_property
    def region_of(self) -> Ints:
        return _looked_up(self.regions, map(itemgetter(1), self.leaves))

    @property
    def size(self) -> int:
        """S, the number of scopes."""
        return 1 + len(self.carriers) + len(self.regions) + len(self.leaves)

    @property
    def first_leaf(self) -> int:
        """Number of the first pair among the scopes."""
        return self.size - len(self.leaves)

    def sums(self, values: Floats) -> Floats:
        """`values` [..., L] by leaf as sums [..., S] by scope."""
        return np.concatenate((self.wide(values), values), axis=-1)

    def sums_of(self, *rows: Floats) -> Floats:
        """The same [rows, S] of several rows [L], each copied only once."""
        sums = np.empty((len(rows), self.size))
        by_leaf = sums[:, self.size - len(self.leaves) :]
        for own, row in zip(by_leaf, rows, strict=True):
            own[:] = row
        sums[:, : self.first_leaf] = self.wide(by_leaf)
        return sums

    def wide(self, values: Floats, leaves: Ints | slice = EACH) -> Floats:
        """`values` [..., leaves] as sums [..., S - L] of the wide scopes alone.

        Added leaf by leaf, not by a matrix product: the order is the same on every machine.
        """
        carrier_of, region_of = self.carrier_of[leaves], self.region_of[leaves]
        rows = values if values.ndim == 2 else values.reshape(math.prod(values.shape[:-1]), len(carrier_of))
        sums, region = np.zeros((len(rows), self.first_leaf)), 1 + len(self.carriers)
        for row, own in zip(rows, sums, strict=True):
            own[0] = row.sum()
            own[1:region] = np.bincount(carrier_of, row, len(self.carriers))
            own[region:] = np.bincount(region_of, row, len(self.regions))
        return sums.reshape(*values.shape[:-1], self.first_leaf)

    def scope(self, number: int) -> Scope:
        """The scope with that number."""
        if number == 0:
            return EVERYTHING
        if number <= len(self.carriers):
            return Scope(ScopeKind.CARRIER, self._carrier_names[number - 1], ALL)
        if number < self.first_leaf:
            region = self._region_names[number - 1 - len(self.carriers)]
            return Scope(ScopeKind.REGION, ALL, region)
        return Scope(ScopeKind.PAIR, *self.leaves[number - self.first_leaf])

    def number(self, scope: Scope) -> int:
        """Number of `scope`. Raises KeyError where none of its leaves was ever seen."""
        if scope.kind is ScopeKind.GLOBAL:
            return 0
        if scope.kind is ScopeKind.CARRIER:
            return 1 + self.carriers[scope.carrier]
        if scope.kind is ScopeKind.REGION:
            return 1 + len(self.carriers) + self.regions[scope.region]
        return self.first_leaf + self.of_leaf[scope.carrier, scope.region]

    def members(self, scope: Scope) -> Bools:
        """Which leaves [L] lie in `scope`."""
        inside = np.ones(len(self.leaves), dtype=bool)
        if scope.carrier != ALL:
            inside &= self.carrier_of == self.carriers.get(scope.carrier, -1)
        if scope.region != ALL:
            inside &= self.region_of == self.regions.get(scope.region, -1)
        return inside

    def touching(self, leaves: Bools) -> Bools:
        """Which scopes [S] share a leaf with `leaves` [L]."""
        return self.sums(leaves.astype(np.float64)) > 0

    def inside(self, scopes: Bools) -> Bools:
        """Which leaves [L] lie in any of `scopes` [S]."""
        region = 1 + len(self.carriers)
        wide = scopes[1:region][self.carrier_of] | scopes[region : self.first_leaf][self.region_of]
        inside: Bools = scopes[0] | wide | scopes[self.first_leaf :]
        return inside

    @cached_property
    def penalties(self) -> Floats:
        """ln(number of scopes of that kind) [S]: the price of having looked at so many (detection, 4)."""
        counts = (1, len(self.carriers), len(self.regions), len(self.leaves))
        return np.repeat(np.log(np.maximum(counts, 1)), counts)

    @cached_property
    def named(self) -> Bools:
        """Which scopes [S] may name an incident: of scopes with the same leaves only one.

        The widest word wins (global, then carrier or region, then pair), and a carrier that is
        not known never names what a region names as well.
        """
        lone_c = np.bincount(self.carrier_of) == 1 if self.leaves else np.zeros(0, dtype=bool)
        lone_r = np.bincount(self.region_of) == 1 if self.leaves else np.zeros(0, dtype=bool)
        pairs = ~(lone_c[self.carrier_of] | lone_r[self.region_of])
        carriers = np.full(len(self.carriers), len(self.carriers) > 1)
        regions = np.full(len(self.regions), len(self.regions) > 1)
        self._settle_lone_pairs(lone_c, lone_r, carriers, regions)
        return np.concatenate(([True], carriers, regions, pairs))

    def _settle_lone_pairs(self, lone_c: Bools, lone_r: Bools, carriers: Bools, regions: Bools) -> None:
        """Where a carrier and a region are the same one leaf, keeps one of the two names."""
        both = lone_c[self.carrier_of] & lone_r[self.region_of]
        for c, r in zip(self.carrier_of[both], self.region_of[both], strict=True):
            if carriers[c] and regions[r]:
                unknown = c == self.carriers.get(UNKNOWN, -1)
                (carriers if unknown else regions)[c if unknown else r] = False


def moved(old: Index, new: Index) -> Moves:
    """Where the scopes of `old` stand in `new`, which has grown from it: each kind as a whole."""
    blocks = (
        (0, 0, 1),
        (1, 1, len(old.carriers)),
        (1 + len(old.carriers), 1 + len(new.carriers), len(old.regions)),
        (old.first_leaf, new.first_leaf, len(old.leaves)),
    )
    return tuple((slice(a, a + size), slice(b, b + size)) for a, b, size in blocks)


def carry(own: NDArray[Any], wide: NDArray[Any], moves: Moves) -> None:
    """Writes `own` [..., S] into `wide`, each block where it stands there."""
    for before, after in moves:
        wide[..., after] = own[..., before]


def contains(outer: Scope, inner: Scope) -> bool:
    """Whether every leaf of `inner` lies in `outer`."""
    return outer.covers(inner.carrier, inner.region)


def nest(one: Scope, other: Scope) -> bool:
    """Whether one contains the other."""
    return contains(one, other) or contains(other, one)


def _looked_up(number: dict[str, int], names: Iterable[str]) -> Ints:
    return np.fromiter(map(number.__getitem__, names), dtype=np.int64)
