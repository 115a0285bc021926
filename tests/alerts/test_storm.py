"""Many opens at once are one page, and the same one whatever is replayed."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.audience import frozen, holder, wanted
from alerts.demo.contract import errors
from alerts.notify.pagerduty import encode, event
from alerts.records import Delivery, Form, Incident, Severity, State
from alerts.storm import as_incident, storm_pages, storms_of, summary
from tests.alerts.incidents import OPENED_S, incident

KEY = f"ch:storm:{OPENED_S}"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


def some(n: int, opened_s: int = OPENED_S, first: int = 0, **changes: object) -> list[Incident]:
    return [incident(f"c{i}", opened_s, **changes) for i in range(first, first + n)]


def resolved(one: Incident) -> Incident:
    return msgspec.structs.replace(
        one, state=State.RESOLVED, seq=one.seq + 1, resolved_bucket_s=one.opened_bucket_s + 300
    )


def test_up_to_the_limit_each_has_its_own_page() -> None:
    assert storms_of(some(10), [], 10) == {}


def test_more_than_the_limit_at_once_are_one() -> None:
    assert set(storms_of(some(11), [], 10).values()) == {KEY}


def test_opens_of_the_last_minute_count_and_keep_the_page_that_they_had() -> None:
    before = some(8, team="", storm="")
    later = some(3, OPENED_S + 50, first=8)
    assert storms_of(later, before, 10) == {i.key: f"ch:storm:{OPENED_S + 50}" for i in later}
    assert storms_of(some(3, OPENED_S + 60, first=8), before, 10) == {}


def test_a_storm_that_goes_on_is_one_page() -> None:
    raging = some(11, team="", storm=KEY)
    assert storms_of(some(1, OPENED_S + 50, first=11), raging, 10) == {
        f"ch:r:carrier:c11:all:{OPENED_S + 50}": KEY
    }


def test_one_that_got_worse_long_after_it_opened_is_no_part_of_it() -> None:
    old = incident("old", OPENED_S - 600)
    assert old.key not in storms_of([*some(11), old], [], 10)


def test_zero_switches_it_off() -> None:
    assert storms_of(some(500), [], 0) == {}


@given(
    st.lists(st.integers(0, 20).map(lambda n: OPENED_S + 10 * n), max_size=60), st.integers(1, 12), st.data()
)
def test_a_replay_finds_the_same_storms(opens: list[int], limit: int, data: st.DataObject) -> None:
    """The owner dies in the middle of a bucket: what it had written is kept, the rest comes out the same."""
    opened = [incident(f"c{i}", at) for i, at in enumerate(sorted(opens))]
    known: dict[str, Incident] = {}
    written: dict[str, Incident] = {}
    cut = data.draw(st.integers(0, len(opened)))
    for at in sorted(set(opens)):
        bucket = [i for i in opened if i.opened_bucket_s == at]
        for one in frozen(bucket, known, [], limit):
            known[one.key] = one
            if len(written) < cut:
                written[one.key] = one
    again = dict(written)
    for at in sorted(set(opens)):
        bucket = [i for i in opened if i.opened_bucket_s == at]
        again |= {one.key: one for one in frozen(bucket, again, [], limit)}
    assert {k: i.storm for k, i in again.items()} == {k: i.storm for k, i in known.items()}


def test_the_page_is_open_while_one_of_them_is_and_its_number_only_grows() -> None:
    members = some(3)
    seqs, actions = [], []
    for n in range(4):
        now = [resolved(i) if j < n else i for j, i in enumerate(members)]
        pager, notice = storm_pages(KEY, now)
        assert (pager.form, notice.form) == (Form.KEYED, Form.NOTICE)
        assert pager.severity is Severity.CRITICAL and pager.dedup_key == KEY
        seqs.append(pager.seq)
        actions.append(pager.action)
    assert actions == ["trigger", "trigger", "trigger", "resolve"]
    assert seqs == sorted(set(seqs))


def test_it_says_what_they_have_in_common() -> None:
    members = [*some(5), *(incident("310-260", OPENED_S + n, rule="other") for n in (0, 10))]
    assert summary(members) == (
        "7 incidents opened together, 7 of them open: by rule r 5, other 2; "
        "at carrier 310-260 2, carrier c0 1, carrier c1 1 and 3 more; in regions all 7"
    )


def test_a_storm_of_any_size_keeps_pagerdutys_contract() -> None:
    page, _ = storm_pages(KEY, some(2000))
    assert errors(json.loads(encode(event(page, ROUTING_KEY)))) == []


def test_its_members_have_no_page_of_their_own_but_each_its_alert() -> None:
    """Alertmanager groups by itself."""
    members = some(3, team="", storm=KEY)
    found = wanted(members[1], members, lambda _: (), str)
    assert [(p.form, p.dedup_key) for p in found] == [
        (Form.KEYED, KEY),
        (Form.NOTICE, KEY),
        (Form.ALERT, members[1].key),
    ]


def test_its_deliveries_are_written_into_the_first_of_them() -> None:
    known = {i.key: i for i in some(3, team="", storm=KEY)}
    first = f"ch:r:carrier:c0:all:{OPENED_S}"
    assert holder(KEY, known).key == first
    assert holder(first + ":critical", known).key == holder(first + ":missed", known).key == first
    told = Delivery("pagerduty", KEY, "trigger", 6, 1)
    other = Delivery("alertmanager-api", first, "trigger", 1, 1)
    members = [msgspec.structs.replace(known[first], deliveries=(told, other)), *list(known.values())[1:]]
    whole = as_incident(KEY, members)
    assert (whole.deliveries, whole.state, whole.reopened) == ((told,), State.OPEN, 0)
    assert as_incident(KEY, [resolved(i) for i in members]).state is State.RESOLVED
