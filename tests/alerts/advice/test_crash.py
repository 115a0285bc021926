"""What senders are told of an incident, whatever happens to the process that tells them.

bucket  0 ........ 30 ========= fault ========= 60 ............ 100
                        hold                         release
"""

from __future__ import annotations

import pytest

from alerts.advice.holds import Holds, Told
from alerts.advice.records import Hold, Release, decoder
from alerts.records import Incident
from alerts.station import Station
from streams.rules import RuleBook
from tests.alerts.test_station import NETWORK, SETTINGS, Kafka, PagerThatAcceptsAll, log_of

BOOK = RuleBook.of(SETTINGS.rules, SETTINGS.sources)
LOG = log_of(NETWORK, 1200)


async def told(crashes: set[int]) -> tuple[list[Told], Incident]:
    """What one partition gets; after each offset in `crashes` another owner takes over, and what had not
    been told by then is lost."""
    kafka, records, low_water = Kafka(), [], 0

    async def publish(batch: list[Told]) -> None:
        records.extend(batch)

    async def owner() -> tuple[Station, Holds]:
        station, holds = (
            Station(SETTINGS, kafka.send, kafka.read, PagerThatAcceptsAll([])),
            Holds(BOOK, publish),
        )
        station.on_known = holds.hear
        await station.restore()
        station._low_water = max(station.low_water, low_water)
        return station, holds

    (station, holds), offset = await owner(), 0
    while offset < len(LOG):
        await station.apply(offset, LOG[offset])
        if offset in crashes:
            crashes, low_water = crashes - {offset}, station.low_water
            (station, holds), offset = await owner(), low_water
        else:
            offset += 1
        if holds._due and offset not in crashes:
            await holds.tell()
    return records, station.board.incidents[0]


@pytest.mark.parametrize("crashes", [set(), {31}, {33, 34, 35}, {58, 61}, {63, 66, 70}])
async def test_an_incident_is_one_hold_and_one_release_and_a_crash_tells_the_same_again(
    crashes: set[int],
) -> None:
    records, incident = await told(crashes)
    hold, release = (decoder.decode(value) for _, value in dict.fromkeys(records))
    assert isinstance(hold, Hold) and isinstance(release, Release)
    assert {key for key, _ in records} == {incident.key.encode()}
    assert (hold.scope, hold.carrier, hold.region) == ("carrier", "c1", "all")
    assert hold.from_ms == release.from_ms == incident.detected_ms
    assert release.until_ms == ((incident.resolved_bucket_s or 0) + 10) * 1000
    assert crashes or len(records) == 2
