"""The `windows` topic as a journal: closed buckets in parts, and back.

The first complete set of parts of one attempt wins; an incomplete one is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from streams.fold import pack, unpack
from streams.pieces import split
from streams.records import COUNTS, Cells, ClosedBucket, SeriesKey, encode
from streams.window import Closing

MOST_BYTES = 900_000
_NUMBERS_ROOM = 1_000  # of the part, and what an empty table takes
_LEAST_ROOM = 100_000

_decoder = msgspec.json.Decoder(ClosedBucket)


def parts(closing: Closing, attempt: str) -> list[bytes]:
    """A closing as JSON records of at most 900 kB. Late cells travel with the first parts."""
    heading = len(encode(_record(closing, attempt, 1, 1, Cells(), Cells()))) + _NUMBERS_ROOM
    room = max(MOST_BYTES - heading, _LEAST_ROOM)
    cells = split(closing.cells, room)
    late = split(closing.late, room) if closing.late.key else []
    n = len(cells) + len(late)
    pieces = [(c, Cells()) for c in cells] + [(Cells(), x) for x in late]
    if len(cells) == 1 and len(late) == 1 and len(encode(cells[0])) + len(encode(late[0])) <= room:
        pieces, n = [(cells[0], late[0])], 1
    return [encode(_record(closing, attempt, i, n, c, x)) for i, (c, x) in enumerate(pieces, 1)]


def _record(c: Closing, attempt: str, part: int, n: int, cells: Cells, late: Cells) -> ClosedBucket:
    return ClosedBucket(
        bucket_s=c.bucket_s,
        attempt=attempt,
        part=part,
        parts=n,
        through=c.through,
        low_water=c.low_water,
        sources=c.sources,
        positions=c.positions,
        cells=cells,
        late=late,
        incomplete=c.incomplete,
        gaps=c.gaps,
    )


class Complete(NamedTuple):
    """One bucket of the journal: its record, and the cells of all its parts."""

    record: ClosedBucket
    cells: Cells
    late: Cells
    first_offset: int
    """Offset in `windows` of the first of its parts."""


@dataclass
class Assembler:
    """Puts parts together, in the order of the topic. Buckets come out once each, rising."""

    newest_bucket_s: int | None = None
    _open: dict[tuple[int, str], list[tuple[int, ClosedBucket]]] = field(default_factory=dict)

    def feed(self, offset: int, value: bytes) -> Complete | None:
        """A complete bucket when this part was the last one missing."""
        record = _decoder.decode(value)
        if self.newest_bucket_s is not None and record.bucket_s <= self.newest_bucket_s:
            return None
        found = self._open.setdefault((record.bucket_s, record.attempt), [])
        if record.part not in [r.part for _, r in found]:
            found.append((offset, record))
        if len(found) < record.parts:
            return None
        self.newest_bucket_s = record.bucket_s
        self._open = {k: v for k, v in self._open.items() if k[0] > record.bucket_s}
        found.sort(key=lambda both: both[1].part)
        records = [r for _, r in found]
        return Complete(
            record,
            join([r.cells for r in records]),
            join([r.late for r in records]),
            min(o for o, _ in found),
        )


def join(pieces: Sequence[Cells]) -> Cells:
    """Parts of cells as one, in order."""
    if len(pieces) == 1:
        return pieces[0]
    whole = Cells()
    index: dict[SeriesKey, int] = {}
    for piece in pieces:
        _append(whole, piece, index)
    return whole


def _append(whole: Cells, piece: Cells, index: dict[SeriesKey, int]) -> None:
    base = len(whole.key)
    for name in piece.keys:
        if name not in index:
            index[name] = len(whole.keys)
            whole.keys.append(name)
    whole.key.extend(index[piece.keys[k]] for k in piece.key)
    for column in ("bucket_s", "finals", *COUNTS, "recipients_n", "distinct", "repeats"):
        getattr(whole, column).extend(getattr(piece, column))
    whole.classes.extend(name for name in piece.classes if name not in whole.classes)
    whole.latency_class.extend(whole.classes.index(piece.classes[i]) for i in piece.latency_class)
    whole.latency_cell.extend(c + base for c in piece.latency_cell)
    whole.latency_bin.extend(piece.latency_bin)
    whole.latency_n.extend(piece.latency_n)
    whole.senders.update({i + base: s for i, s in piece.senders.items()})
    whole.time_critical.update({i + base: n for i, n in piece.time_critical.items()})
    whole.recipients = _join_base64(whole.recipients, piece.recipients)


def _join_base64(a: str, b: str) -> str:
    return pack([*unpack(a).tolist(), *unpack(b).tolist()]) if a and b else a or b
