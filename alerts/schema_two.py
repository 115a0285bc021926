"""Snapshots of the schema before: one document a rule, all of it written each minute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.baseline import Baseline
from alerts.charts import Charts
from alerts.decide import Look
from alerts.detect import RuleState
from alerts.learn import Block, Learned
from alerts.list_quality import ListQuality
from alerts.packing import Array, unpacked
from alerts.persistent import Persistent
from alerts.policy import Policy
from alerts.receipts import Receipts
from alerts.ring import Row
from alerts.scopes import Index, Leaf
from alerts.wobble import Wobble

Arrays = Mapping[str, NDArray[Any]]


class RuleImage(msgspec.Struct, frozen=True):
    """One rule: the ring is held as rows' buckets and lengths and its columns end to end."""

    rule: str
    leaves: list[Leaf]
    charts: dict[str, Array]
    learned: dict[str, Array]
    receipts: dict[str, Array]
    blocks_s: list[int]
    look: tuple[int, int]
    buckets_s: list[int]
    lengths: list[int]
    columns: list[Array]


def rule_of(document: bytes) -> tuple[RuleState, Look]:
    image = msgspec.json.decode(document, type=RuleImage)
    charts, learned, receipts = (_arrays(a) for a in (image.charts, image.learned, image.receipts))
    blocks = zip(image.blocks_s, learned["blocks"], strict=True)
    index = Index().grown(image.leaves)
    state = RuleState(
        image.rule,
        Charts.of(charts),
        Receipts.of(
            {name: array for name, array in receipts.items() if "." not in name},
            Charts.of(_under("charts.", receipts)),
            Wobble(**_under("wobble.", receipts)),
        ),
        ListQuality.begun(Policy(), index),
        index,
        Learned(
            Baseline.of(_under("baseline.", learned)),
            Wobble(**_under("wobble.", learned)),
            tuple(Block(start_s, k, n) for start_s, (k, n) in blocks),
            *(learned["k"], learned["n"], learned["ill_s"]),
        ),
        Persistent.empty().grown(len(index.leaves)),
        tuple(_rows(image)),
    )
    return state, Look(*image.look)


def _rows(image: RuleImage) -> Iterator[Row]:
    step, n, k, more_n, more_k = (unpacked(column) for column in image.columns)
    whole = (np.cumsum(step, dtype=np.int32), n, k, n + more_n, k + more_k, np.zeros_like(n))
    cuts = np.cumsum(np.array(image.lengths, dtype=np.int64))[:-1]
    columns = (np.split(column, cuts) for column in whole)
    for bucket_s, leaf, *counts in zip(image.buckets_s, *columns, strict=True) if image.buckets_s else ():
        yield Row(bucket_s, leaf, np.stack(counts))


def _arrays(some: Mapping[str, Array]) -> dict[str, NDArray[Any]]:
    return {name: unpacked(array) for name, array in some.items()}


def _under(prefix: str, every: Arrays) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): array for n, array in every.items() if n.startswith(prefix)}
