"""Kinds of records: what a (status, code, carrier, region) of a source counts as, worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from sys import intern
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from streams.carrier import Checked
from streams.records import Reading, Result, SeriesKey
from streams.region import Level, RegionOf
from streams.source import Kind, Source
from streams.teller import FullLabels, Labels, Teller

I64 = NDArray[np.int64]

MOST = 500_000
RESULTS = tuple(Result)
CODE = {result: i for i, result in enumerate(RESULTS)}
"""Number of each result, in the order in which the first that fits is the one."""

CHECKED = tuple(Checked)
"""What Lookup says beside the record, in the order of the numbers in `checked`."""

_DELIVERED = "delivered"
_LABELS = attrgetter("status", "code", "carrier", "region")


class Kinds:
    """Numbers every distinct kind; `stage`, `result`, `fails`, `delivers`, `signals` and `checked` go by that
    number."""

    def __init__(self, sources: Iterable[str], tellers: Mapping[str, Teller]) -> None:
        """`tellers`: of the sources whose carriers are told by more than their records."""
        self._tellers = tellers
        self._region_of = {level: RegionOf(level) for level in get_args(Level)}
        self._numbers: dict[str, dict[Any, int]] = {name: {} for name in sources}
        self.keys: list[SeriesKey] = []
        self.stage: NDArray[np.uint16] = np.zeros(1024, np.uint16)
        self.result: NDArray[np.uint8] = np.zeros(1024, np.uint8)
        self.fails: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        self.signals: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        self.delivers: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        self.checked: NDArray[np.uint8] = np.zeros(1024, np.uint8)

    @property
    def checks(self) -> bool:
        """Whether any carrier is compared with Lookup's."""
        return any(teller.looks_up for teller in self._tellers.values())

    def count_checked(
        self, rows: I64, sources: I64, names: list[str], into: dict[tuple[str, str], int]
    ) -> None:
        """Adds what Lookup says beside records of these kinds, by the source's name."""
        if not self.checks:
            return
        flat = np.bincount(sources * len(CHECKED) + self.checked[rows])
        for i in np.flatnonzero(flat).tolist():
            number, what = divmod(i, len(CHECKED))
            if what:
                name = (names[number], CHECKED[what].value)
                into[name] = into.get(name, 0) + int(flat[i])

    def rows(self, source: Source, readings: Sequence[Reading]) -> list[int]:
        """The number of each reading's kind; regions that no label tells come from the number."""
        labels: list[Labels] = list(map(_LABELS, readings))
        given = [region for _, _, _, region in labels]
        if not all(given):
            labels = self._at_home(source, labels, [r.to for r in readings])
        teller = self._tellers.get(source.name)
        if teller is None:
            return self._find(source, labels)
        found = self._find(source, teller.tell(labels, readings))
        teller.ask(readings, found, self.fails)
        return found

    def _find(self, source: Source, labels: Sequence[FullLabels]) -> list[int]:
        found: list[Any] = list(map(self._numbers[source.name].get, labels))
        if None in found:
            return [self._number(source, t) if n is None else n for n, t in zip(found, labels, strict=True)]
        return found

    def _at_home(self, source: Source, labels: list[Labels], numbers: list[str | None]) -> list[Labels]:
        """The labels, with the region of the number where none was told; no number tells none."""
        if not any(numbers):
            return labels
        homes = self._region_of[source.config.region_level].many([n or "" for n in numbers])
        return [t if t[3] else (*t[:3], home) for t, home in zip(labels, homes, strict=True)]

    def forget(self) -> None:
        """Bounds memory against ever new labels; only while nobody holds numbers."""
        if len(self.keys) > MOST:
            self.keys = []
            self._numbers = {name: {} for name in self._numbers}

    def _number(self, source: Source, labels: FullLabels) -> int:
        numbers = self._numbers[source.name]
        if labels not in numbers:
            # Kinds share their words, so that all of them stay in the processor's cache: half the time.
            shared = tuple(intern(word) if isinstance(word, str) else word for word in labels)
            numbers[shared] = self._add(source.kind(*labels))
        return numbers[labels]

    def _add(self, kind: Kind) -> int:
        row = len(self.keys)
        self.keys.append(kind.key)
        if row == len(self.stage):
            self.stage = np.concatenate([self.stage, np.zeros_like(self.stage)])
            self.result = np.concatenate([self.result, np.zeros_like(self.result)])
            self.fails = np.concatenate([self.fails, np.zeros_like(self.fails)])
            self.signals = np.concatenate([self.signals, np.zeros_like(self.signals)])
            self.delivers = np.concatenate([self.delivers, np.zeros_like(self.delivers)])
            self.checked = np.concatenate([self.checked, np.zeros_like(self.checked)])
        self.stage[row], self.result[row] = kind.stage, CODE[kind.result]
        self.fails[row], self.signals[row] = kind.failed, kind.signals
        self.delivers[row] = kind.key.outcome_class == _DELIVERED
        self.checked[row] = CHECKED.index(kind.checked)
        return row
