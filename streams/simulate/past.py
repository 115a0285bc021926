"""What a scenario's network has counted before its stream begins: blocks of final outcomes by code.

The same volumes, hours, ratios and restlessness as the stream, drawn a block at a time; without
incidents and without what disturbs single records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from streams.simulate.network import WOBBLE_STEP_S, Network
from streams.simulate.outcomes import DELIVERED, FAILURES
from streams.simulate.parts import Scenario
from streams.simulate.truth import SMPP, UNKNOWN

BLOCK_S = 600
_PAST = 4
"""Purpose of the generator; those below are the stream's own."""


class Counts(NamedTuple):
    """Finals of one block by code, of one source, carrier and region, as the records name them."""

    source: str
    carrier: str
    region: str
    delivered: int
    failed: dict[str, int]


class _Strand(NamedTuple):
    """A part of a leaf's traffic. Bare receipt texts name neither carrier nor region."""

    leaf: int
    share: float
    source: str
    carrier: str
    region: str
    profile: str


def past(scenario: Scenario, seed: int, blocks: int) -> Iterator[tuple[int, list[Counts]]]:
    """The `blocks` before the stream: (second of the stream, below 0; counts), oldest first."""
    network = Network(scenario, seed)
    strands, rng = list(_strands(network)), network.rng(_PAST, blocks)
    for second in range(-blocks * BLOCK_S, 0, BLOCK_S):
        yield second, _block(network, strands, second, rng)


def _strands(network: Network) -> Iterator[_Strand]:
    for i, leaf in enumerate(network.leaves):
        bare = float(network.text_share[i]) if leaf.format == SMPP else 0.0
        carrier = leaf.carrier if leaf.carrier_label else UNKNOWN
        region = leaf.region if leaf.region_label else leaf.country
        yield _Strand(i, 1 - bare, leaf.source, carrier, region, leaf.profile)
        if bare:
            yield _Strand(i, bare, leaf.source, UNKNOWN, UNKNOWN, leaf.profile)


def _block(network: Network, strands: list[_Strand], second: int, rng: np.random.Generator) -> list[Counts]:
    means, failing = _means(network, second)
    leaf, share = np.array([s.leaf for s in strands]), np.array([s.share for s in strands])
    n = rng.poisson(means[leaf] * share)
    failed = rng.binomial(n, failing[leaf])
    return [
        Counts(s.source, s.carrier, s.region, all_ - bad, _codes(s.profile, bad, rng))
        for s, all_, bad in zip(strands, n.tolist(), failed.tolist(), strict=True)
        if all_
    ]


def _means(network: Network, second: int) -> tuple[np.ndarray, np.ndarray]:
    """Expected finals of the block, and the probability that one fails, by leaf."""
    at = np.arange(second, second + BLOCK_S, WOBBLE_STEP_S) + WOBBLE_STEP_S / 2
    volumes = np.array([network.volumes(s) for s in at.tolist()])
    failing = np.array([network.failing(s) for s in at.tolist()])
    return volumes.sum(axis=0) * WOBBLE_STEP_S, (volumes * failing).sum(axis=0) / volumes.sum(axis=0)


def _codes(profile: str, failed: int, rng: np.random.Generator) -> dict[str, int]:
    """Failures by code, as the profile's ordinary day has them. What says nothing bad, as `000` of a
    message that has expired, is of the class `unknown`."""
    if not failed:
        return {}
    mix, nothing_bad = FAILURES[profile], DELIVERED[profile].code
    drawn = rng.multinomial(failed, [share for _, share in mix]).tolist()
    found: dict[str, int] = {}
    for (verdict, _), times in zip(mix, drawn, strict=True):
        code = UNKNOWN if verdict.code == nothing_bad else verdict.code
        if times:
            found[code] = found.get(code, 0) + times
    return found
