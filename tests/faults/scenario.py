"""The scenario of the fault test: the soak traffic, more carriers, incidents that nobody can miss."""

from __future__ import annotations

import msgspec

from streams.simulate import scenario as scenarios
from streams.simulate.parts import Carrier, Incident, Scenario

RATIO = 0.6
"""Critical from the first bucket on, so that an incident has one page."""
RECORDS_PER_FINAL = 1.8
"""In-flight records, repeats and the rest included."""
DAY_SHARE = 0.93
"""Of the mean of the day: where the day curve stands when the scenario begins."""


def scenario(
    seconds: int, records_per_s: float, incidents: tuple[Incident, ...], more_carriers: int = 0
) -> Scenario:
    soak = scenarios.load("soak")
    rate = records_per_s / RECORDS_PER_FINAL / DAY_SHARE
    return msgspec.structs.replace(
        soak,
        duration_s=seconds,
        rate=rate,
        incidents=incidents,
        carriers=(*soak.carriers, *_carriers(more_carriers)),
        disturbances=msgspec.structs.replace(
            soak.disturbances, late=0.001, garbage=0.004, future_s=900.0, disorder_s=2.0
        ),
    )


def _carriers(n: int) -> tuple[Carrier, ...]:
    regions = ("US-CA", "US-NY", "US-TX", "US-FL", "US-IL")
    # Of the country code for tests, where no network is another's brand.
    return tuple(Carrier(id=f"001-{i:03}", weight=25, base_rate=0.03, regions=regions) for i in range(n))


def by_carrier(at_s: float, carrier: str = "310-260", duration_s: float = 60) -> Incident:
    """Records without labels stay out of it, so that the carrier is all there is to find."""
    return Incident(
        scope="carrier",
        carrier=carrier,
        at_s=at_s,
        duration_s=duration_s,
        ratio=RATIO,
        codes={"30003": 1.0},
        feeds=("router", "twilio"),
    )


def by_region(at_s: float, region: str = "GB", duration_s: float = 60) -> Incident:
    return Incident(
        scope="region",
        region=region,
        at_s=at_s,
        duration_s=duration_s,
        ratio=RATIO,
        codes={"30003": 1.0},
        feeds=("router", "twilio", "twilio-plain"),
    )


def by_carrier_over_smpp(at_s: float, carrier: str = "262-01", duration_s: float = 60) -> Incident:
    """The other rule."""
    codes = {"001": 0.6, "059": 0.4}
    return Incident(
        scope="carrier", carrier=carrier, at_s=at_s, duration_s=duration_s, ratio=RATIO, codes=codes
    )
