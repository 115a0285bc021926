"""Labelled incidents over many series are found once, with the right scope; nothing else speaks.

0 s            604                       1200                     2400
|---- healthy ----|======= fault =========|------- healthy ---------|
"""

from __future__ import annotations

import pytest

from alerts.records import Severity, State
from tests.alerts.traffic import START_S, Fault, Network, Run, names, run

CARRIERS, REGIONS = names("c", 20), names("r", 15)
WHERE = {
    "global": Fault(604, 1200, 0.0),
    "carrier": Fault(604, 1200, 0.0, carrier="c3"),
    "region": Fault(604, 1200, 0.0, region="r3"),
    "pair": Fault(604, 1200, 0.0, carrier="c3", region="r3"),
}


def ended_well(out: Run) -> bool:
    return all(i.state is State.RESOLVED and not i.reopened for i in out.incidents.values())


def labels(out: Run) -> set[tuple[str, str, str]]:
    return {(i.scope, i.carrier, i.region) for i in out.incidents.values()}


@pytest.mark.parametrize("ratio", [0.4, 0.2])
@pytest.mark.parametrize("kind", WHERE)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_one_incident_of_the_right_scope(kind: str, ratio: float, seed: int) -> None:
    where = WHERE[kind]
    fault = Fault(where.start, where.end, ratio, where.carrier, where.region)
    out = run(Network(seed, CARRIERS, REGIONS, 600, spread=0.5, faults=(fault,)), 2400)
    assert labels(out) == {(kind, fault.carrier, fault.region)}
    assert len(out.what("opened")) == len(out.what("resolved")) == 1
    assert ended_well(out)
    (incident,) = out.incidents.values()
    assert incident.was_critical and not incident.critical_key_used
    assert incident.detected_ms / 1000 - START_S - fault.start <= (180 if kind == "pair" else 30)
    assert (incident.current_carrier, incident.current_region) == (fault.carrier, fault.region)


@pytest.mark.parametrize(
    ("regions", "region", "label"),
    [
        pytest.param(names("r", 5), "r1", ("region", "all", "r1"), id="a-region"),
        pytest.param(names("r", 5), "all", ("global", "all", "all"), id="everything"),
        pytest.param(("unknown",), "all", ("global", "all", "all"), id="no-region-either"),
    ],
)
def test_callbacks_without_a_carrier_are_placed_all_the_same(
    regions: tuple[str, ...], region: str, label: tuple[str, str, str]
) -> None:
    fault = Fault(604, 1200, 0.4, region=region)
    out = run(Network(5, ("unknown",), regions, 60, spread=0.5, faults=(fault,)), 2400)
    assert labels(out) == {label} and ended_well(out)


@pytest.mark.parametrize(("ratio", "severity"), [(0.07, Severity.WARNING), (0.12, Severity.CRITICAL)])
def test_the_two_lines_set_the_severity(ratio: float, severity: Severity) -> None:
    fault = Fault(600, 1500, ratio, carrier="c3")
    out = run(Network(3, CARRIERS, REGIONS, 600, spread=0.5, odds_spread=0.0, faults=(fault,)), 2400)
    (incident,) = out.incidents.values()
    assert (incident.scope, incident.carrier, incident.severity) == ("carrier", "c3", severity)


def test_two_incidents_at_once_are_two_incidents() -> None:
    faults = (Fault(604, 1200, 0.4, carrier="c3"), Fault(700, 1300, 0.4, region="r5"))
    out = run(Network(4, CARRIERS, REGIONS, 600, spread=0.5, faults=faults), 2400)
    assert labels(out) == {("carrier", "c3", "all"), ("region", "all", "r5")}
    assert ended_well(out)


def test_two_carriers_of_three_are_not_everything() -> None:
    faults = (Fault(604, 1200, 0.4, carrier="c0"), Fault(604, 1200, 0.4, carrier="c1"))
    out = run(Network(4, names("c", 3), REGIONS, 200, spread=0.5, faults=faults), 2000)
    assert labels(out) == {("carrier", "c0", "all"), ("carrier", "c1", "all")}


def test_what_began_with_an_incident_is_a_part_of_it_though_parts_differ_and_end_one_by_one() -> None:
    faults = tuple(
        Fault(604, 1800 + 120 * i, ratio, carrier=f"c{i}") for i, ratio in enumerate((0.5, 0.15, 0.3, 0.12))
    )
    out = run(Network(6, names("c", 4), names("r", 3), 80, spread=0.5, faults=faults), 3600)
    assert labels(out) == {("global", "all", "all")}
    assert len(out.what("opened")) == 1 and ended_well(out)


def test_an_open_incident_lends_no_evidence_to_what_wobbles_elsewhere() -> None:
    """Odds that do not double prove nothing at any volume, whether or not something else is wrong."""
    ill = Fault(604, 3000, 0.4, carrier="c3", region="r3")
    worse = Fault(900, 1500, 0.016, carrier="c5", region="r5")
    out = run(
        Network(
            7, CARRIERS, REGIONS, 6000, base=(0.01, 0.0101), spread=0.5, odds_spread=0.0, faults=(ill, worse)
        ),
        3600,
    )
    assert labels(out) == {("pair", "c3", "r3")}


@pytest.mark.parametrize("rate", [3, 300, 3000])
@pytest.mark.parametrize("seed", [11, 12])
def test_healthy_traffic_raises_nothing(seed: int, rate: float) -> None:
    """300 series over four decades of volume, base ratios of 0.3 to 2 %, two hours."""
    out = run(Network(seed, CARRIERS, REGIONS, rate, spread=2.3), 7200)
    assert not [i for i in out.incidents.values() if i.severity is not Severity.INFO]


def test_a_busier_mix_of_worse_series_is_no_incident() -> None:
    """Simpson: traffic moves to the series whose ordinary ratio is highest; none changes."""
    out = run(Network(9, CARRIERS, REGIONS, 300, base=(0.019, 0.02), spread=3.0), 3600)
    assert not out.incidents
