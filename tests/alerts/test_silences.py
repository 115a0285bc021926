"""Which incidents a silence covers, and when."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import silences
from alerts.records import Decision, Incident, Severity, State
from streams.commands import Matcher, Silence

INCIDENT = Incident(
    key="ch:twilio_30003:carrier:310-260:all:1700000000",
    seq=1,
    rule="twilio_30003",
    scope="carrier",
    carrier="310-260",
    region="all",
    state=State.OPEN,
    severity=Severity.CRITICAL,
    opened_bucket_s=1_700_000_000,
    detected_ms=1_700_000_010_000,
    last_bucket_s=1_700_000_000,
    reason=Decision.ABOVE_CRITICAL,
)
NAMES = st.text("ab-|.", max_size=6)


def silence(*matchers: str, begin_ms: int = 0, end_ms: int = 100, id: str = "s") -> Silence:
    return Silence(id, tuple(map(silences.parse, matchers)), "ann", "known", begin_ms, end_ms)


@pytest.mark.parametrize(
    ("matchers", "fits"),
    [
        (["carrier=310-260"], True),
        (["carrier=310"], False),
        (["carrier=~310-.*"], True),
        (["carrier=~310"], False),
        (["carrier!=310-260"], False),
        (["carrier!=311-480"], True),
        (["carrier!~310-.*|311-.*"], False),
        (["carrier!~311-.*"], True),
        (["rule=twilio_30003", "severity=~warning|critical"], True),
        (["rule=twilio_30003", "severity=warning"], False),
        (['scope="carrier"', "region=all"], True),
    ],
)
def test_every_matcher_must_fit_the_whole_value(matchers: list[str], fits: bool) -> None:
    assert silences.matches(silence(*matchers), INCIDENT) is fits


def test_the_scope_is_that_of_now() -> None:
    widened = msgspec.structs.replace(INCIDENT, current_scope="global", current_carrier="all")
    assert not silences.matches(silence("carrier=310-260"), widened)
    assert silences.matches(silence("scope=global"), widened)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("carrier", "must be NAME"),
        ("message=hello", "with a NAME of rule, scope, carrier, region, severity"),
        ("carrier=~310-(", "no regular expression"),
        ("carrier=" + "x" * 201, "more than 200 characters"),
    ],
)
def test_a_matcher_that_can_not_be_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        silences.parse(text)


def test_a_silence_without_matchers_or_without_length_is_none() -> None:
    assert "everything" in (silences.fault(silence()) or "")
    assert "before it begins" in (silences.fault(silence("rule=a", begin_ms=5, end_ms=5)) or "")
    assert silences.fault(silence("rule=a")) is None


def test_a_silence_holds_from_its_begin_up_to_its_end() -> None:
    held = [silence("rule=twilio_30003", begin_ms=10, end_ms=20)]
    found = [silences.silencing(held, INCIDENT, at_ms) is not None for at_ms in (9, 10, 19, 20)]
    assert found == [False, True, True, False]


def test_of_several_the_last_to_end_counts() -> None:
    held = [silence("rule=~.*", end_ms=n, id=str(n)) for n in (50, 90, 70)]
    found = silences.silencing(held, INCIDENT, 40)
    assert found is not None and found.id == "90"


def test_the_silence_of_an_incident_covers_it_and_not_its_neighbour() -> None:
    own = Silence("s", silences.of_incident(INCIDENT), "ann", "known", 0, 100)
    assert silences.matches(own, INCIDENT)
    assert not silences.matches(own, msgspec.structs.replace(INCIDENT, carrier="311-480"))


@given(NAMES, NAMES)
def test_a_negated_matcher_fits_exactly_what_the_other_does_not(value: str, carrier: str) -> None:
    incident = msgspec.structs.replace(INCIDENT, carrier=carrier)

    def fits(op: str) -> bool:
        made = Silence("s", (Matcher("carrier", op, value),), "ann", "known", 0, 100)
        return silences.matches(made, incident)

    assert fits("=") is not fits("!=")
    if silences.fault(Silence("s", (Matcher("carrier", "=~", value),), "a", "b", 0, 1)) is None:
        assert fits("=~") is not fits("!~")


@given(st.sampled_from(silences.NAMES), st.sampled_from(silences.OPERATORS), st.text("a0_.*-| ", max_size=9))
def test_what_is_shown_of_a_matcher_can_be_read_again(name: str, op: str, value: str) -> None:
    matcher = Matcher(name, op, value.strip())
    assert silences.fault(Silence("s", (matcher,), "a", "b", 0, 1)) or silences.parse(str(matcher)) == matcher
