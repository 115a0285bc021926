"""Where ingest's time goes: a flame graph as text, of samples of its stacks.

    make bench-profile [ARGS=RECORDS]

The benchmark's dense canonical records; py-spy (which `make` brings) looks at the running process 200 times a
second. Each line is a function below the one that calls it, with its share of the samples in which
the process took CPU; what has less than 1 % is left out. Shares differ by one or two points from run to run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.bench.broker import Broker
from alerts.bench.child import Child
from alerts.bench.formats import CANONICAL
from alerts.bench.stages import Bench, Site
from alerts.bench.traffic import Workload, source_of
from alerts.progress import Progress
from streams.embedded import EmbeddedKafka, EmbeddedValkey

RECORDS, A_SECOND, LEAST_SHARE = 1_500_000, 200, 0.01
FROM = "Ingest._loop"
"""What is below it is shown; what is not (start, other threads) is one line."""
ELSEWHERE = "start, end and other threads"
_LINE = re.compile(r":\d+\)$")


@dataclass
class Node:
    """Samples in a function, and in those that it calls."""

    samples: int = 0
    calls: dict[str, Node] = field(default_factory=dict)

    def add(self, frames: Iterable[str], samples: int) -> None:
        node = self
        node.samples += samples
        for frame in frames:
            node = node.calls.setdefault(frame, Node())
            node.samples += samples


def tree(stacks: Iterable[str], begin: str = FROM) -> Node:
    """Of lines `outermost;…;innermost samples`, from the frame on that begins with `begin`. Frames are
    `function (file:line)`; lines of one function are added up. Raises ValueError for any other line."""
    root = Node()
    for line in stacks:
        stack, _, samples = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        starts = [i for i, frame in enumerate(frames) if frame.startswith(begin)]
        root.add(frames[starts[0] :] if starts else [ELSEWHERE], int(samples))
    return root


def lines(node: Node, least_share: float = LEAST_SHARE) -> Iterator[str]:
    """The tree, most samples first: share in per cent, and the name further right the deeper it is."""

    def below(caller: Node, depth: int) -> Iterator[str]:
        for name, child in sorted(caller.calls.items(), key=lambda pair: (-pair[1].samples, pair[0])):
            share = child.samples / node.samples
            if share >= least_share:
                yield f"{share * 100:5.1f} {'  ' * depth}{name}"
                yield from below(child, depth + 1)

    yield from below(node, 0)


class Sampled(Bench):
    """The benchmark's stages, with the sampler at each process that it starts until that ends."""

    def __init__(self, *args: Any, profiler: str, into: Path) -> None:
        super().__init__(*args)
        self._command = [
            *shlex.split(profiler),
            "record",
            "--nonblocking",
            "--format",
            "raw",
            "--rate",
            str(A_SECOND),
        ]
        self._into = into

    def _role(self, role: str, site: Site) -> Child:
        child = super()._role(role, site)
        if site.work.records:
            command = [*self._command, "--output", str(self._into), "--pid", str(child.pid)]
            self.sampler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return child


def main() -> None:
    profiler, records = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS
    with EmbeddedKafka() as kafka, EmbeddedValkey() as valkey, tempfile.TemporaryDirectory() as home:
        stacks, place = Path(home) / "stacks", Path(home)
        at = Broker(kafka.bootstrap_servers), valkey.url, place, Progress()
        bench = Sampled(*at, profiler=profiler, into=stacks)
        source = source_of(CANONICAL)
        bench.idle(bench.site("idle", Workload(source, CANONICAL, 0)))
        row = bench.ingest("ingest", bench.site("dense", Workload(source, CANONICAL, records)))
        _, told = bench.sampler.communicate(timeout=60)
        if bench.sampler.returncode:
            raise SystemExit(f"the sampler ended with {bench.sampler.returncode}: {told.decode()}")
        bench.clear_all()
        found = tree(stacks.read_text().splitlines())
    print("\n".join(lines(found)))
    micros = (row.cpu_s - row.startup_cpu_s) / row.records * 1e6
    print(f"{found.samples:,} samples; {micros:.2f} µs of CPU a record, the sampler's slowing included")


if __name__ == "__main__":
    main()
