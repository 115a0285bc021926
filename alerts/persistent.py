"""Series whose normal is above the warning line: no spike, one ticket (docs/detection.md, 8).

The shape of two windows: it begins when the last 5 min and the last hour are both surely above the
line, and ends when the last 5 min are surely below it for two minutes. Beta posteriors instead of a
least count. Decided once a minute, of the few series that it may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alerts.baseline import Baseline
from alerts.odds import logit, padded
from alerts.policy import Policy
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHORT_S, LONG_S, EVERY_S = 300, 3600, 60
POINTS, REACH = 257, 9.0
"""Of the integral over the log-odds, and how many standard deviations it spans."""

Late = Callable[[int, Ints], tuple[Floats, Floats]]
"""(from_s, leaves) -> outcomes and failures of these leaves in the kept buckets since."""


@dataclass(frozen=True)
class Persistent:
    """By leaf [L]: since when it has a ticket, and since when it is surely below; 0 for neither."""

    since_s: Ints
    below_s: Ints

    @classmethod
    def empty(cls) -> Persistent:
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none)

    def grown(self, leaves: int) -> Persistent:
        return Persistent(padded(self.since_s, leaves), padded(self.below_s, leaves))


def watch(held: Persistent, policy: Policy, base: Baseline, late: Late, bucket_s: int) -> Persistent:
    """One bucket on."""
    end_s = bucket_s + BUCKET_S
    at = np.flatnonzero((base.mean > policy.warning) | (held.since_s > 0))
    if end_s % EVERY_S or not len(at):
        return held
    n, k = late(end_s - SHORT_S, at)
    since_s, below_s = held.since_s[at], held.below_s[at]
    hot = above(k, n, policy.warning, policy) >= policy.persistent_sure
    hot[hot] = _long(late, policy, at[hot], end_s)
    since_s = np.where((since_s == 0) & hot & (base.mean[at] > policy.warning), bucket_s, since_s)
    line = policy.step_down_share * policy.warning
    low = above(k, n, line, policy) <= 1 - policy.persistent_over
    below_s = np.where(low & (since_s > 0), np.where(below_s > 0, below_s, bucket_s), 0)
    over = ((below_s > 0) & (bucket_s - below_s >= policy.step_down_s)) | (base.mean[at] < line)
    return _with(held, at, np.where(over, 0, since_s), np.where(over, 0, below_s))


def _long(late: Late, policy: Policy, leaves: Ints, end_s: int) -> NDArray[np.bool_]:
    n, k = late(end_s - LONG_S, leaves)
    surely: NDArray[np.bool_] = above(k, n, policy.warning, policy) >= policy.persistent_sure
    return surely


def _with(held: Persistent, at: Ints, since_s: Ints, below_s: Ints) -> Persistent:
    both = held.since_s.copy(), held.below_s.copy()
    both[0][at], both[1][at] = since_s, below_s
    return replace(held, since_s=both[0], below_s=both[1])


def above(k: Floats, n: Floats, line: float, policy: Policy) -> Floats:
    """P(ratio > `line`) [L] after k failures of n, the prior worth `prior_events` at the warning line.

    The posterior is Beta(a, b); over the log-odds u its density is p^a (1 - p)^b, a smooth hill, so
    that a sum over few points on either side of the line gives its share.
    """
    a = k + policy.prior_events * policy.warning
    b = n - k + policy.prior_events * (1 - policy.warning)
    top, sd = np.log(a / b), np.sqrt(1 / a + 1 / b)
    cut = np.clip(logit(np.array(line)), top - REACH * sd, top + REACH * sd)
    below = _mass(a, b, top - REACH * sd, cut)
    beyond = _mass(a, b, cut, top + REACH * sd)
    share: Floats = beyond / (below + beyond)
    return share


def _mass(a: Floats, b: Floats, low: Floats, high: Floats) -> Floats:
    """The integral of the hill from `low` to `high` [L], in units of its height."""
    u = low + (high - low) * np.linspace(0, 1, POINTS)[:, np.newaxis]
    top = np.log(a / b)
    height = -a * np.logaddexp(0, -u) - b * np.logaddexp(0, u)
    height -= -a * np.logaddexp(0, -top) - b * np.logaddexp(0, top)
    mass: Floats = np.trapezoid(np.exp(height), u, axis=0)
    return mass
