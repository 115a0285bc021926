"""Sums, tallies and pages are exact, whatever is killed.

    time      -240 s ............... 0 ................... feed ends ...... closed
    traffic   backlog, written first | live, paced
    roles                            start, killed at random            last buckets close
    incident  one in the backlog, one across the start
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.run import Course, run
from tests.faults.scenario import by_carrier, by_pair, by_region, scenario
from tests.faults.schedule import draw

LEAD_S = 240


def test_nothing_is_lost_or_doubled_without_faults(tmp_path: Path) -> None:
    lead_s, rate = 240, 60
    plan = scenario(lead_s + 20, rate, (by_carrier(30),))
    run(Course("calm", 1, plan, rate, lead_s, []), tmp_path)
