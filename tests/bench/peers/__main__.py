"""`make bench-peers`: the same job by us, by other stream processors and by nobody, over the same topic."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import msgspec

from alerts.bench.report import load_1m, machine
from alerts.cli.bench import LOAD_JVM
from alerts.progress import Progress
from streams.embedded import EmbeddedKafka
from tests.bench.peers import plot, report
from tests.bench.peers.heats import DENSITIES, Heats
from tests.bench.peers.outcomes import LONGEST_GRACE_S
from tests.bench.peers.race import Race
from tests.bench.peers.topics import Topics

JSON, PAGE, PLOT = Path("docs/peers.json"), Path("docs/peers.md"), Path("docs/peers.svg")
TICKS_AHEAD = {"log.message.timestamp.after.max.ms": str(LONGEST_GRACE_S * 2000)}
"""By how far a record may lie in the future: those that end a long grace do."""
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"


def main() -> None:
    args = _arguments()
    load_before, heats = load_1m(), []
    progress = Progress()
    for name in args.traffic:
        with (
            EmbeddedKafka(jvm_options=LOAD_JVM, settings=TICKS_AHEAD) as kafka,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        ):
            topics = Topics(kafka.bootstrap_servers)
            race = Heats(topics, Race(topics, Path(home)), progress, args.only)
            heats.append(race.run(name, args.outcomes))
            version = kafka.version
    progress.finish()
    where = machine(version, load_before)
    result = report.Result(time.strftime("%Y-%m-%d", time.gmtime()), where, heats)
    args.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    print(report.page(result))
    if args.docs:
        write_docs(result)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peers ARGS=", description=__doc__)
    parser.add_argument("--outcomes", type=int, default=4_000_000, help="of the longest topic")
    parser.add_argument("--traffic", choices=list(DENSITIES), nargs="+", default=list(DENSITIES))
    parser.add_argument("--only", default="", help="part of the names of the peers that take part")
    parser.add_argument("--out", type=Path, default=Path("peers.json"), help="where the figures go")
    parser.add_argument("--docs", action="store_true", help=f"writes {JSON}, {PLOT} and the tables of {PAGE}")
    return parser.parse_args()


def write_docs(result: report.Result) -> None:
    JSON.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    PLOT.write_text(plot.svg(result))
    head, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(head + BEGIN + report.page(result) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
