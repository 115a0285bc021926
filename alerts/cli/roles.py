"""`carrier-health gateway`, `ingest`, `windows`, `alerts`: one role a process."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click

from alerts.settings import Settings, check_pager, load
from streams import secret_files
from streams.repeats import Repeats

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="CARRIER_HEALTH_CONFIG",
    help="Configuration file (TOML); also CARRIER_HEALTH_CONFIG.",
)
level_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much the role says on stderr.",
)


def begin(config: Path | None, level: str) -> Settings:
    """Settings and logging of a role process, which ends well when it is told to before it has begun, and
    when a secret in a file has changed. Raises ConfigError."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("aiokafka", "faust", "mode", "kafka", "streams.engine"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats("aiokafka"))
    settings = load(config)
    if files := secret_files.named(Settings, config):
        secret_files.end_when_changed(secret_files.Watch(files, lambda: load(config)))
    return settings


@click.command()
@config_option
@level_option
def gateway(config: Path | None, log_level: str) -> None:
    """Takes what providers post and writes it to Kafka; answers 2xx once Kafka has it.

    Start more of them on the same port, each with its own http.gateway_port.
    """
    from streams.gateway.role import run_gateway

    sys.exit(run_gateway(begin(config, log_level)))


@click.command()
@config_option
@level_option
def ingest(config: Path | None, log_level: str) -> None:
    """Reads outcomes, classifies and counts them, one Kafka transaction a second.

    Start as many as the outcomes topic has partitions, each with its own ingest.instance.
    """
    from streams.ingest_role import run_ingest
    from streams.overdue import leave

    leave(run_ingest(begin(config, log_level)))


@click.command()
@config_option
@level_option
def windows(config: Path | None, log_level: str) -> None:
    """Closes 10 s buckets and slides the windows. One works, more stand by."""
    from streams.app import run_windows

    run_windows(begin(config, log_level))


@click.command()
@config_option
@level_option
def alerts(config: Path | None, log_level: str) -> None:
    """Flags, incidents, paging and the pages. One works, more stand by."""
    from alerts.app import run_alerts

    settings = begin(config, log_level)
    check_pager(settings)
    run_alerts(settings)
