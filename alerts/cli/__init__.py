"""The one console command, `carrier-health`: a file per subcommand, loaded when it is called."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata

import click

from streams.errors import ConfigError, MonitorError

COMMANDS = {
    "demo": ("alerts.cli.demo", "Real Kafka, a simulated network, an incident: watch it being found."),
    "run": ("alerts.cli.run", "All roles on one machine, supervised."),
    "gateway": ("alerts.cli.roles", "One role: take what providers post, write it to Kafka."),
    "ingest": ("alerts.cli.roles", "One role: read outcomes, count them."),
    "windows": ("alerts.cli.roles", "One role: close buckets, slide windows, show gauges."),
    "alerts": ("alerts.cli.roles", "One role: flags, incidents, paging, pages."),
    "init": ("alerts.cli.init", "Writes a commented configuration to begin with."),
    "topics": ("alerts.cli.topics", "What topics should exist, what does, the difference."),
    "doctor": ("alerts.cli.doctor", "Checks configuration, Kafka, Redis, the pager, the clock."),
    "incidents": ("alerts.cli.incidents", "The incident desk: list, acknowledge, note, silence, judge."),
    "recipients": ("alerts.cli.recipients", "Whom messages do not reach: list, check, erase."),
    "dead-letters": ("alerts.cli.dead_letters", "What could not be read, and another try."),
    "codes": ("alerts.cli.codes", "Searches and explains the code tables."),
    "decode": ("alerts.cli.decode", "Reads provider records, prints normalised outcomes."),
    "learn": ("alerts.cli.learn", "What is normal, from history, before going live."),
    "replay": ("alerts.cli.replay", "A backtest: which incidents counts of the past would have raised."),
    "simulate": ("alerts.cli.simulate", "Labelled synthetic traffic, to the topic or a file."),
    "bench": ("alerts.cli.bench", "Records per CPU-second of each stage, in one run."),
}


class Commands(click.Group):
    """Imports a command's module only when it is used: `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[name][0]), name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("carrier-health-monitor"), prog_name="carrier-health")
def cli() -> None:
    """Finds failing mobile carriers in SMS delivery outcomes and pages once per incident.

    Begin with `carrier-health demo`. Shell completion:
    `_CARRIER_HEALTH_COMPLETE=bash_source carrier-health` (or zsh_source, fish_source).
    """


def main() -> None:
    """Exit codes: 0 fine, 1 the work failed, 2 wrong usage or configuration."""
    try:
        cli()
    except ConfigError as e:
        click.echo(f"carrier-health: {e}", err=True)
        sys.exit(2)
    except MonitorError as e:
        click.echo(f"carrier-health: {e}", err=True)
        sys.exit(1)
