"""From when to when an incident holds retries, of what, and what senders are told of it.

s       0      100      400      600     900
state          opened   wider    resolved
spells         [ pair  )[carrier )
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from alerts.advice.held import KNOWN_AFTER_MS, Held, Latest
from alerts.advice.holds import RETOLD_MS, Holds, Told
from alerts.advice.records import Hold, Release, decoder
from alerts.records import Incident
from alerts.spells import MOST_SPELLS, Spell, Where, followed
from streams.errors import Unreachable
from streams.records import SeriesKey
from streams.rules import RuleBook
from streams.settings import DEFAULT_RULES, Rule, Source
from tests.alerts.incidents import OPENED_S, incident

T0_MS = OPENED_S * 1000
PAIR, CARRIER = Where("pair", "310-260", "US"), Where("carrier", "310-260", "all")
SHORT_CODE, NUMBER = "24273", "+1202•••0100"
BOOK = RuleBook.of(
    [*DEFAULT_RULES, Rule(name="mine", classes=("route",))],
    [Source(name="west", format="canonical", codes="twilio"), Source(name="smpp", format="smpp-receipt")],
)


def at(seconds: int) -> int:
    return T0_MS + seconds * 1000


def spells(*moves: tuple[int, Where | None]) -> tuple[Spell, ...]:
    made: tuple[Spell, ...] = ()
    for seconds, where in moves:
        made = followed(made, where, at(seconds))
    return made


def holding(*made: Spell, rule: str = "twilio_30003", key: str = "") -> Incident:
    one = incident(rule=rule, spells=made)
    return msgspec.structs.replace(one, key=key or f"ch:{rule}:pair:310-260:US:{OPENED_S}")


def held(*incidents: Incident, until_s: int = 10_000) -> Held:
    return Held(incidents, OPENED_S + until_s - 10, BOOK)


def failure(
    carrier: str = "310-260", region: str = "US", code: str = "30003", source: str = "west"
) -> SeriesKey:
    return SeriesKey(source, carrier, region, "absent_subscriber", code)


TIMES_S = (99, 100, 399, 400, 599, 600, 899, 900)
STORY = spells((100, PAIR), (200, PAIR), (400, CARRIER), (600, None), (610, None), (900, PAIR))


def test_a_spell_lasts_until_its_scope_changes_or_it_is_over_and_the_same_again_changes_nothing() -> None:
    assert (
        Spell(at(100), at(400), *PAIR),
        Spell(at(400), at(600), *CARRIER),
        Spell(at(900), 0, *PAIR),
    ) == STORY


def test_an_incident_that_never_settles_keeps_its_newest_spells() -> None:
    restless = spells(*((i, PAIR if i % 2 else None) for i in range(1000)))
    assert len(restless) == MOST_SPELLS and restless[-1] == Spell(at(999), 0, *PAIR)


def test_what_fails_is_held_by_what_was_open_and_known_at_that_time() -> None:
    known_s = KNOWN_AFTER_MS // 1000
    seen = held(holding(*STORY))
    drawn = {s: seen.by(failure(), NUMBER, at(s + known_s)) is not None for s in TIMES_S}
    assert drawn == {99: False, 100: True, 399: True, 400: True, 599: True, 600: False, 899: False, 900: True}


def test_it_is_held_in_the_scope_of_that_time_and_by_the_codes_of_the_rule_alone() -> None:
    seen = held(holding(*STORY))
    wide, narrow = at(500), at(300)
    assert seen.by(failure(region="CA"), NUMBER, wide) and not seen.by(failure(region="CA"), NUMBER, narrow)
    assert not seen.by(failure(carrier="311-480"), NUMBER, wide)
    assert not seen.by(failure(code="30005"), NUMBER, wide), "another code than the rule's"
    assert not seen.by(failure(source="smpp"), NUMBER, wide), "a source that the rule does not look at"
    everywhere = held(holding(*spells((100, Where("global", "all", "all")))))
    assert everywhere.by(failure("311-480", "DE"), NUMBER, at(300))


def test_where_several_hold_it_the_first_one_opened_is_named() -> None:
    late, early = holding(*spells((200, PAIR)), key="late"), holding(*spells((100, CARRIER)), key="early")
    assert (
        held(late, early).by(failure(), NUMBER, at(300))
        == held(early, late).by(failure(), NUMBER, at(300))
        == "early"
    )


def test_where_senders_are_at_fault_only_theirs_is_held() -> None:
    bad = Where("sender", "310-260", "US", (SHORT_CODE,))
    seen = held(holding(*spells((100, bad), (400, PAIR))))
    drawn = {
        (s, at_s): bool(seen.by(failure(), s, at(at_s))) for s in (SHORT_CODE, NUMBER) for at_s in (300, 500)
    }
    assert drawn == {
        (SHORT_CODE, 300): True,
        (NUMBER, 300): False,
        (SHORT_CODE, 500): True,
        (NUMBER, 500): True,
    }


def test_what_is_not_decided_yet_is_not_known() -> None:
    seen = held(holding(*STORY), until_s=300)
    assert seen.knows(at(300) + KNOWN_AFTER_MS) and not seen.knows(at(300) + KNOWN_AFTER_MS + 1)
    assert not Held((), -1, BOOK).knows(at(0)), "an instance that owns nothing knows nothing"


def test_another_thread_sees_what_is_held_as_soon_as_the_station_shows_it() -> None:
    shown: list[tuple[tuple[Incident, ...], int]] = [((), -1)]
    latest = Latest(lambda: shown[-1], BOOK)
    assert not latest().knows(at(0))
    shown.append(((holding(*STORY),), OPENED_S + 990))
    assert latest().by(failure(), NUMBER, at(300)) and latest() is latest()


class Partition:
    """What one partition was given, and how often."""

    def __init__(self) -> None:
        self.records: list[Told] = []

    async def publish(self, records: list[Told]) -> None:
        self.records += records

    @property
    def values(self) -> list[Hold | Release]:
        return [decoder.decode(value) for _, value in self.records]  # type: ignore[misc]


async def heard(holds: Holds, incidents: list[Incident], bucket_s: int) -> None:
    holds.hear(incidents, bucket_s)
    if holds._due:
        await holds.tell()


async def test_each_change_is_told_once_with_the_key_of_the_incident() -> None:
    log = Partition()
    holds = Holds(BOOK, log.publish)
    for until_s, many in ((110, 1), (120, 1), (410, 2), (610, 2), (620, 2), (910, 3)):
        now = [s for s in STORY[:many] if s.from_ms < at(until_s)]
        if until_s < 600 and now:
            now[-1] = now[-1]._replace(until_ms=0)
        await heard(holds, [holding(*now)], OPENED_S + until_s - 10)
    key = holding().key
    assert {k for k, _ in log.records} == {key.encode()}
    names = ("twilio_30003", *PAIR, ("west",), ("30003",), ())
    assert log.values == [
        Hold(key, *names, at(100)),
        Hold(key, "twilio_30003", *CARRIER, ("west",), ("30003",), (), at(400)),
        Release(key, at(400), at(600)),
        Hold(key, *names, at(900)),
    ]


async def test_an_owner_that_takes_over_tells_the_same_again_but_not_what_is_long_over() -> None:
    open_one, over = (
        holding(*spells((100, PAIR)), key="a"),
        holding(*spells((100, PAIR), (600, None)), key="b"),
    )
    first, second, late = Partition(), Partition(), Partition()
    for log in (first, second):
        await heard(Holds(BOOK, log.publish), [open_one, over], OPENED_S + 700)
    assert first.records == second.records and [r.incident for r in first.values] == ["a", "b"]
    await heard(Holds(BOOK, late.publish), [open_one, over], OPENED_S + 700 + RETOLD_MS // 1000)
    assert [r.incident for r in late.values] == ["a"]


async def test_what_could_not_be_told_is_told_later_as_it_is_then() -> None:
    log, refused = Partition(), []

    async def publish(records: list[Told]) -> None:
        if not refused:
            refused.append(records)
            raise Unreachable("Kafka", "nowhere", "telling")
        await log.publish(records)
        told.set()

    told, holds = asyncio.Event(), Holds(BOOK, publish)
    holds.hear([holding(*spells((100, PAIR)))], OPENED_S + 100)
    with pytest.raises(Unreachable):
        await holds.tell()
    holds.hear([holding(*spells((100, PAIR), (600, None)))], OPENED_S + 600)
    running = asyncio.create_task(holds.run())
    await told.wait()
    running.cancel()
    assert log.values == [Release(holding().key, at(100), at(600))]


async def test_a_rule_that_is_configured_no_more_still_releases() -> None:
    log = Partition()
    gone = holding(*spells((100, PAIR), (600, None)), rule="gone")
    await heard(Holds(BOOK, log.publish), [gone], OPENED_S + 700)
    assert log.values == [Release(gone.key, at(100), at(600))]
    assert held(gone).by(failure(), NUMBER, at(300)) is None
