"""Buckets through `decide`, as the alerts role feeds it, and what became of each incident."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from alerts import decide
from alerts.case import RANK
from alerts.counts import Table, tables
from alerts.decide import Decided, DetectorState
from alerts.policy import Policy
from alerts.records import Incident, Severity, Transition
from alerts.replay.folded import Bucket
from alerts.replay.lay import Reader
from alerts.replay.trace import Trace
from streams.errors import ConfigError
from streams.records import BUCKET_S, Cells
from streams.rules import RuleBook
from streams.settings import Rule
from streams.window import Closing


class Seen(NamedTuple):
    """An incident as it stood last, the worst it was, and how it came to that."""

    incident: Incident
    severity: Severity
    transitions: tuple[Transition, ...]


@dataclass
class Looked:
    """What a rule was given: so that a backtest of nothing does not look like a quiet one."""

    outcomes: int = 0
    failed: int = 0


@dataclass
class Replay:
    """State of one backtest. `seen` is in the order of opening.

    It may begin with what is `known` of normal; buckets that this has seen decide nothing.
    """

    policy: Policy
    rules: tuple[Rule, ...]
    reader: Reader
    known: DetectorState | None = None
    trace: Trace | None = None
    """Told of every bucket, where somebody asks why an incident fired."""
    seen: dict[str, Seen] = field(default_factory=dict)
    looked: dict[str, Looked] = field(default_factory=dict)
    length_s: int = BUCKET_S
    begun_s: int | None = None
    """Start of the first bucket."""
    ended_s: int = 0
    """End of the last one."""

    def __post_init__(self) -> None:
        self._book = RuleBook(self.rules, self.reader.families)
        self._state = self.known or decide.begin(self.policy, self._book.names)
        if [r.rule for r in self._state.rules] != list(self._book.names):
            raise ConfigError("what was learned is of other rules than those configured")
        self.looked = {name: Looked() for name in self._book.names}

    @property
    def state(self) -> DetectorState:
        """Everything that decides, after the last bucket."""
        return self._state

    def take(self, bucket: Bucket) -> None:
        """One folded bucket on."""
        self._begin(bucket.start_s, bucket.length_s)
        for bucket_s, cells in self.reader.slots(bucket):
            self._decide(bucket_s, cells)

    def take_closed(self, closing: Closing) -> None:
        """One bucket on, as `windows` has closed it."""
        self._begin(closing.bucket_s, BUCKET_S)
        self._decide(closing.bucket_s, closing.cells, whole=not closing.incomplete)

    def _decide(self, bucket_s: int, cells: Cells, *, whole: bool = True) -> None:
        counts = tables(cells, self._book)
        self._state, decided = decide.decide(self._state, self.policy, bucket_s, counts, whole=whole)
        self._count(counts)
        self._note(decided)
        if self.trace is not None:
            self.trace.take(bucket_s, decided)

    def _begin(self, start_s: int, length_s: int) -> None:
        if self.begun_s is None:
            self.begun_s = start_s
        self.length_s, self.ended_s = length_s, start_s + length_s

    def end_ms(self, bucket_s: int) -> int:
        """End of the folded bucket that holds the 10 s bucket `bucket_s`: nobody can know earlier."""
        return (bucket_s // self.length_s + 1) * self.length_s * 1000

    def _count(self, counts: dict[str, Table]) -> None:
        for rule, table in counts.items():
            looked = self.looked[rule]
            looked.outcomes += int(table.finals.sum(dtype=int))
            looked.failed += int(table.failed.sum(dtype=int))

    def _note(self, decided: Decided) -> None:
        for incident in decided.incidents:
            old = self.seen.get(incident.key)
            worst = _worst((incident.severity, old.severity) if old else (incident.severity,))
            self.seen[incident.key] = Seen(incident, worst, old.transitions if old else ())
        for transition in decided.transitions:
            seen = self.seen[transition.key]
            self.seen[transition.key] = seen._replace(transitions=(*seen.transitions, transition))


def _worst(severities: Iterable[Severity]) -> Severity:
    return max(severities, key=RANK.__getitem__)
