"""The alerts station over an in-memory log: what a crash at any bucket may and may not change.

bucket  0 ........ 30 ========= fault ========= 60 ............ 100
                        ^opens   ^pages            ^resolves
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import pytest

from alerts import snapshot
from alerts.observe import MONDAY_S, WEEK_S
from alerts.policy import Policy
from alerts.records import Delivery, Form, Incident, Page, State
from alerts.seen import Seen
from alerts.settings import Alerting, Settings
from alerts.station import NoPager, Station
from streams.clock import WallClock
from streams.http import Readiness
from streams.journal import Assembler, Complete
from streams.metrics import Metrics, Role
from streams.records import Cells, ClosedBucket, SeriesKey, encode
from streams.settings import Clock, Source
from streams.topics import DETECTOR_STATE, INCIDENT_EVENTS, INCIDENTS
from tests.alerts.traffic import RULE, START_S, Fault, Network, names

SETTINGS = Settings(sources=(Source(name="twilio", format="canonical", codes="twilio"),))
NETWORK = Network(
    seed=5,
    carriers=names("c", 4),
    regions=names("r", 3),
    rate=60.0,
    faults=(Fault(300, 600, 0.4, carrier="c1"),),
)


def log_of(network: Network, seconds: int) -> list[bytes]:
    """The `windows` topic: one record a bucket."""
    return [
        closed(bucket_s, counts[RULE], i) for i, (bucket_s, counts) in enumerate(network.buckets(seconds))
    ]


def closed(bucket_s: int, counts: Mapping, through: int) -> bytes:
    cells = Cells()
    for (carrier, region), count in counts.items():
        for outcome_class, code, n in (
            ("delivered", "", count.n - count.k),
            ("absent_subscriber", "30003", count.k),
        ):
            if n:
                cells.key.append(len(cells.keys))
                cells.keys.append(SeriesKey("twilio", carrier, region, outcome_class, code))
                cells.bucket_s.append(bucket_s)
                cells.finals.append(n)
                cells.sends.append(0)
    return encode(ClosedBucket(bucket_s, "a", 1, 1, through, through, {}, [], cells))


@dataclass
class Kafka:
    """Topics in memory: compacted ones as dictionaries, the rest as lists."""

    compacted: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)

    async def send(self, topic: str, key: bytes, value: bytes) -> None:
        if topic == INCIDENT_EVENTS:
            self.events.append(value)
        else:
            self.compacted.setdefault(topic, {})[key] = value

    async def read(self, topic: str) -> Mapping[bytes, bytes]:
        return dict(self.compacted.get(topic, {}))


class PagerThatAcceptsAll:
    """Sends what is wanted and not yet recorded, at once, as a reconciler with a healthy pager does."""

    def __init__(self, accepted: list[tuple[str, str]]) -> None:
        self.accepted, self.waiting = accepted, []
        self.told: dict[str, str] = {}

    async def begin(self, incidents: Iterable[Incident], event_now_ms: int) -> None:
        self.told = {d.dedup_key: d.action for i in incidents for d in i.deliveries}

    def want(self, wanted: Iterable[Page]) -> None:
        for page in (p for p in wanted if p.form is Form.KEYED):
            if self.told.get(page.dedup_key, "resolve") != page.action:
                self.told[page.dedup_key] = page.action
                self.accepted.append((page.action, page.dedup_key))
                self.waiting.append(Delivery("pagerduty", page.dedup_key, page.action, page.seq, 1))


async def run(
    log: list[bytes], crashes: set[int], settings: Settings = SETTINGS
) -> tuple[Kafka, list[tuple[str, str]], Station]:
    """Feeds the log; after each offset in `crashes` the owner dies and another one takes over."""
    kafka, accepted = Kafka(), []
    station, pager = await owner(kafka, accepted, settings=settings)
    offset, end = 0, len(log)
    while offset < end:
        await station.apply(offset, log[offset])
        for delivery in pager.waiting:
            await station.record(delivery)
        pager.waiting.clear()
        if offset in crashes:
            crashes = crashes - {offset}
            offset = station.low_water
            station, pager = await owner(kafka, accepted, offset, settings)
        else:
            offset += 1
    return kafka, accepted, station


async def owner(
    kafka: Kafka, accepted: list, committed: int = 0, settings: Settings = SETTINGS
) -> tuple[Station, PagerThatAcceptsAll]:
    pager = PagerThatAcceptsAll(accepted)
    station = Station(settings, kafka.send, kafka.read, pager)
    await station.restore()
    station._low_water = max(station.low_water, committed)  # what the group has committed stays committed
    return station, pager


async def test_one_incident_is_opened_paged_and_resolved_once() -> None:
    _, accepted, station = await run(log_of(NETWORK, 1200), set())
    (incident,) = station.board.incidents
    assert (incident.scope, incident.carrier, incident.state) == ("carrier", "c1", State.RESOLVED)
    assert accepted == [("trigger", incident.key), ("resolve", incident.key)]
    assert [d.action for d in incident.deliveries] == ["trigger", "resolve"]


@pytest.mark.parametrize(
    "crashes", [{29}, {31}, {33, 34, 35}, {45}, {58, 61}, {63, 66, 70}, {90}, set(range(25, 95, 5))]
)
async def test_a_crash_at_any_bucket_pages_nobody_twice_and_misses_nobody(crashes: set[int]) -> None:
    log = log_of(NETWORK, 1200)
    _, expected, undisturbed = await run(log, set())
    kafka, accepted, station = await run(log, crashes)
    assert accepted == expected
    (incident,), (same,) = station.board.incidents, undisturbed.board.incidents
    assert (incident.key, incident.scope, incident.state) == (same.key, same.scope, same.state)
    assert list(kafka.compacted[INCIDENTS]) == [incident.key.encode()]


async def test_the_log_is_committed_only_up_to_a_snapshot() -> None:
    log = log_of(NETWORK, 300)
    kafka, accepted = Kafka(), []
    station, _ = await owner(kafka, accepted)
    for offset, value in enumerate(log):
        before = dict(kafka.compacted.get(DETECTOR_STATE, {}))
        await station.apply(offset, value)
        if kafka.compacted.get(DETECTOR_STATE, {}) == before:
            assert station.low_water <= offset
        else:
            assert station.low_water == offset + 1


async def test_a_replayed_log_decides_nothing_anew() -> None:
    log = log_of(NETWORK, 1200)
    kafka, accepted, _ = await run(log, set())
    events = len(kafka.events)
    station, _ = await owner(kafka, accepted)
    for offset, value in enumerate(log):
        await station.apply(offset, value)
    assert len(accepted) == 2
    assert len(kafka.events) == events


async def test_buckets_that_were_not_delivered_are_read_from_the_log() -> None:
    log = log_of(NETWORK, 1200)
    complete = [c for i, value in enumerate(log) if (c := Assembler().feed(i, value))]
    asked = []

    async def between(after_s: int, before_s: int) -> list[Complete]:
        asked.append((before_s - after_s) // 10 - 1)
        return [c for c in complete if after_s < c.record.bucket_s < before_s]

    kafka, pager = Kafka(), PagerThatAcceptsAll([])
    station = Station(SETTINGS, kafka.send, kafka.read, pager, between)
    await station.restore()
    for offset, value in enumerate(log):
        if offset not in range(25, 45):  # swallowed: the onset of the fault among them
            await station.apply(offset, value)
    assert asked == [20]
    assert [action for action, _ in pager.accepted] == ["trigger", "resolve"]


async def test_what_would_have_been_paged_is_counted_over_crashes_and_told_at_the_end_of_a_week(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log runs over Monday 00:00 UTC with the fault before it; the owner dies in between."""
    observing = msgspec.structs.replace(SETTINGS, alerting=Alerting(mode="observe"))
    shift_s = MONDAY_S + (START_S - MONDAY_S) // WEEK_S * WEEK_S + WEEK_S - 1000 - START_S
    log = [
        closed(bucket_s + shift_s, counts[RULE], i)
        for i, (bucket_s, counts) in enumerate(NETWORK.buckets(1200))
    ]
    kafka = Kafka()
    station = Station(observing, kafka.send, kafka.read, NoPager())
    await station.restore()
    with caplog.at_level("INFO", "alerts.station"):
        for offset, value in enumerate(log):
            if offset == 70:
                station = Station(observing, kafka.send, kafka.read, NoPager())
                await station.restore()
            await station.apply(offset, value)
    told = [r.message for r in caplog.records if r.message.startswith("nobody is paged")]
    assert told == ["nobody is paged; in the last week it would have been 1 page: 1 critical (carrier)"]
    metrics = Metrics(Role.ALERTS)
    clock = WallClock(Clock())
    Seen(station, Readiness(), clock, observing).provide(metrics)
    shown = metrics.render()[0].decode()
    assert 'carrier_health_pages_wanted{severity="critical",scope="carrier"} 1.0' in shown
    assert 'carrier_health_pages_wanted{severity="warning",scope="pair"} 0.0' in shown


