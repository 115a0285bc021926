"""People's commands among closing buckets: written before they are known, and no bucket decides otherwise.

bucket  0 ........ 30 ========= fault ========= 60 ............ 100
                        ^opens      ^commands      ^resolves
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import pytest

from alerts.commands import bare
from alerts.records import Delivery, Incident, State
from alerts.station import Station, Take
from streams.commands import Ask, Command, Matcher, Silence, Via
from streams.label_values import Heard
from streams.records import encode
from streams.topics import INCIDENTS, SILENCES
from tests.alerts.test_station import NETWORK, SETTINGS, Kafka, PagerThatAcceptsAll, log_of

LOG = log_of(NETWORK, 1200)
OPENS, ENDS = 36, 90
"""Buckets: open for sure, over for sure."""


class Desk(PagerThatAcceptsAll):
    """Also hears what people do at the pager."""

    def heard(self, delivery: Delivery) -> None:
        self.told[delivery.dedup_key] = delivery.action


class Unread:
    """An inbox with commands that came while nobody owned the log."""

    def __init__(self, values: Iterable[bytes], pager: Desk) -> None:
        self.values, self._pager = list(values), pager
        self.heard: list[Heard] = []
        self.accepted_before: list[tuple[str, str]] | None = None

    async def catch_up(self, take: Take) -> None:
        for value in self.values:
            self.heard.append(await take(value))
        self.accepted_before = list(self._pager.accepted)

    def begin(self, take: Take) -> None:
        self.take = take


async def station_at(bucket: int, kafka: Kafka, *unread: bytes) -> tuple[Station, Desk]:
    """A station that has read the log up to `bucket`, and its pager's answers recorded."""
    pager = Desk([])
    station = Station(SETTINGS, kafka.send, kafka.read, pager, None, Unread(unread, pager))
    await station.restore()
    await feed(station, pager, range(bucket))
    return station, pager


async def feed(station: Station, pager: Desk, buckets: Iterable[int]) -> None:
    for offset in buckets:
        await station.apply(offset, LOG[offset])
        for delivery in pager.waiting:
            await station.record(delivery)
        pager.waiting.clear()


def stored(kafka: Kafka) -> Incident:
    (value,) = kafka.compacted[INCIDENTS].values()
    return msgspec.json.decode(value, type=Incident)


def command(
    what: Ask, key: str, id: str = "1", via: Via = Via.CLI, at_ms: int = 10**13, **more: object
) -> bytes:
    return encode(Command(id, what, at_ms, "ann", via, key, **more))  # type: ignore[arg-type]


def silence(begin_ms: int = 0, end_ms: int = 10**13) -> bytes:
    made = Silence("s", (Matcher("carrier", "=", "c1"),), "bob", "known", begin_ms, end_ms)
    return encode(Command("s", Ask.SILENCE, 1, "bob", Via.CLI, silence=made, silence_id="s"))


async def test_what_is_asked_for_is_written_before_it_counts_as_known() -> None:
    kafka = Kafka()
    station, _ = await station_at(OPENS, kafka)
    key = station.board.incidents[0].key
    before = stored(kafka)
    assert await station.ask(command(Ask.ACKNOWLEDGE, key)) is Heard.TAKEN
    assert stored(kafka).people.acknowledged_by == "ann"
    assert stored(kafka).seq == before.seq + 1
    assert station.board.incidents[0] == stored(kafka)
    assert any(b"acknowledged_by_person" in event for event in kafka.events)


@pytest.mark.parametrize(
    ("value", "heard"),
    [
        (b"no command", Heard.MALFORMED),
        (None, Heard.MALFORMED),
        (command(Ask.NOTE, "ch:nothing"), Heard.UNKNOWN),
        (command(Ask.END_SILENCE, "", silence_id="x"), Heard.UNKNOWN),
    ],
)
async def test_what_can_not_be_taken_changes_nothing(value: bytes | None, heard: Heard) -> None:
    kafka = Kafka()
    station, _ = await station_at(OPENS, kafka)
    before = stored(kafka)
    assert await station.ask(value) is heard
    assert stored(kafka) == before


