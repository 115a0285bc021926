"""The whole way of a record in one process: provider bytes in, results, cells and incidents out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from alerts.counts import leaves
from alerts.records import Incident
from streams import settings
from streams.batch import Batch
from streams.dedupe import SeenIds
from streams.intake import Intake
from streams.partition import PartitionIntake
from streams.privacy import RecipientHasher
from streams.records import BUCKET_S, Cells, Partial, Range, SeriesKey, encode
from streams.rules import RuleBook
from streams.settings import Secret
from streams.source import Source
from streams.window import Closing, Windows
from tests.alerts.traffic import decide_all

T0_MS = 1_784_289_600_000
LATENESS_MS = 5_000


class Said(NamedTuple):
    """One record as its producer writes it, `at_s` seconds after T0."""

    source: str
    value: bytes
    at_s: float = 0.0


class Pipeline:
    """One source partition, from its first record on. Reads what it is given, in order."""

    def __init__(
        self, *sources: settings.Source, rules: Sequence[settings.Rule] = settings.DEFAULT_RULES
    ) -> None:
        self.sources = sources
        self.book = RuleBook.of(rules, sources)
        self.windows = Windows(LATENESS_MS)
        self.closed: list[Closing] = []
        self.partials: list[Partial] = []
        self.results: Counter[str] = Counter()
        self.start(0)

    def start(self, offset: int, replay_from: int = 0) -> None:
        """A new owner: what lies before `offset` is read to remember, not to count."""
        resolved = {s.name: Source.of(s) for s in self.sources}
        self.intake = Intake(resolved, RecipientHasher(Secret("k" * 32)), 1_000_000)
        self.part = PartitionIntake("outcomes", "id", 0, offset, SeenIds(600, 10**6), end=replay_from)
        self.offset = replay_from

    def read(self, *said: Said, now_s: float | None = None) -> Pipeline:
        """Reads one batch; now is the newest receipt, or `now_s`."""
        now_ms = T0_MS + round(1000 * (max(s.at_s for s in said) if now_s is None else now_s))
        batch = Batch(
            np.zeros(len(said), np.int64),
            np.arange(self.offset, self.offset + len(said)),
            [now_ms] * len(said),
            [_headers(s) for s in said],
            [s.value for s in said],
            lambda i: b"key",
        )
        self.offset += len(said)
        self.intake.take(batch, [self.part], now_ms)
        return self

    def flush(self) -> Pipeline:
        """One transaction: the partial goes to windows, which closes what is due."""
        part = self.part
        tally = {source: dict(results) for source, results in part.tally.items()}
        covered = Range("outcomes", "id", 0, part.start, part.end, part.clock_ms, tally, part.split)
        cells = self.intake.fold.cells(self.intake.keys)
        self.partials.append(Partial("ingest-0", 0, {"outcomes": 1}, [covered], cells))
        self.closed += self.windows.apply(len(self.partials), self.partials[-1])
        for results in tally.values():
            self.results.update(results)
        part.start, part.tally, part.split = part.end, {}, 0
        return self

    def close(self, until_s: float) -> Pipeline:
        """Lets the clock pass `until_s` and the lateness, as an idle partition's clock does."""
        self.part.clock_ms = T0_MS + round(until_s * 1000) + LATENESS_MS
        return self.flush()

    @property
    def cells(self) -> list[Cells]:
        """Closed buckets, in order."""
        return [c.cells for c in self.closed]

    @property
    def counted(self) -> Counter[SeriesKey]:
        """Finals by series over all closed buckets."""
        return finals(self.cells)

    def counts(self, rule: str) -> tuple[int, int]:
        """(eligible finals, failures) of a rule over all closed buckets."""
        counted = [c for cells in self.cells for c in leaves(cells, self.book)[rule].values()]
        return sum(c.finals for c in counted), sum(c.failed for c in counted)

    def evidence(self, rule: str) -> tuple[int, int]:
        """The same as the detector sees it: each failed recipient once an hour."""
        counted = [c for cells in self.cells for c in leaves(cells, self.book)[rule].values()]
        return sum(c.n for c in counted), sum(c.k for c in counted)

    def incidents(self) -> dict[str, Incident]:
        """What the deciding stations raise over the closed buckets."""
        return decide_all(self.book.names, ((c.bucket_s, leaves(c.cells, self.book)) for c in self.closed))

    def written(self) -> bytes:
        """Everything that goes to topics other than `outcomes` and `dead-letters`."""
        closed = [encode(c.cells) + encode(c.late) for c in self.closed]
        return b"\n".join([*map(encode, self.partials), *map(encode, self.intake.failed), *closed])


def finals(tables: Iterable[Cells]) -> Counter[SeriesKey]:
    total: Counter[SeriesKey] = Counter()
    for cells in tables:
        for key, n in zip(cells.key, cells.finals, strict=True):
            if n:
                total[cells.keys[key]] += n
    return total


def canonical(
    message_id: str, status: str = "delivered", at_s: float = 0.0, source: str = "api", **fields: Any
) -> Said:
    said = {"message_id": message_id, "status": status, "event_time_ms": T0_MS, **fields}
    return Said(source, json.dumps(said).encode(), at_s)


def callback(sid: str, status: str, at_s: float = 0.0, source: str = "twilio", **fields: str) -> Said:
    form = "&".join(f"{k}={v}" for k, v in {"MessageSid": sid, "MessageStatus": status, **fields}.items())
    return Said(source, form.encode(), at_s)


def receipt(message_id: str, stat: str, err: str = "000", at_s: float = 0.0, source: str = "smpp") -> Said:
    text = (
        f"id:{message_id} sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:{stat} err:{err}"
    )
    return Said(source, text.encode(), at_s)


def _headers(said: Said) -> list[tuple[str, bytes]]:
    received_ms = T0_MS + round(said.at_s * 1000)
    return [("source", said.source.encode()), ("received_ms", str(received_ms).encode())]


assert T0_MS // 1000 % BUCKET_S == 0
