"""What people ask for, in the order of a night: acknowledged, silenced, closed, worse again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import commands, silences
from alerts.commands import CLOSED_HOLDS_S, Change
from alerts.paging import open_keys, pages
from alerts.records import Decision, Delivery, Incident, Severity, State
from alerts.storm import storm_pages
from streams.commands import LAST_MS, Ask, Command, Silence, ToldTime, Verdict, Via
from streams.records import encode

BUCKET_S = 1_700_000_000
KEY = f"ch:r:carrier:c:all:{BUCKET_S}"
CRITICAL = KEY + ":critical"


def incident(**more: Any) -> Incident:
    values = {
        "key": KEY,
        "seq": 1,
        "rule": "r",
        "scope": "carrier",
        "carrier": "c",
        "region": "all",
        "state": State.OPEN,
        "severity": Severity.WARNING,
        "opened_bucket_s": BUCKET_S,
        "detected_ms": (BUCKET_S + 10) * 1000,
        "last_bucket_s": BUCKET_S,
        "reason": Decision.ABOVE_WARNING,
        "warned": True,
        "plain_key_used": True,
    }
    return Incident(**values | more)


def escalated(one: Incident) -> Incident:
    return msgspec.structs.replace(
        one, seq=one.seq + 1, severity=Severity.CRITICAL, was_critical=True, critical_key_used=True
    )


def later(stored: Incident, decided: Incident, seconds: int, *held: Silence) -> Change:
    """The detector's word of `seconds` after the opening."""
    return commands.carried(stored, msgspec.structs.replace(decided, last_bucket_s=BUCKET_S + seconds), held)


def asked(what: Ask, id: str = "1", **more: Any) -> Command:
    values: dict[str, Any] = {"at_ms": (BUCKET_S + 60) * 1000, "author": "ann", "via": Via.CLI, "key": KEY}
    return Command(**values | {"id": id, "what": what} | more)


def at_pagerduty(what: Ask, key: str = KEY, id: str = "p", **more: Any) -> Command:
    return asked(what, id, via=Via.PAGERDUTY, key=key, pager_id="PGR0VU2", **more)


def after(one: Incident, *all_asked: Command) -> Incident:
    for command in all_asked:
        change = commands.apply(one, command, BUCKET_S)
        one = change.incident if change else one
    return one


def triggers(one: Incident) -> list[str]:
    return [p.dedup_key for p in pages(one) if p.action == "trigger"]


def silence(end_s: int, matcher: str = "carrier=c") -> Silence:
    return Silence("s", (silences.parse(matcher),), "bob", "known", 0, (BUCKET_S + end_s) * 1000)


# -- what changes no page --------------------------------------------------------------------------


def test_an_acknowledgement_says_who_and_when_and_pages_on() -> None:
    one = after(incident(), asked(Ask.ACKNOWLEDGE))
    assert (one.people.acknowledged_by, one.people.acknowledged_ms) == ("ann", (BUCKET_S + 60) * 1000)
    assert triggers(one) == [KEY]
    assert after(one, asked(Ask.UNACKNOWLEDGE, "2")).people.acknowledged_ms == 0


def test_the_next_opening_needs_an_acknowledgement_of_its_own() -> None:
    one = after(incident(), asked(Ask.ACKNOWLEDGE))
    assert later(one, incident(), 10).incident.people.acknowledged_by == "ann"
    assert later(one, incident(reopened=1), 10).incident.people.acknowledged_ms == 0


def test_notes_and_verdicts_are_kept_with_who_wrote_them() -> None:
    one = after(
        incident(),
        asked(Ask.NOTE, "1", text="carrier called"),
        asked(Ask.VERDICT, "2", verdict=Verdict.TOO_LATE),
    )
    assert [(n.author, n.text, n.via) for n in one.people.notes] == [("ann", "carrier called", "cli")]
    assert (one.people.verdict, one.people.verdict_by) == ("too_late", "ann")


def test_numbers_in_what_people_write_are_masked() -> None:
    one = after(incident(), asked(Ask.NOTE, text="call +12025550123", author="+1 202 555 0123"))
    assert "5550123" not in encode(one).decode().replace(" ", "")


