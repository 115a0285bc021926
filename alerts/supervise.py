"""Starts the roles as processes of their own, starts again what ends, stops all in order.

    start -> running -> ended by itself -> waits (0.5 s to 10 s) -> running
                            |
                        exit code 2: refused, never tried again

Nobody outlives the supervisor: each child has a guard that kills it when we are gone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple

from streams.guard import Guard

ROLES = ("ingest", "windows", "alerts")
"""In the order of the flow: the last to write is the last to stop."""

GATEWAY = "gateway"
"""Before them all; not everybody needs it."""

REFUSED = 2
"""Exit code of a role that can not work with its configuration: another try would end the same."""
FIRST_BACKOFF_S = 0.5
BACKOFF_CAP_S = 10.0
STEADY_S = 30.0
"""Whoever lived so long begins again with the first backoff."""
GRACE_S = 10.0
_SLICE_S = 0.05
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class What(StrEnum):
    """What a role did."""

    STARTED = "started"
    ENDED = "ended"
    REFUSED = "refused"
    KILLED = "killed"


class Note(NamedTuple):
    """What the supervisor has to say. `exit_code` is negative for a signal, None while it lives."""

    role: str
    what: What
    exit_code: int | None = None
    again_in_s: float | None = None

    def __str__(self) -> str:
        if self.what is What.ENDED:
            return (
                f"{self.role} ended with exit code {self.exit_code}, starting again in {self.again_in_s:g} s"
            )
        if self.what is What.REFUSED:
            return f"{self.role} refused its configuration and is not started again; see its last lines"
        if self.what is What.KILLED:
            return f"{self.role} did not end in time and was killed"
        return f"{self.role} started"


class Command(NamedTuple):
    """One role and how it is started."""

    role: str
    line: tuple[str, ...]


def commands(config: Path | None, *options: str, roles: Iterable[str] = ROLES) -> list[Command]:
    """The role processes on one configuration; without one they find it as any command does."""
    given = ("--config", str(config)) if config else ()
    return [Command(r, (sys.executable, "-m", "alerts.cli", r, *given, *options)) for r in roles]


class Child:
    """One role: its process, its guard, and when it is due to start again."""

    def __init__(self, command: Command, env: Mapping[str, str] | None, log_dir: Path | None) -> None:
        self.role = command.role
        self._line, self._env, self._log_dir = command.line, env, log_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._pump: threading.Thread | None = None
        self.failures = 0
        self.started_s = 0.0
        self.due_s: float | None = 0.0
        """When to start it (monotonic seconds); None while it runs or is not wanted."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, now_s: float) -> None:
        self.started_s, self.due_s = now_s, None
        if self._log_dir is None:
            self._process = self._spawn(subprocess.PIPE)
            self._pump = threading.Thread(target=_prefix, args=(self.role, self._process.stdout), daemon=True)
            self._pump.start()
        else:
            with (self._log_dir / f"{self.role}.log").open("ab") as log:
                self._process = self._spawn(log)
        self._guard = Guard(self._process.pid)

    def _spawn(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C in a terminal is ours to handle, in order."""
        return subprocess.Popen(
            self._line,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ended(self) -> int | None:
        """The exit code once the process has ended: told once, then forgotten."""
        if self._process is None or self._process.poll() is None:
            return None
        code = self._process.returncode
        self._reap()
        return code

    def terminate(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL: whether it is started again is up to the supervisor, which sees it end."""
        if self._process is not None:
            self._process.kill()

    def wait(self, grace_s: float, hurry: Callable[[], bool]) -> bool:
        """Whether it has ended within the grace; gives up at once when there is a hurry."""
        deadline = time.monotonic() + grace_s
        while self._process is not None and self._process.poll() is None:
            if time.monotonic() >= deadline or hurry():
                return False
            time.sleep(_SLICE_S)
        return True

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._guard is not None:
            self._guard.release()
            self._guard = None
        if self._pump is not None:
            self._pump.join(1.0)
            self._pump = None

    def bury(self) -> None:
        """Ends it for good, however it is."""
        self.due_s = None
        self.kill()
        self._reap()


class Supervisor:
    """Call `tick` a few times a second. `tell` gets what happens; `clock` is monotonic seconds.

    With `log_dir` each role writes to `ROLE.log` there, else its lines go to stderr with its name
    in front.
    """

    def __init__(
        self,
        wanted: Sequence[Command],
        tell: Callable[[Note], None],
        *,
        env: Mapping[str, str] | None = None,
        log_dir: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._clock = tell, clock
        self._children = {c.role: Child(c, env, log_dir) for c in wanted}
        self.refused: str | None = None
        """The role that refused its configuration; the others run on until they are stopped."""

    def tick(self) -> None:
        """Looks at every role once: notes what ended, starts what is due."""
        now_s = self._clock()
        for child in self._children.values():
            code = child.ended()
            if code is not None:
                self._after(child, code, now_s)
            if child.due_s is not None and child.due_s <= now_s:
                child.start(now_s)
                self._tell(Note(child.role, What.STARTED))

    def _after(self, child: Child, code: int, now_s: float) -> None:
        if code == REFUSED:
            self.refused = child.role
            self._tell(Note(child.role, What.REFUSED, code))
            return
        if now_s - child.started_s >= STEADY_S:
            child.failures = 0
        wait_s = backoff_s(child.failures)
        child.failures += 1
        child.due_s = now_s + wait_s
        self._tell(Note(child.role, What.ENDED, code, wait_s))

    def pid(self, role: str) -> int | None:
        """Process id of the role, None while it does not run."""
        return self._children[role].pid

    def kill(self, role: str) -> None:
        """SIGKILL, as a crash would; the next ticks see it end and start it again."""
        self._children[role].kill()

    def stop(self, grace_s: float = GRACE_S, hurry: Callable[[], bool] = lambda: False) -> None:
        """SIGTERM to one role after the other, in order; SIGKILL to whoever outlasts its grace."""
        for child in self._children.values():
            child.terminate()
            if not child.wait(grace_s, hurry):
                self._tell(Note(child.role, What.KILLED))
            child.bury()

    def end(self) -> None:
        """SIGKILL to all at once: for roles whose data nobody will read again."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.bury()


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures in a row before this one."""
    return min(BACKOFF_CAP_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 16))


def _prefix(role: str, lines: IO[bytes]) -> None:
    """Copies what a role says to stderr, its name in front of each line."""
    with lines:
        for line in lines:
            sys.stderr.write(f"{role:<7} | {plain(line.decode('utf-8', 'replace'))}\n")
            sys.stderr.flush()


def plain(line: str) -> str:
    """Without the colours and cursor movements that are meant for a terminal."""
    return "".join(c for c in _CONTROL.sub("", line) if c.isprintable() or c == "\t")
