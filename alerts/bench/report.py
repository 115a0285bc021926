"""The rows as a table for people and as one JSON object, with the machine they come from."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

import confluent_kafka
import msgspec

from alerts.bench.rows import Row

ORDER = (
    "raw_consumer",
    "ingest_dense",
    "ingest_dense_twilio_json",
    "ingest_dense_twilio_form",
    "ingest_dense_twilio_event",
    "ingest_dense_smpp",
    "ingest_dense_smpp_text",
    "ingest_sparse",
    "windows",
    "windows_sparse",
    "end_to_end",
)
_HEAD = ("", "records", "per CPU-s", "steady", "per wall-s", "of raw", "steady", "cells/CPU-s", "RSS MB")


class Machine(msgspec.Struct, frozen=True):
    """Where the figures come from. `load_1m` is the load average before and after the run."""

    cores: int
    system: str
    kafka: str
    confluent_kafka: str
    librdkafka: str
    python: str
    load_1m: tuple[float, float]


def machine(kafka: str, load_before: float) -> Machine:
    return Machine(
        cores=os.cpu_count() or 0,
        system=f"{platform.system()} {platform.machine()}",
        kafka=kafka,
        confluent_kafka=str(confluent_kafka.version()),
        librdkafka=str(confluent_kafka.libversion()[0]),
        python=platform.python_version(),
        load_1m=(load_before, load_1m()),
    )


def load_1m() -> float:
    return round(os.getloadavg()[0], 2)


def as_json(rows: Mapping[str, Row], where: Machine) -> str:
    """One object: a key a row, and `machine`."""
    ordered: dict[str, Row | Machine] = {name: rows[name] for name in ORDER if name in rows}
    return msgspec.json.encode(ordered | {"machine": where}).decode()


def as_table(rows: Mapping[str, Row], where: Machine) -> str:
    lines = [_HEAD, *(_line(name, rows[name]) for name in ORDER if name in rows)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(_HEAD))]
    table = "\n".join(_aligned(line, widths) for line in lines)
    facts = (
        f"{where.cores} cores, {where.system}, Kafka {where.kafka}, confluent-kafka {where.confluent_kafka}, "
        f"Python {where.python}; load {where.load_1m[0]:g} before, {where.load_1m[1]:g} after"
    )
    return f"{table}\n\nSteady is without the start of the process. {facts}"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = zip(line, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])


def _line(name: str, row: Row) -> tuple[str, ...]:
    return (
        name,
        f"{row.records:,}",
        f"{row.records_per_cpu_s:,}",
        _count(row.records_per_cpu_s_steady),
        f"{row.records_per_wall_s:,}",
        _share(row.ratio_to_raw),
        _share(row.ratio_to_raw_steady),
        _count(row.cells_per_cpu_s_steady or row.cells_per_cpu_s),
        f"{row.peak_rss_mb:,.0f}",
    )


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.0%}"
