"""What `incidents report` and `timeline` refuse before they ask anybody."""

from __future__ import annotations

import click
import msgspec
import pytest
from click.testing import CliRunner

from alerts.cli import cli
from alerts.cli.incident_review import _check_attach, _told
from alerts.records import People
from alerts.settings import Settings
from streams.commands import ToldTime
from streams.errors import ConfigError, MonitorError
from streams.settings import Secret
from tests.alerts.review.journal import incident


def test_a_note_needs_a_token_and_an_incident_at_pagerduty() -> None:
    none = Settings()
    with pytest.raises(ConfigError, match="api_token is empty"):
        _check_attach(none, incident())
    pagerduty = msgspec.structs.replace(none.pagerduty, api_token=Secret("t"), api_from="a@example.org")
    able = msgspec.structs.replace(none, pagerduty=pagerduty)
    with pytest.raises(MonitorError, match="is its webhook set up"):
        _check_attach(able, incident())
    _check_attach(able, incident(people=People(pager_ids=("P1",))))


def test_a_milestone_is_named_with_its_time() -> None:
    assert _told("mitigated=2026-11-03T14:20:00Z") == ToldTime("mitigated", 1_793_715_600_000)
    for given in ("resolved=1", "mitigated", "mitigated=", "=1"):
        with pytest.raises(click.UsageError, match="NAME=T"):
            _told(given)
    with pytest.raises(click.UsageError, match="neither ISO 8601 nor epoch ms"):
        _told("mitigated=noon")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "k", "--format", "pdf"], "'md', 'html', 'json', 'csv'"),
        (["report"], "Missing argument 'KEY'"),
        (["digest", "--for", "week"], "no length of time such as 90m"),
        (["timeline", "k", "--undo", "resolved"], "'onset', 'delivered'"),
    ],
)
def test_wrong_usage_is_told_in_words(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(cli, ["incidents", *arguments], env={"CARRIER_HEALTH_CONFIG": ""})
    assert result.exit_code == 2 and words in result.output
