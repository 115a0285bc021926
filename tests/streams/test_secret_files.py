"""A secret in a file that has changed: seen once it is whole and accepted, never shown."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.secret_files import Watch, end_when_changed, named
from streams.settings import Settings

OLD, NEW = "the-old-secret-text", "the-new-secret-text"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "own.token"
    path.write_text(OLD)
    return path


def watch_of(secret: Path) -> Watch:
    return Watch({"sources[0].bearer_token_file": secret}, lambda: None)


def test_every_file_that_the_configuration_names_is_watched_but_a_token_that_is_read_at_each_need(
    tmp_path: Path,
) -> None:
    config = tmp_path / "carrier-health.toml"
    config.write_text(
        '[kafka]\nca_file = "ca.pem"\noauth_token_file = "token"\n'
        '[[sources]]\nname = "own"\nformat = "canonical"\nbearer_token_file = "own.token"\n'
        '[[sources]]\nname = "other"\nformat = "canonical"\n'
    )
    env = {"CARRIER_HEALTH_PRIVACY__RECIPIENT_KEY_FILE": "recipient.key"}
    assert named(Settings, config, env) == {
        "kafka.ca_file": Path("ca.pem"),
        "sources[0].bearer_token_file": Path("own.token"),
        "privacy.recipient_key_file": Path("recipient.key"),
    }


def test_new_content_counts_once_it_has_been_the_same_twice(secret: Path) -> None:
    watch = watch_of(secret)
    assert watch.look() == []
    secret.write_text(NEW[:5])
    assert watch.look() == []
    secret.write_text(NEW)
    assert watch.look() == []
    assert watch.look() == ["sources[0].bearer_token_file"]


def test_a_file_that_is_touched_away_or_back_as_it_was_has_not_changed(secret: Path) -> None:
    watch = watch_of(secret)
    secret.touch()
    assert [watch.look(), watch.look()] == [[], []]
    secret.unlink()
    assert [watch.look(), watch.look()] == [[], []]
    secret.write_text(OLD)
    assert [watch.look(), watch.look()] == [[], []]


def test_what_is_refused_is_told_once_without_the_secret_and_changes_nothing(
    secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise ConfigError("it is too short")

    watch = Watch({"webhook.secret_file": secret}, refuse)
    secret.write_text(NEW)
    with caplog.at_level(logging.INFO):
        assert [watch.look() for _ in range(4)] == [[], [], [], []]
    (record,) = caplog.records
    assert (
        record.getMessage()
        == "webhook.secret_file changed, and is refused: it is too short; going on as before"
    )


def test_the_process_is_asked_to_end_once(secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Semaphore(0)
    end_when_changed(watch_of(secret), every_s=0.01, end=asked.release)
    secret.write_text(NEW)
    assert asked.acquire(timeout=10)
    assert not asked.acquire(timeout=0.1)
    assert "ending, to be started with it" in caplog.text and NEW not in caplog.text