def test_each_word_is_a_transition_with_a_reason_a_person_and_the_number_of_the_state() -> None:
    change = commands.apply(incident(), asked(Ask.ACKNOWLEDGE), BUCKET_S)
    assert change is not None
    (entry,) = change.transitions
    assert (entry.what, entry.reason, entry.by) == ("acknowledged", "acknowledged_by_person", "ann")
    assert entry.seq == change.incident.seq == 2


# -- once ------------------------------------------------------------------------------------------


def test_a_repeat_changes_nothing() -> None:
    one = after(incident(), asked(Ask.NOTE, text="once"))
    assert commands.apply(one, asked(Ask.NOTE, text="once"), BUCKET_S) is None


COMMANDS = st.lists(
    st.builds(
        asked,
        st.sampled_from([a for a in Ask if a not in (Ask.SILENCE, Ask.END_SILENCE)]),
        st.sampled_from("abcdef"),
        via=st.sampled_from(Via),
        key=st.sampled_from([KEY, CRITICAL]),
        text=st.text(max_size=20),
        by_person=st.booleans(),
        verdict=st.sampled_from(Verdict),
    ),
    max_size=8,
)


@given(COMMANDS, st.data())
def test_reading_on_from_an_older_offset_changes_nothing(given_: list[Command], data: st.DataObject) -> None:
    """A crash before the commit: a tail of what was taken comes again."""
    first = {c.id: c for c in reversed(given_)}
    once = [c for c in given_ if first[c.id] is c]
    start = data.draw(st.integers(0, len(once)))
    assert after(incident(), *once, *once[start:]) == after(incident(), *once)


@given(COMMANDS)
def test_the_sequence_number_grows_with_each_word_and_the_detector_gets_its_own_back(
    given_: list[Command],
) -> None:
    one = after(escalated(incident()), *given_)
    taken = len({c.id for c in given_})
    assert (one.seq, one.people.changes) == (2 + taken, taken)
    assert commands.bare(one) == msgspec.structs.replace(escalated(incident()), deliveries=one.deliveries)


def test_what_the_detector_decides_next_is_newer_than_what_people_said() -> None:
    one = after(incident(), asked(Ask.NOTE, "1"), asked(Ask.NOTE, "2"))
    changed = later(one, escalated(incident()), 10).incident
    assert (changed.seq, changed.people) == (4, one.people)


# -- closed by a person ----------------------------------------------------------------------------


def test_what_a_person_closes_is_resolved_at_the_pager() -> None:
    one = after(incident(), asked(Ask.RESOLVE))
    assert [(p.dedup_key, p.action) for p in pages(one)] == [(KEY, "resolve")]
    assert one.state is State.OPEN, "it is failing still, and the detector goes on"


@pytest.mark.parametrize(
    ("decided", "seconds", "reason"),
    [
        (incident(), CLOSED_HOLDS_S - 10, None),
        (incident(), CLOSED_HOLDS_S, "still_failing_4_h_after_close"),
        (escalated(incident()), 10, "severity_rose_after_close"),
        (incident(severity=Severity.INFO), CLOSED_HOLDS_S - 10, None),
        (incident(state=State.RESOLVED), CLOSED_HOLDS_S, None),
        (incident(reopened=1), 600, None),
    ],
    ids=["soon", "after 4 h", "worse", "better", "over", "over and again"],
)
def test_what_is_closed_opens_again_when_it_is_worse_or_after_4_h(
    decided: Incident, seconds: int, reason: str | None
) -> None:
    change = later(after(incident(), asked(Ask.RESOLVE)), decided, seconds)
    assert [t.reason for t in change.transitions] == ([reason] if reason else [])
    assert bool(triggers(change.incident)) is (reason is not None)


