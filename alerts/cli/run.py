"""`carrier-health run`: all roles on one machine, against the configured Kafka and Redis."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click

from alerts.cli.roles import config_option, level_option
from alerts.settings import check_pager, load
from alerts.supervise import GATEWAY, GRACE_S, REFUSED, ROLES, Note, Supervisor, commands
from streams.gateway.doors import is_wanted

TICK_S = 0.2


@click.command()
@config_option
@level_option
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=GRACE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long a role may take to stop before it is killed.",
)
def run(config: Path | None, log_level: str, grace: float) -> None:
    """Runs ingest, windows and alerts, each as a process of its own, and starts again what ends;
    the gateway too, where a source has a secret for it.

    What the roles say goes to stderr with the role's name in front. SIGTERM or Ctrl-C stops them in
    the order of the flow; a second one kills them.
    """
    settings = load(config)
    check_pager(settings)
    roles = (GATEWAY, *ROLES) if is_wanted(settings) else ROLES
    supervisor = Supervisor(commands(config, "--log-level", log_level, roles=roles), _say)
    asked = Asked()
    try:
        while not asked.to_stop and supervisor.refused is None:
            supervisor.tick()
            time.sleep(TICK_S)
    finally:
        supervisor.stop(grace, hurry=lambda: asked.times > 1)
    sys.exit(REFUSED if supervisor.refused else 0)


class Asked:
    """Counts how often SIGTERM or SIGINT has asked us to end."""

    def __init__(self) -> None:
        self.times = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count)

    @property
    def to_stop(self) -> bool:
        return self.times > 0

    def _count(self, *_: object) -> None:
        self.times += 1


def _say(note: Note) -> None:
    click.echo(f"run     | {note}", err=True)
