"""Folded lines of simulated networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.alerts.traffic import RULE, Network

SECONDS = 1200
T0_MS = 1_800_000_000_000


def line(start_ms: int = T0_MS, counts: dict | None = None, **fields: object) -> dict:
    whole = {"bucket_start_ms": start_ms, "bucket_s": 10, "carrier": "310-260", "region": "US"}
    return whole | {"source": "twilio", "counts": {"delivered": 9} if counts is None else counts} | fields


def lines(network: Network, seconds: int = SECONDS, bucket_s: int = 10) -> Iterator[dict]:
    """The network's counts, summed over `bucket_s`."""
    sums: dict[tuple[int, str, str], list[int]] = {}
    for at_s, counts in network.buckets(seconds):
        for (carrier, region), count in counts[RULE].items():
            both = sums.setdefault((at_s // bucket_s * bucket_s, carrier, region), [0, 0])
            both[0] += count.n - count.k
            both[1] += count.k
    for (at_s, carrier, region), (good, bad) in sorted(sums.items()):
        counts = {name: n for name, n in (("delivered", good), ("30003", bad)) if n}
        yield line(at_s * 1000, counts, bucket_s=bucket_s, carrier=carrier, region=region)


def write(path: Path, rows: Iterable[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
