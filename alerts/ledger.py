"""What is written of incidents and silences, by one writer: it counts as known once Kafka has it.

decided incidents, accepted pages, commands of people -> one after the other -> incidents, incident-events
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from alerts import audience, commands
from alerts.causes import StatusNote, Verified
from alerts.commands import Change
from alerts.records import Delivery, Incident, Transition
from alerts.review.evidence import Frozen
from alerts.settings import Team
from alerts.verification import words
from streams.commands import Ask, Command, Silence
from streams.label_values import Heard
from streams.records import encode
from streams.topics import INCIDENT_EVENTS, INCIDENTS, SILENCES

log = logging.getLogger("alerts.ledger")

EVENTS_SHOWN = 200
"""Transitions of one incident that the pages keep; all of them are in `incident-events`."""

RECORDED = {"trigger": "page_sent", "resolve": "page_resolved", "tell": "page_missed"}
"""What a delivery's transition is called."""

Send = Callable[[str, bytes, bytes], Awaitable[None]]
"""(topic, key, value): returns once Kafka has acknowledged it."""
ReadTopic = Callable[[str], Awaitable[Mapping[bytes, bytes]]]
"""The newest value of each key of a compacted topic."""


class Ledger:
    """Incidents by key, silences by id, and the newest transitions of each incident."""

    def __init__(self, send: Send, teams: Sequence[Team] = (), storm_opens: int = 0) -> None:
        """`teams` and `storm_opens` decide who is paged: see `audience.frozen`."""
        self._send, self._teams, self._storm_opens = send, teams, storm_opens
        self._writing = asyncio.Lock()
        self.incidents: dict[str, Incident] = {}
        self.silences: dict[str, Silence] = {}
        self.events: dict[str, tuple[Transition, ...]] = {}

    async def restore(self, read: ReadTopic) -> None:
        """From the topics."""
        stored = [msgspec.json.decode(v, type=Incident) for v in (await read(INCIDENTS)).values()]
        silences = [msgspec.json.decode(v, type=Silence) for v in (await read(SILENCES)).values()]
        self.incidents = {i.key: i for i in stored}
        self.silences = {s.id: s for s in silences}

    async def keep(self, decided: Sequence[Incident]) -> list[Change]:
        """What the detector decided in one bucket, with what people have said of it, what is silenced
        by now, and who is paged. All of it is written before anything of it is paged."""
        async with self._writing:
            newer = [one for one in decided if self._is_newer(one)]
            held = self.silences.values()
            changes = [commands.carried(self.incidents.get(one.key), one, held) for one in newer]
            incidents = audience.frozen(
                [change.incident for change in changes], self.incidents, self._teams, self._storm_opens
            )
            for incident in incidents:
                stored = self.incidents.get(incident.key)
                await self._put(incident, write=stored is None or incident.seq > stored.seq)
        for change in changes:
            await self._tell(change.transitions)
        return [c._replace(incident=i) for c, i in zip(changes, incidents, strict=True)]

    def _is_newer(self, computed: Incident) -> bool:
        stored = self.incidents.get(computed.key)
        return stored is None or computed.last_bucket_s > stored.last_bucket_s

    async def record(self, delivery: Delivery) -> None:
        """What a pager has accepted."""
        async with self._writing:
            incident = audience.holder(delivery.dedup_key, self.incidents)
            merged = msgspec.structs.replace(incident, deliveries=(*incident.deliveries, delivery))
            await self._put(merged)
        what, detail = RECORDED[delivery.action], f"{delivery.route} {delivery.dedup_key}"
        await self.event(Transition(merged.key, delivery.seq, delivery.at_ms, what, "accepted", detail))

    async def attach(self, key: str, notes: Sequence[StatusNote]) -> None:
        """What status pages say of an incident."""
        async with self._writing:
            if key not in self.incidents:
                return
            merged = msgspec.structs.replace(self.incidents[key], status_notes=tuple(notes))
            await self._put(merged)
        for note in notes:
            detail = f"{note.name}: {note.words}"
            await self.event(Transition(key, merged.seq, note.at_ms, "status_page", note.indicator, detail))

    async def verify(self, key: str, found: Verified) -> Incident | None:
        """What Lookup says of an incident's numbers; None where the incident is known no more. It is told
        to those who are told of changes, so it counts as one."""
        async with self._writing:
            known = self.incidents.get(key)
            if known is None:
                return None
            people = msgspec.structs.replace(known.people, changes=known.people.changes + 1)
            merged = msgspec.structs.replace(known, seq=known.seq + 1, people=people, verified=found)
            await self._put(merged)
        await self.event(Transition(key, merged.seq, found.at_ms, "verified", "looked_up", words(found)))
        return merged

    async def ask(self, value: bytes | None, bucket_s: int) -> tuple[Heard, Sequence[Change]]:
        """Takes a command after bucket `bucket_s`; taken twice it changes nothing."""
        command = commands.read(value)
        if command is None:
            return Heard.MALFORMED, ()
        async with self._writing:
            if command.what in (Ask.SILENCE, Ask.END_SILENCE):
                return await self._ask_silence(command), ()
            incidents = commands.meant(self.incidents, command)
            if not incidents:
                return Heard.UNKNOWN, ()
            changes = commands.apply_all(incidents, command, bucket_s)
            for change in changes:
                await self._tell(change.transitions)
                await self._put(change.incident)
        return (Heard.TAKEN if changes else Heard.REPEATED), changes

    async def write_again(self, keys: Iterable[str]) -> None:
        """The counts of open incidents, which change without a transition."""
        for key in keys:
            async with self._writing:  # a delivery that is being recorded must not be written over
                if key in self.incidents:
                    await self._put(self.incidents[key])

    async def decided(self, transition: Transition) -> None:
        """One of the detector's, numbered as the stored incident is."""
        known = self.incidents.get(transition.key)
        changes = known.people.changes if known else 0
        await self.event(msgspec.structs.replace(transition, seq=transition.seq + changes))

    async def event(self, transition: Transition) -> None:
        self._remember(transition)
        await self._send(INCIDENT_EVENTS, transition.key.encode(), encode(transition))

    async def file(self, frozen: Frozen) -> None:
        """Evidence: the whole of it in the topic, one line of the log here."""
        await self._send(INCIDENT_EVENTS, frozen.key.encode(), encode(frozen))
        self._remember(frozen.plain)

    def _remember(self, transition: Transition) -> None:
        shown = (*self.events.get(transition.key, ()), transition)[-EVENTS_SHOWN:]
        self.events[transition.key] = shown

    async def _ask_silence(self, command: Command) -> Heard:
        """It holds from the next bucket on."""
        silence = commands.silence_after(self.silences, command)
        if silence is None:
            return Heard.REPEATED if command.silence_id in self.silences else Heard.UNKNOWN
        await self._send(SILENCES, silence.id.encode(), encode(silence))
        self.silences[silence.id] = silence
        log.info("silence %s until %d", silence.id, silence.end_ms)
        return Heard.TAKEN

    async def _put(self, incident: Incident, *, write: bool = True) -> None:
        if write:
            await self._send(INCIDENTS, incident.key.encode(), encode(incident))
        self.incidents[incident.key] = incident

    async def _tell(self, transitions: Iterable[Transition]) -> None:
        """Before the incident is written: what a crash leaves half done is told twice, never not at all.
        The log leaves out the detail, which may be what somebody wrote."""
        for transition in transitions:
            log.info("%s: %s (%s)", transition.key, transition.what, transition.reason)
            await self.event(transition)
