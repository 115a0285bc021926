"""Sums, tallies and pages are exact, whatever is killed.

time      -240 s ............... 0 ................... feed ends ...... closed
traffic   backlog, written first | live, paced
roles                            start, killed at random            last buckets close
incident  one in the backlog, one across the start
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from alerts.policy import Policy
from streams.simulate.parts import Incident
from tests.faults.run import Course, run
from tests.faults.scenario import by_carrier, by_carrier_over_smpp, by_region, scenario
from tests.faults.schedule import draw, draw_around
from tests.faults.surroundings import KINDS

LEAD_S = 240
SOAK_LEAD_S = 30
SMALL_CLOSES_WITHIN_S = 60.0
WINDOWS_CLOSE_WITHIN_S = 10.0
WITHOUT_AN_INGEST_S = 25.0
KILLS_S, APART_S = 300, 960
RESOLVED_WITHIN_S = 300.0
LARGE = ("311-480", "310-410", "310-260")
FILES_MORE = 20
SEED, RATE, SECONDS = (f"CARRIER_HEALTH_SOAK_{name}" for name in ("SEED", "RATE", "SECONDS"))


def test_nothing_is_lost_or_doubled_while_every_role_is_killed(tmp_path: Path) -> None:
    rate, seconds, seed = 300, 90, 1
    incidents = (by_carrier(20), by_region(LEAD_S - 60))
    plan = scenario(LEAD_S + seconds, rate, incidents)
    course = Course("small", seed, plan, rate, LEAD_S, draw(seed, seconds - 5, 1, 12.0))
    figures = run(course, tmp_path).figures
    assert _least_kills(figures) >= 2
    delays = {k: v for k, v in figures.items() if k.startswith("delay_")}
    assert max(delays.values()) < SMALL_CLOSES_WITHIN_S, delays


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_million_records_while_everything_is_struck(tmp_path: Path) -> None:
    """3,000 series and more at 5,000 records a second: first each role is killed five times, then the
    broker, Redis, the pager and single machines fail in turn, for as long as is asked for."""
    seed = int(os.environ.get(SEED, "1"))
    rate, seconds = int(os.environ.get(RATE, "5000")), int(os.environ.get(SECONDS, "540"))
    plan = scenario(SOAK_LEAD_S + seconds, rate, tuple(_incidents(seconds)), more_carriers=120)
    faults = draw(seed, KILLS_S - 30, 4, 15.0) + draw_around(seed, KILLS_S, seconds - 30, 35.0)
    figures = run(Course("soak", seed, plan, rate, SOAK_LEAD_S, faults), tmp_path).figures
    assert figures["records"] >= min(1_000_000, rate * seconds)
    assert figures["series"] >= 3_000
    assert _least_kills(figures) >= 5
    assert all(figures[f"kills_{kind}"] >= 1 for kind in KINDS)
    assert figures["partials_aborted"] >= 1, "no kill came in the middle of a transaction"
    assert figures["delay_windows_both_s"] <= WINDOWS_CLOSE_WITHIN_S
    assert figures["since_ingest_for_good_s"] <= WITHOUT_AN_INGEST_S
    assert max(v for k, v in figures.items() if k.startswith("files_more")) <= FILES_MORE


@pytest.mark.parametrize("hours", [1, 3, 8])
def test_no_carrier_of_the_soak_is_ill_again_while_its_incident_may_be_reopened(hours: int) -> None:
    """It would page again under the key that it has: the audit wants an incident for each illness."""
    found = list(_incidents(hours * 3600))
    assert len(found) >= 3 + hours * 3
    ended_s: dict[str, float] = {}
    for incident in found:
        where = f"{incident.carrier}/{incident.region}"
        since_s = incident.at_s - ended_s.get(where, -math.inf)
        assert since_s > Policy().reopen_s + RESOLVED_WITHIN_S, f"{where} after {since_s:.0f} s"
        ended_s[where] = incident.at_s + incident.duration_s


def _incidents(seconds: int) -> Iterator[Incident]:
    """Three while the roles are killed. While everything around them is struck, one carrier after the
    other, each alone."""
    yield by_carrier(SOAK_LEAD_S + 20)
    yield by_region(SOAK_LEAD_S + 70)
    yield by_carrier_over_smpp(SOAK_LEAD_S + 120)
    for at_s, carrier in zip(range(KILLS_S, seconds - 240, APART_S), cycle(LARGE), strict=False):
        yield by_carrier(SOAK_LEAD_S + at_s, carrier, duration_s=120)


def _least_kills(figures: dict[str, float]) -> float:
    return min(figures[f"kills_{kind}"] for kind in ("ingest", "windows", "alerts"))
