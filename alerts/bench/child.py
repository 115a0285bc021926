"""One process under measurement: its CPU, its wall time, its peak memory."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from alerts.bench.errors import BenchFailed
from streams.guard import Guard

_END_S = 30.0
_POLL_S = 0.02
_TAIL_LINES = 15
_ENDED_WELL = (0, -signal.SIGTERM, 128 + signal.SIGTERM)  # the last is how a JVM says it


class Usage(NamedTuple):
    """What a whole process took, from its start to its end. Seconds and MB (10^6 bytes)."""

    cpu_s: float
    peak_rss_mb: float


class Child:
    """A child that lives as long as the `with` block, at most. Its output goes to `log`.

    `program` runs `command`: this Python with a module of its own, or another.
    """

    def __init__(
        self, name: str, command: Sequence[str], home: Path, program: Sequence[str] = (sys.executable, "-m")
    ) -> None:
        self.name = name
        self.log = home / f"{name}.log"
        self._started = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*program, *command],
                cwd=home,
                env=_environment(os.environ) | {"TMPDIR": str(home)},  # what roles leave goes with it
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid)
        self._usage: resource.struct_rusage | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started

    def must_live(self) -> None:
        """Raises BenchFailed with the end of the log when the process has ended."""
        if self._reaped():
            raise BenchFailed(f"{self.name} ended by itself.{self.last_words()}")

    def end(self) -> Usage:
        """SIGTERM, and what the process took. Raises BenchFailed when it does not end well."""
        self.must_live()
        peak_mb = self._peak_rss_mb()
        self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        while not self._reaped():
            if time.monotonic() > deadline:
                raise BenchFailed(f"{self.name} did not end on SIGTERM.{self.last_words()}")
            time.sleep(_POLL_S)
        if self._process.returncode not in _ENDED_WELL:
            raise BenchFailed(f"{self.name} ended with {self._process.returncode}.{self.last_words()}")
        assert self._usage is not None
        cpu_s = self._usage.ru_utime + self._usage.ru_stime
        return Usage(cpu_s, peak_mb or _max_rss_mb(self._usage))

    def _peak_rss_mb(self) -> float | None:
        """Linux: the peak of the program itself. ru_maxrss would begin with that of its parent."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 / 1e6 if found else None

    def _reaped(self) -> bool:
        if self._usage is None:
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._usage = usage
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._guard.release()
        return self._usage is not None

    def last_words(self) -> str:
        """The end of its log, for a message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " The end of its log:\n" + "\n".join(lines[-_TAIL_LINES:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._reaped():
            self._process.kill()
            while not self._reaped():
                time.sleep(_POLL_S)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Without the settings of a monitor on this machine."""
    return {name: value for name, value in given.items() if not name.startswith("CARRIER_HEALTH_")}


def _max_rss_mb(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
