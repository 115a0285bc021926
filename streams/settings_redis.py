"""The settings of Redis: where it is, and who we are to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streams.errors import ConfigError
from streams.settings_file import Secret, Section

_TLS_KEYS = ("ca_file", "certificate_file", "key_file")
SCHEMES = ("redis", "rediss", "unix")


class Redis(Section, frozen=True):
    url: str = "redis://127.0.0.1:6379/0"
    """With `rediss://` over TLS: certificate and host name are always checked."""
    username: str = ""
    """Of an ACL; '' for the default user."""
    password: Secret = Secret("")
    ca_file: str = ""
    """PEM of whoever signs its certificate; those that the system trusts while it is empty."""
    certificate_file: str = ""
    key_file: str = ""

    @property
    def address(self) -> str:
        """Where it is, without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path

    def options(self) -> dict[str, Any]:
        """What `Redis.from_url` takes."""
        given = {
            "username": self.username,
            "password": self.password.reveal(),
            "ssl_ca_certs": self.ca_file,
            "ssl_certfile": self.certificate_file,
            "ssl_keyfile": self.key_file,
        }
        return {"url": self.url, **{key: value for key, value in given.items() if value}}


def check_redis(redis: Redis) -> None:
    """Refuses what contradicts itself, in words that hold no password. Raises ConfigError."""
    try:
        parts = urlsplit(redis.url)
        scheme, has_user = parts.scheme, "@" in parts.netloc
    except ValueError:
        scheme, has_user = "", False
    if scheme not in SCHEMES:
        raise ConfigError("redis.url: must begin with redis://, rediss:// (TLS) or unix://")
    if has_user and (redis.username or redis.password):
        raise ConfigError(
            "redis.url holds a user or a password, and redis.username or redis.password is set too: keep one"
        )
    if redis.username and not redis.password:
        raise ConfigError("redis.username is set without redis.password: set it, or redis.password_file")
    for key in _TLS_KEYS:
        path = getattr(redis, key)
        if path and scheme != "rediss":
            raise ConfigError(f"redis.{key} is set, but redis.url does not begin with rediss://")
        if path and not Path(path).is_file():
            raise ConfigError(f"redis.{key} = {path}: there is no such file")
    if bool(redis.certificate_file) != bool(redis.key_file):
        raise ConfigError("redis.certificate_file and redis.key_file belong together: set both, or neither")
