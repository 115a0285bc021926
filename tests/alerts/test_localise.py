"""Scopes from evidence: the fewest that explain it, slow alarms too."""

from __future__ import annotations

import numpy as np
import pytest

from alerts import detect
from alerts.counts import Count
from alerts.detect import RuleState, Step
from alerts.localise import Finding, localise
from alerts.policy import Policy
from alerts.records import Scope, ScopeKind
from tests.alerts.traffic import Fault, Network, names, run

POLICY = Policy()
CARRIERS, REGIONS = names("c", 6), names("r", 5)


def after(ill: dict[tuple[str, str], float], buckets: int = 3, n: int = 60) -> tuple[RuleState, Step]:
    """State after some buckets in which the leaves of `ill` fail by their ratio, the others by 1 %."""
    state = detect.fresh("r", POLICY)
    rng = np.random.default_rng(1)
    for i in range(1, buckets + 1):
        counts = {}
        for leaf in ((c, r) for c in CARRIERS for r in REGIONS):
            k = int(rng.binomial(n, ill.get(leaf, 0.01)))
            counts[leaf] = Count(n, k, n, k)
        state, said = detect.step(state, POLICY, 10 * i, counts)
    return state, said


def found(ill: dict[tuple[str, str], float]) -> list[Finding]:
    state, said = after(ill)
    return list(localise(state, POLICY, said.pi, said.alarms, (), 30))


CARRIER = {("c1", r): 0.3 for r in REGIONS}
REGION = {(c, "r2"): 0.3 for c in CARRIERS}
PAIR = {("c4", "r4"): 0.4}


@pytest.mark.parametrize(
    ("ill", "scopes"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param(PAIR, [("c4", "r4")], id="pair"),
        pytest.param(CARRIER, [("c1", "all")], id="carrier"),
        pytest.param(REGION, [("all", "r2")], id="region"),
        pytest.param({(c, r): 0.3 for c in CARRIERS for r in REGIONS}, [("all", "all")], id="global"),
        pytest.param(
            {
                (c, r): ratio
                for c, ratio in zip(CARRIERS, (0.6, 0.1, 0.5, 0.1, 0.3, 0.2), strict=True)
                for r in REGIONS
            },
            [("all", "all")],
            id="all-carriers-are-everything-however-much-they-differ",
        ),
        pytest.param(CARRIER | REGION, [("all", "r2"), ("c1", "all")], id="carrier-and-region"),
        pytest.param(CARRIER | PAIR, [("c1", "all"), ("c4", "r4")], id="carrier-and-pair"),
        pytest.param(CARRIER | {("c1", "r0"): 0.45}, [("c1", "all")], id="one-leaf-is-worse"),
    ],
)
def test_the_fewest_scopes_that_explain_the_failures(
    ill: dict[tuple[str, str], float], scopes: list[tuple[str, str]]
) -> None:
    assert sorted((f.scope.carrier, f.scope.region) for f in found(ill)) == sorted(scopes)


def test_a_finding_has_its_onset_and_odds_ratio() -> None:
    (finding,) = found(CARRIER)
    assert finding.start_s == 10
    assert finding.theta == pytest.approx(0.3 / 0.7 / (0.02 / 0.98), rel=0.2)


def test_an_alarm_slower_than_the_memory_is_still_placed() -> None:
    """One message in 100 s a series; 20 % takes longer than the hour that is kept."""
    fault = Fault(600, 60_000, 0.2, carrier="c1", region="r1")
    out = run(
        Network(3, names("c", 3), names("r", 3), 0.09, base=(0.003, 0.01), spread=0.01, faults=(fault,)),
        60_000,
    )
    scopes = {Scope(ScopeKind(i.scope), i.carrier, i.region) for i in out.incidents.values()}
    assert scopes == {Scope(ScopeKind.PAIR, "c1", "r1")}
