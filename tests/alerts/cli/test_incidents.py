"""What the incident desk prints, and what it refuses before it asks Kafka."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from alerts.cli import cli
from alerts.cli.desk import chosen
from alerts.cli.incident_lines import (
    detailed,
    incident_json,
    incident_lines,
    silence_lines,
    state_of,
)
from alerts.commands import carried
from alerts.records import Delivery, Incident, State
from streams.commands import Ask, Verdict
from streams.errors import MonitorError
from tests.alerts.test_commands import BUCKET_S, KEY, after, asked, at_pagerduty, incident, silence


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["incidents", *arguments], env={"CARRIER_HEALTH_CONFIG": ""})
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (incident(), "open"),
        (incident(state=State.RESOLVED), "resolved"),
        (after(incident(), asked(Ask.ACKNOWLEDGE)), "open, acknowledged"),
        (after(incident(), asked(Ask.RESOLVE)), "closed by person"),
        (carried(None, incident(), [silence(600)]).incident, "open, silenced"),
    ],
)
def test_the_state_says_what_people_have_done(one: object, word: str) -> None:
    assert state_of(one) == word  # type: ignore[arg-type]


def test_the_list_is_a_table_with_the_key_last() -> None:
    head, line = incident_lines([incident(ratio=0.4, failed=1234)])
    assert head.split() == ["STATE", "SEVERITY", "SINCE", "(UTC)", "RATIO", "FAILED", "KEY"]
    assert line.split()[:2] == ["open", "warning"] and line.endswith(KEY) and "1,234" in line
    assert list(incident_lines([])) == []


def test_one_incident_shows_pages_notes_and_people() -> None:
    sent = incident(deliveries=(Delivery("pagerduty", KEY, "trigger", 1, BUCKET_S * 1000),))
    one = after(
        carried(sent, sent, [silence(600)]).incident,
        asked(Ask.ACKNOWLEDGE, "1"),
        asked(Ask.NOTE, "2", text="carrier called"),
        asked(Ask.VERDICT, "3", verdict=Verdict.USEFUL),
        at_pagerduty(Ask.LINK, pager_url="https://acme.pagerduty.com/incidents/P"),
    )
    text = "\n".join(detailed(one))
    for words in (
        "acknowledged  by ann, 2023-11-14 22:14:20 UTC",
        "verdict       useful by ann",
        "note          2023-11-14 22:14:20 UTC  ann: carrier called",
        f"page          2023-11-14 22:13:20 UTC  pagerduty trigger {KEY}",
        "silenced      until 2023-11-14 22:23:20 UTC by bob: known",
        "at the pager  https://acme.pagerduty.com/incidents/P",
    ):
        assert words in text


def test_json_is_the_record_itself() -> None:
    assert msgspec.json.decode(incident_json(incident()), type=Incident) == incident()


def test_a_silence_says_what_until_when_by_whom_and_why() -> None:
    (line,) = silence_lines([silence(7200)], BUCKET_S * 1000)
    assert line == "s  silence  until 2023-11-15 00:13:20 UTC (2 h 0 min)  carrier=c  bob: known"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["silence", "--match", "colour=red", "--for", "1h"], "with a NAME of rule, scope"),
        (["silence", "--match", "carrier=~(", "--for", "1h"], "no regular expression"),
        (["silence", "--match", "carrier=c", "--reason", "x"], "one of --for and --until"),
        (["silence", "--match", "carrier=c", "--for", "1h", "--until", "1", "--reason", "x"], "one of --for"),
        (["silence", "--match", "carrier=c", "--for", "1h"], "--reason is missing"),
        (["silence", "--for", "1h", "--reason", "x"], "has no matcher"),
        (["silence", "--match", "carrier=c", "--until", "1", "--reason", "x"], "be over already"),
        (["silence", "--match", "carrier=c", "--for", "an hour"], "no length of time such as 90m"),
        (["verdict", "KEY", "great"], "'useful', 'too-late', 'false'"),
        (["ack"], "Missing argument 'KEY'"),
    ],
)
def test_wrong_usage_is_told_in_words(arguments: list[str], words: str) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert words in " ".join(output.split())


def test_a_part_of_the_key_is_enough_where_one_open_incident_has_it() -> None:
    over = incident(key="ch:r:carrier:c:all:1", state=State.RESOLVED)
    known = {i.key: i for i in (over, incident())}
    assert chosen(known, "carrier:c") == incident()
    assert chosen(known, "all:1") in known.values()
    assert chosen({over.key: over}, "carrier:c") == over
    with pytest.raises(MonitorError, match="no incident 'x'"):
        chosen(known, "x")
    again = incident(key="ch:r:carrier:c:all:2")
    with pytest.raises(MonitorError, match="fits 2 incidents"):
        chosen(known | {again.key: again}, "carrier:c")


def test_an_unreachable_kafka_is_named(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')
    result = CliRunner().invoke(cli, ["incidents", "list", "--config", str(config)])
    assert "127.0.0.1:1" in str(result.exception)
