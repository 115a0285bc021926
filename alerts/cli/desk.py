"""What the commands of the incident desk share: who asks, which incident is meant, how it is asked for."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from alerts import asking
from alerts.cli.roles import config_option
from alerts.records import Incident, State
from alerts.settings import Settings
from streams.clock import WallClock
from streams.commands import Ask, Command, Via
from streams.errors import MonitorError
from streams.settings import Clock

F = TypeVar("F", bound=Callable[..., Any])


def asking_options(command: F) -> F:
    """Who asks, and the configuration."""
    author = click.option(
        "--author", default=getpass.getuser, metavar="NAME", help="Who asks; the user of this machine."
    )
    return author(config_option(command))


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def ask_about(settings: Settings, key: str, what: Ask, author: str, text: str = "", **more: Any) -> None:
    """People's own times are those of the wall, whatever clock events run on."""
    incident = choose(settings, key)
    at_ms = WallClock(Clock()).now_ms()
    ask(settings, command(what, author, at_ms, key=incident.key, text=text, **more))
    click.echo(f"{what.value.replace('_', ' ')}: {incident.key}")


def command(what: Ask, author: str, at_ms: int, **more: Any) -> Command:
    return asking.command(what, author, at_ms, Via.CLI, **more)


def ask(settings: Settings, command: Command) -> None:
    asyncio.run(asking.ask(settings, command))


def read(settings: Settings) -> dict[str, Incident]:
    """By key. Raises Unreachable."""
    return asyncio.run(asking.read_incidents(settings))


def choose(settings: Settings, key: str) -> Incident:
    """The incident that is meant. Raises MonitorError."""
    return chosen(read(settings), key)


def chosen(known: Mapping[str, Incident], key: str) -> Incident:
    """The incident of that key; else the only open one whose key holds it, or the only one of all."""
    if key in known:
        return known[key]
    alike = [known[k] for k in sorted(known) if key in k]
    opened = [i for i in alike if i.state is State.OPEN]
    found = opened or alike
    if len(found) == 1:
        return found[0]
    if found:
        raise MonitorError(f"'{key}' fits {len(found)} incidents, such as {found[0].key}: give more of it")
    raise MonitorError(f"no incident '{key}': see `carrier-health incidents list --all`")


def echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
