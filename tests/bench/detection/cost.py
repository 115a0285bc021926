"""What one tick costs: everything that decides, over thousands of series."""

from __future__ import annotations

from time import process_time
from typing import NamedTuple

import numpy as np

from alerts.policy import Policy
from tests.bench.detection.adapter import RULE, Whole, decide, table
from tests.bench.detection.series import BUCKET_S, T0_S


class Cost(NamedTuple):
    """Milliseconds of CPU a tick: the median of calm ones, that while an incident is open, and the
    slowest of all: a block is settled in one, scopes are sought in others."""

    series: int
    calm_ms: float
    ill_ms: float
    worst_ms: float


def measure(carriers: int, regions: int, ticks: int, seed: int = 1) -> Cost:
    """`ticks` calm ones, among them one that settles a block, then as many with one carrier failing.
    All series were seen before: one that is new costs once, whatever the network."""
    rng = np.random.default_rng(seed)
    leaves = [(f"c{c}", f"r{r}") for c in range(carriers) for r in range(regions)]
    rates = np.minimum(10 * rng.lognormal(-1, 1.5, len(leaves)), 1e4)
    base = np.exp(rng.uniform(np.log(0.005), np.log(0.02), len(leaves)))
    bad = np.array([c == "c1" for c, _ in leaves])
    whole, times = Whole(Policy(), leaves), []
    first = -10
    for i in range(first, 2 * ticks):
        ratio = np.where(bad & (i >= ticks), 0.4, base)
        n = np.maximum(rng.poisson(rates), i == first)
        k = rng.binomial(n, ratio)
        at = np.flatnonzero(n)
        counts = {RULE: table(tuple(leaves[j] for j in at.tolist()), n[at], k[at])}
        began = process_time()
        whole.state, _ = decide.decide(whole.state, whole.policy, T0_S + 600 + (i - 10) * BUCKET_S, counts)
        times.append((process_time() - began) * 1e3)
    calm, ill = times[-first : ticks - first], times[ticks - first :]
    return Cost(len(leaves), float(np.median(calm)), float(np.median(ill)), max(calm + ill))
