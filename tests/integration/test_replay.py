"""`replay topic` on a real Kafka: what a time range of the topic holds is what a file of it holds."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from alerts.cli import cli
from alerts.settings import load as load_settings
from streams.embedded import EmbeddedKafka
from streams.simulate.capture import CaptureSink
from streams.simulate.feed import Feeder, feed
from streams.simulate.scenario import load, sources_of
from streams.simulate.traffic import records
from streams.topic_admin import TopicAdmin
from streams.topics import OUTCOMES

SCENARIO = msgspec.structs.replace(load("demo"), rate=60.0, duration_s=240)


@pytest.fixture
def config(tmp_path: Path, kafka: EmbeddedKafka, topic_prefix: str) -> Path:
    path = tmp_path / "carrier-health.toml"
    lines = [
        f'[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\ntopic_prefix = "{topic_prefix}"',
        "replication_factor = 1",
    ]
    for s in sources_of(SCENARIO):
        lines.append(f'[[sources]]\nname = "{s.name}"\nformat = "{s.format}"\ncodes = "{s.codes}"')
    path.write_text("\n".join(lines))
    with TopicAdmin(load_settings(path)) as admin:
        admin.apply()
    return path


def replay(config: Path, *arguments: object, command: str = "replay") -> Result:
    result = CliRunner().invoke(cli, [command, "--config", str(config), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def test_a_time_range_of_the_topic_is_replayed_as_a_file_of_it_is(config: Path, tmp_path: Path) -> None:
    start_ms = int(time.time() - 1200) // 60 * 60_000
    settings, path = load_settings(config), tmp_path / "outcomes.jsonl.gz"
    emissions = list(records(SCENARIO, 1, start_ms))
    feed(emissions, Feeder(settings.kafka.bootstrap_servers, settings.topic(OUTCOMES)))
    feed(emissions, CaptureSink(path))

    options = ("--format", "json", "--from", start_ms + 20_000, "--to", start_ms + 210_000)
    of_topic, of_file = replay(config, "topic", *options), replay(config, path, *options)
    (found,) = [json.loads(line) for line in of_topic.stdout.splitlines()]
    assert (found["scope"], found["carrier"], found["region"]) == ("carrier", "311-480", "all")
    assert of_topic.stdout == of_file.stdout
    (counted,) = [line for line in of_topic.stderr.splitlines() if " records: " in line]
    assert counted in of_file.stderr and "counted" in counted

    middle = replay(config, "topic", "--to", start_ms + 60_000)
    read = int(
        next(line for line in middle.stderr.splitlines() if " records: " in line).split()[0].replace(",", "")
    )
    assert read < len(emissions) * 0.8, "only as far as the time range goes"
    assert not middle.stdout
    assert "too few verdicts" in replay(config, path, "--advise").stdout

    learned = [replay(config, source, "--dry-run", command="learn").stdout for source in ("topic", path)]
    assert learned[0] == learned[1]
    assert "\n1 incidents\n" in learned[0]
    assert "rule twilio_30003: " in learned[0], "and how much was looked at"
