"""The report under docs/examples: the demo's incident, through the live code in one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
import pytest

from alerts import commands
from alerts.counts import tables
from alerts.decide import begin, decide
from alerts.measure import scope_of
from alerts.policy import Policy
from alerts.records import Delivery, Incident, State, Transition
from alerts.review import render
from alerts.review.evidence import Context, Evidence, Frozen, Moment, as_event, freeze, needed
from alerts.review.report import Known, Review, review
from alerts.review.series import Gathering, gather
from streams.batch import Batch
from streams.commands import Ask, Command, ToldTime, Verdict, Via
from streams.journal import Assembler, Complete, parts
from streams.records import encode
from streams.settings import DEFAULT_RULES
from streams.simulate import scenario as scenarios
from streams.simulate.traffic import records
from tests.pipeline import T0_MS, Pipeline

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
ONSET_S, LASTS_S, WHOLE_S = 600, 300, 1200
"""Later and longer than in the demo, which has little time: a report needs a before and an after."""
AHEAD_S = 4
ANN = "Ann Example"
MADE_MS = T0_MS + 86_400_000


def journal() -> Iterator[Complete]:
    """The scenario's records, decoded, counted and closed as ingest and windows do it."""
    demo = scenarios.load("demo")
    incidents = (msgspec.structs.replace(demo.incidents[0], at_s=ONSET_S, duration_s=LASTS_S),)
    played = msgspec.structs.replace(demo, duration_s=WHOLE_S, incidents=incidents)
    pipeline = Pipeline(*scenarios.sources_of(played))
    for second, several in groupby(records(played, None, T0_MS), key=lambda e: e.at_ms // 1000):
        some = list(several)
        batch = Batch(
            np.zeros(len(some), np.int64),
            np.arange(pipeline.offset, pipeline.offset + len(some)),
            [second * 1000 + 999] * len(some),
            [list(e.headers) for e in some],
            [e.value for e in some],
            lambda _: b"key",
        )
        pipeline.offset += len(some)
        pipeline.intake.take(batch, [pipeline.part], second * 1000 + 999)
        pipeline.flush()
    pipeline.close(WHOLE_S)
    assembler = Assembler()
    for offset, closing in enumerate(pipeline.closed):
        for part in parts(closing, "a"):
            if complete := assembler.feed(offset, part):
                yield complete


class Played(msgspec.Struct):
    """What the deciding stations made of it."""

    incident: Incident
    opened: Incident
    transitions: list[Transition]


def played(buckets: list[Complete], pipeline_book: object) -> Played:
    policy = Policy(prior_failures=1000.0)
    state = begin(policy, [r.name for r in DEFAULT_RULES])
    transitions: list[Transition] = []
    seen: list[Incident] = []
    for bucket in buckets:
        counts = tables(bucket.cells, pipeline_book)  # type: ignore[arg-type]
        state, decided = decide(state, policy, bucket.record.bucket_s, counts)
        seen += [i for i in decided.incidents if i.state is State.OPEN or i.resolved_bucket_s]
        transitions += decided.transitions
    first = seen[0]
    own = [i for i in seen if i.key == first.key]
    return Played(own[-1], first, [t for t in transitions if t.key == first.key])


def told(one: Played) -> tuple[Incident, list[Transition]]:
    """With what a pager and people did: the page, an acknowledgement, a note, a time, a verdict."""
    page = Delivery("pagerduty", one.incident.key, "trigger", 1, one.incident.detected_ms + 5_400)
    incident = msgspec.structs.replace(one.incident, deliveries=(page,))
    sent = Transition(page.dedup_key, 1, page.at_ms, "page_sent", "accepted", f"pagerduty {page.dedup_key}")
    events = [*one.transitions, sent]
    at_ms, key = page.at_ms, incident.key
    words, moved = "Carrier confirms; ticket 4711.", T0_MS + (ONSET_S + LASTS_S - 40) * 1000
    time = ToldTime("mitigated", moved)
    for said in (
        Command("1", Ask.LINK, at_ms + 1_200, "PagerDuty", Via.PAGERDUTY, key, pager_id="PGR0VU2"),
        Command("2", Ask.ACKNOWLEDGE, at_ms + 95_000, ANN, Via.PAGERDUTY, key),
        Command("3", Ask.NOTE, at_ms + 180_000, ANN, Via.CLI, key, text=words),
        Command("4", Ask.SET_TIME, at_ms + 900_000, "Bob Example", Via.CLI, key, text=words, time=time),
        Command("5", Ask.VERDICT, at_ms + 960_000, ANN, Via.CLI, key, verdict=Verdict.USEFUL),
    ):
        change = commands.apply(incident, said, incident.last_bucket_s)
        assert change is not None
        incident, events = change.incident, [*events, *change.transitions]
    return incident, sorted(events, key=lambda e: e.at_ms)


def frozen(moment: Moment, incident: Incident, gathered: Gathering) -> Evidence:
    until_s = incident.last_bucket_s + 10
    context = Context(until_s * 1000 + AHEAD_S * 1000, AHEAD_S * 1000, {}, "0.1.0")
    return freeze(moment, incident, gathered, needed(incident, until_s), context)


@cache
def example() -> Review:
    buckets = list(journal())
    book = Pipeline(*scenarios.sources_of(scenarios.load("demo"))).book
    one = played(buckets, book)
    incident, events = told(one)
    rule = next(r for r in DEFAULT_RULES if r.name == incident.rule)
    past = [b for b in buckets if b.record.bucket_s <= one.opened.last_bucket_s]
    opened, whole = (gather(some, rule, scope_of(incident), book) for some in (past, buckets))
    kept = [
        as_event(incident, frozen(Moment.OPEN, one.opened, opened)),
        as_event(incident, frozen(Moment.PEAK, one.incident, whole)),
        as_event(incident, frozen(Moment.CLOSE, one.incident, whole)),
    ]
    read = [msgspec.json.decode(encode(e), type=Frozen) for e in (*events, *kept)]
    return review(incident, read, None, Known((incident,)), MADE_MS)


def test_the_demo_incident_is_reviewed_as_it_was_made() -> None:
    told = example()
    best = told.best
    assert (told.head.scope, told.head.carrier) == ("carrier", "311-480") and best is not None
    assert best.begun is not None and abs(best.begun.at_s - T0_MS // 1000 - ONSET_S) <= 10
    assert best.ended is not None and abs(best.ended.at_s - T0_MS // 1000 - ONSET_S - LASTS_S) <= 20
    assert [m.name for m in told.timeline.milestones] == [
        *(
            "onset",
            "first_flag",
            "page_sent",
            "delivered",
            "acknowledged",
            "mitigated",
            "recovered",
            "resolved",
        )
    ]
    assert told.impact.missing_buckets == 0 and told.impact.by_code[0].code == "30003"


@pytest.mark.parametrize(("name", "made"), [("md", render.markdown), ("html", render.html)])
def test_the_published_example_is_what_the_code_makes(name: str, made: object) -> None:
    text, path = made(example()), EXAMPLES / f"incident-report.{name}"  # type: ignore[operator]
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(text)
    assert path.read_text() == text, "run the tests once with UPDATE_DOCS=1"
