"""The alerts role as a stage over the `windows` log: decide, write down, page.

closed bucket -> decide (pure) -> incidents, incident-events -> reconciler -> pager
                     |
               each minute: detector-state, and `windows` is committed up to it
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from alerts import decide, snapshot
from alerts.counts import tables
from alerts.decide import Decided, DetectorState
from alerts.flags import Flag
from alerts.paging import pages
from alerts.policy import Policy
from alerts.records import Delivery, Incident, Page, StatusNote, Transition
from alerts.settings import Settings
from alerts.sight import Sight
from streams.journal import Assembler, Complete
from streams.networks import networks_of
from streams.records import BUCKET_S, encode
from streams.rules import RuleBook
from streams.topics import DETECTOR_STATE, INCIDENT_EVENTS, INCIDENTS
from streams.unknown_share import Share, UnknownShare

log = logging.getLogger("alerts.station")

SNAPSHOT_EVERY_S = 60
EVENTS_SHOWN = 200
"""Transitions of one incident that the pages keep; all of them are in `incident-events`."""

OPENED = "opened"

Send = Callable[[str, bytes, bytes], Awaitable[None]]
"""(topic, key, value): returns once Kafka has acknowledged it."""
ReadBuckets = Callable[[int, int], Awaitable[Iterable[Complete]]]
"""Closed buckets between two, both left out, read from the log itself."""
ReadTopic = Callable[[str], Awaitable[Mapping[bytes, bytes]]]
"""The newest value of each key of a compacted topic."""


class Pages(Protocol):
    """Who delivers: the reconciler, or nobody."""

    async def begin(self, incidents: Iterable[Incident], event_now_ms: int) -> None: ...
    def want(self, wanted: Iterable[Page]) -> None: ...


@dataclass
class Board:
    """What people and metrics are shown; replaced as a whole, never changed in place."""

    incidents: tuple[Incident, ...] = ()
    transitions: Mapping[str, tuple[Transition, ...]] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    bucket_s: int = -1
    unknown: tuple[Share, ...] = ()
    """By source: outcomes without a carrier, of the hour as far as this owner has read it."""
    sight: Sight = field(default_factory=Sight)


class Station:
    """The owner's state, restored on every assignment."""

    def __init__(
        self,
        settings: Settings,
        send: Send,
        read: ReadTopic,
        pager: Pages,
        between: ReadBuckets | None = None,
    ) -> None:
        self._settings, self._send, self._read, self._pager = settings, send, read, pager
        self._between = between
        self._book = RuleBook.of(settings.rules, settings.sources, settings.code_tables)
        self._policy = Policy.of(settings)
        self._state = decide.begin(self._policy, self._book.names)
        self._written = snapshot.NOTHING
        self._assembler = Assembler()
        self._known: dict[str, Incident] = {}
        self._events: dict[str, tuple[Transition, ...]] = {}
        self._low_water = 0
        self._writing = asyncio.Lock()
        self.display = networks_of(settings.carriers.file, settings.carriers.roll_up).display
        self._unknown = UnknownShare()
        self._sight = Sight()
        self.board = Board()
        self._owns = True
        self.on_opened: Callable[[Incident], None] = lambda _: None
        """Told of each incident that has opened and is written; must return at once."""

    @property
    def low_water(self) -> int:
        return self._low_water

    def stand_by(self) -> None:
        """Another may own the log now: what is shown here would be what was, for ever."""
        self._owns, self.board = False, Board()

    async def restore(self) -> None:
        """Snapshot, then the incidents that are newer than it; the log is read on from the snapshot."""
        self._assembler, self._low_water, self._owns = Assembler(), 0, True
        self._known = {i.key: i for i in await self._stored()}
        self._written = snapshot.NOTHING
        records = await self._read(DETECTOR_STATE)
        state = self._from_snapshot(list(records.values()))
        self._state = decide.adopt(state, self._known.values())
        self._sight = Sight(outcome_s=self._state.bucket_s)
        log.info("restored at bucket %d with %d incidents", self._state.bucket_s, len(self._known))
        await self._pager.begin(self._known.values(), (self._state.bucket_s + BUCKET_S) * 1000)
        self._show(Decided(incidents=tuple(self._known.values())))

    def _from_snapshot(self, records: list[bytes]) -> DetectorState:
        if records:
            try:
                state, self._written = snapshot.restored(records)
                if [r.rule for r in state.rules] == list(self._book.names):
                    if state.policy != self._policy:
                        log.info(
                            "the policy has changed: it holds from bucket %d on", state.bucket_s + BUCKET_S
                        )
                    return state
                log.warning("the rules have changed since the snapshot: charts begin anew")
            except snapshot.SnapshotError as e:
                log.warning("no snapshot can be used (%s): charts begin anew", e)
        return decide.begin(self._policy, self._book.names)

    async def _stored(self) -> list[Incident]:
        values = (await self._read(INCIDENTS)).values()
        return [msgspec.json.decode(value, type=Incident) for value in values]

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
        bucket_s = complete.record.bucket_s
        if (bucket_s + BUCKET_S) % SNAPSHOT_EVERY_S == 0:
            await self._snapshot(offset)
        self._show(decided)

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
            await self._event(transition)
        for computed in decided.incidents:
            stored = self._known.get(computed.key)
            if stored is not None and computed.last_bucket_s <= stored.last_bucket_s:
                continue
            await self._keep(computed, write=stored is None or computed.seq > stored.seq)
        for transition in decided.transitions:
            if transition.what == OPENED and not self._known[transition.key].status_notes:
                self.on_opened(self._known[transition.key])

    async def _keep(self, computed: Incident, *, write: bool) -> None:
        async with self._writing:
            stored = self._known.get(computed.key)
            merged = computed
            if stored is not None:
                merged = msgspec.structs.replace(
                    computed, deliveries=stored.deliveries, status_notes=stored.status_notes
                )
            self._known[merged.key] = merged
            if write:
                await self._send(INCIDENTS, merged.key.encode(), encode(merged))
        self._pager.want(self.pages_of(merged))

    async def record(self, delivery: Delivery) -> None:
        """Writes down that a pager accepted something: only then it counts as known."""
        async with self._writing:
            incident = self._incident_of(delivery.dedup_key)
            merged = msgspec.structs.replace(incident, deliveries=(*incident.deliveries, delivery))
            await self._send(INCIDENTS, merged.key.encode(), encode(merged))
            self._known[merged.key] = merged
        what = "page_sent" if delivery.action == "trigger" else "page_resolved"
        await self._event(
            Transition(merged.key, delivery.seq, delivery.at_ms, what, "accepted", delivery.dedup_key)
        )
        self._show(None)

    async def attach(self, key: str, notes: tuple[StatusNote, ...]) -> None:
        """What status pages say of an incident: for its page, and for what its pager is told next."""
        async with self._writing:
            known = self._known.get(key)
            if known is None:
                return
            merged = msgspec.structs.replace(known, status_notes=notes)
            await self._send(INCIDENTS, key.encode(), encode(merged))
            self._known[key] = merged
        for note in notes:
            detail = f"{note.name}: {note.words}"
            await self._event(Transition(key, merged.seq, note.at_ms, "status_page", note.indicator, detail))
        self._show(None)

    def _incident_of(self, dedup_key: str) -> Incident:
        return self._known.get(dedup_key) or self._known[dedup_key.rsplit(":", 1)[0]]

    def pages_of(self, incident: Incident) -> tuple[Page, ...]:
        """The pages that an incident wants by now."""
        return pages(incident, self._links(incident), self.display)

    def _links(self, incident: Incident) -> list[tuple[str, str]]:
        links = [(self._settings.incident_url(incident.key), "Incident")]
        links.append((self._settings.alerting.runbook_url, "Runbook"))
        return [(url, text) for url, text in links if url]

    async def _event(self, transition: Transition) -> None:
        shown = (*self._events.get(transition.key, ()), transition)[-EVENTS_SHOWN:]
        self._events[transition.key] = shown
        await self._send(INCIDENT_EVENTS, transition.key.encode(), encode(transition))

    async def _snapshot(self, offset: int) -> None:
        """The state and the open incidents; what lies at or before `offset` is needed no more."""
        for one in self._state.cases:
            async with self._writing:  # a delivery that is being recorded must not be written over
                known = self._known.get(one.incident.key)
                if known is not None:
                    await self._send(INCIDENTS, known.key.encode(), encode(known))
        records, written = await asyncio.to_thread(snapshot.changes, self._state, self._written)
        for record in records:
            await self._send(DETECTOR_STATE, snapshot.shard_of(record).encode(), record)
        self._written = written
        self._low_water = offset + 1

    def _show(self, decided: Decided | None) -> None:
        if not self._owns:
            return
        newest_first = sorted(self._known.values(), key=lambda i: (i.opened_bucket_s, i.key), reverse=True)
        flags = decided.flags if decided else self.board.flags
        events, bucket_s = dict(self._events), self._state.bucket_s
        self.board = Board(tuple(newest_first), events, flags, bucket_s, self._unknown.shares(), self._sight)


class NoPager:
    """`alerting.mode = observe` or `route = none`: what would be sent goes to the log alone."""

    async def begin(self, incidents: Iterable[Incident], event_now_ms: int) -> None:
        self._said: dict[str, int] = {}

    def want(self, wanted: Iterable[Page]) -> None:
        for page in wanted:
            if self._said.get(page.dedup_key, -1) < page.seq:
                self._said[page.dedup_key] = page.seq
                log.info("would %s %s: %s", page.action, page.dedup_key, page.summary)


def topic_sender(app: Any, settings: Settings) -> Send:
    """Sends through the Faust producer and waits for the acknowledgement."""

    async def send(topic: str, key: bytes, value: bytes) -> None:
        await (
            await app.send(
                settings.topic(topic), key=key, value=value, key_serializer="raw", value_serializer="raw"
            )
        )

    return send
