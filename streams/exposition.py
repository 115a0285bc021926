"""What a metric is declared as, and families too wide for one Python object a series.

A table of 20,000 series renders in some 15 ms, a tenth of what the client's objects take: the
label text of a series is made once, a scrape only joins it with the newest number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge

PREFIX = "carrier_health_"
UNITS = ("seconds", "ratio", "records")
T = TypeVar("T")

Key = tuple[str, ...]
"""Label values, in the order of the metric's label names."""


class Rows(NamedTuple):
    """One value a series. A NaN leaves its series out: a ratio without a denominator is no 0."""

    keys: Sequence[Key]
    values: NDArray[Any] | Sequence[float]


class Bins(NamedTuple):
    """Histograms: `counts[i]` holds the counts of series i per bound and +Inf, not cumulated.

    Where only the counts are known, `_sum` (which OpenMetrics wants beside `_count`) is estimated:
    each value stands in the middle of its bin, those above the last bound at that bound.
    """

    keys: Sequence[Key]
    counts: NDArray[Any] | Sequence[Sequence[int]]
    sums: Sequence[float] | None = None


class Family:
    """What tables and histograms share: the heading and the label text of each series."""

    def __init__(self, name: str, kind: str, text: str, labels: Sequence[str], unit: str = "") -> None:
        self.name, self.kind, self.text, self.labels, self.unit = name, kind, text, tuple(labels), unit
        self._label_text: dict[Key, str] = {}

    def heading(self, openmetrics: bool) -> str:
        """HELP and TYPE; OpenMetrics names a counter's family without `_total` and adds UNIT."""
        name = self.name.removesuffix("_total") if openmetrics else self.name
        lines = f"# HELP {name} {_escape_help(self.text, openmetrics)}\n# TYPE {name} {self.kind}\n"
        return lines + (f"# UNIT {name} {self.unit}\n" if openmetrics and self.unit else "")

    def label_text(self, key: Key) -> str:
        """`carrier="310-260",region="US"`. Raises ValueError when the key does not fit the labels."""
        found = self._label_text.get(key)
        if found is None:
            pairs = zip(self.labels, key, strict=True)
            found = ",".join(f'{label}="{_escape(value)}"' for label, value in pairs)
            self._label_text[key] = found
        return found

    def forget_labels(self, living: int) -> None:
        """Drops the label text once most of it belongs to series that are gone."""
        if len(self._label_text) > 2 * living + 1000:
            self._label_text.clear()

    def render(self, openmetrics: bool) -> str:
        raise NotImplementedError


class Table(Family):
    """A gauge or counter family: kept here value by value, or read as a whole at scrape time."""

    def __init__(self, name: str, kind: str, text: str, labels: Sequence[str], unit: str = "") -> None:
        super().__init__(name, kind, text, labels, unit)
        self._values: dict[Key, float] = {}
        self._read: Callable[[], Rows | None] | None = None

    def provide(self, read: Callable[[], Rows | None]) -> None:
        """`read` is called by the HTTP thread at each scrape: hand out what nobody changes later."""
        self._read = read

    def add(self, key: Key, n: float = 1) -> None:
        """Adds to one series; 0 makes it exist, which a first increment needs to be seen."""
        self._values[key] = self._values.get(key, 0) + n

    def set(self, key: Key, value: float) -> None:
        self._values[key] = value

    def remove(self, key: Key) -> None:
        """Takes a series out, so that Prometheus marks it stale at the next scrape."""
        self._values.pop(key, None)

    def items(self) -> Iterable[tuple[Key, float]]:
        """What the next scrape shows. One C call copies the dictionary: safe beside its writer."""
        kept = list(self._values.items())
        rows = self._read() if self._read else None
        if rows is None:
            return kept
        return [*kept, *zip(rows.keys, np.asarray(rows.values).tolist(), strict=True)]

    def render(self, openmetrics: bool) -> str:
        lines = [self.heading(openmetrics)]
        for key, value in self.items():
            if not math.isnan(value):
                lines.append(f"{self.name}{_braces(self.label_text(key))} {value!r}\n")
        self.forget_labels(len(lines))
        return "".join(lines)


