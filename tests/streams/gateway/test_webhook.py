"""PagerDuty's webhooks: who is believed, and what an event asks for.

The bodies have the shape of PagerDuty's own documentation (webhooks, Overview).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.commands import Ask, Command, Via
from streams.gateway import webhook
from streams.gateway.webhook import command_of, is_signed, signature
from streams.records import Malformed, encode

SECRET = b"a-secret-of-pagerduty"
KEY = "ch:twilio_30003:carrier:310-260:all:1700000000"
PERSON = {"id": "PLH1HKV", "summary": "Tenex Engineer", "type": "user_reference"}
INTEGRATION = {"id": "PXMQRWJ", "summary": "Events API V2", "type": "inbound_integration_reference"}


def event(kind: str, data: Any = None, agent: Any = PERSON, **more: Any) -> bytes:
    """`incident.*` about our key unless `data` says otherwise."""
    incident = {
        "id": "PGR0VU2",
        "type": "incident",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
        "incident_key": KEY,
        "conference_bridge": {"conference_number": "+1 2025550123,,987654321#"},
        "resolve_reason": None,
    }
    body = {
        "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": "2026-10-02T18:45:22.169Z",
        "agent": agent,
        "client": {"name": "PagerDuty"},
        "data": incident | (data or {}),
    }
    return json.dumps({"event": body | more}).encode()


def note(content: str) -> bytes:
    incident = {"id": "PGR0VU2", "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2"}
    data = {"incident": incident, "id": "P2LA89X", "content": content, "incident_key": None}
    return event("incident.annotated", data)


def command(body: bytes) -> Command:
    found = command_of(body, "", 1)
    assert isinstance(found, Command)
    return found


# -- the signature ---------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_documented_algorithm() -> None:
    """HMAC-SHA256 of the body, in hexadecimal (RFC 4231, test case 2)."""
    given = signature(b"Jefe", b"what do ya want for nothing?")
    assert given == "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_one_good_signature_of_several_is_enough() -> None:
    good, other = signature(SECRET, b"body"), signature(b"old", b"body")
    assert is_signed([SECRET], good, b"body")
    assert is_signed([SECRET], f"{other},{good}", b"body")
    assert is_signed([SECRET], f"v2=00, {good}", b"body")


@pytest.mark.parametrize(
    "given", ["", "v1=", signature(b"other", b"body"), signature(SECRET, b"body")[3:], "v1=\udcff,,"]
)
def test_others_are_not_believed(given: str) -> None:
    assert not is_signed([SECRET], given, b"body")


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_signature_covers_the_very_body(body: bytes, other: bytes) -> None:
    assert is_signed([SECRET], signature(SECRET, body), other) is (body == other)


# -- what is asked for -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "what"), [e for e in webhook.EVENTS.items() if e[1] is not Ask.NOTE])
def test_each_event_of_an_incident_asks_for_one_thing(kind: str, what: Ask) -> None:
    found = command(event(kind))
    assert (found.what, found.key, found.author) == (what, KEY, "Tenex Engineer")
    assert (found.via, found.by_person, found.pager_id) == (Via.PAGERDUTY, True, "PGR0VU2")
    assert found.at_ms == 1_790_966_722_169
    assert found.id == "pagerduty:5ac64822-4adc-4fda-ade0-410becf0de4f"


def test_a_note_goes_by_pagerdutys_own_incident() -> None:
    found = command(note("Called the carrier"))
    assert (found.what, found.key, found.pager_id, found.text) == (
        Ask.NOTE,
        "",
        "PGR0VU2",
        "Called the carrier",
    )
    assert found.record_key == b"PGR0VU2"


@pytest.mark.parametrize(
    ("agent", "data", "by_person"),
    [
        (PERSON, {}, True),
        (INTEGRATION, {}, False),
        (None, {}, False),
        (PERSON, {"resolve_reason": {"type": "merge_resolve_reason"}}, False),
    ],
    ids=["a person", "an integration", "nobody", "merged into another"],
)
def test_a_resolve_is_a_persons_when_a_person_did_it(agent: Any, data: Any, by_person: bool) -> None:
    assert command(event("incident.resolved", data, agent)).by_person is by_person


def test_no_number_is_taken_along() -> None:
    found = command(note("ring +1 (202) 555-0123 or 202.555.0123"))
    assert b"555" not in encode(found)
    assert b"conference" not in encode(command(event("incident.resolved")))


@pytest.mark.parametrize(
    "body",
    [
        event("pagey.ping", {"message": "Hello from your friend Pagey!", "type": "ping"}),
        event("incident.escalated"),
        event("service.updated"),
        event("incident.resolved", {"incident_key": None}),
        event("incident.resolved", {"incident_key": "d3640fbd41094207a1c11e58e46b1662"}),
    ],
    ids=["ping", "escalated", "service", "without a key", "of somebody else"],
)
def test_what_is_none_of_ours_is_passed_over(body: bytes) -> None:
    assert command_of(body, "", 1) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"event": 1}',
        b"\xff",
        b'{"event": {"event_type": "incident.resolved", "id": "1", "data": {"incident_key": 7}}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_malformed_without_being_quoted(body: bytes) -> None:
    found = command_of(body, "", 1)
    assert isinstance(found, Malformed)
    assert found.detail == "the body is no event of PagerDuty's v3 webhooks"


def test_an_event_without_id_and_time_takes_those_of_its_delivery() -> None:
    found = command_of(event("incident.resolved", id=None, occurred_at=None), "d-1", 77)
    assert isinstance(found, Command)
    assert (found.id, found.at_ms) == ("pagerduty:d-1", 77)
    assert isinstance(command_of(event("incident.resolved", id=None), "", 77), Malformed)


@given(st.binary(max_size=80))
def test_no_body_raises(body: bytes) -> None:
    assert not isinstance(command_of(body, "d", 1), Command)


def test_a_link_that_is_none_is_left_out() -> None:
    found = command(event("incident.triggered", {"html_url": "javascript:alert(1)"}))
    assert found.pager_url == ""


HOSTILE = st.sampled_from(
    [
        *(
            "<script>alert(1)</script>",
            "=HYPERLINK(0)",
            "\0\r\n",
            "\ud800",
            "\u202e",
            "+12025550123",
            "x" * 100_000,
        ),
        *(
            None,
            True,
            -1,
            10**400,
            1e308,
            [],
            {},
            ["x"] * 50,
            {"id": {"id": {}}},
            "javascript:alert(1)",
            KEY + "\n",
        ),
    ]
)
FIELDS = st.sampled_from(["id", "incident_key", "html_url", "resolve_reason", "content", "incident"])


@given(
    st.sampled_from(sorted(webhook.EVENTS)), st.dictionaries(FIELDS, HOSTILE, max_size=3), HOSTILE, HOSTILE
)
def test_hostile_values_in_a_signed_event_do_no_harm(
    kind: str, data: dict[str, Any], who: Any, told: Any
) -> None:
    agent = {"id": "P1", "summary": who, "type": "user_reference"}
    found = command_of(event(kind, data, agent, occurred_at=told), "d", 1)
    if isinstance(found, Command):
        written = encode(found)
        assert len(written) < 20_000 and b"2025550123" not in written
        assert "\0" not in found.author + found.text and "\n" not in found.author
        assert found.pager_url == "" or found.pager_url.startswith("https://")
