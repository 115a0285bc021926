"""How far the log-odds of a scope wander although nothing is wrong, over 10 s, 1 min, 10 min and 1 h.

A moment estimate from squared residuals (docs/detection.md, 3). Arrays are [4, S], one row per
length; the index of scopes is the charts' own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alerts.policy import Policy
from alerts.scopes import Moves, carry

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LENGTHS_S = (10, 60, 600, 3600)
OUTLIER = 16.0
"""A residual counts for at most 4 standard deviations."""
DAMPING = 0.01
"""Weights stop growing where the wobble outweighs chance."""


@dataclass(frozen=True)
class Wobble:
    """Sums of the estimate. What is `held` is not known to be healthy yet."""

    excess: Floats
    """[4, S] squared residuals beyond chance, weighted."""
    weight: Floats
    held_excess: Floats
    held_weight: Floats
    held_s: Ints
    """[S] since when something is held; 0 where nothing is."""
    runs: Floats
    """[3, 2, S] K - M and Q of the minute, the 10 min and the hour under way."""

    @classmethod
    def empty(cls, scopes: int) -> Wobble:
        excess, weight, held_excess, held_weight = np.zeros((4, 4, scopes))
        held_s = np.zeros(scopes, dtype=np.int64)
        return cls(excess, weight, held_excess, held_weight, held_s, np.zeros((3, 2, scopes)))

    def relaid(self, moves: Moves, scopes: int) -> Wobble:
        """The same with its scopes moved to their places among `scopes`; the others are empty."""
        wide = Wobble.empty(scopes)
        for name, array in vars(wide).items():
            carry(getattr(self, name), array, moves)
        return wide

    def variance(self, policy: Policy, least: float | None = None) -> Floats:
        """sigma squared [4, S], within its bounds; `least` is another lower one for sigma."""
        return estimated(self.excess, self.weight, policy, least)


def estimated(excess: Floats, weight: Floats, policy: Policy, least: float | None = None) -> Floats:
    """sigma squared from the sums of residuals, drawn to what is usual and within its bounds."""
    prior = policy.sigma_events
    free = (excess + prior * policy.sigma**2) / (weight + prior)
    lower = policy.sigma_least if least is None else least
    bounded: Floats = np.clip(free, lower**2, policy.sigma_most**2)
    return bounded


def between_lengths(variance: Floats, length_s: Floats) -> Floats:
    """sigma squared at `length_s` [J, S] from `variance` [4, S]: linear in ln(length)."""
    marks = np.log(LENGTHS_S)
    at = np.clip(np.log(length_s), marks[0], marks[-1])
    row = np.clip(np.searchsorted(marks, at, side="right") - 1, 0, len(marks) - 2)
    share = (at - marks[row]) / (marks[row + 1] - marks[row])
    scopes = np.arange(variance.shape[1])
    mixed: Floats = (1 - share) * variance[row, scopes] + share * variance[row + 1, scopes]
    return mixed


def watch(wobble: Wobble, policy: Policy, error: Floats, q: Floats, known: Bools, bucket_s: int) -> Wobble:
    """One bucket on: residual K - M and variance Q of each scope [S].

    Only scopes whose baseline is `known` teach: else its error would pass for wobble.
    """
    wobble = _held(wobble, policy, 0, error, q, known, bucket_s)
    runs = wobble.runs.copy()
    runs[0] += (error, q)
    wobble = replace(wobble, runs=runs)
    end_s = bucket_s + LENGTHS_S[0]
    for i, length_s in enumerate(LENGTHS_S[1:]):
        if end_s % length_s:
            break
        wobble = _held(wobble, policy, i + 1, runs[i, 0], runs[i, 1], known, bucket_s)
        if i + 1 < len(runs):
            runs[i + 1] += runs[i]
        runs[i] = 0
    return wobble


def _held(
    wobble: Wobble, policy: Policy, row: int, error: Floats, q: Floats, known: Bools, bucket_s: int
) -> Wobble:
    """The residuals of one length, held where there are enough outcomes."""
    at = np.flatnonzero((q >= policy.wobble_least) & known)
    if not len(at):
        return wobble
    excess, weight = wobble.held_excess.copy(), wobble.held_weight.copy()
    more = moments(error[at], q[at], estimated(wobble.excess[row, at], wobble.weight[row, at], policy))
    excess[row, at] += more[0]
    weight[row, at] += more[1]
    held_s = np.where(wobble.held_s == 0, bucket_s, wobble.held_s)
    return replace(wobble, held_excess=excess, held_weight=weight, held_s=held_s)


def moments(error: Floats, q: Floats, sigma2: Floats) -> tuple[Floats, Floats]:
    """What residuals add to the excess and to the weight."""
    square = np.minimum(error**2, OUTLIER * (q + q**2 * sigma2))
    damped = (1 + DAMPING * q) ** 2
    return (square - q) / damped, q**2 / damped


def watch_block(
    wobble: Wobble,
    policy: Policy,
    error: Floats,
    q: Floats,
    known: Bools,
    start_s: int,
    finest_s: int,
) -> Wobble:
    """A whole block of 10 min on: residuals and variances [T, S] of its T equal slots.

    As `watch` slot by slot, up to the 10 min within which `sigma2` moves. Lengths below `finest_s`
    learn nothing.
    """
    variance, runs = wobble.variance(policy), wobble.runs.copy()
    excess, weight = wobble.held_excess.copy(), wobble.held_weight.copy()
    runs[2] += (error.sum(axis=0), q.sum(axis=0))
    hour_ends = (start_s + LENGTHS_S[2]) % LENGTHS_S[3] == 0
    for row, length_s in enumerate(LENGTHS_S):
        if length_s < finest_s or (row == 3 and not hour_ends):
            continue
        parts = max(LENGTHS_S[2] // length_s, 1)
        pair = runs[2][:, np.newaxis] if row == 3 else _parted(error, q, parts)
        enough = (pair[1] >= policy.wobble_least) & known
        more = moments(pair[0], pair[1], variance[row])
        excess[row] += np.where(enough, more[0], 0).sum(axis=0)
        weight[row] += np.where(enough, more[1], 0).sum(axis=0)
    if hour_ends:
        runs[2] = 0
    held_s = np.where((wobble.held_s == 0) & (weight > 0).any(axis=0), start_s, wobble.held_s)
    return replace(wobble, held_excess=excess, held_weight=weight, held_s=held_s, runs=runs)


def _parted(error: Floats, q: Floats, parts: int) -> Floats:
    """[2, parts, S] sums of `error` and `q` [T, S] over equal parts of the block."""
    both = np.stack((error, q))
    return np.asarray(both.reshape(2, parts, -1, both.shape[-1]).sum(axis=2))


def without_held(wobble: Wobble, scopes: Bools) -> Wobble:
    """The same without what is held or under way of `scopes` [S]."""
    names = ("held_excess", "held_weight", "held_s", "runs")
    return replace(wobble, **{name: np.where(scopes, 0, getattr(wobble, name)) for name in names})


def settle(wobble: Wobble, policy: Policy, suspect: Bools, dropped: Bools, now_s: int) -> Wobble:
    """After a block: what is held is taken in, dropped where it must not teach, or held on where
    `suspect`, for a day at most."""
    late = now_s - wobble.held_s >= policy.quarantine_most_s
    take = (~suspect | late) & ~dropped
    share = 0.5 ** (LENGTHS_S[2] / policy.memory_s)
    keep = ~take & ~dropped
    return replace(
        wobble,
        excess=wobble.excess * share + np.where(take, wobble.held_excess, 0),
        weight=wobble.weight * share + np.where(take, wobble.held_weight, 0),
        held_excess=np.where(keep, wobble.held_excess, 0),
        held_weight=np.where(keep, wobble.held_weight, 0),
        held_s=np.where(keep, wobble.held_s, 0),
        runs=np.where(dropped, 0, wobble.runs),
    )
