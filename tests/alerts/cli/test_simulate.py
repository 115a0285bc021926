"""The command `simulate`, as a user types it."""

import json
from pathlib import Path

from click.testing import CliRunner

from alerts.cli.simulate import simulate
from streams.simulate.ledger import Ledger


def test_a_file_and_its_ledger_agree_and_the_seed_alone_decides(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        to, truth = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.json"
        args = ["--scenario", "twilio-plain", "--for", "20", "--rate", "50", "--seed", "5"]
        result = CliRunner().invoke(simulate, [*args, "--to", str(to), "--ledger", str(truth)])
        assert result.exit_code == 0, result.output
        lines = to.read_bytes().splitlines()
        assert Ledger.from_json(truth.read_bytes()).records == len(lines) > 500
        assert all(json.loads(line)["source"] in ("twilio", "nobody") for line in lines)
        contents.append(to.read_bytes())
    assert contents[0] == contents[1]


def test_the_incident_is_announced(tmp_path: Path) -> None:
    result = CliRunner().invoke(simulate, ["--for", "2", "--to", str(tmp_path / "x.jsonl")])
    assert "incident: twilio_30003 carrier 311-480/all" in result.stderr


def test_a_scenario_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(simulate, ["--scenario", "nothing", "--to", str(tmp_path / "x.jsonl")])
    assert result.exit_code == 2
    assert "built in: demo" in result.stderr
