"""`carrier-health recipients retries`: who sends again too soon, or too often."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from alerts.advice.habits import habits
from alerts.advised import MOST_READ, read_advice
from alerts.cli.roles import config_option
from alerts.cli.when import Span
from alerts.settings import load
from streams.clock import WallClock
from streams.records import encode
from streams.settings import Clock


@click.command()
@click.option("--for", "span_ms", type=Span(), default="24h", show_default=True, help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@config_option
def retries(span_ms: int, as_json: bool, config: Path | None) -> None:
    """Show which senders send again too soon or too often, the worst 20.

    Too soon: a message failed before the recipient's failure before was advice.min_wait_s old. Too often: it
    failed although advice.max_attempts tries had. Senders that may be numbers are masked. See
    docs/retry-advice.md.
    """
    settings = load(config)
    read = asyncio.run(read_advice(settings, WallClock(Clock()).now_ms() - span_ms))
    for one in habits(read.advices):
        if as_json:
            click.echo(encode(one).decode())
        else:
            click.echo(
                f"{one.source:16} {one.sender or '-':20} {one.failed:8,} {one.too_soon:8,} {one.too_often:8,}"
            )
    if not as_json:
        more = "" if read.whole else f"; the first {MOST_READ:,} records of each partition"
        click.echo(f"source, sender, failed, of them too soon, too often{more}", err=True)
