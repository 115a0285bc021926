"""`carrier-health decode` over every sample prints what is committed under `tests/expected`.

`tests/samples/PROVIDER.toml` says for each file of `tests/samples/PROVIDER` how it is read (the
settings of a source) and where its shape comes from. With UPDATE_SAMPLES=1 the expected output is
written anew.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from alerts.cli import cli
from streams.decode import FORMATS

ROOT = Path(__file__).parent
SAMPLES, EXPECTED = ROOT / "samples", ROOT / "expected"
UPDATE = bool(os.environ.get("UPDATE_SAMPLES"))
RECEIVED = "2026-07-17T12:10:00Z"
KEY = "a recipient key for samples alone"
ABOUT = {"source", "about"}
INDEX = {path.stem: tomllib.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.toml"))}
FILES = [(provider, name) for provider, index in INDEX.items() for name in index]
FICTIONAL = re.compile(r"1?\d{3}55501\d\d|1555\d{7}|447700900\d{3}|1{8,}|1?2{8,}|0{8,}")
"""Numbers that belong to nobody: kept for fiction, or of one digit."""


def settings_of(provider: str, name: str) -> dict[str, Any]:
    return {k: v for k, v in INDEX[provider][name].items() if k not in ABOUT}


def decoded(provider: str, name: str, directory: Path) -> list[dict[str, Any]]:
    config = directory / "carrier-health.toml"
    lines = [f"{k} = {_toml(v)}" for k, v in settings_of(provider, name).items()]
    config.write_text(
        f'[privacy]\nrecipient_key = "{KEY}"\n[[sources]]\nname = "sample"\n' + "\n".join(lines) + "\n"
    )
    arguments = ["decode", "--source", "sample", "--config", str(config), "--received", RECEIVED]
    result = CliRunner().invoke(cli, [*arguments, str(SAMPLES / provider / name)], env={})
    assert result.exit_code in (0, 1), result.output
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == any("error" in o for o in outcomes)
    return outcomes


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize(("provider", "name"), FILES)
def test_a_sample_decodes_as_expected(provider: str, name: str, tmp_path: Path) -> None:
    path = EXPECTED / provider / f"{name}.jsonl"
    outcomes = decoded(provider, name, tmp_path)
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(o) + "\n" for o in outcomes))
    assert outcomes, "a sample without a record shows nothing"
    assert outcomes == [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("provider", sorted(p.name for p in SAMPLES.iterdir() if p.is_dir()))
def test_each_sample_says_where_it_comes_from(provider: str) -> None:
    files = {p.name for p in (SAMPLES / provider).iterdir()}
    assert files == set(INDEX[provider])
    assert all(entry["source"] and entry["about"] for entry in INDEX[provider].values())


def test_every_format_has_a_sample() -> None:
    assert {settings_of(*file)["format"] for file in FILES} == set(FORMATS)


@pytest.mark.parametrize(("provider", "name"), FILES)
def test_no_number_of_a_sample_belongs_to_anybody(provider: str, name: str) -> None:
    text = (SAMPLES / provider / name).read_text(encoding="latin-1")
    numbers = re.findall(r"(?:\+|%2B)(\d{8,15})", text)
    assert [n for n in numbers if not FICTIONAL.fullmatch(n)] == []