def test_a_resolve_at_pagerduty_closes_and_is_among_the_deliveries() -> None:
    sent = incident(deliveries=(Delivery("pagerduty", KEY, "trigger", 1, BUCKET_S * 1000, "id"),))
    change = commands.apply(sent, at_pagerduty(Ask.RESOLVE), BUCKET_S)
    assert change is not None and change.heard is not None
    assert change.incident.people.closed_by == "ann"
    assert change.incident.deliveries[-1] == change.heard
    assert (change.heard.action, change.heard.by, change.heard.routing_key_id) == ("resolve", "ann", "id")


def test_the_echo_of_our_own_resolve_closes_nothing() -> None:
    change = commands.apply(incident(), at_pagerduty(Ask.RESOLVE, by_person=False), BUCKET_S)
    assert change is not None
    assert (change.heard, triggers(change.incident)) == (None, [KEY])


def test_a_late_word_about_an_earlier_page_closes_nothing() -> None:
    again = Delivery("pagerduty", KEY, "trigger", 5, (BUCKET_S + 600) * 1000)
    change = commands.apply(incident(deliveries=(again,)), at_pagerduty(Ask.RESOLVE), BUCKET_S)
    assert change is not None
    assert [t.reason for t in change.transitions] == ["older_than_the_last_page"]
    assert triggers(change.incident) == [KEY]


def test_a_resolve_of_the_warning_does_not_close_what_is_critical_by_now() -> None:
    one = after(escalated(incident()), at_pagerduty(Ask.RESOLVE))
    assert triggers(one) == [CRITICAL]
    assert triggers(after(one, at_pagerduty(Ask.RESOLVE, CRITICAL, "q"))) == []


@pytest.mark.parametrize("command", [asked(Ask.REOPEN, "2"), at_pagerduty(Ask.REOPEN, id="2")])
def test_a_person_may_take_the_closing_back(command: Command) -> None:
    one = after(incident(), at_pagerduty(Ask.RESOLVE), command)
    assert triggers(one) == [KEY]


@given(COMMANDS, st.lists(st.integers(0, 2000), min_size=1, max_size=6))
def test_nothing_is_opened_while_it_is_closed(given_: list[Command], steps: Sequence[int]) -> None:
    one = after(incident(), *given_, asked(Ask.RESOLVE, "last"))
    if not one.people.closed:
        return
    for seconds in sorted(steps):
        one = later(one, incident(), seconds).incident
        assert triggers(one) == []


# -- silenced --------------------------------------------------------------------------------------


def test_what_opens_under_a_silence_is_shown_as_such_and_pages_when_it_ends() -> None:
    change = commands.carried(None, incident(), [silence(60)])
    one = change.incident
    assert [t.reason for t in change.transitions] == ["silenced"]
    assert one.people.silence is not None and one.people.silence.author == "bob"
    assert pages(one) == ()
    change = later(one, incident(), 60, silence(60))
    assert [t.reason for t in change.transitions] == ["silence_ended"]
    assert triggers(change.incident) == [KEY]


def test_a_silence_after_the_page_keeps_its_resolve() -> None:
    one = later(incident(), incident(), 10, silence(600)).incident
    assert triggers(one) == [KEY]
    over = later(one, incident(state=State.RESOLVED, seq=2), 20, silence(600)).incident
    assert [(p.dedup_key, p.action) for p in pages(over)] == [(KEY, "resolve")]


def test_an_escalation_under_a_silence_waits_and_leaves_the_warning_open() -> None:
    sent = incident(deliveries=(Delivery("pagerduty", KEY, "trigger", 1, 1),))
    one = later(sent, sent, 10, silence(60)).incident
    one = later(one, escalated(incident()), 20, silence(60)).incident
    assert [(p.dedup_key, p.action) for p in pages(one)] == [(KEY, "trigger")]
    one = later(one, escalated(incident()), 60, silence(60)).incident
    assert {p.dedup_key: p.action for p in pages(one)} == {CRITICAL: "trigger", KEY: "resolve"}


def test_what_ends_and_opens_again_under_a_silence_pages_nobody() -> None:
    one = later(incident(), incident(), 10, silence(900)).incident
    one = later(one, incident(state=State.RESOLVED, seq=2), 20, silence(900)).incident
    one = later(one, incident(reopened=1, seq=3), 300, silence(900)).incident
    assert triggers(one) == []


