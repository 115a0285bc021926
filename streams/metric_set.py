"""What a role shows of the list of metrics: the live ones, and their exposition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from importlib import metadata
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_format

from streams.exposition import PREFIX, Family, Metric, Rows, Table
from streams.label_values import BLIND_OF_ALERTS, Blind

DISTRIBUTION = "carrier-health-monitor"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# One more series for every counter, and nobody asks when a counter was born.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Role(StrEnum):
    INGEST = "ingest"
    WINDOWS = "windows"
    ALERTS = "alerts"
    GATEWAY = "gateway"


EVERY_ROLE = tuple(Role)
CONSUMERS = (Role.INGEST, Role.WINDOWS, Role.ALERTS)


class MetricSet:
    """Everything one role exports of the metrics that a class body lists. Raises AttributeError for a metric
    of another role."""

    def __init__(self, role: Role | str, **known: Iterable[str]) -> None:
        """`known`: label values of this installation, such as `source=["twilio"]`; see `expect`."""
        self.role = Role(role)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        mine = [m for m in self.listed() if self.role in m.roles]
        self._made: dict[str, Any] = {m.name: m.make(m, self.registry) for m in mine}
        self._families = [made for made in self._made.values() if isinstance(made, Family)]
        self._expect_all({}, [m for m in mine if m.known])
        self.expect(**known)
        if self.role in CONSUMERS[1:]:
            for reason in Blind:
                if (reason in BLIND_OF_ALERTS) is not (self.role is Role.ALERTS):
                    self.get("blind").remove(reason)
        self.get("build_info").labels(version(), self.role.value).set(1)

    @classmethod
    def listed(cls) -> tuple[Metric[Any], ...]:
        """The list itself, in the order of the class bodies."""
        return tuple(m for part in cls.__mro__ for m in vars(part).values() if isinstance(m, Metric))

    def get(self, name: str) -> Any:
        """The live metric. Raises AttributeError when this role does not export it."""
        if name not in self._made:
            raise AttributeError(f"the role {self.role} does not export {PREFIX}{name}")
        return self._made[name]

    def expect(self, **known: Iterable[str]) -> None:
        """Makes series exist at 0 wherever every label has known values.

        A counter born at 5000 has no increase in Prometheus; one that was 0 before has.
        """
        values = {label: tuple(given) for label, given in known.items()}
        self._expect_all(values, [m for m in self.listed() if not values.keys().isdisjoint(m.labels)])

    def _expect_all(self, values: Mapping[str, Sequence[str]], metrics: Iterable[Metric[Any]]) -> None:
        for m in metrics:
            if m.name in self._made and m.kind != "histogram":
                self._expect(m, {**values, **m.known})

    def _expect(self, metric: Metric[Any], values: Mapping[str, Sequence[str]]) -> None:
        if any(label not in values for label in metric.labels):
            return
        made = self._made[metric.name]
        for key in product(*(values[label] for label in metric.labels)):
            if isinstance(made, Table):
                made.add(tuple(map(str, key)), 0)
            else:
                made.labels(*key)

    def provide_lag(self, lag: Callable[[], int | None]) -> None:
        """`lag` of the one partition that the role reads; None leaves the series out."""

        def rows() -> Rows:
            now = lag()
            return Rows([], []) if now is None else Rows([(self.role.value, "0")], [float(now)])

        self.get("consumer_lag_records").provide(rows)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics where `accept` names it, else text."""
        openmetrics = "application/openmetrics-text" in accept
        tables = "".join(family.render(openmetrics) for family in self._families).encode()
        if not openmetrics:
            return generate_latest(self.registry) + tables, TEXT
        small: bytes = openmetrics_format.generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return small.removesuffix(b"# EOF\n") + tables + b"# EOF\n", OPENMETRICS


def version() -> str:
    """Of what runs; `unknown` where it is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