async def test_settings_that_change_the_policy_take_effect_at_a_bucket_that_the_snapshot_names() -> None:
    log = log_of(NETWORK, 240)
    kafka = Kafka()
    station, _ = await owner(kafka, [])
    for offset, value in enumerate(log[:12]):
        await station.apply(offset, value)
    stricter = msgspec.structs.replace(SETTINGS, alerting=Alerting(critical_ratio=0.5))
    station = Station(stricter, kafka.send, kafka.read, PagerThatAcceptsAll([]))
    await station.restore()
    for offset, value in enumerate(log[12:], 12):
        await station.apply(offset, value)
    held = snapshot.restore(kafka.compacted[DETECTOR_STATE].values())
    assert held.policy == Policy.of(stricter) != Policy.of(SETTINGS)
    assert held.policy_from_s == START_S + 120


STORMY = Network(
    seed=5,
    carriers=names("c", 12),
    regions=names("r", 3),
    rate=120.0,
    faults=(Fault(300, 600, 0.4, carrier="c1"), Fault(300, 700, 0.4, carrier="c2")),
)


@pytest.mark.parametrize("crashes", [set(), {31}, {33, 34, 35}, {60, 63, 66, 71}])
async def test_a_storm_is_one_page_whatever_crashes(crashes: set[int]) -> None:
    """Two at once, and one may page by itself: the summary opens with the first and ends with the last."""
    limited = msgspec.structs.replace(SETTINGS, alerting=Alerting(storm_opens=1))
    _, accepted, station = await run(log_of(STORMY, 1200), crashes, limited)
    assert {i.storm for i in station.board.incidents if i.plain_key_used} == {accepted[0][1]}
    assert [(action, key[:9]) for action, key in accepted] == [
        ("trigger", "ch:storm:"),
        ("resolve", "ch:storm:"),
    ]
    told = [d.action for i in station.board.incidents for d in i.deliveries]
    assert told == ["trigger", "resolve"]


async def test_the_baseline_shown_is_the_ratio_that_is_normal_for_each_series() -> None:
    _, _, station = await run(log_of(NETWORK, 300), set())
    metrics = Metrics(Role.ALERTS)
    Seen(station, Readiness(), WallClock(Clock()), SETTINGS).provide(metrics)
    shown = dict(metrics.baseline_failure_ratio.items())
    series = {(carrier, region, RULE) for carrier in NETWORK.carriers for region in NETWORK.regions}
    assert set(shown) == series
    assert all(0 < ratio < 0.1 for ratio in shown.values())
    station.stand_by()
    assert list(metrics.baseline_failure_ratio.items()) == []
