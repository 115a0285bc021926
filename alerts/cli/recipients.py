"""`carrier-health recipients`: whom messages do not reach, and whom to forget."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np

from alerts.cli.roles import config_option
from alerts.recipients import asking
from alerts.recipients.asking import COLUMNS, by_hash, by_number, hashed, opened
from alerts.recipients.growth import LEAST, TIMES
from alerts.settings import Settings, load
from streams.clock import WallClock
from streams.privacy import RecipientHasher

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
numbers_argument = click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...|-")


@click.group()
def recipients() -> None:
    """Whom messages do not reach, and whom to forget.

    A recipient is on the list when more than recipients.max_in_a_row messages in a row failed as absent
    within recipients.within_days, and nothing was delivered since. The monitor keeps keyed hashes alone:
    numbers that you give are hashed here and kept nowhere. See docs/recipients.md.
    """


@recipients.command()
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="How."
)
@click.option(
    "--numbers",
    type=click.File(),
    metavar="FILE|-",
    help="Your own list, a number a line: shows those of it that are on the list, as you wrote them.",
)
@config_option
def export(form: str, numbers: TextIO | None, config: Path | None) -> None:
    """Write the list, by hash, or by number for numbers of your own.

    \b
    Examples:
      carrier-health recipients export --format json
      carrier-health recipients export --numbers - < subscribers.txt > remove-these.csv
    """
    settings, first = load(config), "number" if numbers else "recipient"
    with opened(settings) as kept:
        now_s = _now_s(settings)
        rows = by_number(kept, _hasher(settings), numbers, now_s) if numbers else by_hash(kept, now_s)
        n = _write(rows, form, (first, *COLUMNS))
    click.echo(f"{n:,} on the list", err=True)


@recipients.command()
@numbers_argument
@json_option
@config_option
def check(numbers: tuple[str, ...], as_json: bool, config: Path | None) -> None:
    """Tell whether numbers are on the list, and what is known of each."""
    settings = load(config)
    with opened(settings) as kept:
        now_s = _now_s(settings)
        for number, recipient in hashed(_hasher(settings), _lines(numbers)):
            told = asking.figures(kept, kept.entry(recipient), now_s)
            listed = told["failed_in_a_row"] > kept.limits.max_in_a_row
            if as_json:
                click.echo(json.dumps({"number": number, "listed": listed, **told}))
            else:
                click.echo(f"{number}  {_words(listed, told)}")


@recipients.command()
@numbers_argument
@config_option
def erase(numbers: tuple[str, ...], config: Path | None) -> None:
    """Forget numbers: what has failed up to now is erased, and does not come back.

    What fails from now on is followed anew. Topics keep hashes for 8 days at most; see docs/privacy.md.
    """
    settings = load(config)
    found = np.array([r for _, r in hashed(_hasher(settings), _lines(numbers))], np.uint64)
    with opened(settings) as kept:
        entries = asking.erase(settings, kept, found, _now_s(settings))
    click.echo(f"{len(found):,} numbers are forgotten; of them {entries:,} runs of failures were kept")


@recipients.command()
@json_option
@config_option
def senders(as_json: bool, config: Path | None) -> None:
    """Show which senders and traffic classes put recipients on the list, of the last week."""
    settings = load(config)
    with opened(settings) as kept:
        growth, now_s = kept.growth(), _now_s(settings)
    sudden = set(growth.growing(now_s))
    for one in growth.days(now_s):
        (sender, traffic_class), day, usual = one
        if as_json:
            row = {"sender": sender, "traffic_class": traffic_class, "last_24h": day, "usual_day": usual}
            click.echo(json.dumps(row | {"growing": one in sudden}))
        else:
            mark = "  GROWING" if one in sudden else ""
            click.echo(f"{sender or '-':20} {traffic_class or '-':16} {day:8,} {usual:10,.1f}{mark}")
    if not as_json:
        told = "sender, traffic class, last 24 h, usual day"
        click.echo(f"{told}; GROWING: {LEAST} or more, and {TIMES:g} times the usual day", err=True)


def _write(rows: Iterable[dict[str, Any]], form: str, columns: tuple[str, ...]) -> int:
    """How many there were."""
    n, table = 0, csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    if form == "csv":
        table.writeheader()
    for row in rows:
        n += 1
        if form == "csv":
            table.writerow(row)
        else:
            click.echo(json.dumps(row))
    return n


def _words(listed: bool, told: dict[str, Any]) -> str:
    if not told["failed_in_a_row"]:
        return "not on the list: nothing has failed since the last delivery, as far as is known"
    least = "at least " if listed else ""
    on = "on the list" if listed else "not on the list"
    return f"{on}: {least}{told['failed_in_a_row']} in a row failed, the newest at {told['newest_failure']}"


def _lines(numbers: tuple[str, ...]) -> Iterable[str]:
    return sys.stdin if numbers == ("-",) else numbers


def _hasher(settings: Settings) -> RecipientHasher:
    return RecipientHasher(settings.privacy.recipient_key)


def _now_s(settings: Settings) -> int:
    return WallClock(settings.clock).now_ms() // 1000
