"""Detector state as records of at most 900 kB, and back again, exactly.

Each record is JSON: `v`, shard, part i of n, bucket, policy version and a piece of a JSON document.
Arrays travel as zlib over their byte planes: small counts leave the upper planes empty.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.baseline import Baseline
from alerts.case import Case, Watch
from alerts.charts import Charts
from alerts.decide import DetectorState, Look
from alerts.detect import Row, RuleState
from alerts.learn import Block, Learned
from alerts.policy import Policy
from alerts.receipts import Receipts
from alerts.records import VERSION, Incident
from alerts.scopes import Index, Leaf
from alerts.wobble import Wobble
from streams.errors import MonitorError

PART_BYTES = 700_000
"""Text in one record; the rest of the 900 kB is for the frame and for escaped quotes."""
STATION = "station"
SCHEMA = 2
"""What the documents hold. Another schema can not be used: what is normal is learned anew."""


Int32s = NDArray[np.int32]


class SnapshotError(MonitorError):
    """No snapshot is whole: an operator restores the topic, or the detector begins anew."""


class Part(msgspec.Struct, frozen=True):
    """One record of `detector-state`; its key is `shard`."""

    shard: str
    part: int
    parts: int
    bucket_s: int
    policy_version: int
    data: str
    v: int = VERSION


class Array(msgspec.Struct, frozen=True):
    """An array: dtype and shape in numpy's words, byte planes deflated."""

    dtype: str
    shape: tuple[int, ...]
    data: str


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


class Schema(msgspec.Struct, frozen=True):
    """What is read of a snapshot before the rest."""

    schema: int = 1


class StationImage(msgspec.Struct, frozen=True):
    """What is not of one rule alone."""

    rules: list[str]
    cases: list[tuple[Incident, Watch]]
    policy: dict[str, Any]
    policy_from_s: int
    schema: int = SCHEMA


def snapshot(state: DetectorState) -> list[bytes]:
    """The state as records; `shard_of` gives the key of each.

    Shards alternate by minute between the slots a and b: a crash half-way leaves the other whole.
    """
    station = StationImage(
        [r.rule for r in state.rules],
        [(c.incident, c.watch) for c in state.cases],
        msgspec.to_builtins(state.policy),
        state.policy_from_s,
    )
    parts = _cut(state, STATION, msgspec.json.encode(station))
    for rule, look in zip(state.rules, state.looks, strict=True):
        parts += _cut(state, f"rule/{rule.rule}", msgspec.json.encode(_image(rule, look)))
    return [msgspec.json.encode(part) for part in parts]


def shard_of(record: bytes) -> str:
    """The key of a record of `snapshot` in the compacted topic."""
    return msgspec.json.decode(record, type=Part).shard


def restore(records: Iterable[bytes], until_s: float = math.inf) -> DetectorState:
    """The newest whole state among `records`, in any order, of a bucket at or before `until_s`.

    Raises SnapshotError where no snapshot is whole, or none so old.
    """
    by_bucket: dict[int, list[Part]] = {}
    for record in records:
        part = msgspec.json.decode(record, type=Part)
        by_bucket.setdefault(part.bucket_s, []).append(part)
    for bucket_s in sorted((at_s for at_s in by_bucket if at_s <= until_s), reverse=True):
        state = _whole(by_bucket[bucket_s])
        if state is not None:
            return state
    if by_bucket and min(by_bucket) > until_s:
        oldest = datetime.fromtimestamp(min(by_bucket), UTC).isoformat()
        raise SnapshotError(f"detector-state holds no snapshot so old; the oldest is of {oldest}")
    raise SnapshotError("detector-state holds no whole snapshot: begin anew, or restore the topic")


def _whole(parts: Sequence[Part]) -> DetectorState | None:
    docs = _join(parts)
    if STATION not in docs:
        return None
    if msgspec.json.decode(docs[STATION], type=Schema).schema != SCHEMA:
        return None
    station = msgspec.json.decode(docs[STATION], type=StationImage)
    if any(f"rule/{rule}" not in docs for rule in station.rules):
        return None
    images = [msgspec.json.decode(docs[f"rule/{rule}"], type=RuleImage) for rule in station.rules]
    return DetectorState(
        policy=msgspec.convert(station.policy, Policy),
        policy_from_s=station.policy_from_s,
        bucket_s=parts[0].bucket_s,
        rules=tuple(_rule(image) for image in images),
        cases=tuple(Case(incident, watch) for incident, watch in station.cases),
        looks=tuple(Look(*image.look) for image in images),
    )


