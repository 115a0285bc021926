"""Folded lines as the cells of 10 s buckets that the deciding stations take.

Buckets longer than 10 s are laid out over 10 s slots as a Poisson stream would have come: given their
sum, counts fall into the slots at random, evenly. So everything that the detector says in seconds, or
learns of the scatter between buckets, holds as it does live. The draw depends on the bucket's start
and series alone: the same file gives the same incidents.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.replay.folded import LATENCY_COLUMNS, Bucket, Line
from streams import settings
from streams.codes import CLASSES, NO_FAULT_CLASS, CodeBook, CodeTable, family
from streams.decode import FORMATS
from streams.errors import ConfigError
from streams.records import BUCKET_S, UNKNOWN, Cells, SeriesKey
from streams.source import IN_FLIGHT_CLASS, SUBMISSIONS, clean_code, profile_of

Ints = NDArray[np.int64]
Latency = tuple[int, ...]
"""Outcomes by column of LATENCY_BOUNDS_S and +Inf; () where no latency is told."""
DELIVERED = "delivered"
_OWN = "own"
_FAMILIES = {"twilio": "twilio", "smpp": "twilio-smpp"}


class Cell(NamedTuple):
    """Counts of one series in one bucket; `distinct` is None where no recipients are told."""

    key: SeriesKey
    finals: int
    distinct: int | None
    sends: int
    latency: Latency = ()


class Reader:
    """Says what the codes and classes of each source are, by its code profile."""

    def __init__(
        self, sources: Iterable[settings.Source], code_tables: Sequence[settings.CodeTable] = ()
    ) -> None:
        self._book, self._own_tables = CodeBook(code_tables), code_tables
        self.profiles: dict[str, str] = {}
        """Code profile by source: those configured, and those met since."""
        self.families: dict[str, frozenset[str]] = {}
        """The same with what each extends: what rules are resolved against."""
        for source in sources:
            self._know(source.name, profile_of(source))
        self._keys: dict[tuple[str, str, str, str], SeriesKey | None] = {}

    def profile(self, source: str) -> str:
        """The code profile of a source: as configured, else as its name says.

        Raises ConfigError where neither tells.
        """
        if source not in self.profiles:
            self._know(source, self._guessed(source))
        return self.profiles[source]

    def _know(self, source: str, profile: str) -> None:
        self.profiles[source] = profile
        self.families[source] = family(profile, self._own_tables)

    def slots(self, bucket: Bucket) -> Iterator[tuple[int, Cells]]:
        """(bucket_s, cells) of each 10 s slot of a bucket, in order."""
        return _slots(bucket, [cell for line in bucket.lines for cell in self.cells(line)])

    def cells(self, line: Line) -> Iterator[Cell]:
        """The counts of one line by series; those of the sender's own side are left out."""
        for name, finals in line.counts.items():
            key = self._key(line, name)
            if finals and key is not None:
                given = line.distinct.get(name) if key.outcome_class != DELIVERED else None
                distinct = None if given is None else min(given, finals)
                yield Cell(key, finals, distinct, 0, _latency(line, name))
        if line.sends:
            yield Cell(SeriesKey(line.source, *_place(line), IN_FLIGHT_CLASS, ""), 0, None, line.sends)

    def _key(self, line: Line, name: str) -> SeriesKey | None:
        at = (line.source, line.carrier, line.region, name)
        if at not in self._keys:
            self._keys[at] = self._resolved(line, name)
        return self._keys[at]

    def _resolved(self, line: Line, name: str) -> SeriesKey | None:
        """The series of a code or class; None where the fault is the sender's own, which is no outcome
        of the carrier."""
        outcome_class, code, side = self._kind(self._book.table(self.profile(line.source)), name)
        if side == _OWN:
            return None
        return SeriesKey(line.source, *_place(line), outcome_class, code)

    def _kind(self, table: CodeTable, name: str) -> tuple[str, str, str]:
        """(class, code, side)"""
        if name in (DELIVERED, NO_FAULT_CLASS):
            return DELIVERED, "", UNKNOWN
        if name in CLASSES:
            sides = {row.side for row in table.rows if row.outcome_class == name}
            return name, "", _OWN if sides == {_OWN} else UNKNOWN
        code = clean_code(name)
        row = table.lookup(code) or SUBMISSIONS.lookup(code)
        if row is None:
            return UNKNOWN, code, UNKNOWN
        if row.outcome_class == NO_FAULT_CLASS:
            return DELIVERED, "", UNKNOWN
        return row.outcome_class, row.code, _OWN if row.refused else row.side

    def _guessed(self, source: str) -> str:
        """`twilio` and `smpp-east` say enough; what else a name may say is a format or a code profile."""
        if source in self._book.profiles:
            return source
        if source in FORMATS:
            return FORMATS[source].codes
        known = _FAMILIES.get(source.split("-")[0])
        if known is None:
            raise ConfigError(
                f"source '{source}' is not in the configuration, and its name is no format or code profile: "
                "give --config with a [[sources]] of that name"
            )
        return known


