"""Calls that do not come back: when they are given up, and when not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from streams.errors import STARTS_ANEW
from streams.overdue import GRACE_S, within

HANGS = """
import threading
from streams import overdue
overdue.GRACE_S = 0.2
print(overdue.within(0.1, "a call in time", lambda: "it came"), flush=True)
overdue.within(0.1, "commit_transaction", threading.Event().wait)
"""

HOLDS_THE_INTERPRETER = """
import ctypes, time
from streams.overdue import renew_watch, within
for _ in range(3):
    renew_watch(1.0)
    time.sleep(0.5)
print("renewed in time", flush=True)
within(-4.5, "sleep", ctypes.PyDLL(None).sleep, 60)
"""


def test_a_call_that_has_not_come_back_is_told_by_its_name() -> None:
    told, came = list[str](), threading.Event()

    def end(what: str) -> None:
        told.append(what)
        came.set()

    assert within(0.1 - GRACE_S, "commit_transaction", came.wait, 60, end=end)
    assert told == ["commit_transaction"]


def test_nothing_is_told_of_calls_that_have_come_back() -> None:
    told = list[str]()
    for _ in range(3):
        assert within(0.5 - GRACE_S, "a call", divmod, 7, 2, end=told.append) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        within(0.5 - GRACE_S, "a call", divmod, 7, 0, end=told.append)
    time.sleep(1.0)
    assert told == []


def test_a_process_whose_call_hangs_ends_with_the_code_that_asks_for_a_new_start() -> None:
    run = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (STARTS_ANEW, "it came\n")
    assert "commit_transaction has not come back" in run.stderr


def test_a_process_that_is_not_renewed_ends_even_when_a_call_in_c_holds_up_all_of_python() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HOLDS_THE_INTERPRETER], capture_output=True, text=True, timeout=50
    )
    assert (run.returncode, run.stdout) == (1, "renewed in time\n")
    assert "Timeout (0:00:01)" in run.stderr and "overdue.py" in run.stderr
    assert "has not come back" not in run.stderr, "a timer of Python would have been enough"
