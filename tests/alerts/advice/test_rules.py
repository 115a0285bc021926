"""The decision table: every case of it, what holds for all of them, and the page that shows it."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.advice.records import Reason
from alerts.advice.rules import TABLE, Facts, Policy, decide, not_before_ms
from alerts.settings_advice import Advice, check_advice
from streams.codes import CLASSES, NO_FAULT_CLASS, PERMANENCES, CodeRow
from streams.codes.advice import advise
from streams.label_values import Advised
from streams.records import UNKNOWN

PAGE = Path(__file__).parents[3] / "docs" / "retry-advice.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"
POLICY = Policy.of(Advice())
ATTEMPTS = range(1, 7)
EVERY = [
    Facts(*one)
    for one in product(CLASSES, PERMANENCES, (False, True), (False, True), ATTEMPTS, (False, True))
]
HALF_HOUR_MS = 1_800_000


def expected(f: Facts) -> tuple[Advised, Reason]:
    """The same once more, from the end to the beginning and in other words."""
    answer = (Advised.RETRY, Reason.ISOLATED)
    if f.held:
        answer = (Advised.HOLD, Reason.INCIDENT)
    if f.attempt >= 4:
        answer = (Advised.STOP, Reason.TRIES_USED_UP)
    if f.listed:
        answer = (Advised.STOP, Reason.LISTED)
    if f.outcome_class in ("destination", "subscriber_barred", "spam", "policy", "no_receipt"):
        answer = (Advised.STOP, Reason.CLASS_NOT_RETRIED)
    if f.outcome_class in ("malformed", "credit", NO_FAULT_CLASS):
        answer = (Advised.STOP, Reason.CLASS_NOT_RETRIED)
    if f.permanence == "permanent":
        answer = (Advised.STOP, Reason.PERMANENT)
    return (Advised.OTHER_CHANNEL, Reason.TIME_CRITICAL) if f.time_critical else answer


def test_every_case_is_decided_as_it_should_be() -> None:
    wrong = [f for f in EVERY if (decide(f, POLICY).decision, decide(f, POLICY).reason) != expected(f)]
    assert wrong == []


def test_no_row_is_beyond_reach_and_each_reason_has_one() -> None:
    assert {decide(f, POLICY).reason for f in EVERY} == set(Reason)
    assert [row.reason for row in TABLE] == list(Reason)


@given(
    facts=st.sampled_from(EVERY),
    failed_s=st.integers(1, 4_000_000_000),
    within_ms=st.integers(0, 999),
    wait_s=st.floats(1800, 604_800),
    most=st.integers(0, 10),
    waits_s=st.dictionaries(st.sampled_from(sorted(CLASSES)), st.floats(0, 604_800)),
)
def test_whatever_comes_no_try_is_early_or_one_too_many_or_in_vain(
    facts: Facts, failed_s: int, within_ms: int, wait_s: float, most: int, waits_s: dict[str, float]
) -> None:
    policy = Policy(wait_s, most, frozenset(CLASSES), waits_s)
    row = decide(facts, policy)
    at_ms = not_before_ms(row.decision, failed_s * 1000, facts.outcome_class, policy)
    assert (row, at_ms) == (
        decide(facts, policy),
        not_before_ms(row.decision, failed_s * 1000, facts.outcome_class, policy),
    )
    if row.decision in (Advised.RETRY, Advised.HOLD):
        assert at_ms is not None and at_ms >= failed_s * 1000 + within_ms + HALF_HOUR_MS
        assert facts.attempt <= most
        assert facts.permanence != "permanent" and not facts.listed and not facts.time_critical
    assert (at_ms is None) == (row.decision is Advised.STOP)


@pytest.mark.parametrize("outcome_class", [c for c in CLASSES if c != NO_FAULT_CLASS])
def test_a_class_is_tried_again_where_the_words_about_its_codes_say_so(outcome_class: str) -> None:
    row = CodeRow("1", "", outcome_class, "temporary", CLASSES[outcome_class], "", "source")
    assert ("again" in advise(row).replace("sending again changes nothing", "")) == (
        outcome_class in POLICY.retried
    )


def test_a_class_waits_as_long_as_it_is_told_to_and_never_less_than_all() -> None:
    advice = Advice(waits_s="memory_full=14400, route=3600")
    check_advice(advice, 3)
    policy = Policy.of(advice)
    waits_s = [policy.wait_ms(name) // 1000 for name in ("memory_full", "route", UNKNOWN)]
    assert waits_s == [14_400, 3_600, 1_800]


def test_the_page_has_the_table_of_the_code() -> None:
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    wanted = before + BEGIN + table() + END + rest.split(END)[1]
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted, "retry-advice.md is old: UPDATE_DOCS=1"


def table() -> str:
    lines = ["| | a failed message where | decision | reason | may be sent again |", "|---|---|---|---|---|"]
    for number, row in enumerate(TABLE, 1):
        lines.append(f"| {number} | {row.when} | `{row.decision}` | `{row.reason}` | {row.then} |")
    return "\n".join(lines) + "\n"
