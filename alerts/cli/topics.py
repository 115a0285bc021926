"""`carrier-health topics`: what topics should exist, what does, and the difference."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from alerts.cli.roles import config_option
from alerts.settings import Settings, load
from streams.topic_admin import Difference, TopicAdmin
from streams.topics import TOPICS

HEADINGS = ("TOPIC", "PARTITIONS", "CLEANUP", "KEPT", "STATE")
DAY_MS = 86_400_000


@click.command()
@config_option
@click.option("--apply", "wanted", is_flag=True, help="Creates what is missing, widens and alters the rest.")
@click.option(
    "--partitions",
    "counts",
    multiple=True,
    metavar="NAME=N",
    help="More partitions than the table has, such as outcomes=24.",
)
def topics(config: Path | None, wanted: bool, counts: tuple[str, ...]) -> None:
    """What topics should exist, what does, and the difference.

    Exit code 1 when a topic is missing or wrong. More partitions, a longer retention and larger
    messages than asked for are left alone. Partitions can only be added; new ones of the outcomes
    topic are announced to the readers first, which is why this command should add them.
    """
    settings = load(config)
    overrides = dict(map(_count, counts))
    with TopicAdmin(settings) as admin:
        changed = {d.name: d for d in admin.apply(overrides)} if wanted else {}
        found = admin.differences()
        click.echo("\n".join(_lines(found, changed)))
        retired = [] if wanted else admin.retired()
    for name in retired:
        click.echo(f"{name}: counted on, but no source is bound to it any more: it holds every window.")
    wrong = [d for d in found if not d.ok]
    if wrong or retired:
        click.echo(_advice(settings, wrong, wanted), err=True)
        sys.exit(1)


def _count(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    least = {t.name: t.partitions for t in TOPICS if t.partitions > 1}
    if name not in least or not (number.isascii() and number.isdecimal() and int(number) >= least[name]):
        known = ", ".join(f"{name} ({n} or more)" for name, n in least.items())
        raise click.BadParameter(f"'{text}': NAME=N, with NAME one of {known}", param_hint="--partitions")
    return name, int(number)


def _lines(found: list[Difference], changed: dict[str, Difference]) -> list[str]:
    rows = [HEADINGS, *(_row(d, changed.get(d.name)) for d in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(d: Difference, was: Difference | None) -> tuple[str, ...]:
    kept = "newest by key" if d.wanted.retention_ms is None else f"{d.wanted.retention_ms // DAY_MS} d"
    state = d.verdict if was is None else f"{d.verdict} (was: {was.verdict})"
    return d.name, str(d.partitions or d.wanted.partitions), d.wanted.cleanup, kept, state


def _advice(settings: Settings, wrong: list[Difference], applied: bool) -> str:
    stuck = [d.name for d in wrong if d.too_many]
    if stuck:
        return (
            f"{', '.join(stuck)}: partitions can not be taken away; stop the monitor, delete the topic, "
            "run `carrier-health topics --apply`"
        )
    if applied:
        return "Still different: look at the rights of this user on the topics, and try again."
    return f"Run `carrier-health topics --apply` against {settings.kafka.bootstrap_servers} to mend it."
