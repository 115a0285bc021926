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


def expectation(index: Index, variance: Floats, m: Floats, m_s: Floats) -> Floats:
    """Variance [S] of scopes from that of what is expected of their leaves [L], which may err together."""
    doubt: Floats = index.sums(m * variance) / np.where(m_s > 0, m_s, 1.0)
    return doubt
