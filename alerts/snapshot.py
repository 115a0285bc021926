"""Detector state as records of at most 900 kB, and back again, exactly.

    state -> documents (alerts.shards) -> those that changed, in pieces -> records
                                       -> all of them by name -> the station's document, written last

Each record is JSON: `v`, shard, part i of n, bucket, policy version and a piece of a JSON document.
The station's document names the slot and the bucket of every document that belongs to it. A document
that changes is written to the other of its two slots, so whatever the last whole snapshot names stays.
With the last bucket of an hour all documents are written to a slot of that hour: a copy that stays for 30
days, until the slot's turn comes again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from alerts import schema_two, shards
from alerts.baseline import HOUR_S
from alerts.case import Case, Watch
from alerts.decide import DetectorState
from alerts.outstanding import Outstanding
from alerts.packing import Array, packed, unpacked
from alerts.policy import Policy
from alerts.records import VERSION, Incident
from streams.errors import MonitorError
from streams.records import BUCKET_S

PART_BYTES = 700_000
"""Text in one record; the rest of the 900 kB is for the frame and for escaped quotes."""
STATION = "station"
OUTSTANDING = "outstanding"
SCHEMA = 3
"""What the documents hold. The schema before is read as well; of others what is normal is learned anew."""
SLOTS = "ab"
COPIES = shards.MONTH_S // HOUR_S
"""Hours of which the copy is kept."""


class SnapshotError(MonitorError):
    """No snapshot is whole: an operator restores the topic, or the detector begins anew."""


class Part(msgspec.Struct, frozen=True):
    """One record of `detector-state`; its key is `shard`: document, slot and part."""

    shard: str
    part: int
    parts: int
    bucket_s: int
    policy_version: int
    data: str
    v: int = VERSION


class Schema(msgspec.Struct, frozen=True):
    """What is read of a snapshot before the rest."""

    schema: int = 1


class Place(NamedTuple):
    """Where a document is, and the bucket after which it was written."""

    slot: str
    bucket_s: int


class StationImage(msgspec.Struct, frozen=True):
    """What is not of one rule alone, and where the rest is."""

    rules: list[str]
    cases: list[tuple[Incident, Watch]]
    policy: dict[str, Any]
    policy_from_s: int
    documents: dict[str, Place] = {}
    schema: int = SCHEMA


@dataclass(frozen=True)
class Written:
    """The last snapshot that is known to be whole."""

    station: Place | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    documents: Mapping[str, shards.Document] = field(default_factory=dict)


NOTHING = Written()
Found = Mapping[tuple[str, Place], bytes]
"""Whole documents by name and place."""


def snapshot(state: DetectorState) -> list[bytes]:
    """The whole state as records; `shard_of` gives the key of each."""
    return changes(state, NOTHING)[0]


def changes(state: DetectorState, last: Written) -> tuple[list[bytes], Written]:
    """The records that make the `last` snapshot one of `state`, to be written in this order, and what is
    the last one once all of them are."""
    parts, places, documents = list[Part](), dict[str, Place](), _documents(state)
    if ends_hour(state.bucket_s):
        last = NOTHING
    for name, document in documents.items():
        before = last.places.get(name)
        if before is not None and shards.same(document, last.documents[name]):
            places[name] = before
            continue
        places[name] = _next(before, state)
        arrays = {key: packed(array) for key, array in shards.arrays(document).items()}
        parts += _cut(state, name, places[name], msgspec.json.encode(arrays))
    station = _next(last.station, state)
    parts += _cut(state, STATION, station, msgspec.json.encode(_image(state, places)))
    return [msgspec.json.encode(part) for part in parts], Written(station, places, documents)


def shard_of(record: bytes) -> str:
    """The key of a record of `snapshot` in the compacted topic."""
    return msgspec.json.decode(record, type=Part).shard


def restore(records: Iterable[bytes], until_s: float = math.inf) -> DetectorState:
    """The newest whole state among `records`, in any order, of a bucket at or before `until_s`.

    Raises SnapshotError where no snapshot is whole, or none so old.
    """
    return restored(records, until_s)[0]


def restored(records: Iterable[bytes], until_s: float = math.inf) -> tuple[DetectorState, Written]:
    """The same, and the snapshot that it was."""
    found = _join(msgspec.json.decode(record, type=Part) for record in records)
    stations = [place for name, place in found if name == STATION]
    old = (place for place in stations if place.bucket_s <= until_s)
    for station in sorted(old, key=lambda place: place.bucket_s, reverse=True):
        whole = _whole(found, station)
        if whole is not None:
            return whole
    oldest_s = min((place.bucket_s for place in stations), default=0)
    if oldest_s > until_s:
        oldest = datetime.fromtimestamp(oldest_s, UTC).isoformat()
        raise SnapshotError(f"detector-state holds no snapshot so old; the oldest is of {oldest}")
    raise SnapshotError("detector-state holds no whole snapshot: begin anew, or restore the topic")


def _whole(found: Found, station: Place) -> tuple[DetectorState, Written] | None:
    document = found[STATION, station]
    schema = msgspec.json.decode(document, type=Schema).schema
    if schema not in (SCHEMA, SCHEMA - 1):
        return None
    image = msgspec.json.decode(document, type=StationImage)
    if schema == SCHEMA:
        if any((name, place) not in found for name, place in image.documents.items()):
            return None
        rules = [shards.rule_of(rule, _arrays(found, image, f"rule/{rule}")) for rule in image.rules]
    else:
        if any((f"rule/{rule}", station) not in found for rule in image.rules):
            return None
        rules = [schema_two.rule_of(found[f"rule/{rule}", station]) for rule in image.rules]
    state = DetectorState(
        policy=Policy.written(image.policy),
        policy_from_s=image.policy_from_s,
        bucket_s=station.bucket_s,
        rules=tuple(rule for rule, _ in rules),
        cases=tuple(Case(incident, watch) for incident, watch in image.cases),
        looks=tuple(look for _, look in rules),
        outstanding=_outstanding(found, image),
    )
    return state, Written(station, image.documents, _documents(state) if image.documents else {})


def _outstanding(found: Found, image: StationImage) -> Outstanding:
    """Begun anew where a snapshot is older than it is."""
    own = _arrays(found, image, OUTSTANDING)
    return shards.outstanding_of(own) if own else Outstanding()


def _arrays(found: Found, image: StationImage, of: str) -> dict[str, shards.Arrays]:
    """The arrays of a rule, or of another part of the state, by document."""
    own = ((n, p) for n, p in image.documents.items() if n.startswith(f"{of}/"))
    return {
        name.removeprefix(f"{of}/"): {
            key: unpacked(array)
            for key, array in msgspec.json.decode(found[name, place], type=dict[str, Array]).items()
        }
        for name, place in own
    }


def _documents(state: DetectorState) -> dict[str, shards.Document]:
    return {
        f"rule/{rule.rule}/{name}": document
        for rule, look in zip(state.rules, state.looks, strict=True)
        for name, document in shards.documents(rule, look, state.policy).items()
    } | {
        f"{OUTSTANDING}/{name}": document
        for name, document in shards.documents_of_outstanding(state.outstanding).items()
    }


def _image(state: DetectorState, places: dict[str, Place]) -> StationImage:
    return StationImage(
        [r.rule for r in state.rules],
        [(c.incident, c.watch) for c in state.cases],
        msgspec.to_builtins(state.policy),
        state.policy_from_s,
        places,
    )


def ends_hour(bucket_s: int) -> bool:
    """Whether the snapshot after this bucket is the copy of its hour."""
    return (bucket_s + BUCKET_S) % HOUR_S == 0


def _next(before: Place | None, state: DetectorState) -> Place:
    """The slot of the hour at its end, else the one that is not in use: by minute where that is not known."""
    if ends_hour(state.bucket_s):
        return Place(f"h{state.bucket_s // HOUR_S % COPIES:03}", state.bucket_s)
    slot = SLOTS[state.bucket_s // 60 % 2] if before is None else SLOTS[before.slot == SLOTS[0]]
    return Place(slot, state.bucket_s)


def _cut(state: DetectorState, name: str, place: Place, document: bytes) -> Iterator[Part]:
    text = document.decode()
    pieces = [text[i : i + PART_BYTES] for i in range(0, len(text), PART_BYTES)]
    for i, piece in enumerate(pieces):
        shard = f"{name}/{place.slot}/{i}"
        yield Part(shard, i, len(pieces), place.bucket_s, state.policy.version, piece)


def _join(parts: Iterable[Part]) -> Found:
    """Whole documents alone. Parts beyond the last are of a longer one that was there before."""
    pieces: dict[tuple[str, Place], dict[int, Part]] = {}
    for part in parts:
        name, slot, _ = part.shard.rsplit("/", 2)
        pieces.setdefault((name, Place(slot, part.bucket_s)), {})[part.part] = part
    return {
        key: "".join(own[i].data for i in range(own[0].parts)).encode()
        for key, own in pieces.items()
        if 0 in own and all(i in own and own[i].parts == own[0].parts for i in range(own[0].parts))
    }
