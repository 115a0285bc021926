"""What the files in deploy/ start, read as the product itself would read it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

from alerts import settings as configuration
from alerts.cli import cli
from alerts.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ROLES = ("gateway", "ingest", "windows", "alerts")
HOME = "/etc/carrier-health/"
"""Where configuration and secrets are mounted."""
SECRET = "0123456789abcdef" * 4


class Process(NamedTuple):
    """One process as some file starts it: its settings' variables, and the secrets that it can see."""

    config: Path
    env: Mapping[str, str]
    secrets: Iterable[str]
    """Paths below `HOME`."""


def documents(path: Path) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all(path.read_text()) if d is not None]


def parsed(line: str | list[str]) -> str:
    """Name of the command. Raises click.UsageError for a command or an option that there is not."""
    words = shlex.split(line) if isinstance(line, str) else line
    name, *rest = words
    with click.Context(cli, info_name="carrier-health") as whole:
        command = cli.get_command(whole, name)
        if command is None:
            raise click.UsageError(f"no command {name}")
        command.make_context(name, rest, parent=whole)
    return name


def loaded(process: Process, at: Path) -> Settings:
    """The settings of that process, by the real loader. Raises ConfigError for an unknown key, variable or
    section, for a contradiction, and for a secret that the process names but can not see."""
    for name in process.secrets:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(SECRET)
    path = at / "carrier-health.toml"
    path.write_text(process.config.read_text().replace(HOME, f"{at}/"))
    env = {key: value.replace(HOME, f"{at}/") for key, value in process.env.items()}
    return configuration.load(path, env)


def http_port(settings: Settings, role: str) -> int:
    port: int = getattr(settings.http, f"{role}_port")
    return port
