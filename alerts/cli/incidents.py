"""`carrier-health incidents`: the incident desk, over the topics."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import click

from alerts import asking, silences
from alerts.cli.desk import ask, ask_about, asking_options, choose, command, echo, json_option, read
from alerts.cli.incident_lines import detailed, incident_json, incident_lines, silence_json, silence_lines
from alerts.cli.incident_review import digest, report, timeline
from alerts.cli.roles import config_option
from alerts.cli.when import Span, When
from alerts.records import State, is_live
from alerts.settings import Settings, load
from streams.clock import WallClock
from streams.commands import MOST_NAME, Ask, Matcher, Silence, SilenceKind, Verdict, safe
from streams.errors import MonitorError

MOST_CLOSED = 20
"""Closed incidents that `list` shows unless it is asked for all."""


class MatcherType(click.ParamType):
    """`carrier=310-260` and the like."""

    name = "MATCHER"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Matcher:
        try:
            return silences.parse(str(value))
        except ValueError as e:
            self.fail(f"'{value}': {e}", param, ctx)


@click.group()
def incidents() -> None:
    """The incident desk: what is open, and what people say of it.

    KEY is an incident's key as `list` shows it, or a part of it that only one open incident has. What
    is asked for is written to the topic incident-commands and counts once the alerts role has taken it
    up, mostly within a second; numbers in texts are masked. docs/desk.md tells what each does to the
    pager.
    """


@incidents.command("list")
@click.option(
    "--all", "everything", is_flag=True, help=f"All that are closed too, not the last {MOST_CLOSED}."
)
@click.option("--open", "only_open", is_flag=True, help="Only what is open.")
@json_option
@config_option
def list_incidents(everything: bool, only_open: bool, as_json: bool, config: Path | None) -> None:
    """Incidents, the open ones first, then the newest."""
    found = sorted(read(load(config)).values(), key=lambda i: (-i.opened_bucket_s, i.key))
    opened = [i for i in found if i.state is State.OPEN]
    closed = [] if only_open else [i for i in found if i.state is not State.OPEN]
    shown = opened + (closed if everything else closed[:MOST_CLOSED])
    echo(map(incident_json, shown) if as_json else incident_lines(shown))
    if not shown and not as_json:
        click.echo("No incident is open." if only_open else "No incident so far.", err=True)


@incidents.command()
@click.argument("key")
@json_option
@config_option
def show(key: str, as_json: bool, config: Path | None) -> None:
    """One incident: figures, pages, and what people have said."""
    incident = choose(load(config), key)
    echo([incident_json(incident)] if as_json else detailed(incident))


@incidents.command()
@click.argument("key")
@click.option("--undo", is_flag=True, help="Takes the acknowledgement back.")
@click.option("--text", default="", help="What you are about to do.")
@asking_options
def ack(key: str, undo: bool, text: str, author: str, config: Path | None) -> None:
    """Acknowledge: somebody looks after it.

    It is shown on the incident and pages go on as before. At PagerDuty acknowledge the page itself:
    the webhook brings it here.
    """
    what = Ask.UNACKNOWLEDGE if undo else Ask.ACKNOWLEDGE
    ask_about(load(config), key, what, author, text=text)


@incidents.command()
@click.argument("key")
@click.argument("text")
@asking_options
def note(key: str, text: str, author: str, config: Path | None) -> None:
    """Write a note on an incident."""
    ask_about(load(config), key, Ask.NOTE, author, text=text)


@incidents.command()
@click.argument("key")
@click.argument("worth", type=click.Choice(["useful", "too-late", "false"]))
@click.option("--text", default="", help="Why.")
@asking_options
def verdict(key: str, worth: str, text: str, author: str, config: Path | None) -> None:
    """Say what the page was worth: useful, too-late or false."""
    given = Verdict(worth.replace("-", "_"))
    ask_about(load(config), key, Ask.VERDICT, author, text=text, verdict=given)


@incidents.command()
@click.argument("key")
@click.option("--undo", is_flag=True, help="Opens again what a person has closed.")
@click.option("--text", default="", help="Why.")
@asking_options
def resolve(key: str, undo: bool, text: str, author: str, config: Path | None) -> None:
    """Close an incident that is failing still.

    Its pages are resolved. It pages again when its severity rises, or after 4 hours of failing.
    """
    settings = load(config)
    incident = choose(settings, key)
    if undo != incident.people.closed or (not undo and not is_live(incident)):
        raise MonitorError(f"{incident.key} is {'not closed by a person' if undo else 'closed already'}")
    ask_about(settings, incident.key, Ask.REOPEN if undo else Ask.RESOLVE, author, text=text)


@incidents.command()
@click.argument("key", required=False)
@click.option("--match", "matchers", multiple=True, type=MatcherType(), help="NAME=VALUE; all must fit.")
@click.option("--for", "span_ms", type=Span(), help="How long from its begin on: 90m, 2h, 3d.")
@click.option("--until", "end_ms", type=When(), help="Its end instead: ISO 8601 or epoch ms.")
@click.option("--from", "begin_ms", type=When(), help="Its begin, if it is not now.")
@click.option("--reason", default="", help="Why nobody needs to be paged.")
@click.option("--maintenance", is_flag=True, help="A window in which somebody works on the network.")
@click.option("--list", "listing", is_flag=True, help="Lists what is silenced, and until when.")
@click.option("--end", "ending", metavar="ID", help="Ends a silence before its time.")
@json_option
@asking_options
def silence(
    key: str | None,
    matchers: tuple[Matcher, ...],
    listing: bool,
    ending: str | None,
    as_json: bool,
    author: str,
    config: Path | None,
    **given: Any,
) -> None:
    """Page nobody about something for a while; it is shown as ever.

    A silence is made of matchers on rule, scope, carrier, region and severity, with =, !=, =~ and !~
    (regular expressions on the whole value), or of KEY, which stands for the rule and scope of that
    incident. A page that is out already stays open and is resolved in the end; what is open when the
    silence ends pages then.

    \b
    Examples:
      carrier-health incidents silence --match carrier=310-260 --for 2h --reason "known outage"
      carrier-health incidents silence --match 'region=~US-.*' --maintenance \\
          --from 2026-12-01T02:00:00Z --for 4h --reason "announced by the carrier"
      carrier-health incidents silence --list
      carrier-health incidents silence --end 5b1c0e2a
    """
    settings = load(config)
    now_ms = WallClock(settings.clock).now_ms()
    if listing:
        held = silences.in_force(asyncio.run(asking.read_silences(settings)), now_ms)
        echo(map(silence_json, held) if as_json else silence_lines(held, now_ms))
    elif ending:
        _end_silence(settings, ending, author, now_ms)
    else:
        found = silences.of_incident(choose(settings, key)) if key else ()
        made = _silence((*found, *matchers), author, now_ms, **given)
        ask(settings, command(Ask.SILENCE, author, now_ms, silence=made, silence_id=made.id))
        click.echo(silence_json(made) if as_json else next(iter(silence_lines([made], now_ms))))


def _silence(
    matchers: tuple[Matcher, ...],
    author: str,
    now_ms: int,
    *,
    span_ms: int | None,
    end_ms: int | None,
    begin_ms: int | None,
    reason: str,
    maintenance: bool,
) -> Silence:
    if (span_ms is None) is (end_ms is None):
        raise click.UsageError("say how long: one of --for and --until")
    if not reason:
        raise click.UsageError("--reason is missing: whoever is on call will ask why nobody was paged")
    begin_ms = now_ms if begin_ms is None else begin_ms
    made = Silence(
        id=uuid.uuid4().hex[:8],
        matchers=matchers,
        author=safe(author, MOST_NAME),
        reason=safe(reason),
        begin_ms=begin_ms,
        end_ms=begin_ms + span_ms if span_ms is not None else end_ms or 0,
        kind=SilenceKind.MAINTENANCE if maintenance else SilenceKind.SILENCE,
        created_ms=now_ms,
    )
    if made.end_ms <= now_ms:
        raise click.UsageError("it would be over already")
    if why := silences.fault(made):
        raise click.UsageError(f"the silence can not be taken: {why}")
    return made


def _end_silence(settings: Settings, silence_id: str, author: str, now_ms: int) -> None:
    held = silences.in_force(asyncio.run(asking.read_silences(settings)), now_ms)
    if silence_id not in {s.id for s in held}:
        raise MonitorError(f"no silence {silence_id} is in force: see `incidents silence --list`")
    ask(settings, command(Ask.END_SILENCE, author, now_ms, silence_id=silence_id))
    click.echo(f"silence {silence_id} ends")


for reviewing in (report, timeline, digest):
    incidents.add_command(reviewing)
