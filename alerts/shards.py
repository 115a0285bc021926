"""A rule's state cut into documents by how often they change, so that a snapshot writes little.

`now` changes in every bucket, `settled`, `hour/…` and `block/…` after a block of 10 min, `ring/…` and
`senders/…` with their minute, `tickets` after an hour or when one of them begins or ends, `leaves` when a
series appears.
Documents are named arrays; put together they are the state, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.baseline import BLOCK_S, Baseline
from alerts.by_sender import BySender, SenderRow
from alerts.charts import Charts
from alerts.decide import Look
from alerts.detect import RuleState
from alerts.learn import Block, Learned
from alerts.list_quality import ListQuality
from alerts.outstanding import Outstanding
from alerts.persistent import Persistent
from alerts.policy import Policy
from alerts.receipts import Receipts
from alerts.ring import Row
from alerts.scopes import Index, Leaf
from alerts.wobble import Wobble

Arrays = Mapping[str, NDArray[Any]]
Document = Arrays | tuple[Row, ...] | tuple[SenderRow, ...]
"""Named arrays, or the rows of one minute."""
Int32s = NDArray[np.int32]

_Names = tuple[str, ...]
_Leaves = tuple[Leaf, ...]
BY_HOUR = ("failed", "seen", "volume")
"""Of the baseline: a block changes one hour of them."""
MONTH_S = 30 * 86_400
AFTER_A_BLOCK = (
    "baseline.",
    *("wobble.excess", "wobble.weight", "wobble.hours"),
    *("receipts.returned", "receipts.wobble.excess", "receipts.wobble.weight", "receipts.wobble.hours"),
)
"""Arrays, or beginnings of their names, that change after a block alone."""


def documents(rule: RuleState, look: Look, policy: Policy) -> dict[str, Document]:
    """The state of a rule by document."""
    every = _every(rule) | {"look": np.array(look, dtype=np.int64)}
    return {
        "leaves": {"json": np.frombuffer(msgspec.json.encode(rule.index.leaves), dtype=np.uint8)},
        "settled": {name: array for name, array in every.items() if name.startswith(AFTER_A_BLOCK)},
        **_hours(rule.learned.baseline),
        **_blocks(rule.learned.blocks, policy),
        **_minutes(rule, policy),
        "tickets": _tickets(rule),
        "now": {name: array for name, array in every.items() if not name.startswith(AFTER_A_BLOCK)},
    }


def arrays(document: Document) -> Arrays:
    """What is written of a document."""
    if not isinstance(document, tuple):
        return document
    rows = [row for row in document if isinstance(row, Row)]
    return _of_rows(rows) if rows else _of_sender_rows([r for r in document if isinstance(r, SenderRow)])


def same(one: Document, other: Document) -> bool:
    """Whether nothing of a document has changed. Rows are values that are kept as they are."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
    return one.keys() == other.keys() and all(_equal(array, other[name]) for name, array in one.items())


def rule_of(name: str, found: Mapping[str, Arrays]) -> tuple[RuleState, Look]:
    """The state of the rule `name` from the arrays of its documents."""
    every = {**found["settled"], **found["now"]}
    index = Index().grown(msgspec.json.decode(found["leaves"]["json"].tobytes(), type=list[Leaf]))
    hours = [own for key, own in sorted(found.items()) if key.startswith("hour/")]
    by_hour = {one: np.stack([own[one] for own in hours if one in own]) for one in BY_HOUR}
    blocks = [Block(int(b["start_s"][0]), b["k"], b["n"]) for b in _starting("block/", found)]
    learned = Learned(
        Baseline(**_under("baseline.", every), **by_hour),
        _wobble(_under("wobble.", every)),
        tuple(sorted(blocks, key=lambda block: block.start_s)),
        **_under("learned.", every),
    )
    ring = sorted((row for own in _starting("ring/", found) for row in _rows(own)), key=_bucket)
    senders = sorted((row for own in _starting("senders/", found) for row in _sender_rows(own)), key=_bucket)
    charts, receipts = Charts.of(_under("charts.", every)), _receipts(_under("receipts.", every))
    until_s, last_s = every["look"].tolist()
    quality, persistent = _tickets_of(found.get("tickets", {}), index)
    kept = tuple(ring), tuple(senders)
    state = RuleState(name, charts, receipts, quality, index, learned, persistent, *kept)
    return state, Look(until_s, last_s)


