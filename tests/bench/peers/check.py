"""What must come out, and whether it did: every window of every pair, each count."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.bench.traffic import CARRIERS, REGIONS
from tests.bench.peers.outcomes import SIZE_S, STEP_S, Buckets

_BUCKETS = SIZE_S // STEP_S


class Row(msgspec.Struct):
    """One window of one pair, as every peer writes it."""

    carrier: str
    region: str
    end_ms: int
    total: int
    n30003: int
    absent: int


class Verdict(msgspec.Struct, frozen=True):
    """`windows` are those that must come: with an outcome in them. `short_ratio`: outcomes that are missing
    in the windows, of all that must be there; below 0 there are too many."""

    windows: int
    rows: int
    missing: int
    wrong: int
    surplus: int
    """Rows of windows that nothing fell into, and of windows that had a row already."""
    short_ratio: float

    @property
    def exact(self) -> bool:
        return not (self.missing or self.wrong or self.surplus)


def expected(buckets: Buckets) -> NDArray[np.int64]:
    """[window, pair, (outcomes, 30003, absent)]; window w ends with the end of bucket w, and the last ones
    lie past the last bucket."""
    n, pairs, columns = buckets.counts.shape
    padded = np.zeros((_BUCKETS + n + _BUCKETS - 1, pairs, columns), np.int64)
    padded[_BUCKETS : _BUCKETS + n] = buckets.counts
    summed = padded.cumsum(axis=0)
    return summed[_BUCKETS:] - summed[:-_BUCKETS]


def check(buckets: Buckets, values: Iterable[bytes], *, updates: bool = False) -> Verdict:
    """Holds rows against `expected`. `updates`: the last row of a window stands, not the only one."""
    want = expected(buckets)
    got, seen = np.zeros_like(want), np.zeros(want.shape[:2], np.int64)
    pairs = {(c, r): i * len(REGIONS) + j for i, c in enumerate(CARRIERS) for j, r in enumerate(REGIONS)}
    decode = msgspec.json.Decoder(Row).decode
    rows = stray = 0
    for value in values:
        row = decode(value)
        if row.carrier.startswith("tick-"):
            continue
        rows += 1
        window, off = divmod(row.end_ms // 1000 - buckets.first_s - STEP_S, STEP_S)
        pair = pairs.get((row.carrier, row.region))
        if pair is None or off or not 0 <= window < len(want):
            stray += 1
            continue
        seen[window, pair] += 1
        got[window, pair] = row.total, row.n30003, row.absent
    must = want[:, :, 0] > 0
    empty = int(seen[~must].sum())
    again = 0 if updates else int(np.maximum(seen[must] - 1, 0).sum())
    return Verdict(
        windows=int(must.sum()),
        rows=rows,
        missing=int((must & (seen == 0)).sum()),
        wrong=int((must & (seen > 0) & (got != want).any(axis=2)).sum()),
        surplus=stray + empty + again,
        short_ratio=round(1 - float(got[:, :, 0].sum()) / float(want[:, :, 0].sum()), 6),
    )
