"""The scopes of a rule: everything, each carrier, each region, each pair of both (a leaf).

Leaves are numbered in order of first sight. Scopes are laid out in blocks:
`[global | carriers | regions | pairs]`, S = 1 + C + R + L in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerts.records import ALL, Scope, ScopeKind
from streams.records import UNKNOWN

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Leaf = tuple[str, str]


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
        leaves = self.leaves + new
        return Index(leaves, {leaf: i for i, leaf in enumerate(leaves)})

    def numbers(self, leaves: Sequence[Leaf]) -> Int32s:
        """The numbers of some known leaves, in their order."""
        if leaves is self.leaves:
            return np.arange(len(leaves), dtype=np.int32)
        return np.fromiter((self.of_leaf[leaf] for leaf in leaves), dtype=np.int32, count=len(leaves))

    @cached_property
    def carriers(self) -> dict[str, int]:
        return _numbered(c for c, _ in self.leaves)

    @cached_property
    def regions(self) -> dict[str, int]:
        return _numbered(r for _, r in self.leaves)

    @cached_property
    def _carrier_names(self) -> tuple[str, ...]:
        return tuple(self.carriers)

    @cached_property
    def _region_names(self) -> tuple[str, ...]:
        return tuple(self.regions)

    @cached_property
    def carrier_of(self) -> Ints:
        """Number of each leaf's carrier [L]; `region_of` likewise."""
        return np.array([self.carriers[c] for c, _ in self.leaves], dtype=np.int64)

    @cached_property
    def region_of(self) -> Ints:
        return np.array([self.regions[r] for _, r in self.leaves], dtype=np.int64)

    @cached_property
    def _by_carrier(self) -> tuple[Ints, Ints]:
        return _grouped(self.carrier_of)

    @cached_property
    def _by_region(self) -> tuple[Ints, Ints]:
        return _grouped(self.region_of)

    @property
    def size(self) -> int:
        """S, the number of scopes."""
        return 1 + len(self.carriers) + len(self.regions) + len(self.leaves)

    @property
    def first_leaf(self) -> int:
        """Number of the first pair among the scopes."""
        return self.size - len(self.leaves)

    def sums(self, values: Floats) -> Floats:
        """`values` [..., L] by leaf as sums [..., S] by scope.

        reduceat, not a matrix product: its order of addition is the same on every machine.
        """
        if not self.leaves:
            return np.zeros((*values.shape[:-1], 1))
        order_c, starts_c = self._by_carrier
        order_r, starts_r = self._by_region
        parts = (
            values.sum(axis=-1, keepdims=True),
            np.add.reduceat(values[..., order_c], starts_c, axis=-1),
            np.add.reduceat(values[..., order_r], starts_r, axis=-1),
            values,
        )
        return np.concatenate(parts, axis=-1)

    def scope(self, number: int) -> Scope:
        """The scope with that number."""
        if number == 0:
            return Scope(ScopeKind.GLOBAL, ALL, ALL)
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
        for c, r in zip(self.carrier_of, self.region_of, strict=True):
            if lone_c[c] and lone_r[r] and carriers[c] and regions[r]:
                unknown = c == self.carriers.get(UNKNOWN, -1)
                (carriers if unknown else regions)[c if unknown else r] = False


def moved(old: Index, new: Index) -> Ints:
    """Where the scopes of `old` stand in `new`, which has grown from it."""
    carriers = 1 + np.arange(len(old.carriers))
    regions = 1 + len(new.carriers) + np.arange(len(old.regions))
    pairs = new.first_leaf + np.arange(len(old.leaves))
    return np.concatenate(([0], carriers, regions, pairs)).astype(np.int64)


def contains(outer: Scope, inner: Scope) -> bool:
    """Whether every leaf of `inner` lies in `outer`."""
    return outer.covers(inner.carrier, inner.region)


def _grouped(group_of: Ints) -> tuple[Ints, Ints]:
    """Order that brings equal groups together, and where each group starts in it."""
    order = np.argsort(group_of, kind="stable").astype(np.int64)
    starts = np.searchsorted(group_of[order], np.arange(group_of.max() + 1)).astype(np.int64)
    return order, starts
