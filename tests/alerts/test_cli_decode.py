"""The commands `decode` and `codes`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from alerts.cli.codes import codes
from alerts.cli.decode import decode

RECEIPT = "id:1 sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:UNDELIV err:001 text:x"
FORM = "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=%2B14155550100"
AT = ["--received", "2026-07-17T12:00:00Z"]


def run(*args: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(decode, list(args), input=stdin, env={"CARRIER_HEALTH_CONFIG": None})


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_record_a_line_comes_out_in_order() -> None:
    result = run("--format", "smpp-receipt", *AT, stdin=f"{RECEIPT}\n\n{RECEIPT.replace('id:1', 'id:2')}\n")
    assert result.exit_code == 0
    assert [o["message_id"] for o in lines(result)] == ["1", "2"]
    assert lines(result)[0]["received_ms"] == 1_784_289_600_000


def test_what_can_not_be_read_says_so_on_its_line() -> None:
    result = run("--format", "smpp-receipt", stdin=f"{RECEIPT}\nhello\n{RECEIPT}\n")
    assert result.exit_code == 1
    assert [o.get("error") for o in lines(result)] == [None, "bad_receipt", None]
    assert lines(result)[1]["detail"]


def test_a_form_body_and_a_json_array_are_read_from_files(tmp_path: Path) -> None:
    form, array = tmp_path / "form.txt", tmp_path / "array.json"
    form.write_text(FORM)
    array.write_text('[\n {"MessageSid":"SM2","MessageStatus":"sent"},\n {}\n]')
    result = run("--format", "twilio-status-callback", str(form), str(array))
    assert result.exit_code == 1
    assert [o.get("message_id", o.get("error")) for o in lines(result)] == ["SM1", "SM2", "missing_field"]
    assert (lines(result)[0]["region"], lines(result)[0]["outcome_class"]) == ("US", "absent_subscriber")


def test_one_object_over_several_lines_is_one_record() -> None:
    pretty = json.dumps({"message_id": "m", "status": "delivered", "received_ms": 5}, indent=2)
    (o,) = lines(run("--format", "canonical", stdin=pretty))
    assert (o["received_ms"], o["final"]) == (5, True)


def test_the_codes_profile_is_chosen() -> None:
    receipt = RECEIPT.replace("err:001", "err:007")
    found = [
        lines(run("--format", "smpp-receipt", "--codes", p, stdin=receipt))[0]["outcome_class"]
        for p in ("twilio-smpp", "twilio-smpp-2025")
    ]
    assert found[0] == "absent_subscriber" != found[1]


def test_a_source_comes_from_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "carrier-health.toml"
    config.write_text(
        '[[sources]]\nname = "east"\nformat = "smpp-receipt"\ncarrier = "310-260"\nregion = "US"\n'
        '[privacy]\nrecipient_key = "0123456789abcdef0123456789abcdef"\n'
    )
    result = run("--source", "east", "--config", str(config), stdin=RECEIPT)
    (o,) = lines(result)
    assert (o["source"], o["carrier"], o["carrier_source"], o["region"]) == (
        "east",
        "310-260",
        "connector",
        "US",
    )
    assert result.stderr == ""


def test_a_missing_key_is_said_once() -> None:
    result = run("--format", "smpp-receipt", stdin=f"{RECEIPT}\n{RECEIPT}\n")
    assert result.stderr.count("recipient_key") == 1


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--source", "a", "--format", "canonical"],
        ["--source", "nobody"],
        ["--format", "nonsense"],
        ["--format", "canonical", "--codes", "nonsense"],
        ["--source", "a", "--codes", "twilio"],
        ["--format", "canonical", "--received", "soon"],
        ["--format", "canonical", "no-such-file"],
    ],
)
def test_wrong_usage_exits_with_2(args: list[str]) -> None:
    assert run(*args).exit_code == 2


def test_no_input_is_no_output() -> None:
    assert (run("--format", "canonical").exit_code, run("--format", "canonical").stdout) == (0, "")


def test_a_code_is_explained_in_every_profile_that_has_it() -> None:
    result = CliRunner().invoke(codes, ["007"])
    assert result.exit_code == 0
    assert "absent_subscriber" in result.stdout and "twilio-smpp-2025" in result.stdout


def test_a_code_is_explained_in_words_and_the_profiles_are_compared() -> None:
    told = CliRunner().invoke(codes, ["007", "--profile", "twilio-smpp-2025"]).stdout
    assert told.count("twilio-smpp-2025 007: ") == 1 and "Take the number off the list." in told
    assert "The profiles differ: absent_subscriber in twilio-smpp" in told
    assert "The profiles differ" not in CliRunner().invoke(codes, ["30003"]).stdout


def test_the_diagnostics_of_an_absent_subscriber_are_found() -> None:
    told = CliRunner().invoke(codes, ["diagnostic", "1"]).stdout
    assert "imsi_detached" in told and "rises every night" in told and "The profiles differ" not in told
    listed = CliRunner().invoke(codes, ["--profile", "absent-diagnostics", "--json"]).stdout
    assert [json.loads(line)["code"] for line in listed.splitlines()] == [str(i) for i in range(14)]


def test_json_is_rows_alone() -> None:
    lines = CliRunner().invoke(codes, ["UNDELIV/58", "--json"]).stdout.splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["UNDELIV/058"]


def test_the_users_own_tables_are_searched_and_decoded_with(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("code,class,description\n0dc,absent_subscriber,Phone off\n")
    config = tmp_path / "carrier-health.toml"
    config.write_text(
        '[[sources]]\nname = "east"\nformat = "smpp-receipt"\ncodes = "peer"\n'
        f'[[code_tables]]\nname = "peer"\nfile = "{tmp_path}/codes.csv"\nextends = "twilio-smpp"\n'
    )
    told = CliRunner().invoke(codes, ["0DC", "--config", str(config)]).stdout
    assert "peer 0dc: absent_subscriber" in told and "Phone off." in told
    receipt = RECEIPT.replace("err:001", "err:0DC")
    (o,) = lines(run("--source", "east", "--config", str(config), stdin=receipt))
    assert (o["code"], o["outcome_class"], o["side"]) == ("0DC", "absent_subscriber", "handset")


def test_words_are_searched_everywhere_and_with_or_without_underscores() -> None:
    for query in (["absent", "subscriber"], ["absent_subscriber"], ["ABSENT subscriber"]):
        found = CliRunner().invoke(codes, [*query, "--profile", "twilio-smpp", "--json"])
        assert {json.loads(line)["code"] for line in found.stdout.splitlines()} == {
            "001",
            "007",
            "015",
            "059",
        }


def test_nothing_found_exits_with_1_and_a_bad_profile_with_2() -> None:
    assert CliRunner().invoke(codes, ["zebra"]).exit_code == 1
    assert CliRunner().invoke(codes, ["--profile", "zebra"]).exit_code == 2


def test_progress_is_shown_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.progress.EVERY_S", 0.0)
    path = tmp_path / "many.txt"
    path.write_text(f"{RECEIPT}\n" * 12_000)
    assert "left" not in run("--format", "smpp-receipt", str(path)).stderr
    shown = run("--format", "smpp-receipt", "--progress", str(path))
    assert "records: 12,000 of about 12,000" in shown.stderr
    assert len(lines(shown)) == 12_000