def _tickets_of(own: Arrays, index: Index) -> tuple[ListQuality, Persistent]:
    """What tickets rest on; begun anew where a snapshot is older than they are."""
    if not own:
        return ListQuality.begun(Policy(), index), Persistent.empty().grown(len(index.leaves))
    quality = _under("quality.", own)
    charts = Charts.of(_under("charts.", quality))
    plain = {name: array for name, array in quality.items() if "." not in name}
    return ListQuality(**plain, charts=charts), Persistent(**_under("persistent.", own))


def _tickets(rule: RuleState) -> dict[str, NDArray[Any]]:
    own = {n: array for n, array in vars(rule.quality).items() if isinstance(array, np.ndarray)}
    return {
        **_named("quality.", own),
        **_named("quality.charts.", vars(rule.quality.charts)),
        **_named("persistent.", vars(rule.persistent)),
    }


def _every(rule: RuleState) -> dict[str, NDArray[Any]]:
    """Every array but those by hour, by block and by row."""
    learned, receipts = rule.learned, rule.receipts
    baseline = {n: array for n, array in vars(learned.baseline).items() if n not in BY_HOUR}
    own = {n: array for n, array in vars(receipts).items() if isinstance(array, np.ndarray)}
    return {
        **_named("baseline.", baseline),
        **_named("wobble.", _of_wobble(learned.wobble)),
        **_named("learned.", {"k": learned.k, "n": learned.n, "ill_s": learned.ill_s}),
        **_named("charts.", vars(rule.charts)),
        **_named("receipts.", own),
        **_named("receipts.charts.", vars(receipts.charts)),
        **_named("receipts.wobble.", _of_wobble(receipts.wobble)),
    }


AFTER_A_STEP = ("waiting", "sent", "usual", "given_up", "unmatched", "forgotten")
"""Arrays of what is outstanding that change after 10 min alone."""


def documents_of_outstanding(state: Outstanding) -> dict[str, Document]:
    """What is outstanding, by document; none before the first bucket."""
    if state.bucket_s < 0:
        return {}
    names = msgspec.json.encode((state.pairs, state.sources))
    at = np.array((state.bucket_s, state.step), dtype=np.int64)
    return {
        "names": {"json": np.frombuffer(names, dtype=np.uint8)},
        "now": {"at": at, "block": state.block},
        "settled": {name: getattr(state, name) for name in AFTER_A_STEP},
    }


def outstanding_of(found: Mapping[str, Arrays]) -> Outstanding:
    """The same back again."""
    pairs, sources = msgspec.json.decode(found["names"]["json"].tobytes(), type=tuple[_Leaves, _Names])
    bucket_s, step = found["now"]["at"].tolist()
    return Outstanding(bucket_s, step, pairs, sources, found["now"]["block"], **found["settled"])


def _hours(base: Baseline) -> dict[str, Document]:
    by_hour = {name: getattr(base, name) for name in BY_HOUR}
    return {
        f"hour/{h:02}": {name: array[h] for name, array in by_hour.items() if h < len(array)}
        for h in range(max(map(len, by_hour.values())))
    }


