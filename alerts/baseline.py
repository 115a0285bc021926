"""What is normal: the failure probability of each series if nothing is wrong.

Arrays are [L]: one entry per leaf of the rule's index, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True)
class Baseline:
    """State of what was learned of each leaf."""

    prior: Floats = field(default_factory=_nothing)
    """Failure probability of the leaf when it was first seen."""

    def grown(self, leaves: int, prior: float) -> Baseline:
        """The same for `leaves` leaves: the new ones at the end begin with `prior`."""
        new = np.full(leaves - len(self.prior), prior)
        return Baseline(np.concatenate((self.prior, new)))

    def expected(self, bucket_s: int) -> Floats:
        """Failure probability in (0, 1) of each leaf for one bucket."""
        return self.prior
