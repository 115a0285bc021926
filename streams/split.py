"""Splitting: a value that is wrapped, or that holds several outcomes, becomes a record for each.

They share offset, headers and key, so that all of them count or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.batch import Batch
from streams.source import Source

Origin = NDArray[np.int64]
"""For each record the place in the batch of the value that it came in; never falling."""


def split(
    batch: Batch, names: Sequence[str], sources: Mapping[str, Source], most_bytes: int
) -> tuple[Batch, Origin | None]:
    """The batch with a record an outcome, and where each came from; None where nothing was split.

    `names` are the source of each value, or one for all. Values above `most_bytes` stay whole.
    """
    if all(s is None or s.open is None for s in map(sources.get, set(names))):
        return batch, None
    of = names if len(names) > 1 else list(names) * len(batch.values)
    opened = [_open(sources.get(n), v, most_bytes) for n, v in zip(of, batch.values, strict=True)]
    origin = np.repeat(np.arange(len(opened)), [len(pieces) for pieces in opened])
    places = origin.tolist()
    values = batch.values
    apart = Batch(
        batch.partition[origin],
        batch.offset[origin],
        [batch.timestamp_ms[i] for i in places],
        [batch.headers[i] for i in places],
        [piece for pieces in opened for piece in pieces],
        lambda i: batch.key(places[i]),
        batch.source,
        # A value that holds one outcome is kept as it came, its envelope included.
        untouched=[
            values[i] if len(pieces) == 1 else piece for i, pieces in enumerate(opened) for piece in pieces
        ],
    )
    return apart, origin


def _open(source: Source | None, value: bytes | None, most_bytes: int) -> Sequence[bytes | None]:
    if source is None or source.open is None or value is None or len(value) > most_bytes:
        return [value]
    return source.open(value)
