"""The race's result: one JSON file, and the tables that are made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import msgspec

from alerts.bench.report import Machine
from tests.bench.peers.race import Run

BAR_TIMES = 5.0
BAR_PER_CPU_S = 345_000
BAR_SHARE, BAR_OVER_MB = 0.25, 150.0


class Entry(msgspec.Struct, frozen=True):
    """One run of one entrant. `ours_per_cpu_s`: `rate` of our run just before, over the same traffic."""

    name: str
    version: str
    how: str
    grace_s: int
    kind: str
    """`limit`, `ours` or `peer`."""
    run: Run
    short: Run | None = None
    """The same over a tenth of the traffic, by which the start of the process falls out."""
    ours_per_cpu_s: float | None = None

    @property
    def times(self) -> float | None:
        """How many of its outcomes we do for one, by the CPU."""
        return None if self.ours_per_cpu_s is None else self.ours_per_cpu_s / self.rate

    @property
    def steady(self) -> float | None:
        """Outcomes a CPU-second between the short run and the long one."""
        if self.short is None:
            return None
        return (self.run.outcomes - self.short.outcomes) / (self.run.all_cpu_s - self.short.all_cpu_s)

    @property
    def rate(self) -> float:
        """Without the start of the process where that is known."""
        return self.steady or self.run.per_cpu_s

    @property
    def exact(self) -> bool:
        return self.run.verdict is not None and self.run.verdict.exact


class Heat(msgspec.Struct, frozen=True):
    """Everybody over one kind of traffic. `per_s`: outcomes a second of event time."""

    name: str
    per_s: float
    windows: int
    bytes_per_outcome: float
    entries: list[Entry]


class Result(msgspec.Struct, frozen=True):
    """One run of the whole race."""

    day: str
    machine: Machine
    heats: list[Heat]


_HEAD = (
    *("", "version", "outcomes", "per CPU-s", "without the start", "ours : it"),
    *("per wall-s", "peak RSS, MB", "exact", "load"),
)


def table(heat: Heat) -> Iterator[str]:
    yield _line(_HEAD)
    yield "|" + "---|" * len(_HEAD)
    for e in heat.entries:
        run, times = e.run, e.times
        yield _line(
            (
                e.name + (f": {e.how}" if e.how else ""),
                e.version,
                f"{run.outcomes:,}",
                f"{run.per_cpu_s:,.0f}",
                "" if e.steady is None else f"{e.steady:,.0f}",
                "" if times is None else f"{times:,.1f}",
                f"{run.per_wall_s:,.0f}",
                f"{run.memory_mb:,.0f}",
                _verdict(e),
                f"{run.load_1m:g}",
            )
        )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _verdict(e: Entry) -> str:
    verdict = e.run.verdict
    if verdict is None:
        return ""
    within = f", grace {e.grace_s:,} s"
    if verdict.exact:
        return "yes" + within
    parts = [
        f"{n:,} {what}"
        for n, what in (
            (verdict.missing, "windows missing"),
            (verdict.wrong, "wrong"),
            (verdict.surplus, "too many"),
        )
        if n
    ]
    return f"no: {', '.join(parts)} of {verdict.windows:,}; {verdict.short_ratio:.2%} short{within}"


def where_it_goes(heat: Heat) -> Iterator[str]:
    """Our CPU by process without its start, microseconds an outcome."""
    yield "| | ingest | windows | rows | together |"
    yield "|---|---|---|---|---|"
    for e in heat.entries:
        if e.kind == "ours" and e.short is not None:
            more, short = e.run.outcomes - e.short.outcomes, e.short.cpu_s
            us = {name: 1e6 * (s - short[name]) / more for name, s in e.run.cpu_s.items()}
            cells = [f"{us[name]:.1f}" for name in ("ingest", "windows", "slide")]
            yield f"| {e.name} | {' | '.join(cells)} | {sum(us.values()):.1f} |"


class Bar(msgspec.Struct, frozen=True):
    """What must hold, and what was measured."""

    what: str
    bar: str
    measured: str
    holds: bool


def bars(heat: Heat) -> list[Bar]:
    peers = [e for e in heat.entries if e.kind == "peer" and e.exact]
    ours = [e for e in heat.entries if e.kind == "ours"]
    if not peers or not ours:
        return []
    best = max(peers, key=lambda e: e.rate)
    best_whole = max(peers, key=lambda e: e.run.per_cpu_s)
    whole = [e for e in peers if e.run.outcomes == ours[0].run.outcomes]  # who reads little, holds little
    leanest = min(whole or peers, key=lambda e: e.run.memory_mb)
    room_mb = BAR_SHARE * leanest.run.memory_mb + BAR_OVER_MB
    out = []
    for name in dict.fromkeys(e.name for e in ours):
        own = [e for e in ours if e.name == name]
        rate, memory_mb = median(e.rate for e in own), max(e.run.memory_mb for e in own)
        times = rate / best.rate
        whole_times = median(e.run.per_cpu_s for e in own) / best_whole.run.per_cpu_s
        out += [
            Bar(
                f"{heat.name}: {name}, times the best exact peer ({best.name})",
                f"≥ {BAR_TIMES:g}",
                f"{times:.1f}",
                times >= BAR_TIMES,
            ),
            Bar(
                f"{heat.name}: the same, start included ({best_whole.name})",
                f"≥ {BAR_TIMES:g}",
                f"{whole_times:.1f}",
                whole_times >= BAR_TIMES,
            ),
            Bar(
                f"{heat.name}: {name}, outcomes a CPU-second",
                f"≥ {BAR_PER_CPU_S:,}",
                f"{rate:,.0f}",
                rate >= BAR_PER_CPU_S,
            ),
            Bar(
                f"{heat.name}: {name}, MB (leanest exact peer: {leanest.name})",
                f"≤ {room_mb:,.0f}",
                f"{memory_mb:,.0f}",
                memory_mb <= room_mb,
            ),
        ]
    return out


def bar_table(all_bars: Sequence[Bar]) -> Iterator[str]:
    yield "| figure | bar | measured | |"
    yield "|---|---|---|---|"
    for b in all_bars:
        yield f"| {b.what} | {b.bar} | {b.measured} | {'holds' if b.holds else '**missed**'} |"


def page(result: Result) -> str:
    """The part of docs/peers.md that a run writes."""
    m = result.machine
    lines = [
        f"{result.day}, {m.cores} cores, {m.system}, Apache Kafka {m.kafka}, confluent-kafka "
        f"{m.confluent_kafka}, librdkafka {m.librdkafka}, Python {m.python}; load average "
        f"{m.load_1m[0]:g} before and {m.load_1m[1]:g} after.",
        "",
        *bar_table([b for heat in result.heats for b in bars(heat)]),
    ]
    for heat in result.heats:
        lines += ["", f"### {heat.name.capitalize()}", ""]
        lines += [
            f"{heat.per_s:,.0f} outcomes a second of event time, {heat.bytes_per_outcome:.0f} bytes each; "
            f"{heat.windows:,} windows must come out of the longest topic.",
            "",
            *table(heat),
            "",
            "Our CPU without the start, microseconds an outcome:",
            "",
            *where_it_goes(heat),
        ]
    return "\n".join(lines) + "\n"
