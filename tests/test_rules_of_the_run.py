"""tests/conftest.py, tried on a small test file in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
INI = (
    "[pytest]\nmarkers =\n    soak: long\n    needs_promtool: promtool\n    needs_nginx: nginx\n"
    "    needs_amtool: amtool\n"
)
PLAIN = "def test_one(): pass\n"
SKIPPED = "import pytest\n@pytest.mark.skip(reason='no time')\ndef test_two(): pass\n"
MODULE_SKIPPED = "import pytest\npytest.importorskip('no_such_module')\n"
SOAK = "import pytest\n@pytest.mark.soak\ndef test_long(): pass\n"
NEEDS = "import pytest\n@pytest.mark.needs_{}\ndef test_with_it(): pass\n"
PROGRAMS = ("promtool", "nginx", "amtool")


def run(folder: Path, text: str, ci: str = "", *args: str) -> tuple[int, str]:
    """Exit code and output of pytest on `text`, on a machine without promtool, nginx and amtool."""
    shutil.copy(CONFTEST, folder)
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_plain.py").write_text(PLAIN)
    (folder / "test_small.py").write_text(text)
    env = {**os.environ, "CI": ci, "PATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("text", [SKIPPED, MODULE_SKIPPED], ids=["test", "module"])
def test_ci_skips_nothing(tmp_path: Path, text: str) -> None:
    code, output = run(tmp_path, text, "true")
    assert code == 1
    assert "nothing may be skipped" in output


def test_elsewhere_a_test_may_be_skipped(tmp_path: Path) -> None:
    assert run(tmp_path, SKIPPED)[0] == 0


def test_the_soak_test_runs_when_asked_for(tmp_path: Path) -> None:
    code, output = run(tmp_path, SOAK)
    assert code == 0
    assert "1 passed, 1 deselected" in output
    assert "1 passed, 1 deselected" in run(tmp_path, SOAK, "true", "-m", "soak")[1]


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_a_program_its_tests_are_left_out_with_a_note(tmp_path: Path, program: str) -> None:
    code, output = run(tmp_path, NEEDS.format(program))
    assert code == 0
    assert f"1 tests marked needs_{program} left out" in output
    assert "skipped" not in output


@pytest.mark.parametrize("program", PROGRAMS)
def test_ci_without_a_program_fails(tmp_path: Path, program: str) -> None:
    code, output = run(tmp_path, NEEDS.format(program), "true")
    assert code != 0
    assert f"{program} is not installed" in output
