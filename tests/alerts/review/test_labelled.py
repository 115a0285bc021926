"""Labelled incidents as the review finds them: nothing of the truth is told to it but the detector's word.

second  0 ...... 1790 to 1810 ===== ill ===== 2997 .. 3600
"""

from __future__ import annotations

import numpy as np
import pytest

from alerts.review.evidence import Evidence, Moment, freeze, needed
from alerts.review.series import gather
from tests.alerts.review.journal import BOOK, HEALTHY, RULE, SCOPE, START_S, Simulated, incident
from tests.alerts.review.reviews import CONTEXT

SEEDS = range(8)


def found(truth: Simulated) -> Evidence:
    gathered, one = gather(truth.buckets(), RULE, SCOPE, BOOK), incident()
    return freeze(Moment.CLOSE, one, gathered, needed(one, START_S + 3600), CONTEXT)


@pytest.mark.parametrize(("rate", "ratio"), [(5, 0.12), (20, 0.3), (50, 0.08)])
def test_onset_excess_and_recipients_are_those_of_the_label(rate: float, ratio: float) -> None:
    """`rate` of each of the two series of the carrier: 10 messages a second and more."""
    errors_s = []
    for seed in SEEDS:
        onset_s = float(np.random.default_rng(seed).uniform(1790, 1810))
        truth = Simulated(seed, rate, ratio, onset_s=onset_s)
        evidence = found(truth)
        assert evidence.begun is not None and evidence.ended is not None
        errors_s.append(abs(evidence.begun.at_s - START_S - onset_s))
        impact = evidence.impact
        # As it came: how many of so few messages fail is chance, which no review can know.
        excess = truth.failed - HEALTHY * truth.attempted
        assert impact.first.excess.value == pytest.approx(excess, rel=0.05)
        assert impact.distinct_recipients == pytest.approx(len(truth.recipients), rel=0.02)
    assert np.median(errors_s) <= 10
