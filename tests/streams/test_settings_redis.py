"""What may be said of the way to Redis, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.settings import Redis, Secret, Settings, dump, load
from streams.settings_redis import check_redis

PASSWORD = Secret("pa55-word")


@pytest.mark.parametrize(
    "given, words",
    [
        ({"url": "http://127.0.0.1:6379"}, "redis.url: must begin with redis://, rediss:// (TLS) or unix://"),
        ({"url": "redis://[::1/0"}, "redis.url: must begin with"),
        ({"url": "redis://me:it@h/0", "password": PASSWORD}, "redis.url holds a user or a password"),
        ({"username": "monitor"}, "redis.username is set without redis.password"),
        ({"ca_file": "ca.pem"}, "redis.ca_file is set, but redis.url does not begin with rediss://"),
        ({"url": "rediss://h/0", "ca_file": "/nowhere"}, "redis.ca_file = /nowhere: there is no such file"),
        (
            {"url": "rediss://h/0", "key_file": __file__},
            "redis.certificate_file and redis.key_file belong together",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_in_words(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_redis(Redis(**given))  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert "it@" not in str(refused.value) and "pa55" not in str(refused.value)


def test_the_password_may_come_from_a_file_and_never_shows_itself(tmp_path: Path) -> None:
    secret = tmp_path / "redis.password"
    secret.write_text("pa55-word\n")
    env = {"CARRIER_HEALTH_REDIS__PASSWORD_FILE": str(secret), "CARRIER_HEALTH_REDIS__USERNAME": "monitor"}
    settings = load(Settings, None, env)
    assert settings.redis.options() == {
        "url": "redis://127.0.0.1:6379/0",
        "username": "monitor",
        "password": "pa55-word",
    }
    assert "pa55" not in repr(settings) + str(dump(settings))
