"""`carrier-health replay`: a backtest, through the code that counts and decides live."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from alerts.asking import read_incidents
from alerts.cli.backtest import TOPIC, InputType, Task, after, failure, known, policy, replayed, span
from alerts.cli.roles import config_option
from alerts.replay import advice, compare, told
from alerts.replay.run import Replay, Seen
from alerts.replay.trace import asked
from alerts.replay.verdicts import Verdict, of_file, of_incidents
from alerts.settings import Settings, load
from streams.errors import ConfigError, MonitorError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--folded", is_flag=True, help="The files hold counts by bucket, not records.")
@click.option(
    "--policy", "policy_file", type=_FILE, help="A policy (TOML): the keys that differ from the one in force."
)
@click.option(
    "--against",
    "others",
    type=_FILE,
    multiple=True,
    help="Another policy to compare with; may be given again and again.",
)
@click.option(
    "--verdicts",
    metavar="topic|FILE",
    help="What people said of incidents: the topic, or what `incidents list --all --json` prints.",
)
@click.option("--advise", is_flag=True, help="Which budget of false pages the verdicts speak for.")
@click.option("--from", "from_time", metavar="T", help="Leave out buckets that begin earlier.")
@click.option("--to", "to_time", metavar="T", help="Leave out buckets that begin then or later.")
@click.option(
    "--state", metavar="T|FILE", help="Begin with what was learned by then, or with a file of detector-state."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output."
)
@click.option("--explain", "key", metavar="INCIDENT", help="Why an incident fired when it did, by its key.")
@config_option
@click.argument("inputs", nargs=-1, required=True, type=InputType(), metavar="INPUT...")
def replay(
    folded: bool,
    policy_file: Path | None,
    others: tuple[Path, ...],
    verdicts: str | None,
    advise: bool,
    from_time: str | None,
    to_time: str | None,
    state: str | None,
    form: str,
    key: str | None,
    config: Path | None,
    inputs: tuple[Path | str, ...],
) -> None:
    """Which incidents would have been raised? The past, as fast as it goes.

    INPUT is `topic`, for the outcomes that the configured Kafka still holds, or files of records, one
    JSON object a line (plain, .gz or .zst), as `carrier-health simulate --to FILE` writes them:

    \b
    {"source": "twilio", "received_ms": 1784289600123, "partition": 3, "offset": 17, "key": "SM…",
     "value": "MessageSid=SM…", "headers": {"source": "twilio", "received_ms": "1784289600123"}}

    With --folded files hold counts instead, sorted by time:

    \b
    {"bucket_start_ms": 1784289600000, "bucket_s": 10, "carrier": "310-260", "region": "US-CA",
     "source": "twilio", "counts": {"delivered": 95, "30003": 2}, "distinct": {"30003": 2}}

    T is ISO 8601 or epoch ms. Incidents go to standard output, with --format json one object a line;
    what was looked at, to standard error.

    --state takes over what is normal, no incident of that time, and only buckets after it are looked at.
    """
    _refuse_contradictions(folded, inputs, key, others, advise)
    try:
        settings, learned = load(config), None
        learned = known(settings, state)
        task = Task(
            settings, inputs, folded, after(span(from_time, to_time), learned), learned, asked(key or "")
        )
        base = policy(settings, policy_file)
        policies = [base, *(policy(settings, path, "--against") for path in others)]
        said = _verdicts(settings, verdicts or (TOPIC if advise else None))
        names = [policy_file.name if policy_file else "in force", *(path.name for path in others)]
        if advise:
            policies, names = advice.ladder(base)
        runs, recount = replayed(task, policies)
    except ConfigError as e:
        raise failure(str(e), 2) from None
    except MonitorError as e:
        raise failure(str(e), 1) from None
    for line in _told(runs, names, said, form, key, advise):
        click.echo(line)
    for line in (*told.counted_lines(recount), *told.summary_lines(runs[0])):
        click.echo(line, err=True)


def _refuse_contradictions(
    folded: bool, inputs: tuple[Path | str, ...], key: str | None, others: tuple[Path, ...], advise: bool
) -> None:
    if folded and TOPIC in inputs:
        raise click.UsageError("counts are in files: --folded and topic do not go together")
    if sum(map(bool, (key, others, advise))) > 1:
        raise click.UsageError("one of --explain, --against and --advise at a time")


def _verdicts(settings: Settings, where: str | None) -> list[Verdict]:
    """None at all where nobody asks for them. Raises MonitorError."""
    if where is None:
        return []
    if where == TOPIC:
        return of_incidents(asyncio.run(read_incidents(settings)).values())
    return of_file(Path(where))


def _told(
    runs: list[Replay], names: list[str], said: list[Verdict], form: str, key: str | None, advise: bool
) -> Iterator[str]:
    text = form == "text"
    if key is not None:
        seen = _named(runs[0], key)
        return told.explained_lines(runs[0], seen) if text else _object(told.explained(runs[0], seen))
    if advise:
        found = advice.advise(runs, said)
        return advice.lines(found) if text else _object(found)
    if len(runs) > 1 or said:
        compared = compare.comparison(names, runs, said)
        return compare.lines(compared) if text else _object(compared)
    return told.text_lines(runs[0]) if text else told.json_lines(runs[0])


def _object(what: object) -> Iterator[str]:
    return iter([msgspec.json.encode(what).decode()])


def _named(run: Replay, key: str) -> Seen:
    if key in run.seen:
        return run.seen[key]
    known = "\n".join(f"  {k}" for k in run.seen) or "  none"
    raise failure(f"no incident '{key}'; there are:\n{known}", 1)