async def test_a_command_that_comes_again_after_a_restart_is_a_repeat() -> None:
    kafka = Kafka()
    station, _ = await station_at(OPENS, kafka)
    note = command(Ask.NOTE, station.board.incidents[0].key, text="once")
    assert await station.ask(note) is Heard.TAKEN
    restarted, _ = await station_at(0, kafka, note, silence(), silence())
    assert restarted._inbox.heard == [Heard.REPEATED, Heard.TAKEN, Heard.REPEATED]
    assert len(stored(kafka).people.notes) == 1


@pytest.mark.parametrize("at", [OPENS, 45, 58, 62])
async def test_no_bucket_decides_otherwise_because_of_what_people_do(at: int) -> None:
    undisturbed, plain = await station_at(len(LOG), Kafka())
    kafka = Kafka()
    station, pager = await station_at(at, kafka)
    key = station.board.incidents[0].key
    for n, what in enumerate((Ask.ACKNOWLEDGE, Ask.RESOLVE, Ask.NOTE, Ask.REOPEN)):
        await station.ask(command(what, key, str(n)))
    await feed(station, pager, range(at, len(LOG)))
    (one,), (same,) = station.board.incidents, undisturbed.board.incidents
    alike = {"deliveries": ()}
    assert msgspec.structs.replace(bare(one), **alike) == msgspec.structs.replace(same, **alike)
    assert pager.accepted[-1] == plain.accepted[-1] == ("resolve", key)


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_a_person_resolves_at_the_pager_is_not_triggered_again(restarts: bool) -> None:
    """Also not by a new owner that finds the word unread: it is taken before anybody is paged."""
    kafka = Kafka()
    station, pager = await station_at(45, kafka)
    key = station.board.incidents[0].key
    word = command(Ask.RESOLVE, key, via=Via.PAGERDUTY, pager_id="P")
    if restarts:
        low_water = station.low_water
        station, pager = await station_at(0, kafka, word)
        await feed(station, pager, range(low_water, len(LOG)))
        assert station._inbox.accepted_before == []
        assert pager.accepted == []
    else:
        await station.ask(word)
        await feed(station, pager, range(45, len(LOG)))
        assert pager.accepted == [("trigger", key)]
    assert (stored(kafka).state, stored(kafka).people.closed_by) == (State.RESOLVED, "ann")


async def test_what_opens_under_a_silence_pages_nobody_until_it_ends() -> None:
    start_s = msgspec.json.decode(LOG[0])["bucket_s"]
    kafka = Kafka()
    station, pager = await station_at(0, kafka, silence(end_ms=(start_s + 450) * 1000))
    assert list(kafka.compacted[SILENCES]) == [b"s"]
    await feed(station, pager, range(43))
    assert pager.accepted == []
    assert stored(kafka).people.silence is not None
    await feed(station, pager, range(43, len(LOG)))
    key = stored(kafka).key
    assert pager.accepted == [("trigger", key), ("resolve", key)]


async def test_a_silence_after_the_page_keeps_its_resolve() -> None:
    kafka = Kafka()
    station, pager = await station_at(OPENS, kafka)
    assert await station.ask(silence()) is Heard.TAKEN
    await feed(station, pager, range(OPENS, len(LOG)))
    assert [action for action, _ in pager.accepted] == ["trigger", "resolve"]
    assert [s.id for s in station.board.silences] == ["s"]


async def test_events_are_numbered_as_the_stored_incident_is() -> None:
    kafka = Kafka()
    station, pager = await station_at(OPENS, kafka)
    for n in range(3):
        await station.ask(command(Ask.NOTE, station.board.incidents[0].key, str(n)))
    await feed(station, pager, range(OPENS, ENDS))
    events: list[Mapping[str, object]] = [msgspec.json.decode(e) for e in kafka.events]
    own = [e["seq"] for e in events if e["what"] not in ("page_sent", "page_resolved")]
    assert own == sorted(set(own))
    assert own[-1] == stored(kafka).seq
