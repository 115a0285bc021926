"""A rolling upgrade from the version before loses and doubles nothing, and pages nobody twice.

time      -60 s ..... 0 ......... 12 ........ 24 ........ 36 ............. feed ends ... closed
traffic   backlog     live, paced
version   before      `topics`,   windows,    ingest,     all of this one
                      alerts one  one by one  one by one
                      by one
incident                          one over the change of each role

`before/` holds the version before as it was built: a clone without history can run it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.faults.cluster import python_path
from tests.faults.run import Course, run
from tests.faults.scenario import by_carrier, scenario
from tests.faults.schedule import Fault

LEAD_S, SECONDS, RATE = 120, 165, 150
"""Long enough for the incident to be over before the feed ends: without traffic nobody can tell."""
WHEEL = next(Path(__file__).with_name("before").glob("*.whl"))


def test_roles_are_replaced_one_by_one_under_traffic(tmp_path: Path) -> None:
    before = tmp_path / "before"
    zipfile.ZipFile(WHEEL).extractall(before)
    assert _code_of_the_roles(before, tmp_path) == str(before / "streams" / "__init__.py")
    order = [kind for kind in ("alerts", "windows", "ingest") for _ in range(2)]
    renewals = [Fault(12.0 + 6 * i, kind, renew=True) for i, kind in enumerate(order)]
    plan = scenario(LEAD_S + SECONDS, RATE, (by_carrier(LEAD_S + 5, duration_s=45),))
    outcome = run(Course("upgrade", 3, plan, RATE, LEAD_S, renewals, code=before), tmp_path)
    assert [role.code for role in outcome.cluster.roles.values()] == [None] * len(order)


def _code_of_the_roles(code: Path, cwd: Path) -> str:
    """Where a role that starts with `code` has its code from: else this would be no upgrade."""
    command = [sys.executable, "-c", "import streams; print(streams.__file__)"]
    env = {**os.environ, **python_path(code)}
    return subprocess.run(
        command, env=env, cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()
