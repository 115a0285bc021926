"""Lookup's answers in the intake: what is counted where, and what is asked for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from streams import settings
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.intake import Intake
from streams.networks import built_in
from streams.partition import PartitionIntake
from streams.prefix import PrefixOf
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.region import RegionOf
from streams.source import Source
from streams.teller import tellers_of

NOW_MS = 1_784_289_600_000
HASHER = RecipientHasher(DEMO_KEY)
PREFIX_OF = PrefixOf(built_in(), RegionOf())
SOURCES = {
    s.name: Source.of(s)
    for s in (
        settings.Source(name="hooks", format="twilio-status-callback"),
        settings.Source(name="api", format="canonical"),
        settings.Source(name="mine", format="canonical", carrier="310-410"),
        settings.Source(name="plivo", format="plivo"),
        settings.Source(name="off", format="canonical", lookup=False),
    )
}


class Lookups:
    """What is known of numbers; notes what is offered."""

    def __init__(self, sampled_below: int = 0, **known: str) -> None:
        self.known = {HASHER(number(name)): carrier for name, carrier in known.items()}
        self.sampled_below = sampled_below
        self.offered: list[tuple[str, bool]] = []

    def offer(self, recipient: int, to: str, failed: bool) -> None:
        assert recipient == HASHER(to)
        self.offered.append((to, failed))


def number(name: str) -> str:
    """Fictional ones, one for each small letter."""
    return f"+1202555{100 + ord(name) - ord('a'):04}"


def take(lookups: Lookups | None, source: str, *records: bytes) -> Intake:
    intake = Intake(SOURCES, HASHER, 10_000, tellers_of(SOURCES.values(), HASHER, PREFIX_OF, lookups))
    part = PartitionIntake("outcomes", "id", 0, 0, SeenIds(600, 10**6))
    n = len(records)
    headers = [[("source", source.encode()), ("received_ms", str(NOW_MS).encode())]] * n
    batch = Batch(np.zeros(n, np.int64), np.arange(n), [NOW_MS] * n, headers, list(records), lambda i: b"")
    intake.take(batch, [part], NOW_MS)
    return intake


def counted(intake: Intake) -> dict[str, int]:
    """Finals by carrier."""
    cells = intake.fold.cells(intake.keys)
    sums: dict[str, int] = {}
    for k, n in zip(cells.key, cells.finals, strict=True):
        sums[cells.keys[k].carrier] = sums.get(cells.keys[k].carrier, 0) + n
    return sums


def callback(message_id: str, to: str, status: str = "delivered", carrier: str = "") -> bytes:
    text = f"MessageSid={message_id}&MessageStatus={status}&To=%2B{to[1:]}"
    return (text + (f"&carrier={carrier}" if carrier else "")).encode()


def canonical(message_id: str, to: str | None, status: str = "delivered", **fields: Any) -> bytes:
    return json.dumps(
        {"message_id": message_id, "status": status, "to": to, "received_ms": NOW_MS, **fields}
    ).encode()


def test_an_outcome_without_a_carrier_counts_under_lookups() -> None:
    lookups = Lookups(a="310-260", b="311-480", c="")
    records = [callback(name, number(name)) for name in "abcd"]
    assert counted(take(lookups, "hooks", *records)) == {"310-260": 1, "311-480": 1, "unknown": 2}


def test_lookup_outranks_the_parameter_and_not_the_record() -> None:
    lookups = Lookups(a="310-260")
    intake = take(lookups, "hooks", callback("m", number("a"), carrier="310410"))
    assert counted(intake) == {"310-260": 1}
    assert intake.checked == {("hooks", "ported"): 1}
    intake = take(lookups, "api", canonical("m", number("a"), carrier="310410"))
    assert counted(intake) == {"310-410": 1}
    assert intake.checked == {("api", "ported"): 1}


def test_lookup_outranks_a_parameter_where_the_format_may_name_the_network() -> None:
    report = f"MessageUUID=%s&Status=failed&To={number('a')[1:]}".encode()
    own_word, network = report % b"m" + b"&carrier=310410", report % b"n" + b"&MCC=310&MNC=410"
    assert counted(take(Lookups(a="310-260"), "plivo", own_word)) == {"310-260": 1}
    assert counted(take(Lookups(a="310-260"), "plivo", network)) == {"310-410": 1}
    unasked = Lookups()
    assert counted(take(unasked, "plivo", own_word, network)) == {"310-410": 2}
    assert unasked.offered == [(number("a"), True)]
    assert counted(take(None, "plivo", own_word)) == {"310-410": 1}


def test_only_counted_outcomes_tell_the_share_of_ported_numbers() -> None:
    lookups = Lookups(a="310-260", b="310-260")
    records = [
        canonical("1", number("a"), carrier="310260"),
        canonical("1", number("a"), carrier="310260"),
        canonical("2", number("b"), carrier="310410"),
        canonical("3", number("b"), "in_flight", carrier="310410"),
        canonical("4", number("c"), carrier="310410"),
    ]
    assert take(lookups, "api", *records).checked == {("api", "same"): 1, ("api", "ported"): 1}


def test_lookup_outranks_the_connection() -> None:
    records = [canonical("m", number("a")), canonical("n", number("b"))]
    assert counted(take(Lookups(a="310-260"), "mine", *records)) == {"310-260": 1, "310-410": 1}


def test_failed_numbers_are_offered_and_of_the_rest_a_sample() -> None:
    lookups = Lookups()
    records = [callback(n, number(n), "undelivered" if n < "c" else "delivered") for n in "abcd"]
    take(lookups, "hooks", *records)
    assert lookups.offered == [(number("a"), True), (number("b"), True)]
    some = Lookups(sampled_below=HASHER(number("c")) + 1)
    take(some, "hooks", *records[2:])
    assert (number("c"), False) in some.offered
    every = Lookups(sampled_below=2**64)
    take(every, "hooks", *records)
    assert sorted(every.offered) == [(number(n), n < "c") for n in "abcd"]


def test_nothing_is_asked_where_the_record_tells_or_no_number_is_there_or_an_answer_is() -> None:
    lookups = Lookups(sampled_below=2**64, a="", b="310-260")
    records = [
        canonical("1", number("c"), "failed", carrier="310260"),
        canonical("2", None, "failed"),
        canonical("3", number("a"), "failed"),
        canonical("4", number("b"), "failed"),
    ]
    take(lookups, "api", *records)
    assert lookups.offered == []
    take(lookups, "off", canonical("5", number("d"), "failed"))
    assert lookups.offered == []


def test_a_parameter_that_lookup_could_know_better_is_asked_for() -> None:
    lookups = Lookups()
    take(lookups, "hooks", callback("m", number("a"), "failed", carrier="310260"))
    assert lookups.offered == [(number("a"), True)]


def test_a_prefix_tells_the_carrier_where_nothing_else_does() -> None:
    records = [
        canonical("1", "+8613800000000"),
        canonical("2", number("a")),
        canonical("3", "+8613800000001", carrier="x"),
    ]
    assert counted(take(None, "api", *records)) == {"460-00": 1, "unknown": 1, "x": 1}
    assert counted(take(None, "mine", canonical("1", "+8613800000000"))) == {"310-410": 1}


@pytest.mark.parametrize("source", ["hooks", "api"])
def test_answers_change_nothing_but_the_carrier(source: str) -> None:
    make = callback if source == "hooks" else canonical
    records = [make(n, number(n), "undelivered" if n in "aeiou" else "delivered") for n in "abcdefghij"]
    plain, told = (
        take(None, source, *records),
        take(Lookups(**dict.fromkeys("abcdefghij", "310-260")), source, *records),
    )
    assert counted(plain) == {"unknown": 10}
    assert counted(told) == {"310-260": 10}
    assert [f.recipient for f in plain.failed] == [f.recipient for f in told.failed]
