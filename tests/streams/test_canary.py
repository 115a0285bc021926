"""A canary is seen on its whole way, and counted by nothing that counts outcomes.

intake --> a cell without finals --> windows --> sliding windows, rules, shares: nothing of it
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from alerts.counts import tables
from streams import canary
from streams.assembly import assemble
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.errors import ConfigError
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import DEMO_KEY
from streams.records import BUCKET_S, CANARY, Cells
from streams.rules import RuleBook
from streams.settings import Privacy, Rule, Settings, Source, check
from streams.sliding import Sliding
from streams.unknown_share import UnknownShare

NOW_MS = 1_784_289_600_000
CONFIG = Settings(
    privacy=Privacy(recipient_key=DEMO_KEY),
    sources=(Source(name="api", format="canonical", codes="twilio"),),
    rules=(Rule(name="everything", codes=("",), classes=("absent_subscriber", CANARY)),),
)
BOOK = RuleBook.of(CONFIG.rules, CONFIG.sources)
GOOD = b'{"message_id": "m", "status": "delivered", "event_time_ms": %d}' % NOW_MS
API = [("source", b"api"), ("received_ms", b"%d" % NOW_MS)]
Record = tuple[bytes, list[tuple[str, bytes]]]


def sent(number: int = 1, at_ms: int = NOW_MS) -> Record:
    """A canary as it is written to `outcomes`."""
    _, value = canary.value(number, at_ms)
    return value, list(canary.headers(at_ms).items())


def taken(*records: Record) -> tuple[Intake, Counter[tuple[str, str]]]:
    """The intake as it is configured after some records of one partition, and its tally."""
    intake = assemble(CONFIG, None).intake
    part = PartitionIntake("outcomes", "id", 0, 0, SeenIds(600, 10**6))
    values, headers = [v for v, _ in records], [h for _, h in records]
    n = len(records)
    batch = Batch(
        np.zeros(n, np.int64),
        np.arange(n),
        [NOW_MS] * n,
        headers,
        values,
        lambda i: b"key",
        "",  # type: ignore[arg-type]
    )
    intake.take(batch, [part], NOW_MS)
    tally = Counter({(s, r): n for s, results in part.tally.items() for r, n in results.items()})
    return intake, tally


def cells_of(*records: Record) -> Cells:
    intake, _ = taken(*records)
    return intake.fold.cells(intake.keys)


def test_a_canary_is_a_result_of_its_own_and_the_balance_adds_up() -> None:
    intake, tally = taken((GOOD, API), sent(1), sent(2))
    assert tally == {("api", "counted"): 1, (CANARY, "canary"): 2}
    assert intake.received == {"api": 1, CANARY: 2}
    assert not intake.dead and not intake.failed


def test_a_canary_written_twice_is_a_duplicate() -> None:
    _, tally = taken(sent(1), sent(1))
    assert tally == {(CANARY, "canary"): 1, (CANARY, "duplicate"): 1}


def test_a_canary_that_can_not_be_read_is_a_dead_letter_of_its_own_source() -> None:
    intake, tally = taken((b"{", sent()[1]))
    assert tally == {(CANARY, "malformed"): 1}
    assert [letter.source for letter in intake.dead] == [CANARY]


def test_its_cell_has_no_finals_and_says_when_it_was_sent() -> None:
    cells = cells_of(sent(1, NOW_MS - 25_000))
    assert cells.keys == [canary.KEY]
    assert (cells.finals, cells.sends) == ([0], [1])
    assert [b * 1000 for b in cells.bucket_s] == [(NOW_MS - 25_000) // (BUCKET_S * 1000) * BUCKET_S * 1000]


@pytest.mark.parametrize("status", ["delivered", "undelivered", "in_flight"])
def test_whatever_a_canary_says_it_is_one(status: str) -> None:
    value = b'{"message_id": "x", "status": "%s", "code": "30003", "received_ms": %d}' % (
        status.encode(),
        NOW_MS,
    )
    cells = cells_of((value, sent()[1]))
    assert cells.keys == [canary.KEY] and not any(cells.finals)


def test_nothing_that_counts_outcomes_counts_it() -> None:
    cells = cells_of((GOOD, API), sent(1), sent(2))
    assert [leaf for table in tables(cells, BOOK).values() for leaf in table.leaves] == [
        ("unknown", "unknown")
    ]
    sliding = Sliding(BOOK)
    sliding.add(cells)
    assert list(sliding.pairs) == [("unknown", "unknown")]
    assert sliding.snapshot()[0, 0, 0] == 1
    shares = UnknownShare()
    shares.add(cells)
    assert [s.source for s in shares.shares()] == ["api"]


def test_its_name_is_nobodys() -> None:
    with pytest.raises(ConfigError, match="canary"):
        check(Settings(sources=(Source(name=CANARY, format="canonical"),)))
