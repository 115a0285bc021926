"""Intake: every record read has one result, and how batches are cut changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from streams import settings
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.deliveries import unpacked
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import Reason, Result
from streams.source import Source
from tests.streams.logs import everything, sums

NOW_MS = 1_784_289_600_000
HORIZON_S = 600
MOST_BYTES = 2_000
SOURCES = {
    s.name: Source.of(s)
    for s in (
        settings.Source(name="api", format="canonical", account="acct"),
        settings.Source(name="api-2", format="canonical", account="acct"),
        settings.Source(name="other", format="canonical"),
        settings.Source(name="hooks", format="twilio-status-callback"),
        settings.Source(name="smpp", format="smpp-receipt"),
    )
}

Headers = Sequence[tuple[str, bytes | None]] | None


@dataclass(frozen=True)
class Record:
    """One record of a partition, its offset being its place in the list."""

    value: bytes | None
    headers: Headers
    timestamp_ms: int = NOW_MS
    partition: int = 0


def canonical(message_id: str = "m", status: str = "delivered", **fields: Any) -> bytes:
    return json.dumps(
        {"message_id": message_id, "status": status, "event_time_ms": NOW_MS - 3_600_000, **fields}
    ).encode()


def headers(source: str = "api", received_ms: object = NOW_MS) -> list[tuple[str, bytes | None]]:
    return [("source", source.encode()), ("received_ms", str(received_ms).encode())]


def record(
    message_id: str = "m", status: str = "delivered", source: str = "api", at_s: float = 0, **fields: Any
) -> Record:
    """Received `at_s` seconds before now."""
    return Record(canonical(message_id, status, **fields), headers(source, int(NOW_MS - at_s * 1000)))


class Bench:
    """An intake with two partitions, fed as its owner would."""

    def __init__(self, start: int = 0) -> None:
        self.intake = Intake(SOURCES, RecipientHasher(DEMO_KEY), MOST_BYTES)
        self.parts = [PartitionIntake("outcomes", "id", p, start, SeenIds(HORIZON_S, 10**6)) for p in (0, 1)]
        self.next = [0, 0]

    def read(self, *records: Record, now_ms: int = NOW_MS, source: str = "") -> Bench:
        offsets = []
        for r in records:
            offsets.append(self.next[r.partition])
            self.next[r.partition] += 1
        batch = Batch(
            np.array([r.partition for r in records], np.int64),
            np.array(offsets, np.int64),
            [r.timestamp_ms for r in records],
            [r.headers for r in records],  # type: ignore[misc]
            [r.value for r in records],
            lambda i: b"key",
            source,
        )
        self.intake.take(batch, self.parts, now_ms)
        return self

    @property
    def tally(self) -> dict[tuple[str, str], int]:
        out: Counter[tuple[str, str]] = Counter()
        for part in self.parts:
            for source, results in part.tally.items():
                out.update({(source, result): n for result, n in results.items()})
        return dict(out)

    @property
    def results(self) -> dict[str, int]:
        out: Counter[str] = Counter()
        for (_, result), n in self.tally.items():
            out[result] += n
        return dict(out)

    @property
    def reasons(self) -> list[str]:
        return [d.malformed.reason.value for d in self.intake.dead]


# -- what can not be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, source, reason",
    [
        (Record(canonical(), headers("nobody")), "unknown", Reason.UNKNOWN_SOURCE),
        (Record(canonical(), headers("")), "unknown", Reason.UNKNOWN_SOURCE),
        (Record(canonical(), None), "unknown", Reason.UNKNOWN_SOURCE),
        (Record(canonical(), []), "unknown", Reason.UNKNOWN_SOURCE),
        (Record(canonical(), [("source", b"\xff\xfe")]), "unknown", Reason.UNKNOWN_SOURCE),
        (Record(None, headers()), "api", Reason.EMPTY),
        (Record(b"", headers()), "api", Reason.EMPTY),
        (Record(b"{", headers()), "api", Reason.NOT_JSON),
        (Record(b'{"message_id": "a"}', headers()), "api", Reason.MISSING_FIELD),
        (Record(canonical(status="lost"), headers()), "api", Reason.BAD_STATUS),
        (Record(b" " * (MOST_BYTES + 1), headers()), "api", Reason.TOO_LARGE),
        (Record(canonical(), headers(received_ms=NOW_MS + 60_001)), "api", Reason.FUTURE_RECEIPT),
        (Record(canonical(), headers(received_ms=10**15 - 1)), "api", Reason.FUTURE_RECEIPT),
        (Record(canonical(event_time_ms=NOW_MS + 300_001), headers()), "api", Reason.FUTURE_PROVIDER_TIME),
    ],
)
@pytest.mark.parametrize("company", [[], [record("good")], [record("good", source="hooks")]])
def test_a_record_that_can_not_be_read_becomes_a_dead_letter(
    bad: Record, source: str, reason: Reason, company: list[Record]
) -> None:
    b = Bench().read(*company, bad, *company)
    letter = b.intake.dead[-1] if len(company) == 0 else next(d for d in b.intake.dead if d.offset == 1)
    assert (letter.malformed.reason, letter.value, letter.key) == (reason, bad.value, b"key")
    assert (letter.topic, letter.partition, letter.offset) == ("outcomes", 0, len(company))
    assert list(letter.headers) == list(bad.headers or ())
    assert b.tally[source, "malformed"] >= 1
    assert sum(b.results.values()) == 1 + 2 * len(company)


def test_a_poison_record_costs_itself_alone() -> None:
    b = Bench().read(record("a"), Record(b"\xff", headers()), record("b"), Record(None, None), record("c"))
    assert b.results == {"counted": 3, "malformed": 2}
    assert [d.offset for d in b.intake.dead] == [1, 3]


@pytest.mark.parametrize("name", ["source", "received_ms"])
@pytest.mark.parametrize("company", [[], [record("x")]])
def test_a_header_without_a_value_is_a_missing_header(name: str, company: list[Record]) -> None:
    odd = Record(canonical("a"), [(k, None if k == name else v) for k, v in headers()])
    b = Bench().read(*company, odd)
    assert sum(b.results.values()) == 1 + len(company)


# -- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "received, timestamp_ms, bucket_ms",
    [
        (headers(received_ms=NOW_MS - 25_000), NOW_MS, NOW_MS - 30_000),
        (headers(received_ms=NOW_MS + 60_000), NOW_MS, NOW_MS),  # a clock a little fast: now
        ([("source", b"api")], NOW_MS - 15_000, NOW_MS - 20_000),
        (headers(received_ms="soon"), NOW_MS - 15_000, NOW_MS - 20_000),
        (headers(received_ms=-5), NOW_MS - 15_000, NOW_MS - 20_000),
        ([*headers(received_ms=NOW_MS - 25_000)][::-1], NOW_MS, NOW_MS - 30_000),
        ([("trace", b"1"), *headers(received_ms=NOW_MS - 25_000)], NOW_MS, NOW_MS - 30_000),
    ],
)
def test_the_receipt_time_is_the_header_or_else_kafkas(
    received: Headers, timestamp_ms: int, bucket_ms: int
) -> None:
    b = Bench().read(Record(canonical(), received, timestamp_ms))
    assert [s * 1000 for s in b.intake.fold.cells(b.intake.keys).bucket_s] == [bucket_ms]


def test_a_receipt_within_60_s_ahead_moves_the_clock_to_now_and_no_further() -> None:
    b = Bench().read(Record(canonical("a"), headers(received_ms=NOW_MS + 60_000)))
    assert b.parts[0].clock_ms == NOW_MS
    b.read(Record(canonical("b"), headers(received_ms=NOW_MS + 99_000)))
    assert b.parts[0].clock_ms == NOW_MS


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-70, 400)), min_size=1, max_size=20))
def test_the_clock_is_the_newest_receipt_and_never_falls(told: list[tuple[int, int]]) -> None:
    b, newest = Bench(), [0, 0]
    for i, (number, at_s) in enumerate(told):
        one = record(str(i), at_s=at_s)
        b.read(Record(one.value, one.headers, NOW_MS, number))
        if at_s >= -60:
            newest[number] = max(newest[number], NOW_MS - max(at_s, 0) * 1000)
        assert [p.clock_ms or 0 for p in b.parts] == newest


def test_a_record_without_any_time_of_receipt_is_malformed() -> None:
    form = b"MessageSid=SM1&MessageStatus=delivered"
    b = Bench().read(Record(form, [("source", b"hooks")], timestamp_ms=-1))
    assert b.results == {"malformed": 1}


# -- first match wins --------------------------------------------------------------------------

SENT, OK, BAD_ONE, STOPPED = "in_flight", "delivered", "undelivered", "cancelled"


@pytest.mark.parametrize(
    "statuses, results",
    [
        ([OK], ["counted"]),
        ([SENT, OK], ["in_flight", "counted"]),
        ([OK, OK], ["counted", "duplicate"]),
        ([SENT, SENT, OK, SENT], ["in_flight", "duplicate", "counted", "duplicate"]),
        ([OK, BAD_ONE, OK, BAD_ONE], ["counted", "conflict", "duplicate", "duplicate"]),
        ([BAD_ONE, STOPPED], ["counted", "conflict"]),
        ([STOPPED, STOPPED], ["own_side", "duplicate"]),
        (["unknown", "unknown", OK], ["in_flight", "duplicate", "counted"]),
        (["inbound", "inbound"], ["inbound", "inbound"]),
        (["nonsense", "nonsense"], ["malformed", "malformed"]),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_first_result_that_fits_is_the_one(
    statuses: list[str], results: list[str], at_once: bool
) -> None:
    b, records = Bench(), [record("m", s) for s in statuses]
    for some in [records] if at_once else [[r] for r in records]:
        b.read(*some)
    assert b.results == Counter(results)


def test_two_sources_of_one_account_share_their_messages() -> None:
    b = Bench().read(record("m", source="api"), record("m", source="api-2"), record("m", source="other"))
    assert b.tally == {("api", "counted"): 1, ("api-2", "duplicate"): 1, ("other", "counted"): 1}


def test_each_partition_remembers_for_itself() -> None:
    b = Bench().read(record("m"), Record(canonical("m"), headers(), NOW_MS, partition=1))
    assert b.results == {"counted": 2}


def test_a_send_is_counted_once_per_message() -> None:
    forms = [
        b"MessageSid=SM1&MessageStatus=" + s for s in (b"queued", b"sent", b"queued", b"delivered", b"sent")
    ]
    b = Bench().read(*(Record(f, headers("hooks")) for f in forms))
    cells = b.intake.fold.cells(b.intake.keys)
    assert (sum(cells.sends), sum(cells.finals)) == (1, 1)
    assert b.results == {"in_flight": 2, "duplicate": 2, "counted": 1}


def test_a_repeat_after_the_horizon_counts_again() -> None:
    b = Bench().read(record("m", at_s=HORIZON_S + 2), record("x", at_s=0), record("m", at_s=0))
    assert b.results == {"counted": 3}


def test_a_bound_topic_needs_no_source_header() -> None:
    b = Bench().read(Record(canonical(), None), Record(canonical("b"), headers("hooks")), source="api")
    assert b.tally == {("api", "counted"): 2}


# -- read again for memory only ----------------------------------------------------------------


def test_what_lies_before_the_start_is_remembered_and_not_counted() -> None:
    before = [
        record("a"),
        record("b", BAD_ONE, to="+14155550100"),
        Record(b"{", headers()),
        record("s", SENT),
    ]
    b = Bench(start=4).read(*before)
    assert (b.tally, b.intake.dead, b.intake.failed) == ({}, [], [])
    assert b.intake.fold.cells(b.intake.keys).key == []
    b.read(record("a"), record("b", BAD_ONE), record("s", SENT), record("c"))
    assert b.results == {"duplicate": 3, "counted": 1}
    assert b.parts[0].end == 8


def test_one_batch_may_hold_both() -> None:
    b = Bench(start=1).read(record("a"), record("a"), record("b"))
    assert b.results == {"duplicate": 1, "counted": 1}


# -- failures ----------------------------------------------------------------------------------


def test_a_failure_leaves_its_recipient_as_a_hash() -> None:
    b = Bench().read(record("m", BAD_ONE, code="30003", to="+14155550100", sender="12345", carrier="310-260"))
    [failed] = b.intake.failed
    assert failed.recipient == RecipientHasher(DEMO_KEY).hex("+14155550100")
    assert (failed.message_id, failed.code, failed.carrier, failed.sender) == (
        "m",
        "30003",
        "310-260",
        "12345",
    )
    said = everything(b.intake.fold.cells(b.intake.keys))
    assert {k[3] for k in said if k[2] == "recipient"} == {int(failed.recipient, 16)}
    assert {k[3] for k in said if k[2] == "sender"} == {"12345"}


def test_nothing_that_leaves_holds_a_number() -> None:
    b = Bench().read(record("m", BAD_ONE, to="+14155550100"), record("n", to="+14155550101"))
    said = repr(b.intake.failed) + repr(b.intake.fold.cells(b.intake.keys))
    assert "4155550" not in said


#  message   a           b        c          d       e: no number   a again   f
#  status    delivered   failed   failed     sent    delivered      (same)    delivered
#                                 then delivered


def test_whoever_was_reached_is_noted_once_as_a_hash_with_the_time() -> None:
    b = Bench().read(
        record("a", at_s=9, to="+14155550100"),
        record("b", BAD_ONE, to="+14155550101"),
        record("c", BAD_ONE, to="+14155550102", at_s=8),
        record("c", to="+14155550102", at_s=5),
        record("d", SENT, to="+14155550103"),
        record("e"),
        record("a", to="+14155550100"),
    )
    b.read(record("f", to="12345", at_s=2))
    [block] = b.intake.delivered.records()
    hashes, seconds = unpacked(block)
    hasher = RecipientHasher(DEMO_KEY)
    assert block.key_id == hasher.key_id and not block.forget
    assert dict(zip(hashes.tolist(), (NOW_MS // 1000 - seconds).tolist(), strict=True)) == {
        hasher("+14155550100"): 9,
        hasher("+14155550102"): 5,
        hasher("12345"): 2,
    }
    b.intake.begin_anew()
    assert b.intake.delivered.records() == []


def test_nobody_is_noted_as_reached_where_recipients_are_not_tracked() -> None:
    b = Bench()
    b.intake = Intake(SOURCES, RecipientHasher(DEMO_KEY), MOST_BYTES, track=False)
    b.read(record("a", to="+14155550100"), record("b", BAD_ONE, to="+14155550101"))
    assert b.intake.delivered.records() == [] and len(b.intake.failed) == 1


def test_latency_is_receipt_less_send_where_the_send_is_known() -> None:
    b = Bench().read(
        record("a", sent_time_ms=NOW_MS - 4_000), record("b"), record("c", sent_time_ms=NOW_MS + 5)
    )
    cells = b.intake.fold.cells(b.intake.keys)
    assert dict(zip(cells.latency_bin, cells.latency_n, strict=True)) == {0: 1, 1: 1}


def test_what_is_read_again_is_not_received_again() -> None:
    b = Bench(start=1).read(record("a"), record("b"))
    assert b.intake.received == {"api": 1}


# -- whatever comes ----------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.just(b"x" * (MOST_BYTES + 1)),
    st.builds(
        lambda m, s, f: canonical(m, s, **f),
        st.sampled_from("abcd"),
        st.sampled_from([SENT, OK, BAD_ONE, STOPPED, "unknown", "inbound", "nonsense", "failed"]),
        st.fixed_dictionaries(
            {},
            optional={
                "code": st.sampled_from(["30003", 30003, "", None, "30001"]),
                "to": st.sampled_from(["+14155550100", "", "x"]),
                "carrier": st.sampled_from(["T-Mobile", "t mobile", None]),
                "received_ms": st.sampled_from([NOW_MS, NOW_MS - 5_000]),
            },
        ),
    ),
    st.sampled_from([b"MessageSid=SM1&MessageStatus=sent", b"MessageSid=SM1&MessageStatus=delivered"]),
)
STAMPS = st.sampled_from(
    [
        b"",
        b"soon",
        b"-1",
        *(str(NOW_MS + d).encode() for d in (0, -1, -700_000, 59_000, 61_000)),
        b"9" * 13,
        b"9" * 30,
    ]
)
NAMES = st.sampled_from([b"api", b"api-2", b"hooks", b"smpp", b"nobody", b"\xff"])
HEADERS = st.one_of(
    st.none(),
    st.builds(lambda s, t: [("source", s), ("received_ms", t)], NAMES, STAMPS),
    st.lists(
        st.tuples(st.sampled_from(["source", "received_ms", "x"]), st.one_of(NAMES, STAMPS)), max_size=4
    ),
)
RECORDS = st.builds(
    Record, VALUES, HEADERS, st.sampled_from([NOW_MS, NOW_MS - 40_000, NOW_MS + 61_000]), st.integers(0, 1)
)


@examples(max_examples=300, deadline=None)
@given(st.lists(RECORDS, max_size=25), st.integers(0, 6))
def test_every_live_record_has_one_result_and_every_malformed_one_a_dead_letter(
    records: list[Record], start: int
) -> None:
    b = Bench(start).read(*records)
    live = sum(max(0, n - start) for n in b.next)
    assert sum(b.results.values()) == live
    assert b.results.get("malformed", 0) == len(b.intake.dead)
    assert len({(d.partition, d.offset) for d in b.intake.dead}) == len(b.intake.dead)
    cells = b.intake.fold.cells(b.intake.keys)
    assert sum(cells.finals) == b.results.get("counted", 0)
    assert sum(cells.sends) <= b.results.get("in_flight", 0)
    assert set(b.results) <= {r.value for r in Result} - {"late"}


@examples(max_examples=200, deadline=None)
@given(
    st.lists(RECORDS, min_size=1, max_size=25), st.lists(st.integers(0, 25), max_size=4), st.integers(0, 6)
)
def test_how_batches_are_cut_changes_nothing(records: list[Record], cuts: list[int], start: int) -> None:
    # A header named twice is nobody's promise: which of the two counts may depend on the batch.
    records = [r for r in records if len({k for k, _ in r.headers or ()}) == len(r.headers or ())]
    whole, cut = Bench(start).read(*records), Bench(start)
    bounds = sorted({0, len(records), *(min(c, len(records)) for c in cuts)})
    for a, z in pairwise(bounds):
        cut.read(*records[a:z])
    assert cut.tally == whole.tally
    assert [(p.end, p.clock_ms) for p in cut.parts] == [(p.end, p.clock_ms) for p in whole.parts]
    letters = [sorted((d.partition, d.offset, d.malformed) for d in b.intake.dead) for b in (cut, whole)]
    assert letters[0] == letters[1]
    assert Counter(cut.intake.failed) == Counter(whole.intake.failed)
    reached = [
        Counter(zip(*(a.tolist() for a in unpacked(r)), strict=True))
        for b in (cut, whole)
        for r in b.intake.delivered.records()
    ]
    assert len(reached) in (0, 2) and reached[:1] == reached[1:]
    tables = [b.intake.fold.cells(b.intake.keys) for b in (cut, whole)]
    assert sums(tables[0]) == sums(tables[1]) and everything(tables[0]) == everything(tables[1])


# -- where a successor reads from --------------------------------------------------------------

#  offset    0         1         2         3
#  receipt  -900      -650      -300       0      horizon 600: what is older than -600 is forgotten


def test_a_successor_reads_from_where_the_horizon_begins() -> None:
    b = Bench()
    for i, at_s in enumerate([900, 650, 300, 0]):
        b.read(record(str(i), at_s=at_s))
    assert b.parts[0].replay_from(HORIZON_S) == 1
    assert Bench(start=7).parts[0].replay_from(HORIZON_S) == 7


def test_a_successor_of_a_successor_that_read_nothing_reads_from_there_too() -> None:
    first = Bench()
    first.read(*(record(str(i), at_s=100 - i) for i in range(10)))
    second = Bench(start=10)
    second.parts[0].inherited = first.parts[0].replay_from(HORIZON_S)
    second.parts[0].end = 10  # nothing was read yet, and the partition was at its end
    second.parts[0].clock_ms = NOW_MS
    assert second.parts[0].replay_from(HORIZON_S) == first.parts[0].replay_from(HORIZON_S) == 0


def test_a_successor_that_read_so_knows_what_its_predecessor_knew() -> None:
    told = [record(str(i % 40), at_s=1_200 - 10 * i) for i in range(120)]
    first = Bench()
    for i in range(0, 120, 7):
        first.read(*told[i : i + 7])
    replay = first.parts[0].replay_from(HORIZON_S)
    second = Bench(start=120)
    second.next[0] = replay
    second.read(*told[replay:])
    again = [record(str(i)) for i in range(40)]
    first.parts[0].tally = {}
    assert second.read(*again).tally == first.read(*again).tally


# -- intermediate receipts ------------------------------------------------------------------------


def smpp(stat: str, err: str, message_id: str = "1") -> Record:
    text = f"id:{message_id} submit date:2607171200 done date:2607171206 stat:{stat} err:{err}"
    return Record(text.encode(), headers("smpp"))


def signals(b: Bench) -> tuple[int, int, int]:
    """(finals, sends, signals) over all cells."""
    cells = b.intake.fold.cells(b.intake.keys)
    return sum(cells.finals), sum(cells.sends), sum(cells.signals)


def test_an_absent_code_on_an_intermediate_receipt_is_a_signal_and_no_final() -> None:
    b = Bench().read(smpp("ENROUTE", "001"), smpp("ENROUTE", "001"))
    assert b.results == {"in_flight": 1, "duplicate": 1}
    assert signals(b) == (0, 1, 1)


def test_a_signal_after_the_first_sending_counts_once_and_is_no_second_sending() -> None:
    b = Bench().read(smpp("ACCEPTD", "000"), smpp("ENROUTE", "000"), smpp("ENROUTE", "001"))
    assert b.results == {"in_flight": 3}
    assert signals(b) == (0, 1, 1)


@pytest.mark.parametrize("final", [smpp("DELIVRD", "000"), smpp("UNDELIV", "001")])
def test_the_final_after_a_signal_decides(final: Record) -> None:
    b = Bench().read(smpp("BUFFRED", "001"), final)
    assert b.results == {"in_flight": 1, "counted": 1}
    assert signals(b) == (1, 1, 1)
