"""`carrier-health doctor`: is everything as it should be, and what to do where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from alerts.cli.roles import config_option
from alerts.doctor import Finding, Level, examine
from alerts.doctor.pager import send_test_page
from alerts.settings import load
from streams.settings import dump

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command()
@config_option
@click.option("--test-page", "page", is_flag=True, help="Only opens and resolves one page.")
@click.option("--print-config", "show", is_flag=True, help="Only prints the resolved values, secrets masked.")
def doctor(config: Path | None, page: bool, show: bool) -> None:
    """Checks configuration, Kafka, Redis, the pager and the clock.

    One line a finding: ok, warn or fail, what was found, and what to do. Exit code 1 when
    something fails, 2 when the configuration is refused. Writes nothing but a test page.
    """
    settings = load(config)
    if show:
        click.echo(msgspec.json.format(msgspec.json.encode(dump(settings)), indent=2).decode())
        return
    sys.exit(_told(send_test_page(settings) if page else examine(settings)))


def _told(findings: Iterable[Finding]) -> int:
    """Shows each finding as soon as it is there, then the sum; the exit code."""
    counts = dict.fromkeys(Level, 0)
    for finding in findings:
        counts[finding.level] += 1
        click.echo(click.style(f"{finding.level:<4}", COLOURS[finding.level]) + str(finding)[4:])
    click.echo(", ".join(f"{n} {level}" for level, n in counts.items()), err=True)
    return 1 if counts[Level.FAIL] else 0