class Histogram(Family):
    """A histogram family with fixed bounds, read as a whole at scrape time."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], unit: str, bounds: Sequence[float]
    ) -> None:
        super().__init__(name, "histogram", text, labels, unit)
        self._le = [f'le="{float(b)}"' for b in bounds] + ['le="+Inf"']
        upper = np.array([*bounds, bounds[-1]], dtype=float)
        self._middles = (upper + np.concatenate(([0.0], upper[:-1]))) / 2
        self._read: Callable[[], Bins | None] | None = None

    def provide(self, read: Callable[[], Bins | None]) -> None:
        """As for a table."""
        self._read = read

    def render(self, openmetrics: bool) -> str:
        bins = self._read() if self._read else None
        lines = [self.heading(openmetrics)]
        if bins is not None:
            for i, key in enumerate(bins.keys):
                lines.extend(
                    self._series(key, np.asarray(bins.counts[i]), None if bins.sums is None else bins.sums[i])
                )
        return "".join(lines)

    def _series(self, key: Key, counts: NDArray[Any], total: float | None) -> Iterable[str]:
        labels = self.label_text(key)
        cumulated = np.cumsum(counts).tolist()
        comma = "," if labels else ""
        for le, count in zip(self._le, cumulated, strict=True):
            yield f"{self.name}_bucket{{{labels}{comma}{le}}} {count}\n"
        total = float(counts @ self._middles) if total is None else float(total)
        yield f"{self.name}_sum{_braces(labels)} {total!r}\n"
        yield f"{self.name}_count{_braces(labels)} {cumulated[-1]}\n"


class Exporter(Protocol):
    """Who holds the live metrics that the declarations stand for."""

    def get(self, name: str) -> Any: ...


class Metric(Generic[T]):
    """One declared metric: a class attribute that reads as the live one on an instance."""

    name: str

    def __init__(
        self,
        kind: str,
        make: Callable[[Metric[T], CollectorRegistry], T],
        roles: Sequence[str],
        text: str,
        labels: Sequence[str],
        known: dict[str, type[StrEnum]] | None = None,
    ) -> None:
        self.kind, self.make, self.roles, self.text, self.labels = kind, make, roles, text, tuple(labels)
        self.known = {label: tuple(str(v) for v in values) for label, values in (known or {}).items()}

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @property
    def unit(self) -> str:
        """The unit that the name ends in, '' for plain counts."""
        plain = self.name.removesuffix("_total")
        return next((unit for unit in UNITS if self.kind != "counter" and plain.endswith(f"_{unit}")), "")

    @overload
    def __get__(self, holder: None, owner: type) -> Metric[T]: ...
    @overload
    def __get__(self, holder: Exporter, owner: type) -> T: ...
    def __get__(self, holder: Exporter | None, owner: type) -> Metric[T] | T:
        if holder is None:
            return self
        found: T = holder.get(self.name)
        return found


def counter(roles: Sequence[str], text: str, *labels: str, **known: type[StrEnum]) -> Metric[Counter]:
    """`known` names the enum of a label's values: those series exist at 0 from the start."""

    def make(m: Metric[Counter], registry: CollectorRegistry) -> Counter:
        return Counter(m.full_name, m.text, m.labels, unit=m.unit, registry=registry)

    return Metric("counter", make, roles, text, labels, known)


def gauge(roles: Sequence[str], text: str, *labels: str, **known: type[StrEnum]) -> Metric[Gauge]:
    """As `counter`."""

    def make(m: Metric[Gauge], registry: CollectorRegistry) -> Gauge:
        return Gauge(m.full_name, m.text, m.labels, unit=m.unit, registry=registry)

    return Metric("gauge", make, roles, text, labels, known)


def wide_counter(roles: Sequence[str], text: str, *labels: str) -> Metric[Table]:
    return Metric("counter", _make_table, roles, text, labels)


def wide_gauge(roles: Sequence[str], text: str, *labels: str) -> Metric[Table]:
    return Metric("gauge", _make_table, roles, text, labels)


def wide_histogram(
    roles: Sequence[str], text: str, *labels: str, bounds: Sequence[float]
) -> Metric[Histogram]:
    """`bounds` are inclusive upper ones, ascending, without +Inf."""

    def make(m: Metric[Histogram], _: CollectorRegistry) -> Histogram:
        return Histogram(m.full_name, m.text, m.labels, m.unit, bounds)

    return Metric("histogram", make, roles, text, labels)


def _make_table(m: Metric[Table], _: CollectorRegistry) -> Table:
    return Table(m.full_name, m.kind, m.text, m.labels, m.unit)


def _braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _escape_help(text: str, openmetrics: bool) -> str:
    return _escape(text) if openmetrics else text.replace("\\", r"\\").replace("\n", r"\n")
