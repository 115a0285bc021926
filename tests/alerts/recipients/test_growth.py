"""Which senders and campaigns put recipients on the list all of a sudden."""

from __future__ import annotations

from alerts.recipients.growth import HOUR_S, Campaign, Growing, Growth

NOW_S = 1_784_289_600
DAY_S = 86_400
SPRING, CODES = Campaign("+12025550123", "spring"), Campaign("+12025550123", "codes")


def counted(campaign: Campaign, n: int, days_ago: int = 0) -> list[tuple[int, Campaign, int]]:
    return [((NOW_S - days_ago * DAY_S) // HOUR_S, campaign, n)]


def test_a_campaign_that_was_quiet_grows_with_twenty_in_a_day() -> None:
    assert Growth(counted(SPRING, 19)).growing(NOW_S) == []
    assert Growth(counted(SPRING, 20)).growing(NOW_S) == [Growing(SPRING, 20, 0.0)]


def test_as_many_as_every_day_is_no_growth() -> None:
    usual = [row for day in range(1, 7) for row in counted(CODES, 30, day)]
    assert Growth([*usual, *counted(CODES, 119)]).growing(NOW_S) == []
    assert Growth([*usual, *counted(CODES, 120)]).growing(NOW_S) == [Growing(CODES, 120, 30.0)]


def test_campaigns_of_one_sender_are_told_apart_and_a_week_is_forgotten() -> None:
    growth = Growth([*counted(SPRING, 25), *counted(CODES, 1), *counted(CODES, 500, 8)])
    assert [(g.campaign, g.day, g.usual) for g in growth.days(NOW_S)] == [(SPRING, 25, 0.0), (CODES, 1, 0.0)]
    growth.add(NOW_S, CODES)
    growth.forget(NOW_S + 8 * DAY_S)
    assert growth.days(NOW_S) == []
