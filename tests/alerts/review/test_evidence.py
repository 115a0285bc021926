"""What is frozen at opening, peak and end of a simulated incident, and that it can be read again."""

from __future__ import annotations

import msgspec
import pytest

from alerts.records import State, Transition
from alerts.review.evidence import (
    MOST_STEPS,
    Context,
    Evidence,
    Frozen,
    Moment,
    as_event,
    first_onset_s,
    freeze,
    needed,
    peak_s,
)
from alerts.review.series import GROUPS, OWN, Series, Span, gather
from streams.records import encode
from tests.alerts.review.journal import BOOK, RULE, SCOPE, START_S, Simulated, incident

CONTEXT = Context(1_700_004_000_000, 3_000, {"warning": 0.05}, "0.1.0", ("ab12",))
TRUTH = Simulated()
GATHERED = gather(TRUTH.buckets(), RULE, SCOPE, BOOK)


def frozen(moment: Moment, until_s: int = 3600, **changes: object) -> Evidence:
    one = incident(**changes)
    return freeze(moment, one, GATHERED, needed(one, START_S + until_s), CONTEXT)


def test_the_end_holds_onset_recovery_and_impact() -> None:
    close = frozen(Moment.CLOSE)
    assert close.begun is not None and close.ended is not None
    assert abs(close.begun.at_s - START_S - TRUTH.onset_s) <= 10
    assert abs(close.ended.at_s - START_S - TRUTH.end_s) <= 10
    assert close.impact.first.excess.value == pytest.approx(TRUTH.excess, rel=0.05)
    assert close.impact.distinct_recipients == pytest.approx(len(TRUTH.recipients), rel=0.02)
    assert close.at_s == incident().resolved_bucket_s
    assert set(close.series) == set(GROUPS)


def test_the_opening_holds_what_was_known_then() -> None:
    opened = frozen(Moment.OPEN, 1840, state=State.OPEN, resolved_bucket_s=None)
    assert opened.at_s == incident().opened_bucket_s and opened.ended is None
    assert opened.series[OWN].end_s == START_S + 1840
    assert opened.impact.to_s == START_S + 1840
    assert opened.impact.first.failed < TRUTH.failed / 10
    assert opened.before and opened.before[0].code == "30003"
    assert {leaf.carrier for leaf in opened.leaves} == {"310-260", "311-480"}
    assert (opened.policy, opened.code_version, opened.lag_ms) == ({"warning": 0.05}, "0.1.0", 3_000)


def test_the_peak_is_the_worst_minute_and_what_is_around_it() -> None:
    peak = frozen(Moment.PEAK)
    assert START_S + 1800 <= peak.at_s < START_S + 3000
    own = peak.series[OWN]
    assert peak.at_s - 600 == own.start_s and own.end_s == min(peak.at_s + 610, START_S + 3600)
    assert peak.ratio == incident().peak_ratio


def test_a_minute_without_traffic_is_no_peak() -> None:
    busy = Series(0, 10, (100,) * 12 + (1,) * 6 + (100,) * 12, (30,) * 12 + (0,) * 6 + (40,) * 12)
    assert peak_s(busy) == 180
    assert peak_s(Series(0, 10, (), ())) == 0


def test_a_frozen_record_is_read_again_and_is_a_transition_to_others() -> None:
    one, evidence = incident(), frozen(Moment.CLOSE)
    value = encode(as_event(one, evidence))
    assert msgspec.json.decode(value, type=Frozen).evidence == evidence
    plain = msgspec.json.decode(value, type=Transition)
    assert (plain.key, plain.what, plain.reason) == (one.key, "evidence_close", "frozen")
    without = msgspec.json.decode(encode(Transition("k", 1, 2, "opened", "why")), type=Frozen)
    assert without.evidence is None
    assert len(value) < 100_000
    assert b"+1" not in value.replace(b"+12025550100", b"")  # senders are ours; nobody else has a number


def test_a_long_incident_is_kept_in_longer_steps() -> None:
    one = incident(resolved_bucket_s=START_S + 90_000)
    span = needed(one, START_S + 100_000)
    assert span.to_s - span.from_s == 86_400
    long = freeze(Moment.CLOSE, one, GATHERED, span, CONTEXT)
    assert all(len(s.outcomes) <= MOST_STEPS for s in long.series.values())
    assert long.impact.missing_buckets > 0


def test_after_a_reopening_the_first_onset_is_searched_before_the_first_opening() -> None:
    again = incident(reopened=1, onset_ms=(START_S + 2500) * 1000)
    assert first_onset_s(again) == again.opened_bucket_s
    found = freeze(Moment.CLOSE, again, GATHERED, needed(again, START_S + 3600), CONTEXT).begun
    assert found is not None and abs(found.at_s - START_S - TRUTH.onset_s) <= 10


def test_nothing_that_was_gathered_is_no_reason_to_fail() -> None:
    empty = freeze(Moment.NOW, incident(), gather([], RULE, SCOPE, BOOK), Span(START_S, START_S), CONTEXT)
    assert empty.begun is None and empty.impact.first.attempted == 0
