"""What a form asks for is one command, or is refused with the reason; nothing else comes out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.commands import read
from alerts.pages.acting import ASKS, FIELDS, command, notice
from alerts.pages.refusal import Refusal
from streams.commands import MILESTONES, MOST_TEXT, Ask, Verdict, Via
from streams.records import encode
from tests.alerts.review.journal import incident

AT_MS = 1_700_000_000_000
ID = "0123456789abcdef0123456789abcdef"


def asked(**fields: str) -> Any:
    return command(incident(), fields, "ann", AT_MS)


def test_each_ask_is_a_command_of_who_asks() -> None:
    made = asked(what="acknowledge", text="calling +12025550123")
    assert (made.what, made.author, made.via, made.at_ms) == (Ask.ACKNOWLEDGE, "ann", Via.PAGE, AT_MS)
    assert made.key == incident().key and "2025550123" not in made.text
    assert asked(what="note", text="a\r\nb").text == "a\nb"
    assert asked(what="verdict", verdict="too_late").verdict is Verdict.TOO_LATE
    set_time = asked(what="set_time", name="mitigated", at="2026-11-03T14:20").time
    assert (set_time.name, set_time.at_ms) == ("mitigated", 1_793_715_600_000)
    assert asked(what="set_time", name="mitigated", at="", undo="1").time.at_ms == 0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "'what' must be one of acknowledge, "),
        ({"what": "resolve"}, "'what' must be one of"),
        ({"what": "note", "text": " \r\n "}, "the note is empty"),
        ({"what": "note", "text": "x" * (MOST_TEXT + 1)}, "2001 characters: at most 2000"),
        ({"what": "verdict"}, "'verdict' must be one of useful, too_late, false"),
        ({"what": "verdict", "verdict": "good"}, "'verdict' must be one of"),
        ({"what": "set_time", "name": "resolved", "at": "2026-11-03T14:20"}, "'name' must be one of onset"),
        ({"what": "set_time", "name": "onset", "at": "yesterday"}, "'at' must be a time"),
        ({"what": "set_time", "name": "onset", "at": "1970-01-01T00:00"}, "'at' must be a time"),
        ({"what": "note", "text": "x", "id": "1"}, "'id' must be 32 hexadecimal digits"),
    ],
)
def test_what_can_not_be_meant_is_refused_in_words(fields: dict[str, str], why: str) -> None:
    with pytest.raises(Refusal) as refused:
        asked(**fields)
    assert refused.value.status == 400 and why in refused.value.why


texts = st.text(max_size=50) | st.sampled_from(
    [*ASKS, *Verdict, *MILESTONES, ID, "2026-11-03T14:20", "9999-12-31T23:59:59Z"]
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "id"]), texts))
def test_whatever_is_sent_becomes_a_command_that_is_read_or_a_refusal(fields: dict[str, str]) -> None:
    try:
        made = asked(**fields)
    except Refusal as refusal:
        assert refusal.status == 400
    else:
        assert read(encode(made)) == made


def test_what_is_sent_twice_is_one_command_and_what_differs_is_two() -> None:
    first, again = (asked(what="note", text="x", id=ID) for _ in range(2))
    assert first.id == again.id and len(first.id) == 32
    assert asked(what="note", text="y", id=ID).id != first.id
    assert asked(what="note", text="x").id != asked(what="note", text="x").id


def test_a_notice_is_one_of_ours_and_says_whether_it_is_there() -> None:
    assert notice({"told": "note", "taken": "1"}) == "The note is on the incident."
    assert notice({"told": "note"}).startswith("Written down.")
    assert notice({"told": "<b>", "taken": "1"}) == notice({}) == ""
