"""`carrier-health codes`: searches and explains the code tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
import msgspec

from streams.codes import CodeRow, profiles, table

Hit = tuple[str, CodeRow]
HEADINGS = ("PROFILE", "CODE", "NAME", "CLASS", "PERMANENCE", "SIDE", "DESCRIPTION")


@click.command()
@click.argument("query", nargs=-1)
@click.option("--profile", metavar="NAME", help="Only this code profile, such as twilio-smpp.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def codes(query: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Search and explain providers' codes.

    QUERY is a code, or words that are looked for in code, name, class and description; without it
    every code is shown. The same code can mean different things in two profiles.

    \b
    Examples:
      carrier-health codes 30003
      carrier-health codes absent subscriber --profile twilio-smpp
    """
    if profile is not None and profile not in profiles():
        raise click.BadParameter(f"'{profile}'; there are {', '.join(profiles())}", param_hint="--profile")
    hits = search(" ".join(query), (profile,) if profile else profiles())
    if not hits:
        click.echo(f"No code matches '{' '.join(query)}'.", err=True)
        sys.exit(1)
    click.echo("\n".join(map(_json_line, hits) if as_json else _table_lines(hits)))


def search(query: str, names: tuple[str, ...]) -> list[Hit]:
    """The rows that a query finds in these profiles: those with just that code, else those in which
    every word occurs."""
    rows = [(name, row) for name in names for row in table(name).rows]
    exact = [hit for hit in rows if hit[1].code.lower() == query.strip().lower()]
    words = query.lower().replace("_", " ").split()
    return exact or [hit for hit in rows if all(w in _searched(hit[1]) for w in words)]


def _searched(row: CodeRow) -> str:
    text = f"{row.code} {row.name} {row.outcome_class} {row.description}"
    return text.lower().replace("_", " ")


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
