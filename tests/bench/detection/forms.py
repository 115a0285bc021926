"""How much is run: the full form, the quick one, and a tiny one for the suite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """Sizes of everything that is run."""

    name: str
    quiet_jobs: int
    quiet_a_volume: int
    warm_weeks: float
    quiet_weeks: float
    ill_jobs: int
    ill_a_volume: int
    ill_weeks: float
    decoy_a_volume: int
    decoy_weeks: float
    bias_a_volume: int
    networks: int
    network_warm_s: int
    runs: int
    """Of each kind of fault, a network."""
    late_runs: int
    echo_weeks: float
    ticks: int
    large: bool
    """Whether the cost of 100,000 series is measured."""
    network_size: tuple[int, int, float] = (20, 15, 200.0)
    bias_length_s: int = 12 * 3600
    receipts_settle_s: int = 6 * 3600
    """Before that the slowest receipts have not come yet."""
    morning_s: int = 8 * 3600
    """Second of the day at which the volume is about its mean: outages with late receipts begin then."""


FULL = Form(
    name="full",
    quiet_jobs=2,
    quiet_a_volume=400,
    warm_weeks=2,
    quiet_weeks=9,
    ill_jobs=2,
    ill_a_volume=24,
    ill_weeks=6,
    decoy_a_volume=40,
    decoy_weeks=2,
    bias_a_volume=20,
    networks=2,
    network_warm_s=14 * 86_400,
    runs=50,
    late_runs=20,
    echo_weeks=2,
    ticks=130,
    large=True,
)
QUICK = Form(
    name="quick",
    quiet_jobs=2,
    quiet_a_volume=40,
    warm_weeks=0.4,
    quiet_weeks=0.2,
    ill_jobs=2,
    ill_a_volume=10,
    ill_weeks=0.6,
    decoy_a_volume=5,
    decoy_weeks=0.2,
    bias_a_volume=5,
    networks=2,
    network_warm_s=4 * 3600,
    runs=6,
    late_runs=2,
    echo_weeks=0.05,
    ticks=65,
    large=True,
)
TINY = Form(
    name="tiny",
    quiet_jobs=1,
    quiet_a_volume=2,
    warm_weeks=0.02,
    quiet_weeks=0.02,
    ill_jobs=1,
    ill_a_volume=1,
    ill_weeks=0.1,
    decoy_a_volume=1,
    decoy_weeks=0.01,
    bias_a_volume=1,
    networks=1,
    network_warm_s=1200,
    runs=1,
    late_runs=1,
    echo_weeks=0.002,
    ticks=3,
    large=False,
    network_size=(4, 3, 60.0),
    bias_length_s=1800,
    receipts_settle_s=1200,
    morning_s=1200,
)
FORMS = {form.name: form for form in (FULL, QUICK, TINY)}
