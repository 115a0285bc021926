"""Ends of messages given to cohorts of sends, in whole numbers, so that nothing is lost or made.

Cohorts [K, P] are counts by steps since the send, the newest first, of pairs [P].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GOLDEN = (5**0.5 - 1) / 2


def newest_first(waiting: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Cohorts after `ends` [P] of their newest messages, and the ends [P] that found none."""
    before = np.cumsum(waiting, axis=0) - waiting
    taken = np.clip(ends - before, 0, waiting)
    return waiting - taken, ends - taken.sum(axis=0)


def by_weight(waiting: Ints, ends: Ints, weight: Floats, number: int) -> tuple[Ints, Ints]:
    """Cohorts after `ends` [P] spread over them in proportion to their messages times `weight` [K], and
    the ends [P] that found none.

    Shares are rounded along their running sum from an offset that goes by the `number` of the step (golden
    ratio: additive recurrence of low discrepancy), so that over many steps no cohort is preferred.
    """
    likely = np.cumsum(waiting * weight[:, np.newaxis], axis=0)
    total = np.where(likely[-1] > 0, likely[-1], 1.0)
    offset = number * GOLDEN % 1
    upto = np.floor(ends * (likely / total) + offset).astype(np.int64)
    wanted = np.diff(upto, axis=0, prepend=np.zeros((1, len(ends)), np.int64))
    taken = np.clip(wanted, 0, waiting)
    return newest_first(waiting - taken, ends - taken.sum(axis=0))
