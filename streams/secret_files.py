"""Secrets and certificates in files: when one has new content, the role ends in order and is started with it.

    look every EVERY_S -> other content, twice the same -> accepted? -> SIGTERM to ourselves
                                                           no: told once, the role runs on

A restart loses nothing and takes a second or two; every client then has the new secret, whatever it can
be told while it runs. What is read at each need, the token of `kafka.oauth_token_file`, is not watched.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from streams.errors import ConfigError
from streams.settings import Settings
from streams.settings_file import overlay_env, read_toml

log = logging.getLogger("streams.secret_files")

EVERY_S = 5.0
_ENDING = "_file"
_BY_ITSELF = ("oauth_token_file",)


def named(kind: type[Settings], path: Path | None, env: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """The files that a configuration names, by their keys. Raises ConfigError."""
    raw = read_toml(path) if path else {}
    overlay_env(kind, raw, env)
    return {
        f"{table}.{key}": Path(value)
        for table, values in _tables(raw)
        for key, value in values.items()
        if key.endswith(_ENDING) and key not in _BY_ITSELF and isinstance(value, str) and value
    }


def _tables(raw: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, values in raw.items():
        if isinstance(values, dict):
            yield name, values
        elif isinstance(values, list):
            yield from ((f"{name}[{i}]", value) for i, value in enumerate(values) if isinstance(value, dict))


class Watch:
    """What the files held at first, and whether they hold something else now. Keeps no secret."""

    def __init__(self, files: Mapping[str, Path], accept: Callable[[], object]) -> None:
        """`accept` reads the configuration anew and raises ConfigError where it is refused."""
        self._files, self._accept = dict(files), accept
        self._first = self._last = self._digests()
        self._refused: Mapping[str, bytes] = {}

    def look(self) -> list[str]:
        """The keys of files with new content that the configuration is accepted with."""
        before, self._last = self._last, self._digests()
        changed = [key for key, digest in self._last.items() if digest != self._first.get(key)]
        if not changed or self._last != before or self._last == self._refused:
            return []
        try:
            self._accept()
        except ConfigError as e:
            self._refused = self._last
            log.error("%s changed, and is refused: %s; going on as before", ", ".join(changed), e)
            return []
        return changed

    def _digests(self) -> dict[str, bytes]:
        """Of files that can be read; one that is being put in place of another has not changed yet."""
        found = {}
        for key, path in self._files.items():
            try:
                found[key] = hashlib.sha256(path.read_bytes()).digest()
            except OSError:
                continue
        return found


def end_when_changed(watch: Watch, every_s: float = EVERY_S, end: Callable[[], None] | None = None) -> None:
    """Starts a thread that asks this process to end, once, when `watch` has seen a change."""
    thread = threading.Thread(target=_wait, args=(watch, every_s, end or _terminate), daemon=True)
    thread.name = "secret files"
    thread.start()


def _wait(watch: Watch, every_s: float, end: Callable[[], None]) -> None:
    pause = threading.Event()
    while not pause.wait(every_s):
        if changed := watch.look():
            log.warning("%s changed: ending, to be started with it", ", ".join(changed))
            end()
            return


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
