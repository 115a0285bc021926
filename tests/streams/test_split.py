"""A value that holds several outcomes counts as several records, in its place."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import settings
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.source import Source

NOW_MS = 1_784_289_600_000
SOURCES = {
    s.name: Source.of(s)
    for s in (
        settings.Source(name="events", format="twilio-event-streams", envelope="base64"),
        settings.Source(name="hooks", format="twilio-status-callback"),
    )
}
FORM = b"MessageSid=SMform&MessageStatus=delivered"


def event(sid: str, status: str = "DELIVERED") -> dict[str, object]:
    return {"data": {"messageSid": sid, "messageStatus": status, "timestamp": "2026-07-17T11:59:00Z"}}


class Bench:
    def __init__(self, start: int = 0) -> None:
        self.intake = Intake(SOURCES, RecipientHasher(DEMO_KEY), 5_000)
        self.part = PartitionIntake("outcomes", "id", 0, start, SeenIds(600, 10**6))

    def read(self, *records: tuple[str, bytes | None]) -> Bench:
        batch = Batch(
            np.zeros(len(records), np.int64),
            np.arange(len(records)) + self.part.end,
            [NOW_MS] * len(records),
            [[("source", name.encode()), ("received_ms", str(NOW_MS).encode())] for name, _ in records],
            [value for _, value in records],
            lambda i: f"key {i}".encode(),
        )
        self.intake.take(batch, [self.part], NOW_MS)
        return self

    @property
    def results(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for results in self.part.tally.values():
            for result, n in results.items():
                total[result] = total.get(result, 0) + n
        return total


def array(*events: object) -> bytes:
    return json.dumps(events).encode()


@pytest.mark.parametrize("company", [[], [("hooks", FORM)]])
def test_each_event_of_an_array_counts(company: list[tuple[str, bytes | None]]) -> None:
    b = Bench().read(
        *company, ("events", array(event("a"), event("b"), event("a"), {"data": 1})), *company[:0]
    )
    assert b.results == {"counted": 2 + len(company), "duplicate": 1, "malformed": 1}
    assert b.part.split == 3
    assert b.intake.received == {"events": 4} | ({"hooks": 1} if company else {})
    assert b.part.end == 1 + len(company)


def test_a_bad_event_of_an_array_is_buried_alone_and_the_others_count() -> None:
    b = Bench().read(("hooks", FORM), ("events", array(event("a"), {"data": 1}, event("b"))))
    (letter,) = b.intake.dead
    assert (letter.value, letter.offset, letter.key) == (b'{"data": 1}', 1, b"key 1")


def test_a_record_that_can_not_be_read_is_buried_with_its_envelope() -> None:
    wrapped = b"eyJkYXRhIjogMX0="
    b = Bench().read(("events", wrapped))
    assert [d.value for d in b.intake.dead] == [wrapped]


def test_an_array_before_the_committed_offset_is_remembered_and_not_counted() -> None:
    b = Bench(start=1).read(("events", array(event("a"), event("b"))))
    assert (b.results, b.part.split, b.intake.received) == ({}, 0, {})
    assert b.read(("events", array(event("b"), event("c")))).results == {"duplicate": 1, "counted": 1}
    assert b.part.split == 1


def test_a_large_value_is_not_opened() -> None:
    b = Bench().read(("events", array(*(event(str(i)) for i in range(100)))))
    assert b.results == {"malformed": 1}
    assert b.part.split == 0


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4), min_size=1, max_size=6))
def test_results_are_the_records_and_what_was_split(groups: list[list[str]]) -> None:
    b = Bench().read(*(("events", array(*map(event, group))) for group in groups))
    together = Bench().read(*(("events", json.dumps(event(sid)).encode()) for g in groups for sid in g))
    assert sum(b.results.values()) == len(groups) + b.part.split
    assert b.results == together.results
    assert together.part.split == 0
