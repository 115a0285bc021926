"""Times in records: ISO 8601 and the dates of SMPP receipts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decode.times import receipt_ms, zoned_ms

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    "text, moment",
    [
        ("2607171206", "2026-07-17T12:06:00Z"),
        ("171018125628", "2017-10-18T12:56:28Z"),  # jookies/jasmin#625
        ("201906190720", "2019-06-19T07:20:00Z"),  # jookies/jasmin#753: month 19 there is none
        ("202012311159", "2020-12-31T11:59:00Z"),
        ("20260717120601", "2026-07-17T12:06:01Z"),
        ("180711070003912+", "2018-07-11T04:00:03.900Z"),  # funbox/smppex#46
        ("180711070000012+", "2018-07-11T04:00:00Z"),  # the done date beside it, which is earlier
        ("180711070003900-", "2018-07-11T07:00:03.900Z"),
        ("180711070003020-", "2018-07-11T12:00:03Z"),
    ],
)
def test_dates_of_receipts_come_in_many_lengths(text: str, moment: str) -> None:
    assert receipt_ms(text, UTC) == ms(moment)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0000000000", "000000000000", "ND", "2613171206", "2607321206", "2607172560", "991332010101",
     "171018125661", "02607171206", "260717120", "19990717120000", "180711070003999+", "000011070003912R",
     "٢٦٠٧١٧١٢٠٦", "2607171206 "],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert receipt_ms(text, UTC) is None


def test_a_date_without_a_zone_is_a_time_where_the_zone_is_known() -> None:
    assert receipt_ms("2607171406", BERLIN) == ms("2026-07-17T12:06:00Z")
    assert receipt_ms("2601171306", BERLIN) == ms("2026-01-17T12:06:00Z")
    assert receipt_ms("2607171406", None) is None


def test_an_absolute_time_needs_no_zone() -> None:
    assert receipt_ms("180711070003912+", None) == receipt_ms("180711070003912+", BERLIN)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.integers(-47, 47))
def test_every_minute_is_read_back(moment: datetime, quarters: int) -> None:
    away = timezone(timedelta(minutes=15 * quarters))
    whole = moment.replace(second=0, microsecond=0, tzinfo=away)
    assert receipt_ms(f"{whole:%y%m%d%H%M}", away) == int(whole.timestamp()) * 1000
    absolute = f"{whole:%y%m%d%H%M%S}0{abs(quarters):02d}{'-' if quarters < 0 else '+'}"
    assert receipt_ms(absolute, None) == int(whole.timestamp()) * 1000


@given(st.text("0123456789+-R", max_size=18))
def test_any_digits_are_a_time_or_none(text: str) -> None:
    for zone in (None, BERLIN):
        found = receipt_ms(text, zone)
        assert found is None or found > 0


@pytest.mark.parametrize(
    "text, zone, expected",
    [
        ("2026-07-17 14:06:00.250000", BERLIN, "2026-07-17T12:06:00.250Z"),
        ("2026-07-17T12:06:00Z", None, "2026-07-17T12:06:00Z"),
        ("2026-07-17T14:06:00+02:00", UTC, "2026-07-17T12:06:00Z"),
        ("2026-07-17 14:06:00", None, None),
        ("2026-07-17", UTC, None),
        ("", UTC, None),
        ("soon after noon", UTC, None),
    ],
)
def test_iso_8601_tells_its_zone_or_is_in_the_given_one(
    text: str, zone: ZoneInfo | None, expected: str | None
) -> None:
    assert zoned_ms(text, zone) == (ms(expected) if expected else None)
