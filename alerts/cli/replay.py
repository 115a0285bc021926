"""`carrier-health replay`: a backtest, through the code that decides live."""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from alerts.cli.roles import config_option
from alerts.decide import DetectorState
from alerts.policy import Policy
from alerts.replay import publish, told
from alerts.replay.folded import Bucket, Span, buckets
from alerts.replay.lay import Reader
from alerts.replay.run import Replay, Seen
from alerts.settings import Settings, load
from streams.decode.times import MAX_MS, epoch_ms
from streams.errors import ConfigError, MonitorError
from streams.records import BUCKET_S

PROGRESS_EVERY_S = 5.0
ON_TERMINAL_EVERY_S = 0.2


@click.command()
@click.option("--folded", is_flag=True, help="The files hold counts by bucket, not records.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another policy (TOML): the keys that differ from the one in force.",
)
@click.option("--from", "from_time", metavar="T", help="Leave out buckets that begin earlier.")
@click.option("--to", "to_time", metavar="T", help="Leave out buckets that begin then or later.")
@click.option("--state", "state", metavar="T", help="Begin with what the monitor had learned by then.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output."
)
@click.option("--explain", "key", metavar="INCIDENT", help="All that is known of one incident, by its key.")
@config_option
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def replay(
    folded: bool,
    policy_file: Path | None,
    from_time: str | None,
    to_time: str | None,
    state: str | None,
    form: str,
    key: str | None,
    config: Path | None,
    files: tuple[Path, ...],
) -> None:
    """Which incidents would have been raised? Counts of the past, as fast as it goes.

    FILES hold one JSON object a line (plain, .gz or .zst), sorted by time; several are merged:

    \b
    {"bucket_start_ms": 1784289600000, "bucket_s": 10, "carrier": "310-260", "region": "US-CA",
     "source": "twilio", "counts": {"delivered": 95, "30003": 2}, "distinct": {"30003": 2}}

    Counts are by code or class, "distinct" are failed recipients (may be left out). Buckets may be
    longer than 10 s, all of one length. T is ISO 8601 or epoch ms. Incidents go to standard output,
    with --format json one object a line; what was looked at, to standard error.

    --state reads detector-state of the configured Kafka: no incident of that time is taken over, and
    only buckets after it are looked at.
    """
    if not folded:
        raise click.UsageError("only counts can be replayed in this version: give --folded")
    try:
        settings = load(config)
        known = publish.known(settings, round(_time(state, "--state") * 1000)) if state else None
        reader = Reader(settings.sources, settings.code_tables)
        run = Replay(_policy(settings, policy_file), settings.rules, reader, known)
        for bucket in shown(buckets(files, _after(span(from_time, to_time), known))):
            run.take(bucket)
    except ConfigError as e:
        raise failure(str(e), 2) from None
    except MonitorError as e:
        raise failure(str(e), 1) from None
    for line in _told(run, form, key):
        click.echo(line)
    for line in told.summary_lines(run):
        click.echo(line, err=True)


def _policy(settings: Settings, path: Path | None) -> Policy:
    """The policy of the configuration, with what the file says instead. Raises ConfigError."""
    policy = Policy.of(settings)
    if path is None:
        return policy
    try:
        changes = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(msgspec.to_builtins(policy) | changes, Policy)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as e:
        raise ConfigError(f"--policy {path}: refused: {e}") from None


def span(from_time: str | None, to_time: str | None) -> Span:
    from_s = _time(from_time, "--from") if from_time else 0.0
    to_s = _time(to_time, "--to") if to_time else float("inf")
    if from_s >= to_s:
        raise click.UsageError("--from must be before --to")
    return Span(from_s, to_s)


def _after(asked: Span, known: DetectorState | None) -> Span:
    """The span without what a learned state has seen already."""
    return asked if known is None else asked._replace(from_s=max(asked.from_s, known.bucket_s + BUCKET_S))


def _time(text: str, option: str) -> float:
    ms = int(text) if text.isascii() and text.isdecimal() else epoch_ms(text)
    if ms is None or ms > MAX_MS:
        raise click.BadParameter(f"'{text}' is neither ISO 8601 nor epoch ms", param_hint=option)
    return ms / 1000


def _told(run: Replay, form: str, key: str | None) -> Iterator[str]:
    if key is None:
        return told.json_lines(run) if form == "json" else told.text_lines(run)
    seen = _named(run, key)
    if form == "json":
        return iter([msgspec.json.encode(told.explained(run, seen)).decode()])
    return told.explained_lines(run, seen)


def _named(run: Replay, key: str) -> Seen:
    if key in run.seen:
        return run.seen[key]
    known = "\n".join(f"  {k}" for k in run.seen) or "  none"
    raise failure(f"no incident '{key}'; there are:\n{known}", 1)


def shown(stream: Iterable[Bucket]) -> Iterator[Bucket]:
    """Says how far it is: one line that changes on a terminal, plain lines otherwise."""
    terminal = sys.stderr.isatty()
    every_s = ON_TERMINAL_EVERY_S if terminal else PROGRESS_EVERY_S
    began = shown = time.monotonic()
    first_s: int | None = None
    for bucket in stream:
        first_s = bucket.start_s if first_s is None else first_s
        yield bucket
        now = time.monotonic()
        if now - shown >= every_s:
            shown = now
            speed = (bucket.start_s - first_s) / (now - began)
            line = f"at {told.at(bucket.start_s * 1000)}, {speed:,.0f} times real time"
            click.echo(f"\r{line}\033[K" if terminal else line, err=True, nl=not terminal)
    if terminal and shown > began:
        click.echo("\r\033[K", err=True, nl=False)


def failure(text: str, code: int) -> click.ClickException:
    failure = click.ClickException(text)
    failure.exit_code = code
    return failure