def _blocks(blocks: Sequence[Block], policy: Policy) -> dict[str, Document]:
    """Names come round again once a block can not wait any longer."""
    names = _names(policy.quarantine_most_s // BLOCK_S + 2, BLOCK_S)
    return {
        f"block/{b.start_s // BLOCK_S % names}": {"start_s": np.array([b.start_s]), "k": b.k, "n": b.n}
        for b in blocks
    }


def _minutes(rule: RuleState, policy: Policy) -> dict[str, Document]:
    names = _names(policy.ring_s // 60 + 2, 60)
    found: dict[str, Document] = {}
    for minute, rows in groupby(rule.ring, key=lambda row: row.bucket_s // 60):
        found[f"ring/{minute % names}"] = tuple(rows)
    for minute, by_sender in groupby(rule.senders, key=lambda row: row.bucket_s // 60):
        found[f"senders/{minute % names}"] = tuple(by_sender)
    return found


def _bucket(row: Row | SenderRow) -> int:
    return row.bucket_s


def _names(least: int, each_s: int) -> int:
    """So many names at least, and a divisor of those in 30 days: the copy of an hour is written over by one
    that has the same names (alerts/snapshot.py)."""
    in_a_month = MONTH_S // each_s
    return next(n for n in range(least, in_a_month + 1) if in_a_month % n == 0)


def _of_rows(rows: Sequence[Row]) -> Arrays:
    """Rows end to end in small numbers: leaves by their steps, and what people read as the little that it
    differs from the evidence."""
    leaf = np.concatenate([row.leaf for row in rows])
    n, k, finals, failed, urgent = np.concatenate([row.counts for row in rows], axis=1)
    return {
        "bucket_s": np.array([row.bucket_s for row in rows]),
        "length": np.array([len(row.leaf) for row in rows]),
        "leaf": np.diff(leaf, prepend=leaf[:1] * 0),
        "n": n,
        "k": k,
        "finals": finals - n,
        "failed": failed - k,
        "urgent": urgent,
    }


def _rows(own: Arrays) -> Iterator[Row]:
    leaf, n, k = np.cumsum(own["leaf"], dtype=np.int32), own["n"], own["k"]
    cuts = np.cumsum(own["length"])[:-1]
    whole = (leaf, n, k, n + own["finals"], k + own["failed"], own.get("urgent", np.zeros_like(n)))
    columns = (np.split(column, cuts) for column in whole)
    for bucket_s, leaf, *counts in zip(own["bucket_s"].tolist(), *columns, strict=True):
        yield Row(bucket_s, leaf, np.stack(counts))


def _of_sender_rows(rows: Sequence[SenderRow]) -> Arrays:
    """The same; senders are numbered within their bucket, and their names apart."""
    names = msgspec.json.encode([row.by.names for row in rows])
    return {
        "bucket_s": np.array([row.bucket_s for row in rows]),
        "length": np.array([len(row.by.leaf) for row in rows]),
        "names": np.frombuffer(names, dtype=np.uint8),
        "leaf": np.concatenate([row.by.leaf for row in rows]),
        "sender": np.concatenate([row.by.sender for row in rows]),
        "counts": np.concatenate([row.by.counts for row in rows], axis=1),
    }


def _sender_rows(own: Arrays) -> Iterator[SenderRow]:
    names = msgspec.json.decode(own["names"].tobytes(), type=list[tuple[str, ...]])
    cuts = np.cumsum(own["length"])[:-1]
    columns = (np.split(own[name], cuts, axis=-1) for name in ("leaf", "sender", "counts"))
    for bucket_s, *by in zip(own["bucket_s"].tolist(), names, *columns, strict=True):
        yield SenderRow(bucket_s, BySender(*by))


def _of_wobble(wobble: Wobble) -> dict[str, NDArray[Any]]:
    """The run of the hour apart: it changes after a block."""
    return {**vars(wobble), "runs": wobble.runs[:-1], "hours": wobble.runs[-1:]}


def _wobble(own: dict[str, NDArray[Any]]) -> Wobble:
    hours = own.pop("hours")
    return Wobble(**own | {"runs": np.concatenate((own["runs"], hours))})


def _receipts(every: Arrays) -> Receipts:
    own = {name: array for name, array in every.items() if "." not in name}
    charts, wobble = Charts.of(_under("charts.", every)), _wobble(_under("wobble.", every))
    return Receipts.of(own, charts, wobble)


def _named(prefix: str, some: Arrays) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in some.items()}


def _under(prefix: str, every: Arrays) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): array for n, array in every.items() if n.startswith(prefix)}


def _starting(prefix: str, found: Mapping[str, Arrays]) -> Iterator[Arrays]:
    return (own for name, own in found.items() if name.startswith(prefix))


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Bit for bit."""
    if one is other:
        return True
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