def test_a_silence_of_warnings_lets_the_critical_page_through() -> None:
    warnings = silence(600, "severity=warning")
    one = commands.carried(None, incident(), [warnings]).incident
    assert triggers(one) == []
    assert triggers(later(one, escalated(incident()), 10, warnings).incident) == [CRITICAL]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8))
def test_under_a_silence_no_key_opens_that_was_not_open(steps: list[tuple[bool, bool]]) -> None:
    """Each step: whether it is critical, and whether it is silenced."""
    one = commands.carried(None, incident(), []).incident
    decided = incident()
    for n, (critical, is_silenced) in enumerate(steps, 1):
        decided = escalated(decided) if critical and not decided.was_critical else decided
        before = open_keys(one)
        one = later(one, decided, 10 * n, *([silence(10_000)] if is_silenced else [])).incident
        assert not is_silenced or set(open_keys(one)) <= set(before)


def test_a_silence_is_made_once_and_ended_once() -> None:
    made = asked(Ask.SILENCE, silence=silence(600), silence_id="s")
    held = commands.silence_after({}, made)
    assert held == silence(600)
    assert commands.silence_after({"s": silence(600)}, made) is None
    end = asked(Ask.END_SILENCE, "2", silence_id="s", author="cleo")
    ended = commands.silence_after({"s": silence(600)}, end)
    assert ended is not None and (ended.end_ms, ended.ended_by) == (end.at_ms, "cleo")
    assert commands.silence_after({"s": ended}, end) is None


# -- finding and reading ---------------------------------------------------------------------------


def test_an_incident_is_found_by_its_key_a_pager_key_or_the_pagers_id() -> None:
    one = after(incident(), at_pagerduty(Ask.LINK, pager_url="https://acme.pagerduty.com/incidents/PGR0VU2"))
    known = {KEY: one}
    note = at_pagerduty(Ask.NOTE, "", "n")
    found = [commands.meant(known, c) for c in (asked(Ask.NOTE), asked(Ask.NOTE, key=CRITICAL), note)]
    assert found == [[one], [one], [one]]
    assert one.people.pager_url.endswith("PGR0VU2")
    assert commands.meant(known, asked(Ask.NOTE, key="ch:other")) == []
    assert commands.meant({KEY: incident()}, note) == []


# -- storms ----------------------------------------------------------------------------------------

STORM = f"ch:storm:{BUCKET_S}"


def storm() -> dict[str, Incident]:
    """Three incidents with one summary page, which the first of them holds, and one outside."""
    told = Delivery("pagerduty", STORM, "trigger", 3, (BUCKET_S + 20) * 1000, "k")
    keys = [f"ch:r:carrier:c{i}:all:{BUCKET_S}" for i in range(3)]
    inside = [incident(key=key, carrier=f"c{i}", storm=STORM) for i, key in enumerate(keys)]
    inside[0] = msgspec.structs.replace(inside[0], deliveries=(told,))
    return {i.key: i for i in (*inside, incident())}


def after_all(known: dict[str, Incident], command: Command) -> dict[str, Incident]:
    changes = commands.apply_all(commands.meant(known, command), command, BUCKET_S)
    return known | {c.incident.key: c.incident for c in changes}


def summary_of(known: dict[str, Incident]) -> str:
    together = [i for i in known.values() if i.storm]
    return storm_pages(STORM, together)[0].action


def test_who_resolves_the_page_of_a_storm_closes_all_its_incidents_and_hears_no_echo() -> None:
    resolve = at_pagerduty(Ask.RESOLVE, STORM, "p", by_person=True)
    known = storm()
    changes = commands.apply_all(commands.meant(known, resolve), resolve, BUCKET_S)
    assert [c.incident.people.closed for c in changes] == [True] * 3
    assert [c.heard is not None for c in changes] == [True, False, False]
    known |= {c.incident.key: c.incident for c in changes}
    assert summary_of(known) == "resolve" and not known[KEY].people.closed
    again = commands.apply_all(commands.meant(known, resolve), resolve, BUCKET_S)
    assert again == []


