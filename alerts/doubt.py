"""How little is known of what is expected of a scope: variances of its log-odds (docs/detection.md, 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.scopes import Index

Floats = NDArray[np.float64]


def few_leaves(index: Index, m: Floats, m_s: Floats, variance: Floats) -> Floats:
    """Variance [S - L] of wide scopes from that of their leaves [L]: little is left of many, all of one.
    In a blast one leaf is most of its carrier, which did not wander like that before."""
    left: Floats = index.wide(m**2 * variance) / np.where(m_s > 0, m_s, 1.0) ** 2
    return left


def expectation(
    m: Floats, steep: Floats, unsaid: Floats, known: Floats, own: Floats, prior_failures: float
) -> tuple[Floats, Floats]:
    """Variance [S] of what is expected of scopes: that of the hour alone, and all of it.

    Sums over the leaves of the scopes: failures expected `m`, m times the variances of each for what
    the hour (`steep`) and all else (`unsaid`) leave open, as leaves may err together; failures on which
    the hour (`known`) and the leaves as such (`own`) rest, besides `prior_failures`.
    """
    each = np.where(m > 0, m, 1.0)
    of_hour: Floats = 1 / (known + prior_failures) + steep / each
    return of_hour, of_hour + 1 / (own + prior_failures) + unsaid / each
