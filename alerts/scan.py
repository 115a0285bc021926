"""Every scope and every start as an explanation: sums of log-likelihood ratios (docs/detection.md, 6).

What this costs is most of the cost of localising: what is not folded in is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts.detect import RuleState
from alerts.policy import Policy
from alerts.scopes import EACH, Index

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Evidence:
    """Counts [G, L] by stretch of time and leaf; stretch g begins at `starts_s[g]`, the last is open."""

    index: Index
    starts_s: Ints
    k: Floats
    n: Floats
    pi: Floats
    thetas: tuple[float, ...]

    @cached_property
    def prices(self) -> Floats:
        """What a name costs [S]: ln(number of scopes of its kind). A pair costs ln(1 / its share of the
        outcomes) within the prices of a carrier or region and of any pair: where one pair is most of a
        carrier, it is as likely as the carrier, and the others decide."""
        index, seen = self.index, self.n.sum(axis=0)
        prices, first = index.penalties.copy(), index.first_leaf
        share = np.maximum(seen, 1) / max(float(seen.sum()), 1.0)
        prices[first:] = np.clip(-np.log(share), prices[:first].max(), prices[first:])
        return prices

    @cached_property
    def scan(self) -> Scan:
        """What the counts say before anything is explained."""
        return Scan(*_searched(self, self.pi[:1], EACH))


class Scan(NamedTuple):
    """Sums of l under some expectation, of which every scope is a candidate."""

    wide: Floats
    """[J, G, S - L] by odds ratio and start, of the wide scopes."""
    pairs: Floats
    """[L] the greatest of any odds ratio and start."""


def gather(state: RuleState, policy: Policy, pi: Floats, starts_s: Ints) -> Evidence:
    """Sums the kept buckets by stretch."""
    shape = (len(starts_s), len(state.index.leaves))
    k, n = np.zeros(shape), np.zeros(shape)
    for row in state.ring:
        stretch = int(np.searchsorted(starts_s, row.bucket_s, side="right")) - 1
        if stretch >= 0:
            k[stretch, row.leaf] += row.k
            n[stretch, row.leaf] += row.n
    return Evidence(state.index, starts_s, k, n, np.broadcast_to(pi, shape), policy.thetas)


def scanned(ev: Evidence, pi: Floats) -> Scan:
    """The scan beside the causes in `pi` [G, L]. Where they are few, only what they change is done again."""
    leaves = changed(ev, pi)
    if 2 * len(leaves) > len(ev.index.leaves):
        return Scan(*_searched(ev, pi, EACH))
    wide, pairs = ev.scan.wide.copy(), ev.scan.pairs.copy()
    now, pairs[leaves] = _searched(ev, pi, leaves)
    wide += now - _searched(ev, ev.pi[:1], leaves)[0]
    return Scan(wide, pairs)


def changed(ev: Evidence, pi: Floats) -> Ints:
    """Leaves of which `pi` expects something else than their baselines."""
    return np.flatnonzero((pi != ev.pi).any(axis=0))


def joined(base: Floats, pi: Floats, theta: float) -> Floats:
    """Failure probability where a further cause multiplies the odds of `base` by theta beside those in `pi`.

    A message fails by any of its causes: the shares that get through are multiplied, not the odds.
    """
    failing: Floats = 1 - (1 - pi) / (1 + (theta - 1) * base)
    return np.clip(failing, 1e-9, 1 - 1e-9)


def further(theta: float, k: Floats, n: Floats, base: Floats, pi: Floats) -> Floats:
    """Log-likelihood ratio of such a cause against none; that of the charts where `pi` is the baseline."""
    if base is pi:
        return bank.likelihood(theta, k, n, pi)
    ratio: Floats = k * np.log(joined(base, pi, theta) / pi)
    ratio -= (n - k) * np.log1p((theta - 1) * base)
    return ratio


def _searched(ev: Evidence, pi: Floats, leaves: Ints | slice) -> tuple[Floats, Floats]:
    """Scan of some leaves, by one odds ratio at a time: of all at once it would be large."""
    k, n, base, p = _of(ev, pi, leaves)
    wide = np.zeros((len(ev.thetas), len(k), ev.index.first_leaf))
    pairs = np.full(k.shape[1], -np.inf)
    for theta, own in zip(ev.thetas, wide, strict=True):
        since = _since(further(theta, k, n, base, p))
        own[:] = ev.index.wide(since, leaves)
        np.maximum(pairs, since.max(axis=0), out=pairs)
    return wide, pairs


def since_starts(ev: Evidence, pi: Floats, leaves: Ints) -> Floats:
    """Sum of l [J, G, leaves] by odds ratio and start."""
    columns = _of(ev, pi, leaves)
    return np.stack([_since(further(theta, *columns)) for theta in ev.thetas])


def _of(ev: Evidence, pi: Floats, leaves: Ints | slice) -> tuple[Floats, Floats, Floats, Floats]:
    """Failures, outcomes, baseline and `pi` of some leaves; the last two are one where nothing is joined."""
    k, n, p = (a[:, leaves] for a in (ev.k, ev.n, pi))
    plain = len(pi) == 1 or pi is ev.pi
    return k, n, p if plain else ev.pi[:, leaves], p


def _since(values: Floats) -> Floats:
    """`values` [G, ...] by stretch as sums from each stretch to the last, in place."""
    for g in range(len(values) - 2, -1, -1):
        values[g] += values[g + 1]
    return values
