"""What status pages said stays with the incident, and goes into what its pager is told next."""

from __future__ import annotations

import msgspec

from alerts.causes import StatusNote
from alerts.paging import pages
from alerts.records import Incident, State
from alerts.station import Station
from streams.topics import INCIDENTS
from tests.alerts.test_station import NETWORK, SETTINGS, Kafka, PagerThatAcceptsAll, log_of

NOW_MS = 1_800_000_000_000


async def test_notes_are_kept_with_the_incident_and_go_into_what_is_told_next() -> None:
    kafka = Kafka()
    station = Station(SETTINGS, kafka.send, kafka.read, PagerThatAcceptsAll([]))
    opened: list[Incident] = []
    station.on_opened = opened.append
    await station.restore()
    note = StatusNote("twilio", NOW_MS, "major", "Partial System Outage")
    for offset, record in enumerate(log_of(NETWORK, 900)):
        before = len(opened)
        await station.apply(offset, record)
        if len(opened) > before:
            await station.attach(opened[-1].key, (note,))
    (one,) = station.board.incidents
    assert [i.key for i in opened] == [one.key]
    assert one.state is State.RESOLVED and one.status_notes == (note,)
    stored = msgspec.json.decode(kafka.compacted[INCIDENTS][one.key.encode()], type=Incident)
    assert stored.status_notes == (note,)
    assert [t.detail for t in station.board.transitions[one.key] if t.what == "status_page"] == [
        "twilio: Partial System Outage"
    ]
    assert pages(one)[0].details["status_page_twilio"] == "major: Partial System Outage"


async def test_who_has_lost_the_log_shows_nothing_until_it_is_given_back() -> None:
    kafka = Kafka()
    station = Station(SETTINGS, kafka.send, kafka.read, PagerThatAcceptsAll([]))
    await station.restore()
    for offset, record in enumerate(log_of(NETWORK, 400)):
        await station.apply(offset, record)
    (one,) = station.board.incidents
    station.stand_by()
    assert station.board.incidents == () and station.board.bucket_s == -1
    await station.attach(one.key, (StatusNote("late", NOW_MS, "none", "All Systems Operational"),))
    assert station.board.incidents == ()
    await station.restore()
    assert [i.key for i in station.board.incidents] == [one.key]


async def test_notes_of_an_incident_that_is_not_known_are_nothing() -> None:
    kafka = Kafka()
    station = Station(SETTINGS, kafka.send, kafka.read, PagerThatAcceptsAll([]))
    await station.restore()
    await station.attach("ch:nobody", (StatusNote("x", 1, "none", "fine"),))
    assert not kafka.compacted and not kafka.events
