"""The command `topics`, without a broker; tests/integration/test_doctor.py has one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from alerts.cli.topics import topics
from streams.topic_admin import Difference, settings_of
from streams.topics import DAY_MS, OUTCOMES, PARTIALS, TOPICS

TABLE = {t.name: t for t in TOPICS}


def found(name: str, partitions: int | None = None, **config: str) -> Difference:
    """As the table wants it, but for what is given."""
    topic = TABLE[name]
    settings = settings_of(topic) | {key.replace("_", "."): value for key, value in config.items()}
    return Difference(name, topic, partitions or topic.partitions, settings, 3)


@pytest.mark.parametrize("name", TABLE)
def test_a_topic_as_in_the_table_is_ok(name: str) -> None:
    assert found(name).ok
    assert not found(name).fixable


def test_a_missing_topic_can_be_made() -> None:
    d = Difference("x.outcomes", TABLE[OUTCOMES], None)
    assert d.verdict == "missing"
    assert d.fixable


def test_fewer_partitions_can_be_widened() -> None:
    d = found(OUTCOMES, 4)
    assert d.verdict == "has 4 of 12 partitions"
    assert d.fixable


def test_a_log_with_two_orders_can_not_be_mended() -> None:
    d = found(PARTIALS, 2)
    assert d.verdict == "has 2 partitions, must have 1"
    assert d.too_many
    assert not d.fixable


def test_more_than_asked_for_is_left_alone() -> None:
    d = found(OUTCOMES, 24, retention_ms=str(30 * DAY_MS), max_message_bytes=str(64 << 20))
    assert d.ok
    assert found(OUTCOMES, retention_ms="-1").ok


def test_settings_that_fall_short_are_named_and_altered() -> None:
    d = found(OUTCOMES, retention_ms=str(3_600_000), cleanup_policy="compact")
    assert d.verdict == "cleanup.policy is compact, should be delete; retention.ms is 1 h, should be 7 d"
    assert d.alterations == {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    assert d.fixable


@pytest.mark.parametrize("wrong", ["windows=2", "outcomes", "outcomes=4", "outcomes=x", "nothing=12"])
def test_partitions_that_can_not_be_are_refused(wrong: str) -> None:
    result = CliRunner().invoke(topics, ["--partitions", wrong])
    assert result.exit_code == 2
    assert "outcomes (12 or more)" in result.output
