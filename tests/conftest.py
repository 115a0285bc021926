"""Which tests run where, and that CI skips none.

- `soak` runs only when asked for with `-m soak` (`make soak`).
- `needs_promtool`, `needs_nginx`, `needs_amtool`, `needs_systemd_analyze` and `needs_chromium` are left out,
  with a note, on a machine without that program; with CI set that is an error, so that nobody takes an
  unchecked rule for a checked one.
- With CI set, a skipped test fails the run.
- `make test` runs files side by side (pytest-xdist), as most of the time of the long ones is waiting.
  They come first, so that none is left alone at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings

from tests.leaks import _nothing_leaks_into_logs as _nothing_leaks_into_logs
from tests.leaks import _nothing_leaks_out_of_processes as _nothing_leaks_out_of_processes

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")

PROGRAMS = {
    "promtool": "prometheus",
    "nginx": "nginx-light",
    "amtool": "prometheus-alertmanager",
    "systemd-analyze": "systemd",
    "chromium": "chromium",
    "openssl": "openssl",
}
"""Programs that some tests need, and the Debian package that brings each."""
LONG = ("integration", "faults", "bench", "demo")
"""Folders whose tests start servers or run a whole story."""
_notes: list[str] = []
_missing: dict[str, str] = {}
"""With CI set: markers whose program is not there, and what to say of it."""
_skipped: list[str] = []


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "soak" not in (config.option.markexpr or ""):
        _leave_out(config, items, "soak", "run by `make soak`")
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            _without(config, items, program, package)
    items.sort(key=lambda item: not set(LONG) & set(item.path.parts))


def _without(config: pytest.Config, items: list[pytest.Item], program: str, package: str) -> None:
    why = f"{program} is not installed (Debian: apt-get install {package})"
    marker = f"needs_{program.replace('-', '_')}"
    if in_ci():
        _missing[marker] = why
        return
    _leave_out(config, items, marker, why)


def _leave_out(config: pytest.Config, items: list[pytest.Item], marker: str, why: str) -> None:
    out = [item for item in items if item.get_closest_marker(marker)]
    if not out:
        return
    items[:] = [item for item in items if not item.get_closest_marker(marker)]
    config.hook.pytest_deselected(items=out)
    _notes.append(f"{len(out)} tests marked {marker} left out: {why}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, why in _missing.items():
        if item.get_closest_marker(marker):
            pytest.fail(f"CI is set, but {why}", pytrace=False)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(f"{report.nodeid}: {_reason(report.longrepr)}")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(f"{report.nodeid}: {_reason(report.longrepr)}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a process of pytest-xdist left out is said by the one that a person sees."""
    _notes.extend(note for note in node.workeroutput.get("notes", ()) if note not in _notes)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["notes"] = _notes
    if in_ci() and _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for note in _notes:
        terminalreporter.write_line(note, yellow=True)
    if in_ci() and _skipped:
        terminalreporter.section("skipped, and CI is set: nothing may be skipped there", red=True)
        for line in _skipped:
            terminalreporter.write_line(line)


def _reason(longrepr: object) -> str:
    if isinstance(longrepr, Sequence) and not isinstance(longrepr, str) and len(longrepr) == 3:
        return str(longrepr[2])
    return str(longrepr)
