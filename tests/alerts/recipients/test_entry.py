"""One recipient: whatever the order in which receipts come, and however often, the list is right."""

from __future__ import annotations

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from alerts.recipients.entry import (
    DAY_S,
    MOST_IN_A_ROW,
    Entry,
    Limits,
    Seen,
    delivered,
    failed,
    is_listed,
    merge,
    pack,
    run,
    unpack,
)
from tests.alerts.recipients.plain import LIMITS, T0_S, Event, after, core, told

patient = examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Of a busy machine."""
EVENTS = st.lists(
    st.builds(Event, st.integers(T0_S, T0_S + 20), st.integers(0, 7))
    | st.builds(Event, st.integers(T0_S - 8 * DAY_S, T0_S), st.integers(0, 3)),
    max_size=14,
)


@patient
@given(EVENTS, st.data())
def test_any_order_and_any_repetition_leads_to_what_sorting_says(
    events: list[Event], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []
    shuffled = data.draw(st.permutations([*events, *again]))
    assert core(after(shuffled)) == told(events)


@patient
@given(EVENTS, EVENTS, EVENTS)
def test_any_split_leads_to_the_same_when_it_is_merged(
    a: list[Event], b: list[Event], c: list[Event]
) -> None:
    one, two, three = after(a), after(b), after(c)
    whole = told([*a, *b, *c])
    assert core(merge(merge(one, two, LIMITS), three, LIMITS)) == whole
    assert core(merge(one, merge(three, two, LIMITS), LIMITS)) == whole
    assert merge(one, two, LIMITS) == merge(two, one, LIMITS)
    assert merge(one, one, LIMITS) == one


@patient
@given(EVENTS, st.integers(1, MOST_IN_A_ROW))
def test_what_is_stored_is_what_was_known(events: list[Event], most: int) -> None:
    entry = after(events, Limits(most))
    assert unpack(pack(entry)) == entry
    assert len(pack(entry)) <= 64  # what Redis keeps in its small form


@patient
@given(EVENTS)
def test_a_message_that_fails_again_is_told_as_it_was_at_first(events: list[Event]) -> None:
    entry, first = failed(after(events), T0_S + 30, 99, LIMITS)
    entry, again = failed(entry, T0_S + 30, 99, LIMITS)
    assert again == first._replace(repeated=True)
    entry, later = failed(entry, T0_S + 4_000, 99, LIMITS)
    assert (later.first_s, later.attempt, later.listed) == (first.first_s, first.attempt, first.listed)
    assert later.repeated and not first.repeated


#  s:  0  10  20  30
#      a   b   c   d        more than three in a row: d puts it on the list


def failing(*at_s: int, entry: Entry | None = None) -> tuple[Entry, list[Seen]]:
    """Messages 1, 2, 3 ... failed at these seconds after T0_S."""
    entry, seen = entry or Entry(), []
    for message, at in enumerate(at_s, 1):
        entry, one = failed(entry, T0_S + at, message, LIMITS)
        seen.append(one)
    return entry, seen


def test_the_fourth_message_in_a_row_puts_a_recipient_on_the_list() -> None:
    entry, seen = failing(0, 10, 20, 30)
    assert [(s.attempt, s.run, s.listed) for s in seen] == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, False),
        (4, 4, True),
    ]
    assert [s.previous_s for s in seen] == [None, T0_S, T0_S + 10, T0_S + 20]
    assert is_listed(entry, T0_S + 30, LIMITS)


def test_a_run_that_goes_on_is_kept_no_longer_than_it_matters() -> None:
    entry, seen = failing(*range(0, 60, 10))
    assert [(s.attempt, s.run) for s in seen[-2:]] == [(5, 4), (5, 4)]
    assert len(entry.failures) == LIMITS.kept


def test_a_delivery_in_between_begins_anew() -> None:
    entry, _ = failing(0, 10, 20)
    entry, seen = failed(delivered(entry, T0_S + 25), T0_S + 30, 4, LIMITS)
    assert (seen.attempt, seen.run, seen.previous_s) == (1, 1, None)
    assert not is_listed(entry, T0_S + 30, LIMITS)


def test_a_delivery_takes_a_recipient_off_the_list() -> None:
    entry, _ = failing(0, 10, 20, 30)
    assert not is_listed(delivered(entry, T0_S + 40), T0_S + 40, LIMITS)


def test_a_delivery_that_is_read_late_ends_only_what_failed_before_it() -> None:
    entry, _ = failing(0, 10, 20, 30)
    assert run(delivered(entry, T0_S + 15), T0_S + 30, LIMITS) == 2


def test_retries_of_one_message_count_once() -> None:
    entry = Entry()
    for at_s in (0, 1800, 3600, 7200):
        entry, seen = failed(entry, T0_S + at_s, 1, LIMITS)
    assert (seen.first_s, seen.attempt, seen.run, seen.repeated) == (T0_S, 1, 1, True)


def test_failures_of_more_than_a_week_ago_no_longer_count() -> None:
    entry, seen = failing(0, 10, 20, 7 * DAY_S + 15)
    assert (seen[-1].attempt, seen[-1].listed) == (2, False)
    entry, _ = failing(0, 10, 20, 30)
    assert is_listed(entry, T0_S + 7 * DAY_S - 1, LIMITS)
    assert not is_listed(entry, T0_S + 7 * DAY_S, LIMITS)


def test_another_kind_of_failure_says_whether_the_recipient_is_on_the_list() -> None:
    _, seen = failed(Entry(), T0_S, 9, LIMITS, listed=True)
    assert (seen.attempt, seen.listed) == (1, True)
