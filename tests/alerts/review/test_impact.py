"""The impact of simulated incidents against their truth."""

from __future__ import annotations

import pytest

from alerts.review.impact import Healthy, figures, healthy, impact
from alerts.review.series import EVERYTHING, NEIGHBOURS, OWN, Gathering, Series, Span, gather
from streams.journal import Complete
from streams.records import Cells, ClosedBucket, SeriesKey
from tests.alerts.review.journal import BOOK, RULE, SCOPE, START_S, Simulated, incident

ILL = Span(START_S + 1800, START_S + 3000)
BEFORE = Span(START_S, START_S + 1800)


def gathered(truth: Simulated) -> Gathering:
    return gather(truth.buckets(), RULE, SCOPE, BOOK)


@pytest.mark.parametrize(("rate", "ratio"), [(10, 0.1), (20, 0.3), (60, 0.07), (40, 0.9)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_excess_is_within_5_percent_and_recipients_within_2(rate: float, ratio: float, seed: int) -> None:
    truth = Simulated(seed, rate, ratio)
    found = gathered(truth)
    told = impact(found, ILL, healthy(incident(), found.series(OWN, BEFORE)))
    assert told.first.excess.value == pytest.approx(truth.excess, rel=0.05)
    assert told.first.excess.low <= told.first.excess.value <= told.first.excess.high
    assert told.distinct_recipients == pytest.approx(len(truth.recipients), rel=0.02)
    assert told.first.failed == truth.failed and told.first.attempted == truth.attempted
    assert told.time_critical == truth.time_critical
    assert told.time_critical_share == pytest.approx(0.2, abs=0.03)
    assert told.share_of_traffic == pytest.approx(0.5, abs=0.02)
    assert told.missing_buckets == 0


def test_the_interval_of_the_excess_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        truth = Simulated(seed, rate=5, ratio=0.06, onset_s=600, end_s=1200, until_s=1200)
        found = gathered(truth)
        ill = Span(START_S + 600, START_S + 1200)
        normal = healthy(incident(), found.series(OWN, Span(START_S, START_S + 600)))
        excess = impact(found, ill, normal).first.excess
        # The failures that would have come anyway are chance too.
        held += excess.low <= truth.failed - 0.02 * truth.attempted <= excess.high
    assert held >= 56


def test_codes_and_senders_are_those_of_the_scope() -> None:
    truth = Simulated()
    told = impact(gathered(truth), ILL, Healthy(-4.0, 0.01))
    code, other = told.by_code
    assert (code.source, code.code, code.failed, code.counts) == ("tw", "30003", truth.failed, True)
    assert (other.code, other.counts) == ("30005", False)
    ((sender, failed),) = told.by_sender
    assert sender == "+12025550100" and 0.4 < failed / truth.failed < 0.6


def test_neighbours_are_what_is_not_its_own() -> None:
    found = gathered(Simulated())
    own, near, whole = (found.series(g, ILL) for g in (OWN, NEIGHBOURS, EVERYTHING))
    assert [a + b for a, b in zip(own.outcomes, near.outcomes, strict=True)] == list(whole.outcomes)
    assert sum(near.failed) / sum(near.outcomes) < 0.03


def test_what_comes_late_is_in_the_final_figures_alone() -> None:
    keys = [SeriesKey("tw", "310-260", "US-CA", c, code) for c, code in (("delivered", ""), ("x", "30003"))]
    late = Cells(keys=keys, key=[0, 1], bucket_s=[START_S, START_S], finals=[7, 3], sends=[0, 0])
    closed = Cells(keys=keys, key=[0, 1], bucket_s=[START_S, START_S], finals=[90, 10], sends=[0, 0])
    buckets = [
        Complete(ClosedBucket(START_S, "a", 1, 1, 0, 0, {}, []), closed, Cells(), 0),
        Complete(ClosedBucket(START_S + 10, "a", 1, 1, 0, 0, {}, [], incomplete=["lost"]), Cells(), late, 1),
    ]
    told = impact(gather(buckets, RULE, SCOPE, BOOK), Span(START_S, START_S + 30), Healthy(-4.0, 0.01))
    assert (told.first.attempted, told.first.failed) == (100, 10)
    assert (told.final.attempted, told.final.failed) == (110, 13)
    assert told.incomplete == ("lost",) and told.missing_buckets == 1


def test_without_a_past_the_healthy_ratio_is_what_was_learned() -> None:
    none = Series(START_S, 10, (), ())
    assert healthy(incident(), none).ratio == pytest.approx(0.02, rel=0.01)
    seen = Series(START_S, 10, (1000,), (50,), (1000,), (50,))
    unknown = incident(expected_low=0.0, expected_high=0.0)
    assert healthy(unknown, seen).ratio == pytest.approx(0.05, rel=0.05)
    both = healthy(incident(), seen).ratio
    assert 0.02 < both < 0.05
    assert healthy(unknown, none).estimate().high > 0.9


def test_nothing_less_than_normal_is_an_excess() -> None:
    told = figures(1000, 5, healthy(incident(), Series(START_S, 10, (), ())))
    assert told.excess.value == 0.0 == told.excess.low


def test_longer_steps_hold_the_same_counts() -> None:
    own = gathered(Simulated(until_s=600)).series(OWN, Span(START_S, START_S + 600))
    long = own.coarser(60)
    assert sum(long.outcomes) == sum(own.outcomes) and sum(long.failed) == sum(own.failed)
    assert long.start_s % 60 == 0 and len(long.outcomes) == 11
    part = own.within(Span(START_S + 100, START_S + 200))
    assert part.start_s == START_S + 100 and part.outcomes == own.outcomes[10:20]
    assert part.end_s == START_S + 200
