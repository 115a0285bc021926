"""Scopes from evidence: the fewest that explain it, slow alarms too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import charts as bank
from alerts import detect
from alerts.counts import Count
from alerts.detect import RuleState, Step
from alerts.localise import Finding, localise
from alerts.policy import Policy
from alerts.records import Scope, ScopeKind
from alerts.scan import further, joined
from tests.alerts.traffic import Fault, Network, names, run

POLICY = Policy()
CARRIERS, REGIONS = names("c", 6), names("r", 5)


def after(
    ill: dict[tuple[str, str], float],
    buckets: int = 3,
    n: int = 60,
    busy: tuple[tuple[str, str], ...] = (),
) -> tuple[RuleState, Step]:
    """State after some buckets in which the leaves of `ill` fail by their ratio, the others by 1 %; those
    of `busy` have 20 times the outcomes."""
    state = detect.fresh("r", POLICY)
    rng = np.random.default_rng(1)
    for i in range(1, buckets + 1):
        counts = {}
        for leaf in ((c, r) for c in CARRIERS for r in REGIONS):
            own = n * 20 if leaf in busy else n
            k = int(rng.binomial(own, ill.get(leaf, 0.01)))
            counts[leaf] = Count(own, k, own, k)
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


@pytest.mark.parametrize("buckets", [6, 12, 20])
def test_carrier_and_region_are_both_named_where_most_of_both_is_their_common_pair(buckets: int) -> None:
    """What they have in common fails by either; one cause found must not forbid the other."""
    ill = CARRIER | REGION
    state, said = after(ill, buckets, n=15, busy=(("c1", "r2"),))
    names = {f.scope[1:] for f in localise(state, POLICY, said.pi, said.alarms, (), 10 * buckets)}
    assert names == {("all", "r2"), ("c1", "all")}


@given(st.floats(1e-4, 0.2), st.floats(1, 50), st.floats(1, 50), st.integers(0, 20), st.integers(20, 500))
def test_causes_are_joined_in_any_order_and_alone_are_as_the_charts_have_them(
    base: float, one: float, other: float, k: int, n: int
) -> None:
    at, ks, ns = np.array([base]), np.array([float(k)]), np.array([float(n)])
    both = joined(at, joined(at, at, one), other)
    assert both == pytest.approx(joined(at, joined(at, at, other), one))
    assert both >= joined(at, at, one) * (1 - 1e-9)
    assert further(one, ks, ns, at, at.copy()) == pytest.approx(bank.likelihood(one, ks, ns, at), abs=1e-6)
    beside = k * np.log(both / joined(at, at, one)) + (n - k) * np.log((1 - both) / (1 - joined(at, at, one)))
    assert further(other, ks, ns, at, joined(at, at, one)) == pytest.approx(beside, abs=1e-6)


def test_a_finding_has_its_onset_and_odds_ratio() -> None:
    (finding,) = found(CARRIER)
    assert finding.start_s == 10
    assert finding.theta == pytest.approx(0.3 / 0.7 / (0.02 / 0.98), rel=0.2)


def test_an_alarm_slower_than_the_memory_is_still_placed() -> None:
    """One message in 100 s a series; 20 % takes longer than the hour that is kept."""
    fault = Fault(600, 20_000, 0.2, carrier="c1", region="r1")
    out = run(
        Network(3, names("c", 3), names("r", 3), 0.09, base=(0.003, 0.01), spread=0.01, faults=(fault,)),
        20_000,
    )
    scopes = {Scope(ScopeKind(i.scope), i.carrier, i.region) for i in out.incidents.values()}
    assert scopes == {Scope(ScopeKind.PAIR, "c1", "r1")}
