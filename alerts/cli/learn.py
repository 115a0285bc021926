"""`carrier-health learn`: what is normal, from history, before going live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from alerts.cli.backtest import failure, shown, span
from alerts.cli.roles import config_option
from alerts.decide import DetectorState
from alerts.policy import Policy
from alerts.replay import told
from alerts.replay.folded import buckets
from alerts.replay.history import History
from alerts.replay.lay import Reader
from alerts.replay.publish import at_rest, publish
from alerts.settings import load
from streams.errors import ConfigError, MonitorError

LITTLE_S = 7 * 86_400


@click.command()
@click.option("--folded", is_flag=True, help="The files hold counts by bucket, not records.")
@click.option("--from", "from_time", metavar="T", help="Leave out buckets that begin earlier.")
@click.option("--to", "to_time", metavar="T", help="Leave out buckets that begin then or later.")
@click.option("--dry-run", is_flag=True, help="Say what would be learned, write nothing.")
@config_option
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def learn(
    folded: bool,
    from_time: str | None,
    to_time: str | None,
    dry_run: bool,
    config: Path | None,
    files: tuple[Path, ...],
) -> None:
    """Learn from history what is normal, before going live.

    FILES are those of `carrier-health replay --folded`. Two weeks are good, four tell weekends from
    weekdays. Incidents in them are recognised and not learned. What is learned goes to the topic
    detector-state, where the alerts role finds it at its next start; it must not run meanwhile.
    """
    if not folded:
        raise click.UsageError("only counts can be learned from in this version: give --folded")
    try:
        settings = load(config)
        reader = Reader(settings.sources, settings.code_tables)
        run = History(Policy.of(settings), settings.rules, reader)
        for bucket in shown(buckets(files, span(from_time, to_time))):
            run.take(bucket)
        state = at_rest(run.state)
        for line in (*told.looked_lines(run), *_left_out(run), *_learned(state)):
            click.echo(line)
        if run.begun_s is None:
            raise failure("there is nothing to learn from", 1)
        if run.ended_s - run.begun_s < LITTLE_S:
            click.echo("less than a week: what is learned is little, and no weekend may be in it", err=True)
        if not dry_run:
            click.echo(f"written to detector-state: {publish(settings, state):,} bytes")
    except ConfigError as e:
        raise failure(str(e), 2) from None
    except MonitorError as e:
        raise failure(str(e), 1) from None


def _left_out(run: History) -> Iterator[str]:
    """By rule: how much was out of line, if anything was."""
    for rule, ill in run.ill.items():
        if ill:
            share = ill / run.looked[rule].outcomes
            yield f"rule {rule}: {ill:,} outcomes ({share:.2%}) are of times out of line, and not learned"


def _learned(state: DetectorState) -> Iterator[str]:
    """By rule: how many series are known, and what their ordinary ratios are."""
    for rule in state.rules:
        known = rule.learned.baseline.total[1] > 0
        if not known.any():
            yield f"rule {rule.rule}: nothing learned"
            continue
        ratios = rule.learned.baseline.mean[known]
        low, middle, high = np.quantile(ratios, (0.05, 0.5, 0.95))
        yield (
            f"rule {rule.rule}: {int(known.sum())} series, ordinary failure ratio {middle:.2%} "
            f"(from {low:.2%} to {high:.2%} for nine of ten)"
        )
