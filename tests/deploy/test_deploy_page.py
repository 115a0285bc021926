"""docs/deploy.md and the README: what they tell people to type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import fields

from alerts.cli import cli
from alerts.settings import Settings
from streams.settings import Secret, Section
from tests.deploy.deployed import DEPLOY, ROOT, parsed

PAGE = (ROOT / "docs/deploy.md").read_text()
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)).replace("\\\n", " ")


def test_every_variable_is_one_that_the_settings_know() -> None:
    """In comments and on the page too, where no loader sees it."""
    files = [p for p in DEPLOY.rglob("*") if p.is_file()]
    text = PAGE + "".join(p.read_text() for p in files)
    named = set(re.findall(r"CARRIER_HEALTH_[A-Z]+__[A-Z_]+", text))
    assert "CARRIER_HEALTH_PAGERDUTY__ROUTING_KEY_FILE" in named
    assert named <= set(variables())


def variables() -> Iterator[str]:
    for section in fields(Settings):
        if isinstance(section.type, type) and issubclass(section.type, Section):
            for key in fields(section.type):
                name = f"CARRIER_HEALTH_{section.name}__{key.name}".upper()
                yield name
                if key.type is Secret:
                    yield f"{name}_FILE"


def test_every_command_exists_with_its_options() -> None:
    typed = re.findall(r"-- carrier-health ([^`\n]+)", PAGE)
    assert [parsed(line) for line in typed] == ["topics", "doctor", "doctor"]


@pytest.mark.parametrize("text", [PAGE, README], ids=["deploy.md", "README.md"])
def test_every_file_that_is_handed_over_exists(text: str) -> None:
    named = re.findall(r"(?:-[fkr] |cp (?:-r )?)(deploy[\w/.*-]*)", text)
    assert named and [f for f in named if not list(ROOT.glob(f))] == []


def test_the_units_that_are_copied_and_enabled_exist() -> None:
    (copied,) = re.findall(r"cp -r (.*) /etc/systemd/system/", BLOCKS)
    files = {path.name for pattern in copied.split() for path in ROOT.glob(pattern)}
    wanted = {p.name for p in (DEPLOY / "systemd").iterdir()} - {"carrier-health.sysusers.conf"}
    assert files == wanted
    (enabled,) = re.findall(r"enable --now .* carrier-health-\{(.*)\}", BLOCKS)
    assert {f"carrier-health-{unit.split('@')[0]}@.service" for unit in enabled.split(",")} < files


def test_the_record_that_is_posted_is_read(tmp_path: Path) -> None:
    (body,) = re.findall(r"-d '(\{.*?)'\$\(date \+%s000\)'\}'", BLOCKS)
    record = tmp_path / "record.json"
    record.write_text(json.dumps(json.loads(f"{body}1795662091000}}")))
    read = CliRunner().invoke(cli, ["decode", "--format", "canonical", str(record)])
    assert read.exit_code == 0 and json.loads(read.stdout)["status"] == "delivered"
