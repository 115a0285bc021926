"""`carrier-health incidents report`, `timeline` and `digest`: what is told of incidents afterwards."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from alerts import collect
from alerts.cli.desk import ask_about, asking_options, choose, chosen, json_option, read
from alerts.cli.roles import config_option
from alerts.cli.when import Span, When
from alerts.notify import Accepted
from alerts.notify.pagerduty_note import add_note
from alerts.progress import Progress
from alerts.records import Incident
from alerts.review import render, telling
from alerts.review.digest import Reviewed
from alerts.review.digest import digest as week_of
from alerts.review.evidence import Frozen
from alerts.review.redact import redacted
from alerts.review.report import Review, ordered, told
from alerts.review.timeline import Name, Timeline, backwards
from alerts.settings import Settings, load
from streams.clock import WallClock
from streams.commands import MILESTONES, Ask, ToldTime
from streams.errors import ConfigError, MonitorError
from streams.networks import networks_of
from streams.records import encode
from streams.settings import Clock


@click.command()
@click.argument("key")
@click.option("--format", "kind", type=click.Choice(list(render.FORMATS)), default="md", show_default=True)
@click.option("--redact", is_flag=True, help="For customers: nothing of others, of people or of the house.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file in place of stdout.")
@click.option("--attach", is_flag=True, help="Also writes its summary on the incident at PagerDuty.")
@click.option("--frozen", is_flag=True, help="As it was frozen at the time; buckets are not read again.")
@config_option
def report(
    key: str, kind: str, redact: bool, out: Path | None, attach: bool, frozen: bool, config: Path | None
) -> None:
    """The review of one incident, for its postmortem.

    Markdown with the headings of PagerDuty's and Google's templates, what the monitor knows filled in and
    prompts where people know more; one HTML file with its plots; JSON (docs/review.schema.json); or the
    series as CSV. Buckets are read from the topic `windows`, which keeps 30 days; of older incidents there
    is what was frozen when they opened and ended.
    """
    settings = load(config)
    known = read(settings)
    incident = chosen(known, key)
    if attach:
        _check_attach(settings, incident)
    made = _review(settings, incident, known, frozen)
    text = render.FORMATS[kind](redacted(made) if redact else made)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8", newline="")
        click.echo(f"{out}: {len(text.encode()):,} bytes", err=True)
    if attach:
        _attach(settings, incident, telling.note(made))


@click.command()
@click.argument("key")
@click.option("--set", "given", metavar="NAME=T", help=f"When it really was: {', '.join(MILESTONES)}.")
@click.option("--undo", type=click.Choice(MILESTONES), help="Takes back what was set.")
@click.option("--text", default="", help="How you know.")
@json_option
@asking_options
def timeline(
    key: str,
    given: str | None,
    undo: str | None,
    text: str,
    as_json: bool,
    author: str,
    config: Path | None,
) -> None:
    """The milestones of an incident and where each is known from; or sets one.

    T is ISO 8601 or epoch ms. Time never runs backwards: what would is refused with the reason. What was
    set is kept with who set it, and what it replaces.
    """
    settings = load(config)
    incident = choose(settings, key)
    if undo:
        ask_about(settings, incident.key, Ask.SET_TIME, author, text, time=ToldTime(undo, 0))
        return
    events = asyncio.run(collect.read_events(settings, incident.opened_bucket_s))
    found = _timeline(incident, events.get(incident.key, []))
    if given:
        really = _told(given)
        if why := backwards(found.milestones, Name(really.name), really.at_ms):
            raise MonitorError(f"{why}: set that one first, or check the time zone")
        ask_about(settings, incident.key, Ask.SET_TIME, author, text, time=really)
        return
    if as_json:
        click.echo(encode(found).decode())
        return
    for one in found.milestones:
        line = f"{telling.milestone_time(one):<32} {telling.name(one.name):<13} {one.by.value:<10}"
        click.echo(f"{line} {telling.milestone_words(one)}".rstrip())


@click.command()
@click.option("--to", "to_ms", type=When(), help="End of the time that is told of; now, if not given.")
@click.option("--for", "span_ms", type=Span(), default="7d", show_default=True, help="How long it is.")
@json_option
@config_option
def digest(to_ms: int | None, span_ms: int, as_json: bool, config: Path | None) -> None:
    """The week: incidents, how fast, what the pages were worth, flapping, the worst carriers."""
    settings = load(config)
    to_s = (WallClock(settings.clock).now_ms() if to_ms is None else to_ms) // 1000
    known, events = read(settings), asyncio.run(collect.read_events(settings, to_s - span_ms // 1000))
    reviewed = [Reviewed(i, _timeline(i, events.get(i.key, []))) for i in known.values()]
    week = week_of(reviewed, to_s, to_s - span_ms // 1000)
    text = render.digest_json(week) if as_json else render.digest_markdown(week, _display(settings))
    click.echo(text, nl=False)


def _check_attach(settings: Settings, incident: Incident) -> None:
    if not settings.pagerduty.api_token:
        raise ConfigError("pagerduty.api_token is empty: --attach needs it, and pagerduty.api_from")
    if not incident.people.pager_ids:
        raise MonitorError(
            f"PagerDuty has told of no incident of its own for {incident.key}: is its webhook set up?"
        )


def _attach(settings: Settings, incident: Incident, text: str) -> None:
    """On each incident of PagerDuty's: a warning and what it became are two."""
    for pager_id in incident.people.pager_ids:
        answer = asyncio.run(add_note(settings.pagerduty, pager_id, text))
        if not isinstance(answer, Accepted):
            raise MonitorError(f"no note on {pager_id} at PagerDuty: {answer}")
        click.echo(f"note on {pager_id} at PagerDuty", err=True)


def _review(settings: Settings, incident: Incident, known: Mapping[str, Incident], frozen: bool) -> Review:
    now = collect.Moments(WallClock(Clock()).now_ms(), WallClock(settings.clock).now_ms())
    progress = Progress(quiet=not sys.stderr.isatty())
    progress.begin("reading buckets")
    try:
        made = collect.reviewed(
            settings, incident, list(known.values()), now, frozen=frozen, tell=progress.update
        )
        return asyncio.run(made)
    finally:
        progress.finish()


def _timeline(incident: Incident, events: Sequence[Frozen]) -> Timeline:
    """With onset and recovery as they were frozen."""
    kept = ordered(None, [e.evidence for e in events if e.evidence is not None])
    return told(incident, events, kept[0] if kept else None)


def _told(given: str) -> ToldTime:
    name, _, text = given.partition("=")
    if name not in MILESTONES or not text:
        raise click.UsageError(f"--set is NAME=T with a NAME of {', '.join(MILESTONES)}")
    return ToldTime(name, When().convert(text, None, None))


def _display(settings: Settings) -> Callable[[str], str]:
    return networks_of(settings.carriers.file, settings.carriers.roll_up).display
