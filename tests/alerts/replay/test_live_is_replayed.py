"""The same records, live and replayed: the same incidents, field by field.

second  0 ............ 60 ====== labelled incident ====== 150 ............ 240
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from click.testing import CliRunner

from alerts.cli import cli
from alerts.records import Incident
from alerts.settings import Settings
from streams.settings import Privacy, Secret
from streams.simulate.scenario import load, sources_of
from streams.simulate.traffic import records
from tests.alerts.replay.live import Live

START_MS = 1_767_636_000_000
SECONDS = 240
SCENARIO = msgspec.structs.replace(load("demo"), rate=60.0, duration_s=SECONDS)
SETTINGS = Settings(sources=sources_of(SCENARIO), privacy=Privacy(recipient_key=Secret("k" * 32)))
OF_PEOPLE = ("people", "deliveries", "status_notes", "team", "storm", "v")
OF_FOUND = ("severity", "resolved_ms", "detected_ms", "onset_ms", "transitions")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "carrier-health.toml"
    lines = ['[privacy]\nrecipient_key = "' + "k" * 32 + '"']
    for s in SETTINGS.sources:
        lines.append(f'[[sources]]\nname = "{s.name}"\nformat = "{s.format}"\ncodes = "{s.codes}"')
    path.write_text("\n".join(lines))
    return path


class Ran(NamedTuple):
    """What the live path made of it, and what it noted down."""

    incidents: dict[str, Incident]
    captured: list[dict]
    events: list[dict]


@cache
def live(seed: int) -> Ran:
    one = Live(SETTINGS)
    incidents = asyncio.run(one.run(records(SCENARIO, seed, START_MS), rest_s=30))
    assert incidents
    return Ran(incidents, one.captured, [json.loads(event) for event in one.kafka.events])


def written(path: Path, lines: Iterable[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def replayed(config: Path, *arguments: object) -> list[dict]:
    result = CliRunner().invoke(
        cli, ["replay", "--config", str(config), "--format", "json", *map(str, arguments)]
    )
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def plain(incident: Incident) -> dict:
    """What decides, as JSON has it."""
    whole = json.loads(msgspec.json.encode(incident))
    return {name: value for name, value in whole.items() if name not in OF_PEOPLE}


@pytest.mark.parametrize("seed", [1, 2])
def test_live_and_replayed_incidents_are_equal_field_by_field(
    tmp_path: Path, config: Path, seed: int
) -> None:
    ran = live(seed)
    path = written(tmp_path / "captured.jsonl", ran.captured)
    for key, incident in ran.incidents.items():
        (found,) = replayed(config, path, "--explain", key)
        same = {name: value for name, value in plain(incident).items() if name not in OF_FOUND}
        assert {name: found[name] for name in same} == same
        assert (found["detected_ms"], found["onset_ms"]) == (incident.detected_ms, incident.onset_ms)
        assert found["resolved_ms"] == (incident.resolved_bucket_s + 10) * 1000
        told = [(t["what"], t["at_ms"], t["reason"], t["detail"]) for t in found["transitions"]]
        events = [e for e in ran.events if e["key"] == key]
        assert told == [(e["what"], e["at_ms"], e["reason"], e["detail"]) for e in events]


def test_the_order_of_the_lines_and_the_number_of_files_change_nothing(tmp_path: Path, config: Path) -> None:
    ran = live(1)
    whole = replayed(config, written(tmp_path / "whole.jsonl", ran.captured))
    assert [one["key"] for one in whole] == list(ran.incidents)
    by_partition = sorted(ran.captured, key=lambda line: line["partition"])
    assert replayed(config, written(tmp_path / "one_after_the_other.jsonl", by_partition)) == whole
    files = [
        written(tmp_path / f"{n}.jsonl", [r for r in ran.captured if r["partition"] % 2 == n]) for n in (1, 0)
    ]
    assert replayed(config, *files) == whole


def test_without_clocks_the_newest_receipt_is_the_clock(tmp_path: Path, config: Path) -> None:
    ran = live(1)
    bare = [{k: v for k, v in line.items() if k != "clock_ms"} for line in ran.captured]
    found = replayed(config, written(tmp_path / "bare.jsonl", bare))
    assert [one["key"] for one in found] == list(ran.incidents)
