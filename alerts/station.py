"""The alerts role as a stage over the `windows` log: decide, write down, page.

closed bucket -> decide (pure) -> ledger: incidents, incident-events -> reconciler -> pager
                     |               ^
                     |        commands of people, which what decides never reads
               each minute: detector-state, and `windows` is committed up to it
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from alerts import audience, commands, decide, observe, snapshot
from alerts.commands import Change
from alerts.counts import tables
from alerts.decide import Decided, DetectorState, Expected
from alerts.flags import Flag, Labels, last_flagged
from alerts.inbox import Take
from alerts.ledger import Ledger, ReadTopic, Send
from alerts.policy import Policy
from alerts.records import Delivery, Form, Incident, Page, StatusNote, Transition
from alerts.review.evidence import Frozen
from alerts.settings import Settings
from alerts.sight import Sight
from streams.commands import Silence
from streams.journal import Assembler, Complete
from streams.label_values import Heard
from streams.networks import networks_of
from streams.records import BUCKET_S
from streams.rules import RuleBook
from streams.topics import DETECTOR_STATE
from streams.unknown_share import Share, UnknownShare

log = logging.getLogger("alerts.station")

SNAPSHOT_EVERY_S = 60
OPENED = "opened"
ReadBuckets = Callable[[int, int], Awaitable[Iterable[Complete]]]
"""Closed buckets between two, both left out, read from the log itself."""


class Pages(Protocol):
    """Who delivers: the reconciler, or nobody."""

    async def begin(self, incidents: Iterable[Incident], event_now_ms: int) -> None: ...
    def want(self, wanted: Iterable[Page]) -> None: ...
    def heard(self, delivery: Delivery) -> None: ...


class Inbox(Protocol):
    """Where people's commands come from."""

    async def catch_up(self, take: Take) -> None:
        """Takes all that is unread."""

    def begin(self, take: Take) -> None:
        """Takes what comes from now on, beside everything else."""


@dataclass
class Board:
    """What people and metrics are shown; replaced as a whole, never changed in place."""

    incidents: tuple[Incident, ...] = ()
    transitions: Mapping[str, tuple[Transition, ...]] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    flagged: Mapping[Labels, int] = field(default_factory=dict)
    """The last bucket in which each was flagged, for ten minutes more."""
    bucket_s: int = -1
    silences: tuple[Silence, ...] = ()
    unknown: tuple[Share, ...] = ()
    """By source: outcomes without a carrier, of the hour as far as this owner has read it."""
    sight: Sight = field(default_factory=Sight)
    expected: tuple[Expected, ...] = ()


