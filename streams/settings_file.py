"""How a configuration is read: a TOML file, then `CARRIER_HEALTH_SECTION__KEY` variables, which win.

A secret may also come from a file named by its key with `_file` at the end.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from streams.errors import ConfigError

ENV_PREFIX = "CARRIER_HEALTH_"


class Secret:
    """A value that never shows itself: `repr` and `str` are stars, `reveal()` is the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret('****')" if self._text else "Secret('')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: frozen, unknown keys refused."""


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"the configuration {path} can not be read: {e.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"the configuration {path} is not TOML: {e}") from None


def _sections(kind: type[Section]) -> dict[str, type[Section]]:
    fields = msgspec.structs.fields(kind)
    return {f.name: f.type for f in fields if isinstance(f.type, type) and issubclass(f.type, Section)}


def overlay_env(kind: type[Section], raw: dict[str, Any], env: Mapping[str, str]) -> None:
    sections = _sections(kind)
    for variable, value in env.items():
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        section, key = variable[len(ENV_PREFIX) :].lower().split("__", 1)
        if section not in sections:
            raise ConfigError(f"{variable}: no section '{section}'; there are {', '.join(sections)}")
        given = raw.setdefault(section, {})
        if not isinstance(given, dict):
            raise ConfigError(f"{section} must be a section of keys, as in [{section}]")
        given[key] = value


def read_secret_files(kind: type[Section], raw: dict[str, Any]) -> None:
    """Puts what `*_file` keys name in place of them, in sections and in lists of tables."""
    for name, section in _sections(kind).items():
        if not isinstance(raw.get(name, {}), dict):
            raise ConfigError(f"{name} must be a section of keys, as in [{name}]")
        _read_secrets(name, section, raw.get(name, {}))
    for name, section in _lists(kind).items():
        listed = raw.get(name, [])
        for i, values in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(values, dict):
                _read_secrets(f"{name}[{i}]", section, values)


def _lists(kind: type[Section]) -> dict[str, type[Section]]:
    """The fields that hold several of one section, such as [[sources]]."""
    found = {f.name: next(iter(get_args(f.type)), None) for f in msgspec.structs.fields(kind)}
    return {name: t for name, t in found.items() if isinstance(t, type) and issubclass(t, Section)}


def _read_secrets(name: str, section: type[Section], values: dict[str, Any]) -> None:
    for field in msgspec.structs.fields(section):
        if field.type is Secret or Secret in get_args(field.type):
            _read_secret_file(name, field.name, values)


def _read_secret_file(section: str, key: str, values: dict[str, Any]) -> None:
    path = values.pop(f"{key}_file", None)
    if path is None:
        return
    if key in values:
        raise ConfigError(f"{section}.{key} and {section}.{key}_file are both set; keep one")
    try:
        values[key] = Path(str(path)).read_text(encoding="utf-8").strip()
    except OSError as e:
        raise ConfigError(f"{section}.{key}_file = {path}: can not be read: {e.strerror}") from None
    except ValueError:
        raise ConfigError(f"{section}.{key}_file = {path}: must name a file of UTF-8 text") from None


def decode_secret(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError(f"must be text, not {type(value).__name__}")