def _cut(state: DetectorState, name: str, data: bytes) -> list[Part]:
    text = data.decode()
    pieces = [text[i : i + PART_BYTES] for i in range(0, len(text), PART_BYTES)]
    slot = "ab"[state.bucket_s // 60 % 2]
    return [
        Part(f"{name}/{slot}/{i}", i, len(pieces), state.bucket_s, state.policy.version, piece)
        for i, piece in enumerate(pieces)
    ]


def _join(parts: Iterable[Part]) -> dict[str, bytes]:
    """Documents by name, whole ones only."""
    pieces: dict[str, dict[int, Part]] = {}
    for part in parts:
        pieces.setdefault(part.shard.rsplit("/", 2)[0], {})[part.part] = part
    return {
        name: "".join(own[i].data for i in range(len(own))).encode()
        for name, own in pieces.items()
        if sorted(own) == list(range(own[0].parts if 0 in own else -1))
    }


def _image(rule: RuleState, look: Look) -> RuleImage:
    return RuleImage(
        rule=rule.rule,
        leaves=list(rule.index.leaves),
        charts={name: _packed(array) for name, array in vars(rule.charts).items()},
        learned={name: _packed(array) for name, array in _learned_arrays(rule.learned).items()},
        receipts={name: _packed(array) for name, array in _receipts_arrays(rule.receipts).items()},
        blocks_s=[block.start_s for block in rule.learned.blocks],
        look=(look.until_s, look.last_s),
        buckets_s=[row.bucket_s for row in rule.ring],
        lengths=[len(row.leaf) for row in rule.ring],
        columns=[_packed(column) for column in _columns(rule.ring)],
    )


def _columns(ring: Sequence[Row]) -> list[Int32s]:
    """The ring as five long columns of small numbers: leaves by their steps, and what people read
    as the little that it differs from the evidence."""
    if not ring:
        return [np.zeros(0, dtype=np.int32)] * 5
    leaf, n, k, finals, failed = (np.concatenate(c) for c in zip(*(row[1:] for row in ring), strict=True))
    return [np.diff(leaf, prepend=leaf[:1] * 0), n, k, finals - n, failed - k]


def _rows(image: RuleImage) -> tuple[Row, ...]:
    step, n, k, more_n, more_k = (_unpacked(column) for column in image.columns)
    whole = (np.cumsum(step, dtype=np.int32), n, k, n + more_n, k + more_k)
    cuts = np.cumsum(np.array(image.lengths, dtype=np.int64))[:-1]
    columns = zip(*(np.split(column, cuts) for column in whole), strict=True)
    pairs = zip(image.buckets_s, columns, strict=True) if image.buckets_s else ()
    return tuple(Row(bucket_s, *own) for bucket_s, own in pairs)


def _rule(image: RuleImage) -> RuleState:
    charts = Charts(**{name: _unpacked(array) for name, array in image.charts.items()})
    index = Index().grown(image.leaves)
    return RuleState(image.rule, charts, _receipts(image), index, _learned(image), _rows(image))


def _learned_arrays(learned: Learned) -> dict[str, NDArray[Any]]:
    """Everything learned as named arrays; the blocks that wait as [B, L]."""
    baseline = {f"baseline.{name}": array for name, array in vars(learned.baseline).items()}
    wobble = {f"wobble.{name}": array for name, array in vars(learned.wobble).items()}
    waiting = np.array([(b.k, b.n) for b in learned.blocks], dtype=np.float32)
    own = {"k": learned.k, "n": learned.n, "ill_s": learned.ill_s}
    return baseline | wobble | own | {"blocks": waiting.reshape(len(learned.blocks), 2, len(learned.k))}


def _learned(image: RuleImage) -> Learned:
    arrays = {name: _unpacked(array) for name, array in image.learned.items()}
    waiting = zip(image.blocks_s, arrays["blocks"], strict=True)
    return Learned(
        Baseline(**_under("baseline.", arrays)),
        Wobble(**_under("wobble.", arrays)),
        tuple(Block(start_s, k, n) for start_s, (k, n) in waiting),
        arrays["k"],
        arrays["n"],
        arrays["ill_s"],
    )


def _receipts_arrays(receipts: Receipts) -> dict[str, NDArray[Any]]:
    own = {name: array for name, array in vars(receipts).items() if isinstance(array, np.ndarray)}
    charts = {f"charts.{name}": array for name, array in vars(receipts.charts).items()}
    return own | charts | {f"wobble.{name}": array for name, array in vars(receipts.wobble).items()}


def _receipts(image: RuleImage) -> Receipts:
    arrays = {name: _unpacked(array) for name, array in image.receipts.items()}
    own = {name: array for name, array in arrays.items() if "." not in name}
    charts, wobble = Charts(**_under("charts.", arrays)), Wobble(**_under("wobble.", arrays))
    return Receipts(**own, charts=charts, wobble=wobble)


def _under(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): array for n, array in arrays.items() if n.startswith(prefix)}


def _packed(array: NDArray[Any]) -> Array:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    planes = little.reshape(-1).view(np.uint8).reshape(-1, little.itemsize).T
    # Runs and Huffman codes only: matches are rare in counts, and looking for them costs most.
    press = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    deflated = press.compress(np.ascontiguousarray(planes).tobytes()) + press.flush()
    return Array(little.dtype.str, little.shape, base64.b64encode(deflated).decode())


def _unpacked(packed: Array) -> NDArray[Any]:
    dtype = np.dtype(packed.dtype)
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed.data)), dtype=np.uint8)
    flat = np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T).reshape(-1)
    return flat.view(dtype).reshape(packed.shape).astype(dtype.newbyteorder("="))
