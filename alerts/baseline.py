"""What is normal: the failure probability of each series if nothing is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alerts.scopes import Index

Floats = NDArray[np.float64]


class Baseline(Protocol):
    """A learned baseline and the plain prior look the same to the charts."""

    def expected(self, rule: str, index: Index, bucket_s: int) -> Floats:
        """Failure probability in (0, 1) of each leaf of `index`, in its order, for one bucket."""
        ...


@dataclass(frozen=True)
class PlainPrior:
    """The same probability for every series at all times."""

    probability: float

    def expected(self, rule: str, index: Index, bucket_s: int) -> Floats:
        return np.full(len(index.leaves), self.probability)