def _latency(line: Line, name: str) -> Latency:
    told = line.latency_s.get(name)
    return tuple(told.get(bound, 0) for bound in LATENCY_COLUMNS) if told else ()


def _place(line: Line) -> tuple[str, str]:
    """Carrier and region as the metrics name them."""
    return line.carrier or UNKNOWN, line.region or UNKNOWN


def _slots(bucket: Bucket, cells: Iterable[Cell]) -> Iterator[tuple[int, Cells]]:
    merged = tuple(_merged(cells))
    parts = bucket.length_s // BUCKET_S
    if parts == 1:
        yield bucket.start_s, _table(bucket.start_s, merged)
        return
    spread = [laid(cell, parts, bucket.start_s) for cell in merged]
    for i in range(parts):
        start_s = bucket.start_s + i * BUCKET_S
        yield start_s, _table(start_s, [slot[i] for slot in spread if slot[i].finals or slot[i].sends])


def _merged(cells: Iterable[Cell]) -> Iterator[Cell]:
    """One cell a series: the same series may stand in several lines."""
    sums: dict[SeriesKey, Cell] = {}
    for cell in cells:
        old = sums.get(cell.key)
        sums[cell.key] = cell if old is None else _sum(old, cell)
    return iter(sums.values())


def _sum(a: Cell, b: Cell) -> Cell:
    """Where only one of the two tells recipients, every failure of the other counts as one."""
    known = [cell.finals if cell.distinct is None else cell.distinct for cell in (a, b)]
    told = a.distinct is not None or b.distinct is not None
    latency = tuple(map(sum, zip(a.latency, b.latency, strict=True))) if a.latency and b.latency else ()
    return Cell(
        a.key,
        a.finals + b.finals,
        sum(known) if told else None,
        a.sends + b.sends,
        latency or a.latency or b.latency,
    )


def laid(cell: Cell, parts: int, start_s: int) -> list[Cell]:
    """One cell over equal parts of its bucket, at random; the bucket's start and series fix the draw."""
    seed = zlib.crc32("\0".join(cell.key).encode())
    rng = np.random.default_rng((start_s, seed))
    even = np.full(parts, 1 / parts)
    finals, sends = rng.multinomial(cell.finals, even), rng.multinomial(cell.sends, even)
    distinct: list[int | None] = [None] * parts
    if cell.distinct is not None:
        distinct = list(rng.multivariate_hypergeometric(finals, cell.distinct, method="marginals").tolist())
    columns = zip(finals.tolist(), distinct, sends.tolist(), _latencies(cell, finals, rng), strict=True)
    return [Cell(cell.key, *column) for column in columns]


def _latencies(cell: Cell, finals: Ints, rng: np.random.Generator) -> Iterator[Latency]:
    """The latencies of a cell's outcomes, dealt to slots of so many `finals`."""
    left = np.array((*cell.latency, cell.finals - sum(cell.latency)))
    for n in finals.tolist():
        if not cell.latency:
            yield ()
            continue
        dealt = rng.multivariate_hypergeometric(left, n, method="marginals")
        left = left - dealt
        yield tuple(dealt[:-1].tolist())


def _table(bucket_s: int, cells: Iterable[Cell]) -> Cells:
    """The columns; `distinct` and `repeats` are both 0 where no recipients are told (as in `windows`)."""
    table = Cells()
    for number, (key, finals, distinct, sends, latency) in enumerate(cells):
        table.keys.append(key)
        table.key.append(number)
        table.bucket_s.append(bucket_s)
        table.finals.append(finals)
        table.sends.append(sends)
        table.distinct.append(distinct or 0)
        table.repeats.append(0 if distinct is None else finals - distinct)
        for column, n in enumerate(latency):
            if n:
                table.latency_cell.append(number)
                table.latency_bin.append(column)
                table.latency_n.append(n)
    return table
