"""`carrier-health learn`: what is normal, from history, before going live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from alerts.cli.backtest import TOPIC, InputType, Task, failure, replayed, shown, span
from alerts.cli.roles import config_option
from alerts.decide import DetectorState
from alerts.policy import Policy
from alerts.replay import told
from alerts.replay.folded import Span, buckets
from alerts.replay.history import History
from alerts.replay.lay import Reader
from alerts.replay.publish import at_rest, publish
from alerts.replay.run import Replay
from alerts.settings import Settings, load
from streams.errors import ConfigError, MonitorError

LITTLE_S = 7 * 86_400


@click.command()
@click.option("--folded", is_flag=True, help="The files hold counts by bucket, not records.")
@click.option("--from", "from_time", metavar="T", help="Leave out buckets that begin earlier.")
@click.option("--to", "to_time", metavar="T", help="Leave out buckets that begin then or later.")
@click.option("--dry-run", is_flag=True, help="Say what would be learned, write nothing.")
@config_option
@click.argument("inputs", nargs=-1, required=True, type=InputType(), metavar="INPUT...")
def learn(
    folded: bool,
    from_time: str | None,
    to_time: str | None,
    dry_run: bool,
    config: Path | None,
    inputs: tuple[Path | str, ...],
) -> None:
    """Learn from history what is normal, before going live.

    INPUT is what `carrier-health replay` takes: `topic`, files of records or, with --folded, of counts.
    Two weeks are good, four tell weekends from weekdays. Incidents in it are recognised and not learned.
    What is learned goes to the topic detector-state, where the alerts role finds it at its next start;
    it must not run meanwhile.
    """
    if folded and TOPIC in inputs:
        raise click.UsageError("counts are in files: --folded and topic do not go together")
    try:
        settings = load(config)
        lines, run = _looked_through(settings, folded, inputs, span(from_time, to_time))
        state = at_rest(run.state)
        for line in (*lines, *_learned(state)):
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


def _looked_through(
    settings: Settings, folded: bool, inputs: tuple[Path | str, ...], span: Span
) -> tuple[list[str], Replay]:
    """What was seen, and what has learned of it: counts by blocks, records as the live path does."""
    policy = Policy.of(settings)
    if not folded:
        (run,), recount = replayed(Task(settings, inputs, False, span, None), [policy])
        return [*told.counted_lines(recount), *told.summary_lines(run)], run
    history = History(policy, settings.rules, Reader(settings.sources, settings.code_tables))
    for bucket in shown(buckets([Path(i) for i in inputs], span)):
        history.take(bucket)
    return [*told.looked_lines(history), *_left_out(history)], history


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
