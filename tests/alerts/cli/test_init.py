"""`init`: what it writes works, and what is there already is not lost."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alerts.cli.init import configuration, init
from alerts.settings import check_pager, load
from streams.source import profile_of

README = (Path(__file__).parents[3] / "README.md").read_text()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(init, list(args))


@pytest.mark.parametrize("path", ["carrier-health.toml", 'a "quoted" place/own.toml'])
def test_what_it_writes_is_accepted_by_the_loader(path: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    assert run("--output", path).exit_code == 0
    settings = load(Path(path), {})
    check_pager(settings)
    assert [(s.name, profile_of(s)) for s in settings.sources] == [
        ("twilio", "twilio"),
        ("smpp-east", "twilio-smpp"),
    ]
    assert len(settings.privacy.recipient_key.reveal()) == 64


def test_the_example_of_the_readme_is_what_it_writes() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    assert tomllib.loads(block) == tomllib.loads(configuration("recipient.key"))


def test_the_key_is_new_secret_and_never_shown(here: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        (here / name).mkdir()
        shown = run("--output", f"{name}/carrier-health.toml").output
        path = here / name / "recipient.key"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert path.read_text().strip() not in shown
        keys.add(path.read_text())
    assert len(keys) == 2


def test_it_overwrites_only_when_told_to_and_never_a_key(here: Path) -> None:
    run()
    key, config = (here / "recipient.key").read_text(), here / "carrier-health.toml"
    config.write_text("[kafka]\n")
    refused = run()
    assert refused.exit_code == 1 and "--force" in refused.output
    assert config.read_text() == "[kafka]\n"
    forced = run("--force")
    assert forced.exit_code == 0 and "kept" in forced.output
    assert config.read_text() == configuration("recipient.key")
    assert (here / "recipient.key").read_text() == key


def test_printing_writes_nothing(here: Path) -> None:
    printed = run("--output", "-")
    assert printed.stdout == configuration("recipient.key")
    assert list(here.iterdir()) == []


def test_a_place_that_can_not_be_written_is_said() -> None:
    result = run("--output", "nowhere/carrier-health.toml")
    assert result.exit_code == 1 and "nowhere" in result.output
