"""The page of scale: one table a part, and the arithmetic that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from streams.topics import OUTCOMES, PARTIALS, WINDOWS
from tests.bench.scale.arithmetic import DAILY, Need, need
from tests.bench.scale.figures import Backlog, Crew, Result, Size, Strike, Takeovers

FLAT_WITHIN = 0.10
WHO = {
    "ingest": "ingest, started again under its own name",
    "windows": "windows, started again under its own name",
    "standby": "windows, which stays down: its standby takes over",
    "alerts": "alerts, started again under its own name",
}


def page(result: Result) -> str:
    """Everything between the markers of docs/scale.md; a part that has not run is left out."""
    tables = {
        ("ingests", "One to four ingests"): _ingests(result.crews) if result.crews else (),
        ("series", "100 to 100,000 series"): _series(result.sizes) if result.sizes else (),
        ("backlog", "A day's backlog on one partition"): _backlog(result.backlog) if result.backlog else (),
        ("takeover", "Killed: how long until the work goes on"): (
            _takeovers(result.takeovers) if result.takeovers else ()
        ),
    }
    lines = list[str]()
    for (name, title), table in tables.items():
        if found := [*table]:
            lines += [f"### {title}", _where(result, name), "", *found, ""]
    if result.crews and result.sizes:
        lines += ["### One, ten and a hundred thousand million a day", *_arithmetic(result), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def by_processes(crews: Sequence[Crew]) -> dict[int, list[Crew]]:
    """Runs by how many ingests shared the topic, least first."""
    return {n: [c for c in crews if c.processes == n] for n in sorted({c.processes for c in crews})}


def by_role(strikes: Sequence[Strike]) -> dict[str, list[Strike]]:
    return {who: [s for s in strikes if s.who == who] for who in dict.fromkeys(s.who for s in strikes)}


def _where(result: Result, part: str) -> str:
    m = result.machines[part]
    before, after = m.load_1m
    return (
        f"{result.days[part]}, {m.cores} cores, {m.system}, Apache Kafka {m.kafka}, confluent-kafka "
        f"{m.confluent_kafka}, Python {m.python}; load average {before:g} before, {after:g} after."
    )


def _ingests(crews: Sequence[Crew]) -> Iterator[str]:
    yield _row(
        "processes", "runs", "CPU, µs a record", "", "beside one", "cells", "records/wall-s", "MB each"
    )
    yield "|" + "---|" * 8
    groups = by_processes(crews)
    one = median(c.us for c in groups[min(groups)])
    for n, runs in groups.items():
        us = [c.us for c in runs]
        yield _row(
            n,
            len(runs),
            f"{median(us):.2f}",
            f"{min(us):.2f} to {max(us):.2f}",
            f"{median(us) / one - 1:+.0%}",
            f"{median(c.cells for c in runs):,.0f}",
            f"{median(c.records / c.wall_s for c in runs):,.0f}",
            f"{max(m for c in runs for m in c.peak_rss_mb):,.0f}",
        )
    worst = max(median(c.us for c in runs) / one - 1 for runs in groups.values())
    verdict = "holds" if worst <= FLAT_WITHIN else "**missed**"
    yield ""
    yield f"The bar, at most {FLAT_WITHIN:.0%} more a record than by one: {verdict}, {worst:+.0%}."


def _series(sizes: Sequence[Size]) -> Iterator[str]:
    yield _row(
        *("series", "cells", "ingest, µs a record", "MB", "windows, µs a cell", "cells/CPU-s", "MB"),
        *("bytes a record in `partials`", "in `windows`", "tick, ms", "in an incident", "worst"),
    )
    yield "|" + "---|" * 12
    for s in sizes:
        yield _row(
            f"{s.series:,}",
            f"{s.cells:,}",
            f"{1e6 * s.ingest_cpu_s / s.records:.1f}",
            f"{s.ingest_rss_mb:,.0f}",
            f"{1e6 / s.cells_per_cpu_s:.1f}" if s.cells_per_cpu_s else "",
            f"{s.cells_per_cpu_s:,.0f}" if s.cells_per_cpu_s else "",
            f"{s.windows_rss_mb:,.0f}",
            f"{s.topic_bytes[PARTIALS] / s.records:.1f}",
            f"{s.topic_bytes[WINDOWS] / s.records:.1f}",
            f"{s.tick_calm_ms:.1f}",
            f"{s.tick_ill_ms:.1f}",
            f"{s.tick_worst_ms:.1f}",
        )
    one = sizes[0]
    bytes_each = one.topic_bytes[OUTCOMES] / one.records
    yield ""
    yield (
        f"{one.records:,} records each, {one.per_s:,} a second, of {bytes_each:.0f} bytes on the broker's "
        "disk. Where windows took less than three seconds it is not told from its start."
    )


def _backlog(b: Backlog) -> Iterator[str]:
    yield _row("", "")
    yield "|---|---|"
    for name, value in (
        ("records that partition 0 is behind by", f"{b.records:,}, {b.hours:g} hours of them"),
        ("live meanwhile, on all 12 partitions", f"{b.live_per_s:,} a second, {b.live_records:,} in all"),
        ("partition 0 is read", f"{b.read_s:,.0f} s after the start: {b.records / b.read_s:,.0f} a second"),
        ("a live bucket is closed", f"{b.closed_s:,.0f} s after the start"),
        ("live buckets closed while it was behind", f"{b.live_closed_while_behind}"),
        (
            "CPU of ingest and of windows, without their start",
            f"{b.ingest_cpu_s:,.1f} s and {b.windows_cpu_s:,.1f} s",
        ),
        ("highest memory of each", f"{b.ingest_rss_mb:,.0f} MB and {b.windows_rss_mb:,.0f} MB"),
        ("cells", f"{b.cells:,}"),
    ):
        yield _row(name, value)


def _takeovers(t: Takeovers) -> Iterator[str]:
    yield _row("SIGKILL to", "times", "ready after, s", "", "the bucket due next came late by, s", "")
    yield "|" + "---|" * 6
    for who, strikes in by_role(t.strikes).items():
        ready, late = [s.ready_s for s in strikes], [s.late_s for s in strikes]
        yield _row(WHO[who], len(strikes), *_spread(ready), *_spread(late))
    yield ""
    yield f"Under {t.records_per_s:,} records a second. The bucket was due 2 s after the kill."


def _spread(values: Sequence[float]) -> tuple[str, str]:
    return f"{median(values):.1f}", f"{min(values):.1f} to {max(values):.1f}"


def _arithmetic(result: Result) -> Iterator[str]:
    needs = [need(result, daily) for daily in DAILY]
    yield _row("", *(f"{n.daily / 1e9:g} · 10⁹ a day" for n in needs))
    yield "|" + "---|" * (len(needs) + 1)
    for title, text in _NEEDS:
        yield _row(title, *(text(n) for n in needs))


_NEEDS: Sequence[tuple[str, Callable[[Need], str]]] = (
    ("a second: mean, at the peak", lambda n: f"{n.mean_per_s:,.0f}, {n.peak_per_s:,.0f}"),
    ("ingest: cores at the peak", lambda n: f"{n.ingest_cores:,.1f}"),
    ("ingest: processes, each half busy at the peak", lambda n: f"{n.processes:,}"),
    ("cells a second at the peak", lambda n: f"{n.cells_per_s:,.0f}"),
    ("windows: of its one core, at the peak", lambda n: f"{n.windows_core:.0%}"),
    ("alerts: of its one core, in an incident", lambda n: f"{n.alerts_core:.1%}"),
    ("`outcomes`, uncompressed, GB a day", lambda n: f"{n.outcomes_gb:,.0f}"),
    ("`partials`, GB a day", lambda n: f"{n.partials_gb:,.0f}"),
    ("`windows`, GB a day", lambda n: f"{n.windows_gb:,.1f}"),
)


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(c) for c in cells)} |"
