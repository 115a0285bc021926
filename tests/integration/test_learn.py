"""`learn` on a real Kafka: the alerts role begins with what history taught, and with no old incident."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer

from alerts import snapshot
from alerts.cli import cli
from alerts.decide import DetectorState
from alerts.settings import load
from streams.embedded import EmbeddedKafka
from streams.log_reader import read_compacted, read_newest
from streams.topic_admin import TopicAdmin
from streams.topics import DETECTOR_STATE
from tests.alerts.replay.lines import lines, write
from tests.alerts.traffic import Fault, Network, names

HOURS = 3
FAULT = Fault(2 * 3600, 2 * 3600 + 1200, 0.6, carrier="c1")
NETWORK = Network(5, names("c", 3), names("r", 2), 30, base=(0.008, 0.012), faults=(FAULT,))


@pytest.fixture
def config(tmp_path: Path, kafka: EmbeddedKafka, topic_prefix: str) -> Path:
    path = tmp_path / "carrier-health.toml"
    path.write_text(f"""
        [kafka]
        bootstrap_servers = "{kafka.bootstrap_servers}"
        topic_prefix = "{topic_prefix}"
        replication_factor = 1
        [alerts]
        group = "{topic_prefix}alerts"
        [alerting]
        mode = "observe"
        """)
    with TopicAdmin(load(path)) as admin:
        admin.apply()
    return path


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "counts.jsonl"
    return write(path, lines(NETWORK, HOURS * 3600, 60))


def learn(config: Path, history: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["learn", "--folded", "--config", str(config), *options, str(history)])
    return result.exit_code, result.output


def stored(config: Path) -> DetectorState | None:
    records = asyncio.run(read_compacted(load(config), DETECTOR_STATE))
    return snapshot.restore(records.values()) if records else None


def test_what_is_learned_is_what_the_alerts_role_begins_with(config: Path, history: Path) -> None:
    code, said = learn(config, history)
    assert code == 0, said
    assert "rule twilio_30003: 6 series, ordinary failure ratio" in said
    state = stored(config)
    assert state is not None
    assert not state.cases and all(not r.ring and not r.charts.w.any() for r in state.rules)
    rule = next(r for r in state.rules if r.rule == "twilio_30003")
    expected = rule.learned.baseline.expected(state.policy, state.bucket_s)
    assert ((expected > 0.004) & (expected < 0.02)).all(), "the incident of an hour ago is not learned"


def test_a_restart_finds_it_in_what_was_written_of_late(config: Path, history: Path) -> None:
    settings = load(config)
    assert asyncio.run(read_newest(settings, DETECTOR_STATE, 3_600_000)) == {}
    learn(config, history)
    whole = asyncio.run(read_compacted(settings, DETECTOR_STATE))
    assert asyncio.run(read_newest(settings, DETECTOR_STATE, 3_600_000)) == whole
    last = asyncio.run(read_newest(settings, DETECTOR_STATE, 0))
    assert last
    assert last.items() <= whole.items()


def test_a_dry_run_writes_nothing(config: Path, history: Path) -> None:
    assert learn(config, history, "--dry-run")[0] == 0
    assert stored(config) is None


def test_while_the_alerts_role_runs_nothing_is_written(config: Path, history: Path) -> None:
    settings = load(config)
    member = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": settings.alerts.group}
    )
    member.subscribe([settings.topic("windows")])
    try:
        while not member.assignment():
            member.poll(0.1)
        code, said = learn(config, history)
    finally:
        member.close()
    assert code == 1
    assert "stop it, learn, start it again" in said
    assert stored(config) is None


def test_counts_are_no_records(config: Path, history: Path) -> None:
    for arguments, said in ((["topic", "--folded"], "do not go together"), ([str(history)], "[[sources]]")):
        result = CliRunner().invoke(cli, ["learn", "--config", str(config), *arguments])
        assert result.exit_code == 2
        assert said in result.output


def test_what_is_written_is_a_snapshot_of_this_version(config: Path, history: Path) -> None:
    learn(config, history)
    records = asyncio.run(read_compacted(load(config), DETECTOR_STATE))
    assert {msgspec.json.decode(r)["v"] for r in records.values()} == {1}


def replay(config: Path, history: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["replay", "--folded", "--config", str(config), *options, str(history)])
    return result.exit_code, result.output


def test_a_backtest_begins_with_what_was_learned_by_then(config: Path, tmp_path: Path) -> None:
    """10 % where 1 % is normal: found within two minutes by who knows that, much later or never by others."""
    day_s, onset_s = 86_400, 86_400 + 3600
    fault = Fault(onset_s, onset_s + 1200, 0.1, carrier="c1")
    network = Network(5, names("c", 3), names("r", 2), 8, base=(0.008, 0.012), faults=(fault,))
    whole = write(tmp_path / "whole.jsonl", lines(network, day_s + 2 * 3600, 60))
    code, said = learn(config, whole, "--to", "2027-01-16T08:00:00Z")
    assert code == 0, said
    found = []
    for state in ([], ["--state", "2027-01-16T08:00:00Z"]):
        code, said = replay(config, whole, "--from", "2027-01-16T08:30:00Z", *state)
        assert code == 0, said
        found.append([line.strip() for line in said.splitlines() if line.startswith("    ch:")])
    without, (key,) = found
    assert key.startswith("ch:twilio_30003:carrier:c1:all:")
    onset_at_s = 1_800_000_000 + onset_s
    assert int(key.rsplit(":", 1)[1]) - onset_at_s < 120
    assert all(int(other.rsplit(":", 1)[1]) - onset_at_s > 120 for other in without)


def test_a_state_older_than_all_that_is_held_is_refused_in_words(config: Path, history: Path) -> None:
    learn(config, history)
    code, said = replay(config, history, "--state", "2020-01-01T00:00:00Z")
    assert code == 1 and "the oldest is of 2027-01-15T10:59:50" in said


def test_what_a_learned_state_has_seen_is_not_judged_again(config: Path, history: Path) -> None:
    learn(config, history)
    code, said = replay(config, history, "--state", "2027-01-15T11:00:00Z")
    assert code == 0 and "no buckets in that time" in said
