"""What listens for numbers and secrets hears them, and nothing else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.leaks import Ear, leak_in, leaks_below


@pytest.mark.parametrize(
    "text",
    [
        "to +12025550123 failed",
        "To=%2B12025550123",
        "2025550199",
        "15550000001",
        "+447700900123",
        "a s3cret b",
    ],
)
def test_a_number_or_a_secret_is_heard(text: str) -> None:
    assert leak_in(text) is not None


@pytest.mark.parametrize(
    "text",
    ["offset 1795681607526", "127.0.0.1:15550", "5550123", "+1202•••0123", "0.15550000001", "****", ""],
)
def test_what_is_none_is_not(text: str) -> None:
    assert leak_in(text) is None


def test_a_log_record_is_heard_with_its_arguments_and_its_exception() -> None:
    ear, log = Ear(), logging.Logger("streams.example")
    log.addHandler(ear)
    log.debug("a record of %s", "+12025550123")
    try:
        raise ValueError("12025550124 is no number")
    except ValueError:
        log.exception("failed")
    log.info("a record of %s", "+1202•••0123")
    assert [heard.partition(":")[0] for heard in ear.heard] == ["streams.example"] * 2


def test_the_log_of_a_process_is_read(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ingest-0.log").write_bytes(b"\xff fine\nto +12025550123\n")
    (tmp_path / "fine.log").write_text("to +1202•••0123\n")
    (found,) = leaks_below(tmp_path)
    assert "ingest-0.log: \ufffd fine\nto +12025550123" in found
    (tmp_path / "deep" / "ingest-0.log").unlink()
