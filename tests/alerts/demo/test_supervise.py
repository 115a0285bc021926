"""The supervisor starts, starts again, gives up, and stops in order; nobody outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts.supervise import Command, Note, Supervisor, What, backoff_s, commands, plain

WAIT_S = 20.0
LIVES = "import time; time.sleep(60)"
OBEYS = """
import pathlib, signal, sys, time
def bye(*_):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
pathlib.Path(sys.argv[1] + sys.argv[2]).touch()
time.sleep(60)
"""
IS_DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def child(role: str, code: str, *arguments: str) -> Command:
    return Command(role, (sys.executable, "-c", code, *arguments))


class Watched:
    """A supervisor with a clock that is moved by hand, and what it told."""

    def __init__(self, tmp_path: Path, *wanted: Command) -> None:
        self.now_s, self.notes = 100.0, list[Note]()
        self.supervisor = Supervisor(wanted, self.notes.append, log_dir=tmp_path, clock=lambda: self.now_s)

    def tick_until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not what():
            assert time.monotonic() < deadline, self.notes
            self.supervisor.tick()
            time.sleep(0.01)

    def told(self, what: What) -> list[Note]:
        return [note for note in self.notes if note.what is what]


Make = Callable[..., Watched]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Make]:
    made: list[Watched] = []

    def make(*wanted: Command) -> Watched:
        made.append(Watched(tmp_path, *wanted))
        return made[-1]

    yield make
    for one in made:
        one.supervisor.end()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.01)


def is_gone_in_time(pid: int) -> bool:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_role_that_ends_is_started_again_when_its_backoff_is_over(watched: Make) -> None:
    w = watched(child("ingest", "import sys; sys.exit(3)"))
    w.tick_until(lambda: len(w.told(What.ENDED)) == 1)
    assert w.told(What.ENDED)[0] == Note("ingest", What.ENDED, 3, 0.5)
    w.supervisor.tick()
    assert len(w.told(What.STARTED)) == 1
    w.now_s += 0.5
    w.supervisor.tick()
    assert len(w.told(What.STARTED)) == 2


def test_the_backoff_doubles_up_to_ten_seconds(watched: Make) -> None:
    assert [backoff_s(n) for n in (0, 1, 2, 3, 4, 5, 100)] == [0.5, 1, 2, 4, 8, 10, 10]
    w = watched(child("ingest", "import sys; sys.exit(1)"))
    for n in (1, 2, 3):
        w.tick_until(lambda n=n: len(w.told(What.ENDED)) == n)  # type: ignore[misc]
        w.now_s += 10
    assert [note.again_in_s for note in w.told(What.ENDED)] == [0.5, 1, 2]


def test_who_lived_long_begins_with_the_first_backoff(watched: Make) -> None:
    w = watched(child("ingest", LIVES))
    for n in (1, 2, 3):
        w.tick_until(lambda: w.supervisor.pid("ingest") is not None)
        w.now_s += 31
        w.supervisor.kill("ingest")
        w.tick_until(lambda n=n: len(w.told(What.ENDED)) == n)  # type: ignore[misc]
        w.now_s += 1
    assert [note.again_in_s for note in w.told(What.ENDED)] == [0.5, 0.5, 0.5]
    assert w.told(What.ENDED)[0].exit_code == -signal.SIGKILL


def test_a_role_that_refuses_its_configuration_is_not_tried_again(watched: Make) -> None:
    w = watched(child("alerts", "import sys; sys.exit(2)"), child("windows", LIVES))
    w.tick_until(lambda: w.supervisor.refused == "alerts")
    w.now_s += 100
    w.supervisor.tick()
    assert [note.role for note in w.told(What.STARTED)] == ["alerts", "windows"]
    assert w.supervisor.pid("windows") is not None


def test_a_role_that_ends_well_without_being_asked_is_started_again(watched: Make) -> None:
    w = watched(child("ingest", ""))
    w.tick_until(lambda: w.told(What.ENDED) == [Note("ingest", What.ENDED, 0, 0.5)])


def test_stopping_asks_one_role_after_the_other_in_the_order_of_the_flow(
    watched: Make, tmp_path: Path
) -> None:
    farewells, roles = tmp_path / "farewells", ("ingest", "windows", "alerts")
    w = watched(*(child(role, OBEYS, str(farewells), role) for role in roles))
    w.supervisor.tick()
    for role in roles:
        wait_for(Path(f"{farewells}{role}"))
    w.supervisor.stop()
    assert farewells.read_text().split() == list(roles)
    assert not w.told(What.KILLED)


def test_who_outlasts_the_grace_is_killed(watched: Make, tmp_path: Path) -> None:
    w = watched(child("ingest", IS_DEAF, str(tmp_path / "deaf")))
    w.supervisor.tick()
    wait_for(tmp_path / "deaf")
    pid = w.supervisor.pid("ingest")
    w.supervisor.stop(grace_s=0.1)
    assert pid is not None and is_gone_in_time(pid)
    assert w.told(What.KILLED) == [Note("ingest", What.KILLED)]


def test_who_is_in_a_hurry_waits_for_nobody(watched: Make, tmp_path: Path) -> None:
    w = watched(child("ingest", IS_DEAF, str(tmp_path / "deaf")))
    w.supervisor.tick()
    wait_for(tmp_path / "deaf")
    w.supervisor.stop(grace_s=60, hurry=lambda: True)
    assert w.supervisor.pid("ingest") is None


def test_nobody_is_started_again_after_the_stop(watched: Make) -> None:
    w = watched(child("ingest", LIVES))
    w.supervisor.tick()
    w.supervisor.stop(grace_s=WAIT_S)
    w.now_s += 100
    w.supervisor.tick()
    assert w.supervisor.pid("ingest") is None


def test_what_a_role_says_goes_to_its_own_file(watched: Make, tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(1)"
    w = watched(child("ingest", code))
    w.tick_until(lambda: bool(w.told(What.ENDED)))
    assert sorted((tmp_path / "ingest.log").read_text().split()) == ["err", "out"]


def test_without_files_it_goes_to_stderr_with_the_role_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    notes: list[Note] = []
    line = "print(chr(27) + '[31mred' + chr(27) + '[0m')"
    supervisor = Supervisor([child("ingest", line)], notes.append)
    deadline = time.monotonic() + WAIT_S
    while len(notes) < 2:
        assert time.monotonic() < deadline
        supervisor.tick()
    supervisor.end()
    assert capsys.readouterr().err == "ingest  | red\n"


def test_colours_and_cursor_movements_are_taken_out() -> None:
    assert plain("\x08\x1b[?25h2026 \x1b[1mbold\x1b[0m\n") == "2026 bold"


SUPERVISE = """
import sys, time
from alerts.supervise import Command, Supervisor
supervisor = Supervisor([Command("ingest", (sys.executable, "-c", sys.argv[1]))], lambda note: None)
supervisor.tick()
print(supervisor.pid("ingest"), flush=True)
time.sleep(60)
"""


def test_no_role_outlives_a_supervisor_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISE, LIVES], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert is_gone_in_time(pid)


def test_roles_are_started_as_the_console_command_starts_them(tmp_path: Path) -> None:
    ingest, windows, alerts = commands(tmp_path / "c.toml", "--log-level", "info")
    assert [c.role for c in (ingest, windows, alerts)] == ["ingest", "windows", "alerts"]
    config = ("--config", str(tmp_path / "c.toml"))
    assert windows.line == (
        sys.executable,
        "-m",
        "alerts.cli",
        "windows",
        *config,
        "--log-level",
        "info",
    )
    shown = subprocess.run([*ingest.line[:4], "--help"], capture_output=True, text=True, check=True)
    assert "Reads outcomes" in shown.stdout
