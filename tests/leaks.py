"""No number and no secret in anything that is said while the tests run.

Every log record of this process is listened to, and the test in which one leaks fails. What the roles
and the gateway wrote to `*.log` in processes of their own is read when the tests are through.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NUMBERS = r"(?<![\d.])(?:\+?1?\d{3}55501\d\d|\+?1555\d{7}|\+?447700900\d{3})(?!\d)"
"""Those that are kept for fiction, as all of the fixtures are."""
SECRETS = r"s3cret|pa55-?word|hunter2|correct-horse|k{32}|f{32}|0123456789abcdef0123456789abcdef"
"""What tests take for tokens, passwords and keys."""
LEAK = re.compile(f"{NUMBERS}|{SECRETS}")
_AROUND = 60
_OURS = ("*.log",)


def leak_in(text: str) -> str | None:
    """The first number or secret with what is around it."""
    found = LEAK.search(text)
    return text[max(0, found.start() - _AROUND) : found.end() + _AROUND] if found else None


class Ear(logging.Handler):
    """Listens to every logger, at whatever level it speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if leak := leak_in(self.format(record)):
            self.heard.append(f"{record.name}: {leak}")


_ear = Ear()


@pytest.fixture(autouse=True)
def _nothing_leaks_into_logs() -> Iterator[None]:
    """Fails the test in which a log record holds a number or a secret."""
    _ear.heard.clear()
    logging.getLogger().addHandler(_ear)
    yield
    logging.getLogger().removeHandler(_ear)
    assert _ear.heard == [], "a number or a secret is in the log"


@pytest.fixture(scope="session", autouse=True)
def _nothing_leaks_out_of_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails the last test of the run when a log of a process holds a number or a secret."""
    yield
    assert leaks_below(tmp_path_factory.getbasetemp()) == [], (
        "a number or a secret is in the log of a process"
    )


def leaks_below(folder: Path) -> list[str]:
    """The first leak of each log file, with its path. Samples of log formats are none of ours."""
    found = []
    for path in sorted(p for pattern in _OURS for p in folder.rglob(pattern) if p.is_file()):
        if leak := leak_in(path.read_text(errors="replace")):
            found.append(f"{path}: {leak}")
    return found