def test_one_that_gets_worse_after_that_pages_again_through_the_summary() -> None:
    known = after_all(storm(), at_pagerduty(Ask.RESOLVE, STORM, "p", by_person=True))
    one = known[f"ch:r:carrier:c1:all:{BUCKET_S}"]
    worse = later(one, escalated(incident(key=one.key, carrier="c1")), 300).incident
    assert not worse.people.closed
    assert summary_of(known | {one.key: msgspec.structs.replace(worse, storm=STORM)}) == "trigger"


def test_who_acknowledges_the_page_of_a_storm_has_acknowledged_all_of_it() -> None:
    known = after_all(storm(), at_pagerduty(Ask.ACKNOWLEDGE, STORM, "a"))
    assert [bool(i.people.acknowledged_ms) for i in known.values()] == [True, True, True, False]
    by_id = commands.meant(known, at_pagerduty(Ask.NOTE, "", "n"))
    assert [i.carrier for i in by_id] == ["c0", "c1", "c2"]


@pytest.mark.parametrize("late_s", [0, 3600])
def test_an_echo_and_a_late_word_about_a_storm_are_noted_once_and_close_nothing(late_s: int) -> None:
    known = storm()
    first = known[f"ch:r:carrier:c0:all:{BUCKET_S}"]
    told = msgspec.structs.replace(first.deliveries[0], at_ms=(BUCKET_S + 20 + late_s) * 1000)
    known[first.key] = msgspec.structs.replace(first, deliveries=(told,))
    command = at_pagerduty(Ask.RESOLVE, STORM, "p", by_person=bool(late_s))
    changes = commands.apply_all(commands.meant(known, command), command, BUCKET_S)
    assert [c.incident.key for c in changes] == [first.key]
    assert not changes[0].incident.people.closed


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"\xff",
        encode(asked(Ask.VERDICT)),
        encode(asked(Ask.SILENCE)),
        encode(asked(Ask.SILENCE, silence=silence(0 - BUCKET_S))),
        encode(asked(Ask.NOTE)).replace(b'"note"', b'"dance"'),
    ],
)
def test_what_is_no_command_is_none(value: bytes | None) -> None:
    assert commands.read(value) is None


@given(st.binary(max_size=60))
def test_no_bytes_raise(value: bytes) -> None:
    assert commands.read(value) is None


def test_a_command_is_read_as_it_was_written() -> None:
    command = asked(Ask.SILENCE, silence=silence(60), silence_id="s")
    assert commands.read(encode(command)) == command


@pytest.mark.parametrize("at_ms", [-1, LAST_MS + 1, 2**62])
def test_what_was_asked_at_no_time_that_a_page_can_show_is_no_command(at_ms: int) -> None:
    assert commands.read(encode(msgspec.structs.replace(asked(Ask.NOTE), at_ms=at_ms))) is None


@pytest.mark.parametrize(
    "time", [None, ToldTime("opened", 1), ToldTime("onset", -1), ToldTime("onset", 10**18)]
)
def test_a_time_that_no_milestone_can_have_is_no_command(time: ToldTime | None) -> None:
    assert commands.read(encode(asked(Ask.SET_TIME, time=time))) is None


def test_the_last_time_that_was_set_counts_and_can_be_taken_back() -> None:
    one = after(
        incident(),
        asked(Ask.SET_TIME, "1", time=ToldTime("onset", 1000)),
        asked(Ask.SET_TIME, "2", time=ToldTime("mitigated", 3000)),
        asked(Ask.SET_TIME, "3", text="+12025550123 saw it", time=ToldTime("onset", 2000)),
    )
    assert [(t.name, t.at_ms, t.author) for t in one.people.times] == [
        ("mitigated", 3000, "ann"),
        ("onset", 2000, "ann"),
    ]
    assert "2025550123" not in one.people.times[1].reason
    undone = after(one, asked(Ask.SET_TIME, "4", time=ToldTime("onset", 0)))
    assert [t.name for t in undone.people.times] == ["mitigated"]
