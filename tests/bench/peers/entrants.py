"""Who takes part: how each is started, with what grace, and over how many outcomes at most."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.bench.peers import tools
from tests.bench.peers.outcomes import LONGEST_GRACE_S, PARTITIONS

KAFKA_STREAMS, FLINK, FLINK_KAFKA = "4.3.1", "2.2.1", "5.0.0-2.2"
BYTEWAX, QUIX = "0.21.1", "3.28.1"
_FLINK_PARTS = (
    *("streaming-java", "clients", "table-api-java-bridge", "table-planner-loader", "table-runtime", "json"),
    # Named, as the connector asks for older ones.
    *(
        "annotations",
        "connector-base",
        "connector-datagen",
        "core",
        "core-api",
        "datastream-api",
        "hadoop-fs",
    ),
    *("metrics-core", "queryable-state-client-java", "rpc-akka-loader", "rpc-core", "runtime"),
    *("table-api-java", "table-common"),
)


class Course(NamedTuple):
    """What a peer is told: where Kafka is, its two topics, and a folder that is its own."""

    servers: str
    outcomes: str
    counts: str
    folder: Path
    records: int
    """In the topic of outcomes."""


class Command(NamedTuple):
    """One process: the program with its first arguments, and the others."""

    name: str
    program: list[str]
    arguments: list[str]


class Entrant(NamedTuple):
    """One peer. `most` bounds the outcomes for those that would take hours."""

    name: str
    version: str
    how: str
    grace_s: int
    most: int
    command: Callable[[Course, int], Command]
    group: str = ""
    """Ends the name of its consumer group, where time must stand until the whole group has read everything:
    who deals records anew by key has one clock for all of them, ahead of the partitions that are behind."""
    counts: bool = True
    """Whether it does the job: the raw limits write nothing."""


def _flink(course: Course, grace_s: int) -> Command:
    parts = [f"org.apache.flink:flink-{p}:{FLINK}" for p in _FLINK_PARTS]
    connector = f"org.apache.flink:flink-connector-kafka:{FLINK_KAFKA}"
    program = tools.jvm(f"flink-{FLINK}", "FlinkHop", *parts, connector)
    return Command("flink", program, [*_jvm_arguments(course), str(grace_s)])


def _streams(way: str) -> Callable[[Course, int], Command]:
    def command(course: Course, grace_s: int) -> Command:
        artifact = f"org.apache.kafka:kafka-streams:{KAFKA_STREAMS}"
        program = tools.jvm(f"kafka-streams-{KAFKA_STREAMS}", "StreamsHop", artifact)
        return Command("streams", program, [*_jvm_arguments(course), str(grace_s), way])

    return command


def _jvm_arguments(course: Course) -> list[str]:
    return [course.servers, course.outcomes, course.counts, str(course.folder)]


def _bytewax(course: Course, grace_s: int) -> Command:
    program = [*tools.python("bytewax", f"bytewax[kafka]=={BYTEWAX}"), tools.program("bytewax_hop.py")]
    return Command("bytewax", program, [course.servers, course.outcomes, course.counts, str(grace_s)])


def _quix(course: Course, grace_s: int) -> Command:
    program = [*tools.python("quix", f"quixstreams=={QUIX}"), tools.program("quix_hop.py")]
    return Command("quix", program, [*_jvm_arguments(course), str(grace_s)])


def _faust(course: Course, grace_s: int) -> Command:
    worker = ["worker", "--without-web", "--loglevel", "warn"]
    program = [sys.executable, tools.program("faust_hop.py")]
    return Command("faust", program, [*_jvm_arguments(course), *worker])


def _raw(what: str) -> Callable[[Course, int], Command]:
    def command(course: Course, grace_s: int) -> Command:
        arguments = [course.servers, course.outcomes, str(PARTITIONS), str(course.records), what]
        return Command(f"raw-{what}", [sys.executable, tools.program("raw.py")], arguments)

    return command


_ALL = 10**9
LIMITS = (
    Entrant(
        "confluent-kafka, values untouched",
        version("confluent-kafka"),
        "",
        0,
        _ALL,
        _raw("bytes"),
        counts=False,
    ),
    Entrant(
        "confluent-kafka and msgspec", version("msgspec"), "five fields", 0, _ALL, _raw("typed"), counts=False
    ),
)
PEERS = (
    Entrant("Flink SQL", FLINK, "HOP, MiniCluster of 2 slots, checkpoints each 30 s", 30, _ALL, _flink),
    Entrant(
        "Kafka Streams, roll-up",
        KAFKA_STREAMS,
        "windows of 10 s, and a processor that adds 30 up",
        LONGEST_GRACE_S,
        _ALL,
        _streams("rollup"),
        "-streams",
    ),
    Entrant(
        "Kafka Streams, hopping",
        KAFKA_STREAMS,
        "the DSL's window, emitted on close",
        LONGEST_GRACE_S,
        100_000,
        _streams("hopping"),
        "-streams",
    ),
    Entrant("Bytewax", BYTEWAX, "fold_window, SlidingWindower", LONGEST_GRACE_S, 100_000, _bytewax),
    Entrant("Quix Streams", QUIX, "hopping_window, final", LONGEST_GRACE_S, 20_000, _quix, "-quix"),
    Entrant("Faust", version("faust-streaming"), "Table.hopping", 0, 2_000, _faust, "-faust"),
)
