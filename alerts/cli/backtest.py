"""What `carrier-health replay` is asked for, and its way through the inputs. Thin: what is found is told
by alerts.replay."""

from __future__ import annotations

import gc
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from alerts.decide import DetectorState
from alerts.policy import Policy
from alerts.progress import Progress
from alerts.replay import capture, publish, rows, told, topic
from alerts.replay.folded import Bucket, Span, buckets
from alerts.replay.lay import Reader
from alerts.replay.recount import Recount
from alerts.replay.rows import Rows
from alerts.replay.run import Replay
from alerts.replay.trace import Asked, Trace
from alerts.settings import Settings
from streams.decode.times import MAX_MS, epoch_ms
from streams.errors import ConfigError
from streams.records import BUCKET_S

TOPIC = "topic"
PROGRESS_EVERY_S = 5.0
ON_TERMINAL_EVERY_S = 0.2
_SLACK_MS = 60_000
"""So much later than its receipt may Kafka have been given a record."""


class InputType(click.ParamType):
    """A file that is there, or the word `topic`; a file of that name is `./topic`."""

    name = "INPUT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        if value == TOPIC:
            return TOPIC
        return Path(click.Path(exists=True, dir_okay=False).convert(value, param, ctx))  # type: ignore[arg-type]


class Task(NamedTuple):
    """What every policy is replayed over."""

    settings: Settings
    inputs: Sequence[Path | str]
    folded: bool
    span: Span
    known: DetectorState | None
    asked: Asked | None = None


def replayed(task: Task, policies: Sequence[Policy]) -> tuple[list[Replay], Recount | None]:
    """One run a policy, all over the same buckets; with what records were counted as.

    Raises MonitorError, and ConfigError where nothing says how records are read."""
    if task.folded:
        runs = _runs(task, policies)
        for bucket in shown(buckets([Path(i) for i in task.inputs], task.span)):
            for run in runs:
                run.take(bucket)
        return runs, None
    if not task.settings.sources:
        raise ConfigError("no [[sources]] is configured: they say how records are read; give --config")
    with _undisturbed(), ExitStack() as stack:
        try:
            return _counted(task, policies, [Path(i) for i in task.inputs if i != TOPIC])
        except capture.OutOfOrder:
            click.echo("the partitions are not side by side in the files: taking them apart", err=True)
        apart = [stack.enter_context(capture.by_partition(Path(i))) for i in task.inputs if i != TOPIC]
        return _counted(task, policies, [file for files in apart for file in files])


def _runs(task: Task, policies: Sequence[Policy]) -> list[Replay]:
    settings, runs = task.settings, list[Replay]()
    for i, policy in enumerate(policies):
        reader = Reader(settings.sources, settings.code_tables)
        trace = Trace(task.asked) if task.asked is not None and i == 0 else None
        runs.append(Replay(policy, settings.rules, reader, task.known, trace))
    return runs


def _counted(task: Task, policies: Sequence[Policy], files: Sequence[Path]) -> tuple[list[Replay], Recount]:
    runs, recount = _runs(task, policies), Recount(task.settings)
    progress = _Shares(recount)
    streams = [capture.in_order(path, recount.step_ms, progress.of(path)) for path in files]
    if TOPIC in task.inputs:
        streams += _of_topics(task, recount, progress)
    for closing in recount.closings(rows.steps(streams, recount.step_ms)):
        if closing.bucket_s >= task.span.to_s:
            break
        if closing.bucket_s >= task.span.from_s:
            for run in runs:
                run.take_closed(closing)
    progress.finish()
    return runs, recount


def _of_topics(task: Task, recount: Recount, progress: _Shares) -> list[Iterator[Rows]]:
    """With what ingest and windows remember when they count the first bucket that is asked for."""
    span, settings = task.span, task.settings
    from_ms = round(span.from_s * 1000) - recount.memory_ms if span.from_s > 0 else None
    to_ms = None
    if span.to_s < float("inf"):
        to_ms = round((span.to_s + settings.windows.allowed_lateness_s) * 1000) + _SLACK_MS
    reaches = [reach for reach in topic.reaches(settings, from_ms, to_ms) if reach.start < reach.end]
    return [topic.read(settings, reach, progress.of(reach)) for reach in reaches]


class _Shares:
    """Progress over all streams together: records, and about how many there are."""

    def __init__(self, recount: Recount) -> None:
        self._recount, self._shares = recount, dict[object, float]()
        self._progress = Progress(of="of about")
        self._progress.begin("records")

    def of(self, stream: object) -> Callable[[float], None]:
        self._shares[stream] = 0.0
        return lambda share: self._moved(stream, share)

    def _moved(self, stream: object, share: float) -> None:
        self._shares[stream] = share
        whole, done = sum(self._shares.values()) / len(self._shares), self._recount.records
        self._progress.update(done, round(done / whole) if whole else None)

    def finish(self) -> None:
        self._progress.finish()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """As in ingest: what the hot path makes is freed by counting."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def policy(settings: Settings, path: Path | None, option: str = "--policy") -> Policy:
    """The policy of the configuration, with what the file says instead. Raises ConfigError."""
    policy = Policy.of(settings)
    if path is None:
        return policy
    try:
        changes = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(msgspec.to_builtins(policy) | changes, Policy)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as e:
        raise ConfigError(f"{option} {path}: refused: {e}") from None


def known(settings: Settings, state: str | None) -> DetectorState | None:
    """What was learned by a time, or what a file of detector-state holds. Raises MonitorError."""
    if state is None:
        return None
    path = Path(state)
    return (
        publish.saved(path)
        if path.is_file()
        else publish.known(settings, round(_time(state, "--state") * 1000))
    )


def span(from_time: str | None, to_time: str | None) -> Span:
    from_s = _time(from_time, "--from") if from_time else 0.0
    to_s = _time(to_time, "--to") if to_time else float("inf")
    if from_s >= to_s:
        raise click.UsageError("--from must be before --to")
    return Span(from_s, to_s)


def after(asked: Span, known: DetectorState | None) -> Span:
    """The span without what a learned state has seen already."""
    return asked if known is None else asked._replace(from_s=max(asked.from_s, known.bucket_s + BUCKET_S))


def _time(text: str, option: str) -> float:
    ms = int(text) if text.isascii() and text.isdecimal() else epoch_ms(text)
    if ms is None or ms > MAX_MS:
        raise click.BadParameter(f"'{text}' is neither ISO 8601 nor epoch ms", param_hint=option)
    return ms / 1000


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
