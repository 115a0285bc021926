"""`make bench-scale`: more processes, more series, a day behind, killed. One part or all."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from alerts.bench.broker import Broker
from alerts.bench.formats import CANONICAL
from alerts.bench.report import load_1m, machine
from alerts.bench.traffic import REGIONS, Workload, source_of
from alerts.cli.bench import LOAD_JVM
from alerts.progress import Progress
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.topics import OUTCOMES, PARTIALS, WINDOWS
from tests.bench.detection import cost
from tests.bench.scale import plot, report
from tests.bench.scale.figures import Crew, Result, Size
from tests.bench.scale.stages import Scale
from tests.bench.scale.strikes import strikes

JSON, PAGE, PLOT = Path("docs/scale.json"), Path("docs/scale.md"), Path("docs/scale.svg")
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"
PARTS = ("ingests", "series", "backlog", "takeover")
TOGETHER = {"group.initial.rebalance.delay.ms": "3000"}
"""All processes of a crew join before anybody has partitions: nothing is dealt twice."""
SERIES = (100, 1_000, 10_000, 100_000)
SERIES_PER_S = 10_000
TICKS = 60


def main() -> None:
    args = _arguments()
    result = msgspec.json.decode(args.out.read_bytes(), type=Result) if args.out.exists() else Result()
    progress = Progress()
    for part in args.parts:
        load = load_1m()
        found, version = _run(part, args, progress)
        day = time.strftime("%Y-%m-%d", time.gmtime())
        result = msgspec.structs.replace(
            result,
            days=result.days | {part: day},
            machines=result.machines | {part: machine(version, load)},
            **found,
        )
        progress.finish()
        args.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
        if args.docs:
            write_docs(result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-scale ARGS=", description=__doc__)
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--records", type=int, default=1_000_000, help="of a run of ingests, and of a size")
    parser.add_argument("--backlog", type=int, default=2_000_000, help="records of the day that is behind")
    parser.add_argument("--rounds", type=int, default=3, help="of ingests, and of kills of each role")
    parser.add_argument(
        "--out", type=Path, default=Path("scale.json"), help="figures; parts that do not run stay as they are"
    )
    parser.add_argument("--docs", action="store_true", help=f"writes {JSON}, {PLOT} and the tables of {PAGE}")
    args = parser.parse_args()
    return argparse.Namespace(**vars(args) | ({"out": JSON} if args.docs else {}))


def write_docs(result: Result) -> None:
    PLOT.write_text(plot.svg(result))
    head, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(head + BEGIN + report.page(result) + END + rest.split(END)[1])


def _run(part: str, args: argparse.Namespace, progress: Progress) -> tuple[dict[str, object], str]:
    """The fields of Result that the part fills, and the version of Kafka."""
    with tempfile.TemporaryDirectory(prefix="carrier-health-scale-", ignore_cleanup_errors=True) as home:
        if part == "takeover":
            return {"takeovers": strikes(Path(home), args.rounds, progress)}, EmbeddedKafka().version
        with _kafka(Path(home), progress) as (kafka, bench):
            if part == "ingests":
                return {"crews": _crews(bench, args.records, args.rounds)}, kafka.version
            if part == "series":
                data = kafka.data_dir
                return {"sizes": [_size(bench, n, args.records, data) for n in SERIES]}, kafka.version
            return {"backlog": bench.backlog(args.backlog)}, kafka.version


@contextmanager
def _kafka(home: Path, progress: Progress) -> Iterator[tuple[EmbeddedKafka, Scale]]:
    """A Kafka of its own a part, and what the start of each process takes on it."""
    with EmbeddedValkey() as valkey, EmbeddedKafka(jvm_options=LOAD_JVM, settings=TOGETHER) as kafka:
        bench = Scale(Broker(kafka.bootstrap_servers), valkey.url, home, progress)
        idle = bench.site("idle", Workload(source_of(CANONICAL), CANONICAL, 0))
        bench.idle(idle)
        bench.clear(idle)
        yield kafka, bench


def _crews(bench: Scale, records: int, rounds: int) -> list[Crew]:
    """Up, down, up: what the machine does meanwhile falls on all of them."""
    sizes = [n for i in range(rounds) for n in ((1, 2, 3, 4) if i % 2 == 0 else (4, 3, 2, 1))]
    crews = []
    for i, n in enumerate(sizes):
        site = bench.site(f"crew-{i}", Workload(source_of(CANONICAL), CANONICAL, records))
        crews.append(bench.crew(n, site))
        bench.clear(site)
    return crews


def _size(bench: Scale, series: int, records: int, data: Path) -> Size:
    carriers = tuple(f"carrier-{i}" for i in range(series // len(REGIONS)))
    work = Workload(source_of(CANONICAL), CANONICAL, records, SERIES_PER_S, carriers=carriers)
    site = bench.site(f"series-{series}", work)
    ingest = bench.ingest(f"ingest, {series:,} series", site)
    windows = bench.windows(f"windows, {series:,} series", site)
    topics = {t: _bytes(data, site.settings.topic(t)) for t in (OUTCOMES, PARTIALS, WINDOWS)}
    bench.clear(site)
    tick = cost.measure(len(carriers), len(REGIONS), TICKS)
    return Size(
        series=series,
        records=records,
        per_s=SERIES_PER_S,
        cells=site.cells,
        ingest_cpu_s=round(ingest.cpu_s - ingest.startup_cpu_s, 3),
        ingest_rss_mb=ingest.peak_rss_mb,
        windows_cpu_s=round(windows.cpu_s - windows.startup_cpu_s, 3),
        windows_rss_mb=windows.peak_rss_mb,
        topic_bytes=topics,
        tick_calm_ms=round(tick.calm_ms, 2),
        tick_ill_ms=round(tick.ill_ms, 2),
        tick_worst_ms=round(tick.worst_ms, 2),
    )


def _bytes(data: Path, topic: str) -> int:
    """Of its segments on the broker's disk."""
    return sum(f.stat().st_size for f in data.rglob("*.log") if f.parent.name.rpartition("-")[0] == topic)


if __name__ == "__main__":
    main()
