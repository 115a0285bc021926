"""What limits the evidence of a scope: what it does when healthy, and what its volume says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.baseline import BLOCK_S, DAY_S, HOUR_S, HOURS
from alerts.policy import Policy
from alerts.scopes import Index
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Norms:
    """What limits the evidence of each scope."""

    index: Index
    threshold: Floats
    """[S] evidence (nats) that alarms."""
    variance: Floats
    """[4, S] the learned wobble, by length."""
    unknown: Floats
    """[S] variance of the expected log-odds for want of counts: 1 / failures on which they rest."""
    volume: Float32s
    """[24, L] typical outcomes in 10 min by hour of day."""
    familiar: Bools
    """[L] leaves of which that is known."""

    def usual(self, scopes: Ints, hours: Ints) -> Floats:
        """[24, scopes] typical outcomes of some `hours` of day, 0 where not known yet, and in the others."""
        usual = np.zeros((len(self.volume), len(scopes)))
        if self.familiar.any():
            known = (self.volume[hours] * self.familiar).astype(np.float64)
            usual[hours] = self.index.sums(known)[:, scopes] * (HOUR_S / BLOCK_S)
        return usual

    @property
    def doubt(self) -> Floats:
        """Variance [S] of the log-odds of a healthy ratio: wobble within 10 min and what is not known."""
        doubt: Floats = np.maximum(self.variance[2], self.unknown)
        return doubt


def is_blast(norms: Norms, policy: Policy, scopes: Ints, n: Floats, start_s: Ints, bucket_s: int) -> Bools:
    """Which segments hold far more outcomes than is typical of their hours; none where nothing is known."""
    end_s = bucket_s + BUCKET_S
    hours = np.arange(start_s.min() // HOUR_S, end_s // HOUR_S + 1)[-HOURS:] % HOURS
    by_hour = norms.usual(scopes, hours)
    usual = _until(by_hour, end_s) - _until(by_hour, start_s)
    return (usual > 0) & (n > policy.blast * usual)


def _until(by_hour: Floats, at_s: Ints | int) -> Floats:
    """Typical outcomes since the epoch: whole days, whole hours, and the share of the hour under way."""
    days, second = np.divmod(at_s, DAY_S)
    hour, rest = np.divmod(second, HOUR_S)
    whole = np.concatenate((np.zeros((1, by_hour.shape[1])), by_hour.cumsum(axis=0)))
    scopes = np.arange(by_hour.shape[1])
    sums: Floats = days * whole[-1] + whole[hour, scopes] + rest / HOUR_S * by_hour[hour, scopes]
    return sums
