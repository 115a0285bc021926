"""A whole review for tests of what is made of it."""

from __future__ import annotations

import msgspec

from alerts.advice.tally import Retries
from alerts.records import Incident, Note, People, State, StatusNote, Transition
from alerts.review.evidence import Context, Evidence, Frozen, Moment, as_event, freeze, needed
from alerts.review.report import Known, Review, review
from alerts.review.series import gather
from streams.commands import ToldTime
from streams.records import encode
from tests.alerts.review.journal import BOOK, RULE, SCOPE, START_S, Simulated, incident
from tests.alerts.review.test_timeline import EVENTS, at, paged

MADE_MS = 1_700_005_000_000
RETRIES = Retries(120, 85, 5, 2, MADE_MS - 3_000_000)
CONTEXT = Context(MADE_MS, 3_000, {"warning": 0.05}, "0.1.0", ("ab12",), RETRIES)
GATHERED = gather(Simulated().buckets(), RULE, SCOPE, BOOK)


def told(**changes: object) -> Incident:
    """An incident that was paged, noted and judged."""
    people = People(
        notes=(Note(at(2100), "bob", "the carrier has a ticket", "cli"),),
        verdict="useful",
        verdict_by="ann",
        times=(ToldTime("mitigated", at(2900), "bob", "route changed", at(4000)),),
    )
    fields = {"people": people, "explanation": "14 of 48 outcomes failed.", "status_notes": (STATUS,)}
    return paged(**(fields | changes))


STATUS = StatusNote("Carrier", at(1845), "major", "Outage in the west")


def frozen(moment: Moment, one: Incident, until_s: int = 3600) -> Evidence:
    return freeze(moment, one, GATHERED, needed(one, START_S + until_s), CONTEXT)


def events(one: Incident, *more: Transition) -> list[Frozen]:
    """As they are read from the topic."""
    opened = msgspec.structs.replace(one, state=State.OPEN, resolved_bucket_s=None)
    held = [
        as_event(one, frozen(Moment.OPEN, opened, 1840)),
        as_event(one, frozen(Moment.PEAK, one)),
        as_event(one, frozen(Moment.CLOSE, one)),
    ]
    return [msgspec.json.decode(encode(e), type=Frozen) for e in (*EVENTS, *more, *held)]


def whole(one: Incident | None = None, known: Known | None = None, *more: Transition) -> Review:
    one = one or told()
    before = incident(
        key="ch:before",
        opened_bucket_s=one.opened_bucket_s - 7 * 86_400,
        resolved_bucket_s=one.opened_bucket_s - 7 * 86_400 + 1200,
    )
    links = {"Runbook": "https://example.org/runbook", "Bad": "javascript:alert(1)"}
    known = known or Known((before, one), {}, lambda c: f"T-Mobile US ({c})", links)
    return review(one, events(one, *more), None, known, MADE_MS)
