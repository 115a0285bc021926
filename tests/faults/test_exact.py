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
SMALL_CLOSES_WITHIN_S = 60.0


def test_nothing_is_lost_or_doubled_while_every_role_is_killed(tmp_path: Path) -> None:
    rate, seconds, seed = 300, 90, 1
    incidents = (by_carrier(20), by_region(LEAD_S - 60))
    plan = scenario(LEAD_S + seconds, rate, incidents)
    course = Course("small", seed, plan, rate, LEAD_S, draw(seed, seconds - 5, 1, 12.0))
    figures = run(course, tmp_path).figures
    assert min(figures[f"kills_{kind}"] for kind in ("ingest", "windows", "alerts")) >= 2
    delays = {k: v for k, v in figures.items() if k.startswith("delay_")}
    assert max(delays.values()) < SMALL_CLOSES_WITHIN_S, delays
