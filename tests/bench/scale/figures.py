"""What the benchmark of scale has measured: one struct a part, kept in docs/scale.json."""

from __future__ import annotations

import msgspec

from alerts.bench.report import Machine

LEAST_S = 3.0


class Crew(msgspec.Struct, frozen=True):
    """One run of some ingests over 12 partitions. `cpu_s`: of each process, without its start."""

    processes: int
    records: int
    cpu_s: list[float]
    wall_s: float
    cells: int
    peak_rss_mb: list[float]

    @property
    def us(self) -> float:
        """CPU microseconds a record, of all processes together."""
        return 1e6 * sum(self.cpu_s) / self.records


class Size(msgspec.Struct, frozen=True):
    """One size of the grid. CPU is without the start of each process; bytes are on the broker's disk."""

    series: int
    records: int
    per_s: int
    """Of receipt time: so many fall into a second of a bucket."""
    cells: int
    ingest_cpu_s: float
    ingest_rss_mb: float
    windows_cpu_s: float
    windows_rss_mb: float
    topic_bytes: dict[str, int]
    tick_calm_ms: float
    tick_ill_ms: float
    tick_worst_ms: float

    @property
    def cells_per_cpu_s(self) -> float | None:
        """Of windows; None where it took too little to be told from what its start takes, which differs by a
        second from time to time."""
        return self.cells / self.windows_cpu_s if self.windows_cpu_s >= LEAST_S else None


class Look(msgspec.Struct, frozen=True):
    """`behind_s`: by how much the newest closed bucket lies behind the wall clock."""

    at_s: float
    left: int
    behind_s: float
    ingest_rss_mb: float
    windows_rss_mb: float


class Backlog(msgspec.Struct, frozen=True):
    """A day's backlog on partition 0. Seconds count from the start of both processes."""

    records: int
    hours: float
    live_records: int
    live_per_s: int
    read_s: float
    closed_s: float
    live_closed_while_behind: int
    """Buckets of the live time that were closed before the backlog was read."""
    ingest_cpu_s: float
    windows_cpu_s: float
    ingest_rss_mb: float
    windows_rss_mb: float
    cells: int
    looks: list[Look]


class Strike(msgspec.Struct, frozen=True):
    """A SIGKILL 2 s before a bucket is due. Seconds from the kill; `late_s`: after it was due. `ready_s`: of
    who does the work then.
    """

    who: str
    ready_s: float
    next_s: float
    late_s: float


class Takeovers(msgspec.Struct, frozen=True):
    records_per_s: int
    strikes: list[Strike]


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """Parts may be of different runs; each has its machine and load. `days`: of the parts."""

    days: dict[str, str] = {}
    machines: dict[str, Machine] = {}
    crews: list[Crew] = []
    sizes: list[Size] = []
    backlog: Backlog | None = None
    takeovers: Takeovers | None = None
