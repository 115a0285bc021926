"""`carrier-health codes`: searches and explains the code tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from alerts.settings import load
from streams.codes import BUILT_IN, CodeBook, CodeRow, differences, explain

Hit = tuple[str, CodeRow]
HEADINGS = ("PROFILE", "CODE", "NAME", "CLASS", "PERMANENCE", "SIDE", "DESCRIPTION")
DIAGNOSTICS = ("absent-diagnostics",)
_DIAGNOSTIC = re.compile(r"\s*diagnostics?\s+(\S+)\s*", re.I)


@click.command()
@click.argument("query", nargs=-1)
@click.option("--profile", metavar="NAME", help="Only this code profile, such as twilio-smpp.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="CARRIER_HEALTH_CONFIG",
    help="The configuration file, for code tables of your own.",
)
def codes(query: tuple[str, ...], profile: str | None, as_json: bool, config: Path | None) -> None:
    """Search and explain providers' codes.

    QUERY is a code, or words that are looked for in code, name, class and description; without it
    every code is shown. A code is also explained: what it means, whether it passes, whose side it
    is on and what to do. The same code can mean different things in two profiles.

    \b
    Examples:
      carrier-health codes 30003
      carrier-health codes 007 --profile twilio-smpp
      carrier-health codes absent subscriber
      carrier-health codes diagnostic 1
    """
    book = CodeBook(load(config).code_tables) if config else BUILT_IN
    if profile is not None and profile not in book.profiles:
        raise click.BadParameter(f"'{profile}'; there are {', '.join(book.profiles)}", param_hint="--profile")
    words, names = _asked(" ".join(query), (profile,) if profile else book.profiles)
    exact = of_code(book, words, names)
    hits = exact or with_words(book, words, names)
    if not hits:
        click.echo(f"No code matches '{' '.join(query)}'.", err=True)
        sys.exit(1)
    click.echo("\n".join(map(_json_line, hits) if as_json else _table_lines(hits)))
    if exact and not as_json:
        compared = names if names == DIAGNOSTICS else book.profiles
        click.echo("\n" + "\n".join(_explanation(exact, of_code(book, words, compared))))


def _asked(query: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The query and the profiles to look in; `diagnostic 1` asks for why a subscriber is absent."""
    diagnostic = _DIAGNOSTIC.fullmatch(query)
    return (diagnostic[1], DIAGNOSTICS) if diagnostic else (query.strip(), names)


def of_code(book: CodeBook, code: str, names: tuple[str, ...]) -> list[Hit]:
    """The rows with just that code, as receipts of these profiles may write it; `STAT/ERR` for pairs."""
    found = [(name, book.table(name).lookup(code)) for name in names if code]
    return [(name, row) for name, row in found if row is not None]


def with_words(book: CodeBook, query: str, names: tuple[str, ...]) -> list[Hit]:
    """The rows in which every word of the query occurs."""
    words = query.lower().replace("_", " ").split()
    rows = [(name, row) for name in names for row in book.table(name).rows]
    return [hit for hit in rows if all(w in _searched(hit[1]) for w in words)]


def _searched(row: CodeRow) -> str:
    text = f"{row.code} {row.name} {row.outcome_class} {row.description}"
    return text.lower().replace("_", " ")


def _explanation(hits: list[Hit], everywhere: list[Hit]) -> Iterator[str]:
    for profile, row in hits:
        yield f"{profile} {row.code}: {explain(row)}"
    differing = differences(everywhere)
    if differing:
        yield f"\n{differing}."


def _columns(hit: Hit) -> tuple[str, ...]:
    profile, row = hit
    return profile, row.code, row.name, row.outcome_class, row.permanence, row.side, row.description


def _table_lines(hits: list[Hit]) -> Iterator[str]:
    lines = [HEADINGS, *map(_columns, hits)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()


def _json_line(hit: Hit) -> str:
    profile, row = hit
    return msgspec.json.encode({"profile": profile, **row._asdict()}).decode()
