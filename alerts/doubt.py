"""How little is known of what is expected of a scope: variances of its log-odds (docs/detection.md, 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.baseline import DAY_S, HOUR_S, Baseline, Hours
from alerts.policy import Policy
from alerts.scopes import Index

Floats = NDArray[np.float64]


def few_leaves(index: Index, m: Floats, m_s: Floats, variance: Floats) -> Floats:
    """Variance [S - L] of wide scopes from that of their leaves [L]: little is left of many, all of one.
    In a blast one leaf is most of its carrier, which did not wander like that before."""
    left: Floats = index.wide(m**2 * variance) / np.where(m_s > 0, m_s, 1.0) ** 2
    return left


NONE = np.zeros(1)


class Doubt(NamedTuple):
    """Variances [S] of the log-odds of what is expected of scopes. They add up."""

    lasting: Floats
    of_hour: Floats = NONE
    """Errors of each hour by itself."""
    of_day: Floats = NONE
    """What is not known of the shape of the day: the same for hours on end, nothing over a day."""

    @property
    def all(self) -> Floats:
        """As of one moment."""
        return self.of_hour + self.of_day + self.lasting


def expectation(
    m: Floats,
    doubts: Floats,
    known: Floats,
    own: Floats,
    prior_failures: float,
) -> Doubt:
    """What is not known of scopes [S], from sums over their leaves, which may err together.

    `m` are the failures expected; of `doubts` [4, S] the first are those of leaves whose mean rests on
    whole days (to that of some hours the others need not come back), the next three m times variances of
    leaves: steep hours, unseen ones, echoes. `known` are the failures on which the hour rests, `own` those on
    which the leaves as such do, each besides `prior_failures` P: the error of an hour is its own by the
    share of its counts, and that of the day by the share of P, which draws all hours to their mean; in all
    it is 1 / (known + P).
    """
    settled, steep, unseen, echo = doubts
    each, rests = np.where(m > 0, m, 1.0), known + prior_failures
    shape, returns = prior_failures / rests**2 + unseen / each, settled / each
    return Doubt(
        lasting=1 / (own + prior_failures) + echo / each + shape * (1 - returns),
        of_hour=known / rests**2 + steep / each,
        of_day=shape * returns,
    )


class Sums(NamedTuple):
    """Of one bucket by scope [S]: K, N, M, Q and the failures on which hours and leaves rest."""

    k: Floats
    n: Floats
    m: Floats
    q: Floats
    known: Floats
    own: Floats


def summed(
    index: Index, base: Baseline, policy: Policy, hours: Hours, k: Floats, n: Floats, pi: Floats, echo: Floats
) -> tuple[Sums, Doubt]:
    """The bucket's sums, and what is not known of what was expected."""
    m, at_s = n * pi, hours.bucket_s
    steep, unseen = base.doubt(policy, hours)
    whole_days = at_s - base.born_s > DAY_S + policy.quarantine_most_s + HOUR_S
    doubts = (m * whole_days, m * steep, m * unseen, m * echo)
    rests = (base.known(policy, at_s), base.own(policy, at_s))
    sums = index.sums_of(k, n, m, m * (1 - pi), *rests, *doubts)
    said = Sums(*sums[:6])
    return said, expectation(said.m, sums[6:], said.known, said.own, policy.prior_failures)
