"""Scopes: sums by block, names, growth."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.records import ALL, Scope, ScopeKind
from alerts.scopes import Index, contains, moved

GRID = Index().grown([(c, r) for c in ("a", "b") for r in ("x", "y", "z")])


def names(index: Index) -> set[str]:
    return {f"{s.carrier}/{s.region}" for i in np.flatnonzero(index.named) for s in [index.scope(int(i))]}


def test_every_scope_sums_its_leaves() -> None:
    sums = GRID.sums(np.array([1.0, 2, 4, 8, 16, 32]))
    by_scope = {GRID.scope(i)[1:]: sums[i] for i in range(GRID.size)}
    assert by_scope["all", "all"] == 63
    assert by_scope["b", "all"] == 56
    assert by_scope["all", "y"] == 18
    assert by_scope["a", "z"] == 4


def test_number_and_scope_are_inverse() -> None:
    assert [GRID.number(GRID.scope(i)) for i in range(GRID.size)] == list(range(GRID.size))


def test_scopes_keep_their_state_when_series_appear() -> None:
    grown = GRID.grown([("c", "x"), ("a", "w")])
    blocks = moved(GRID, grown)
    old, new = (np.concatenate([np.arange(grown.size)[pair[i]] for pair in blocks]) for i in (0, 1))
    assert sorted(old.tolist()) == list(range(GRID.size))
    assert [grown.scope(i) for i in new.tolist()] == [GRID.scope(i) for i in old.tolist()]


@pytest.mark.parametrize(
    ("leaves", "named"),
    [
        pytest.param(
            [("unknown", "US"), ("unknown", "DE")], {"all/all", "all/US", "all/DE"}, id="no-carrier"
        ),
        pytest.param([("a", "US"), ("b", "US")], {"all/all", "a/all", "b/all"}, id="one-region"),
        pytest.param([("a", "US")], {"all/all"}, id="one-leaf"),
        pytest.param([("a", "US"), ("b", "DE")], {"all/all", "a/all", "b/all"}, id="carrier-is-region"),
        pytest.param(
            [("a", "US"), ("unknown", "DE")], {"all/all", "a/all", "all/DE"}, id="unknown-never-names"
        ),
    ],
)
def test_scopes_with_the_same_leaves_have_one_name(leaves: list[tuple[str, str]], named: set[str]) -> None:
    assert names(Index().grown(leaves)) == named


def test_a_carrier_contains_its_pairs_and_no_region() -> None:
    carrier = Scope(ScopeKind.CARRIER, "a", ALL)
    assert contains(carrier, Scope(ScopeKind.PAIR, "a", "x"))
    assert not contains(carrier, Scope(ScopeKind.REGION, ALL, "x"))
    assert contains(Scope(ScopeKind.GLOBAL, ALL, ALL), carrier)


def test_touching_scopes_share_a_leaf() -> None:
    touched = GRID.touching(GRID.members(Scope(ScopeKind.PAIR, "a", "x")))
    found = {GRID.scope(int(i))[1:] for i in np.flatnonzero(touched)}
    assert found == {("all", "all"), ("a", "all"), ("all", "x"), ("a", "x")}
