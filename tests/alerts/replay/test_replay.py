"""A backtest decides what the live path decides.

bucket  0 ........ 30 ========= fault ========= 60 ............ 120
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from alerts.cli import cli
from alerts.policy import Policy
from alerts.records import People
from alerts.replay import publish, told
from alerts.replay.folded import Span, buckets
from alerts.replay.lay import Reader
from alerts.replay.run import Replay
from alerts.settings import Settings
from streams.records import encode
from streams.settings import DEFAULT_RULES
from tests.alerts.replay.lines import T0_MS, line, lines, write
from tests.alerts.test_station import NETWORK, SETTINGS, log_of, run
from tests.alerts.traffic import Fault, Network, names

HALF_MINUTE_LATER = Network(5, names("c", 4), names("r", 3), 60.0, faults=(Fault(330, 630, 0.4, "c1"),))
FIELDS = ["key", "rule", "scope", "carrier", "region", "onset_ms", "detected_ms", "peak_ratio", "failed"]


def replayed(path: Path) -> list[told.Found]:
    replay = Replay(Policy(), SETTINGS.rules, Reader(SETTINGS.sources))
    for bucket in buckets([path]):
        replay.take(bucket)
    return told.found(replay)


def command(*args: object) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, args)])


def incidents(result: Result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(text) for text in result.stdout.splitlines()]


async def test_the_live_path_and_the_backtest_give_the_same_incidents_field_by_field(tmp_path: Path) -> None:
    _, _, station = await run(log_of(NETWORK, 1200), set())
    (live,) = station.board.incidents
    (found,) = replayed(write(tmp_path / "counts.jsonl", lines(NETWORK)))
    assert {name: getattr(found, name) for name in FIELDS} == {name: getattr(live, name) for name in FIELDS}
    assert (found.outcomes, found.severity) == (live.outcomes, live.severity)
    assert found.resolved_ms == (live.resolved_bucket_s + 10) * 1000


def test_the_command_prints_one_object_an_incident(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", lines(NETWORK))
    (one,) = incidents(command("--folded", path, "--format", "json"))
    assert list(one) == list(told.Found.__struct_fields__)
    assert (one["carrier"], one["region"], one["onset_ms"]) == ("c1", "all", T0_MS + 300_000)
    assert encode(replayed(path)[0]) == command("--folded", path, "--format", "json").stdout.strip().encode()


@pytest.mark.parametrize("bucket_s", [30, 60])
def test_longer_buckets_find_the_same_at_the_end_of_the_deciding_one(tmp_path: Path, bucket_s: int) -> None:
    path = write(tmp_path / "counts.jsonl", lines(HALF_MINUTE_LATER, bucket_s=bucket_s))
    (one,) = replayed(path)
    fault_ms = T0_MS + 330_000
    assert (one.scope, one.carrier, one.severity) == ("carrier", "c1", "critical")
    first_whole_ms = -(-fault_ms // (bucket_s * 1000)) * bucket_s * 1000
    assert one.detected_ms in (first_whole_ms, first_whole_ms + bucket_s * 1000)
    assert one.onset_ms % (bucket_s * 1000) == 0 and one.onset_ms <= fault_ms
    assert one.resolved_ms is not None and one.resolved_ms % (bucket_s * 1000) == 0


def test_only_the_time_asked_for_is_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", lines(NETWORK))
    before = command("--folded", path, "--format", "json", "--to", T0_MS + 300_000)
    after = command("--folded", path, "--format", "json", "--from", "2027-01-15T08:10:00Z")
    assert incidents(before) == incidents(after) == []
    assert "08:00:00Z to 2027-01-15T08:05:00Z" in before.stderr


def test_another_policy_decides_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", lines(NETWORK))
    lenient = tmp_path / "policy.toml"
    lenient.write_text("critical = 0.5\n")
    (one,) = incidents(command("--folded", path, "--format", "json", "--policy", lenient))
    assert one["severity"] == "warning"


def test_a_policy_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", [line()])
    wrong = tmp_path / "policy.toml"
    wrong.write_text("citical = 0.5\n")
    result = command("--folded", path, "--policy", wrong)
    assert result.exit_code == 2 and "citical" in result.stderr


def test_an_incident_is_explained_by_its_numbers_and_what_happened(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", lines(NETWORK))
    (one,) = incidents(command("--folded", path, "--format", "json"))
    (whole,) = incidents(command("--folded", path, "--format", "json", "--explain", one["key"]))
    assert whole.items() >= one.items()
    assert [t["what"] for t in whole["transitions"]] == ["opened", "resolved"]
    text = command("--folded", path, "--explain", one["key"]).stdout
    assert "expected_ratio" in text and "nats of recovery" in text


def test_an_incident_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", lines(NETWORK))
    result = command("--folded", path, "--explain", "ch:no")
    assert result.exit_code == 1 and "ch:twilio_30003:carrier:c1:all" in result.stderr


def test_counts_are_no_records(tmp_path: Path) -> None:
    config = tmp_path / "carrier-health.toml"
    config.write_text('[[sources]]\nname = "twilio"\nformat = "canonical"\ncodes = "twilio"\n')
    path = write(tmp_path / "counts.jsonl", [line()])
    result = command("--config", config, path)
    assert result.exit_code == 1 and "counts.jsonl:1: no record in the capture format" in result.stderr


def test_records_need_sources_that_say_how_to_read_them(tmp_path: Path) -> None:
    result = command(write(tmp_path / "records.jsonl", [line()]))
    assert result.exit_code == 2 and "[[sources]]" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--folded", "topic"), "do not go together"),
        (("--advise", "--explain", "ch:x", "topic"), "one of --explain, --against and --advise"),
        (("none.jsonl",), "none.jsonl"),
        (
            ("--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z", "topic"),
            "--from must be before --to",
        ),
        (("--state", "yesterday", "topic"), "neither ISO 8601 nor epoch ms"),
    ],
)
def test_contradictions_are_refused(arguments: tuple[str, ...], words: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2 and words in result.stderr


def test_policies_are_compared_incident_by_incident(tmp_path: Path) -> None:
    path, lenient, deaf = (
        write(tmp_path / "counts.jsonl", lines(NETWORK)),
        tmp_path / "l.toml",
        tmp_path / "d.toml",
    )
    lenient.write_text("critical = 0.5\n")
    deaf.write_text("threshold = 1e6\n")
    against = ("--folded", path, "--against", lenient, "--against", deaf)
    (compared,) = incidents(command(*against, "--format", "json"))
    assert [one["name"] for one in compared] == ["in force", "l.toml", "d.toml"]
    assert [[p["what"] for p in one["pairs"]] for one in compared] == [["same"], ["later"], ["missed"]]
    assert (compared[1]["changes"], compared[0]["score"]) == ({"critical": 0.5}, None)
    text = command(*against).stdout
    assert "critical -> warning" in text and "threshold = 1000000.0" in text
    assert "no verdicts on incidents of that time" in text


async def test_verdicts_judge_policies_and_budgets(tmp_path: Path) -> None:
    _, _, station = await run(log_of(NETWORK, 1200), set())
    (live,) = station.board.incidents
    said = tmp_path / "incidents.jsonl"
    said.write_bytes(encode(msgspec.structs.replace(live, people=People(verdict="false"))))
    path, deaf = write(tmp_path / "counts.jsonl", lines(NETWORK)), tmp_path / "d.toml"
    deaf.write_text("threshold = 1e6\n")
    options = ("--folded", path, "--verdicts", said, "--format", "json")
    (compared,) = incidents(command(*options, "--against", deaf))
    assert [(one["score"]["false"], one["score"]["false_dropped"]) for one in compared] == [(1, 0), (1, 1)]
    assert "0 of 1" in command(*options[:4], "--against", deaf).stdout
    (advice,) = incidents(command(*options, "--advise"))
    assert advice["budget"] is None and "too few verdicts: 0 " in advice["why"]
    assert [r["budget"] for r in advice["rungs"]] == sorted(r["budget"] for r in advice["rungs"])
    bars = [r["bar"] for r in advice["rungs"]]
    assert bars == sorted(bars, reverse=True) and bars[-1] == 16.4


def test_a_state_from_a_file_is_what_was_known(tmp_path: Path) -> None:
    path, state = write(tmp_path / "counts.jsonl", lines(NETWORK)), tmp_path / "state.jsonl"
    first = Replay(Policy.of(Settings()), DEFAULT_RULES, Reader(SETTINGS.sources))
    for bucket in buckets([path], Span(0, T0_MS / 1000 + 200)):
        first.take(bucket)
    publish.save(state, publish.at_rest(first.state))
    (found,) = incidents(command("--folded", path, "--state", state, "--format", "json"))
    assert found["carrier"] == "c1"
    state.write_text("{}\n")
    refused = command("--folded", path, "--state", state)
    assert refused.exit_code == 1 and "no records of detector-state" in refused.stderr


def test_what_was_looked_at_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "counts.jsonl", [line(counts={"delivered": 8, "30003": 2, "30005": 1})])
    told_of = command("--folded", path).stderr
    assert "source twilio: codes as in twilio" in told_of
    assert "rule twilio_30003: 11 outcomes, 2 failed" in told_of
