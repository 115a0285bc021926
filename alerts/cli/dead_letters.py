"""`carrier-health dead-letters`: what could not be read, and another try."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import click

from alerts.cli.roles import config_option
from alerts.cli.when import When
from alerts.dead_letters import described, each, groups, row_of
from alerts.progress import Progress
from alerts.settings import load
from streams.letters import Letter, LetterLog, Wanted, Watcher, bound_topics
from streams.records import Reason
from streams.redrive import Fate, Going, Judge, Redriver, batches

LAST = 10
_ID = re.compile(r"\d{1,9}-\d{1,18}", re.ASCII)

F = TypeVar("F", bound=Callable[..., Any])


class LetterId(click.ParamType):
    """`PARTITION-OFFSET`, as `list --each` shows it."""

    name = "ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _ID.fullmatch(str(value)):
            self.fail(f"'{value}' is not PARTITION-OFFSET, such as 2-118", param, ctx)
        return str(value)


def filters(command: F) -> F:
    """Which letters: the fields of `Wanted`, and the configuration."""
    reasons = click.Choice([str(r) for r in Reason])
    for option in (
        click.option("--until", "until_ms", type=When(), help="Buried before T."),
        click.option("--since", "since_ms", type=When(), help="Buried at T or later: ISO 8601 or epoch ms."),
        click.option(
            "--source", "sources", multiple=True, metavar="NAME", help="Of that source. Repeatable."
        ),
        click.option("--reason", "reasons", multiple=True, type=reasons, help="Of this reason. Repeatable."),
        config_option,
    ):
        command = option(command)
    return command


@click.group("dead-letters")
def dead_letters() -> None:
    """What could not be read, and another try.

    Records that ingest or the gateway could not read lie in the topic dead-letters, untouched. See
    which there are (list), what they hold (show), and let them be read again once the cause is
    mended (redrive). docs/runbook.md says what each reason mostly means.
    """
    logging.getLogger("kafka").setLevel(logging.ERROR)  # what matters of its warnings is raised as well


@dead_letters.command("list")
@filters
@click.option("--each", "one_by_one", is_flag=True, help="One line a letter.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_letters(one_by_one: bool, as_json: bool, config: Path | None, **chosen: Any) -> None:
    """Count letters by reason and source, or show each.

    Numbers never appear. RE-DRIVEN counts the letters that went back to their topic; those that
    failed again are letters anew, with `attempts`.
    """
    settings, wanted = load(config), Wanted(**chosen)
    bound = bound_topics(settings)
    with LetterLog(settings) as log, _shown() as shown:
        redriven = log.redriven(wanted, _watch(shown, "what was re-driven"))
        letters = log.letters(wanted, bound, _watch(shown, "letters"))
        rows = (row_of(letter, bound, redriven) for letter in letters)
        for line in (each if one_by_one else groups)(rows, as_json):
            shown.finish()
            click.echo(line)


@dead_letters.command()
@click.argument("ids", nargs=-1, type=LetterId())
@filters
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=LAST,
    show_default=True,
    metavar="N",
    help="The newest N of those that fit.",
)
@click.option("--clear", is_flag=True, help="Shows numbers and message texts in clear, whole.")
def show(ids: tuple[str, ...], last: int, clear: bool, config: Path | None, **chosen: Any) -> None:
    """Show what letters hold: headers and bytes.

    IDs are PARTITION-OFFSET, as `list --each` shows them; without any, the newest. Whatever could be
    a phone number is masked, also percent-encoded; base64 that holds one is left out. Texts of
    messages are shown as they came.
    """
    settings, wanted = load(config), Wanted(ids=ids, **chosen)
    if clear:
        click.echo("Shown in clear: phone numbers and message texts. Mind who sees and keeps this.", err=True)
    with LetterLog(settings) as log, _shown() as shown:
        letters = log.letters(wanted, bound_topics(settings), _watch(shown, "letters"))
        newest = deque(letters, maxlen=None if ids else last)
        shown.finish()
        for letter in sorted(newest, key=lambda found: found.timestamp_ms):
            click.echo("\n".join(described(letter, clear)) + "\n")
    if not newest:
        click.echo("No such letter: it may be older than the topic keeps.", err=True)
        sys.exit(1)


@dead_letters.command()
@click.argument("ids", nargs=-1, type=LetterId())
@filters
@click.option("--again", is_flag=True, help="Also those that were re-driven before.")
@click.option("--dry-run", is_flag=True, help="Only says what would be done.")
@click.option("--yes", is_flag=True, help="Does not ask.")
def redrive(
    ids: tuple[str, ...], again: bool, dry_run: bool, yes: bool, config: Path | None, **chosen: Any
) -> None:
    """Let letters be read again: back to the topic they came from, as they were.

    First each is tried on the configuration of now; what can still not be read stays. Key, value,
    headers and the time it was received are kept, so it counts in the window of that time. Windows
    stay open a few seconds only (windows.allowed_lateness_s): what is older than that counts as
    `late`, not in any window, unless its partition is still behind. A letter is re-driven once,
    however often this runs; --again tells otherwise.

    \b
    Examples:
      carrier-health dead-letters redrive --reason unknown_source --dry-run
      carrier-health dead-letters redrive --source twilio --since 2026-07-17T12:00:00Z
    """
    settings, wanted, now_ms = load(config), Wanted(ids=ids, **chosen), time.time_ns() // 1_000_000
    # The writer first: what is read after it began holds the marks of all others.
    writer = nullcontext() if dry_run else Redriver(settings)
    with _shown() as shown, writer as redriver, LetterLog(settings) as log:
        plan = Plan(log, Judge(settings, now_ms), wanted, bound_topics(settings), again, shown)
        fates = plan.fates()
        going = fates[Fate.GOES, ""]
        click.echo("\n".join(_told(fates, "would be " if dry_run else "to be ")))
        if redriver is None or not going:
            return
        if not yes:
            click.confirm(f"Re-drive {going:,}?", abort=True, err=True)
        for batch in batches(plan.going()):
            redriver.write(batch, now_ms)
    click.echo(f"{going:,} re-driven")


class Plan:
    """Which of the wanted letters go back. The log ends where it began, so it can be asked twice."""

    def __init__(
        self,
        log: LetterLog,
        judge: Judge,
        wanted: Wanted,
        bound: Mapping[str, str],
        again: bool,
        shown: Progress,
    ) -> None:
        self._log, self._judge, self._wanted, self._bound, self._shown = log, judge, wanted, bound, shown
        done = log.redriven(wanted, _watch(shown, "what was re-driven before"))
        self._done = {} if again else done

    def fates(self) -> Counter[tuple[Fate, str]]:
        """How many have which fate, and why."""
        found = Counter(fate for _, fate in self._judged("trying letters"))
        self._shown.finish()
        return found

    def going(self) -> Iterator[Going]:
        for letter, (fate, _) in self._judged("re-driving"):
            topic = self._judge.topic(letter)
            if fate is Fate.GOES and topic is not None:
                yield Going(letter, topic, self._judge.records(letter))

    def _judged(self, what: str) -> Iterator[tuple[Letter, tuple[Fate, str]]]:
        for letter in self._log.letters(self._wanted, self._bound, _watch(self._shown, what)):
            yield letter, self._judge.fate(letter, (letter.partition, letter.offset) in self._done)


def _told(fates: Counter[tuple[Fate, str]], before: str) -> Iterator[str]:
    yield f"{fates[Fate.GOES, '']:>10,}  {before}{Fate.GOES}"
    for (fate, why), n in sorted(fates.items()):
        if fate is not Fate.GOES:
            yield f"{n:>10,}  {fate}{': ' * bool(why)}{why}"


@contextmanager
def _shown() -> Iterator[Progress]:
    shown = Progress()
    try:
        yield shown
    finally:
        shown.finish()


def _watch(shown: Progress, what: str) -> Watcher:
    """Begins to show once there is something to wait for."""
    begun = False

    def watch(done: int, total: int) -> None:
        nonlocal begun
        if not begun and done < total:
            begun = True
            shown.begin(what)
        if begun:
            shown.update(done, total)

    return watch
