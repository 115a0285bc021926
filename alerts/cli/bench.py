"""`carrier-health bench`: records per CPU-second of each stage, in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from alerts.bench import report
from alerts.bench.broker import Broker
from alerts.bench.run import DEFAULT_RECORDS, LEAST_RECORDS, PARTS, run
from alerts.bench.stages import Bench
from alerts.progress import Progress
from streams.embedded import EmbeddedError, EmbeddedKafka, EmbeddedValkey
from streams.errors import MonitorError

LOAD_JVM = ("-Xmx1g", "-XX:+UseParallelGC")
"""Kafka at its full speed rather than its quickest start: it shares the cores with what is measured."""


class Services(NamedTuple):
    """Where Kafka and Redis are, and which Kafka it is."""

    bootstrap_servers: str
    redis_url: str
    kafka: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
@click.option(
    "--records",
    type=click.IntRange(min=LEAST_RECORDS),
    default=DEFAULT_RECORDS,
    show_default=True,
    help="Records of the dense canonical stages; the others scale with it.",
)
@click.option(
    "--bootstrap",
    metavar="HOST:PORT",
    help="A Kafka that runs already: topics with a prefix of their own are made there and deleted.",
)
@click.option(
    "--only",
    type=click.Choice(PARTS),
    multiple=True,
    help="One part of it, or several; without `dense` nothing is held beside the raw consumer.",
)
def bench(as_json: bool, records: int, bootstrap: str | None, only: tuple[str, ...]) -> None:
    """Measures each stage as its real process on a real Kafka, beside the raw consumer.

    Takes about five minutes on two cores. Every count is checked against what was written; exit
    code 1 when one is wrong.
    """
    progress = Progress()
    load_before = report.load_1m()
    try:
        with _services(bootstrap, progress) as services, _home() as home:
            stages = Bench(Broker(services.bootstrap_servers), services.redis_url, home, progress)
            try:
                rows = run(stages, records, only or PARTS)
            finally:
                progress.finish()
                stages.clear_all()
    except (MonitorError, EmbeddedError) as e:
        raise click.ClickException(str(e)) from None
    where = report.machine(services.kafka, load_before)
    click.echo(report.as_json(rows, where) if as_json else report.as_table(rows, where))


@contextmanager
def _services(bootstrap: str | None, progress: Progress) -> Iterator[Services]:
    """Redis is always our own; alerts pings it and keeps nothing there, as nobody is paged."""
    progress.begin("starting Redis and Kafka" if bootstrap is None else "starting Redis")
    with EmbeddedValkey() as valkey:
        if bootstrap is not None:
            yield Services(bootstrap, valkey.url, "as given")
            return
        with EmbeddedKafka(jvm_options=LOAD_JVM) as kafka:
            yield Services(kafka.bootstrap_servers, valkey.url, kafka.version)


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="carrier-health-bench-", ignore_cleanup_errors=True) as home:
        yield Path(home)