class Station:
    """The owner's state, restored on every assignment."""

    def __init__(
        self,
        settings: Settings,
        send: Send,
        read: ReadTopic,
        pager: Pages,
        between: ReadBuckets | None = None,
        inbox: Inbox | None = None,
        read_newest: ReadTopic | None = None,
    ) -> None:
        self._settings, self._send, self._read, self._pager = settings, send, read, pager
        self._between, self._inbox, self._read_newest = between, inbox, read_newest or read
        self._ledger = Ledger(send, settings.teams, settings.alerting.storm_opens)
        self._book = RuleBook.of(settings.rules, settings.sources, settings.code_tables)
        self._policy = Policy.of(settings)
        self._state = decide.begin(self._policy, self._book.names)
        self._written = snapshot.NOTHING
        self._assembler = Assembler()
        self._low_water = 0
        self._paging = False
        self.display = networks_of(settings.carriers.file, settings.carriers.roll_up).display
        self._unknown = UnknownShare()
        self._sight = Sight()
        self.board = Board()
        self._owns = True
        self.on_opened: Callable[[Incident], None] = lambda _: None
        """Told of each incident that has opened and is written; must return at once."""
        self.on_restored: Callable[[], None] = lambda: None
        """Told when this instance has become the one that decides; must return at once."""
        self.on_moved: Callable[[Incident, str], None] = lambda _incident, _what: None
        """The same of each transition of the detector."""

    @property
    def low_water(self) -> int:
        return self._low_water

    def stand_by(self) -> None:
        """Another may own the log now: what is shown here would be what was, for ever."""
        self._owns, self.board = False, Board()

    async def restore(self) -> None:
        """Snapshot, then the incidents that are newer than it; the log is read on from the snapshot.

        What people have asked for meanwhile is taken before anybody is paged: what somebody has
        closed must not be opened again."""
        self._assembler, self._low_water, self._paging, self._owns = Assembler(), 0, False, True
        await self._ledger.restore(self._read)
        known = self._ledger.incidents
        self._written = snapshot.NOTHING
        state = await self._last_known()
        self._state = decide.adopt(state, map(commands.bare, known.values()))
        self._sight = Sight(outcome_s=self._state.bucket_s)
        log.info("restored at bucket %d with %d incidents", self._state.bucket_s, len(known))
        if self._inbox is not None:
            await self._inbox.catch_up(self.ask)
        await self._pager.begin(known.values(), (self._state.bucket_s + BUCKET_S) * 1000)
        self._paging = True
        if self._inbox is not None:
            self._inbox.begin(self.ask)
        self._show(Decided(incidents=tuple(known.values())))
        self.on_restored()

    async def _last_known(self) -> DetectorState:
        """The state of the last snapshot. What was written of late holds it; that is not read to the
        beginning, as copies of a month are in the topic."""
        for read in (self._read_newest, self._read):
            records = list((await read(DETECTOR_STATE)).values())
            if not records:
                continue
            try:
                state, self._written = snapshot.restored(records)
            except snapshot.SnapshotError as e:
                log.warning("no snapshot can be used (%s)", e)
                continue
            if [r.rule for r in state.rules] == list(self._book.names):
                if state.policy != self._policy:
                    log.info("the policy has changed: it holds from bucket %d on", state.bucket_s + BUCKET_S)
                return state
            log.warning("the rules have changed since the snapshot")
            break
        log.info("charts begin anew")
        return decide.begin(self._policy, self._book.names)

    async def apply(self, offset: int, value: bytes) -> None:
        complete = self._assembler.feed(offset, value)
        if complete is None or complete.record.bucket_s <= self._state.bucket_s:
            return
        for missed in await self._missed(complete.record.bucket_s):
            await self._take(missed, missed.first_offset)
        await self._take(complete, offset)

    async def _missed(self, bucket_s: int) -> Iterable[Complete]:
        """Buckets come without a hole: what a rebalance swallowed is read from the log itself."""
        after_s = self._state.bucket_s
        if self._between is None or after_s < 0 or bucket_s == after_s + BUCKET_S:
            return ()
        log.warning("buckets between %d and %d were not delivered: reading them", after_s, bucket_s)
        return await self._between(after_s, bucket_s)

    async def _take(self, complete: Complete, offset: int) -> None:
        self._unknown.add(complete.cells)
        self._sight = self._sight.after(complete.record.bucket_s, complete.cells)
        decided = self._decide(complete)
        await self._write_changes(decided)
        self._show(decided)  # before the snapshot, which takes a while: whoever is paged looks at once
        bucket_s = complete.record.bucket_s
        if (bucket_s + BUCKET_S) % SNAPSHOT_EVERY_S == 0:
            await self._snapshot(offset)
        if not self._settings.pages_somebody and observe.ends_week(bucket_s + BUCKET_S):
            week = observe.words(observe.of_week(self._ledger.incidents.values(), bucket_s + BUCKET_S))
            log.info("nobody is paged; in the last week it would have been %s", week)

    def _decide(self, complete: Complete) -> Decided:
        counts = tables(complete.cells, self._book)
        record = complete.record
        self._state, decided = decide.decide(
            self._state, self._policy, record.bucket_s, counts, whole=not record.incomplete
        )
        return decided

    async def _write_changes(self, decided: Decided) -> None:
        """Writes what changed, then wants the pages of it: a page is never of something unwritten."""
        for transition in decided.transitions:
            log.info("%s: %s (%s) %s", transition.key, transition.what, transition.reason, transition.detail)
            await self._ledger.decided(transition)
        for change in await self._ledger.keep(decided.incidents):
            self._page(change)
        for transition in decided.transitions:
            one = self._ledger.incidents[transition.key]
            self.on_moved(one, transition.what)
            if transition.what == OPENED and not one.status_notes:
                self.on_opened(one)

    async def ask(self, value: bytes | None) -> Heard:
        """One command of people or webhooks: it counts after the last bucket applied."""
        heard, changes = await self._ledger.ask(value, self._state.bucket_s)
        for change in changes:
            self._page(change)
        if heard is Heard.TAKEN:
            self._show(None)
        return heard

    async def record(self, delivery: Delivery) -> None:
        """Writes down that a pager accepted something: only then it counts as known."""
        await self._ledger.record(delivery)
        self._show(None)

    def _page(self, change: Change) -> None:
        """Tells the pager in one go: what it has by its own word, and what is wanted of it now."""
        if not self._paging:
            return
        if change.heard is not None:
            self._pager.heard(change.heard)
        self._pager.want(self.pages_of(change.incident))

    async def attach(self, key: str, notes: tuple[StatusNote, ...]) -> None:
        """What status pages say of an incident: for its page, and for what its pager is told next."""
        await self._ledger.attach(key, notes)
        self._show(None)

    async def file(self, frozen: Frozen) -> None:
        """Evidence that was frozen."""
        await self._ledger.file(frozen)
        self._show(None)

    def pages_of(self, incident: Incident) -> tuple[Page, ...]:
        """The pages that an incident wants by now, for routes of every form."""
        return audience.wanted(incident, self._ledger.incidents.values(), self._links, self.display)

    def _links(self, incident: Incident) -> list[tuple[str, str]]:
        links = [(self._settings.incident_url(incident.key), "Incident")]
        links.append((self._settings.alerting.runbook_url, "Runbook"))
        return [(url, text) for url, text in links if url]

    async def _snapshot(self, offset: int) -> None:
        """The state and the open incidents; what lies at or before `offset` is needed no more."""
        await self._ledger.write_again([case.incident.key for case in self._state.cases])
        records, written = await asyncio.to_thread(snapshot.changes, self._state, self._written)
        for record in records:
            await self._send(DETECTOR_STATE, snapshot.shard_of(record).encode(), record)
        self._written = written
        self._low_water = offset + 1

    def _show(self, decided: Decided | None) -> None:
        if not self._owns:
            return
        incidents = self._ledger.incidents.values()
        newest_first = sorted(incidents, key=lambda i: (i.opened_bucket_s, i.key), reverse=True)
        flags = decided.flags if decided else self.board.flags
        flagged = last_flagged(self.board.flagged, flags, self._state.bucket_s)
        expected = decided.expected if decided else self.board.expected
        silences = tuple(self._ledger.silences.values())
        events, bucket_s, shares = dict(self._ledger.events), self._state.bucket_s, self._unknown.shares()
        shown = (tuple(newest_first), events, flags, flagged, bucket_s, silences, shares)
        self.board = Board(*shown, self._sight, expected)


class NoPager:
    """`alerting.mode = observe` or `route = none`: what would be sent goes to the log alone."""

    async def begin(self, incidents: Iterable[Incident], event_now_ms: int) -> None:
        self._said: dict[str, int] = {}

    def want(self, wanted: Iterable[Page]) -> None:
        for page in wanted:
            if page.form is Form.KEYED and self._said.get(page.dedup_key, -1) < page.seq:
                self._said[page.dedup_key] = page.seq
                log.info("would %s %s: %s", page.action, page.dedup_key, page.summary)

    def heard(self, delivery: Delivery) -> None:
        """Nothing of ours is open anywhere."""
