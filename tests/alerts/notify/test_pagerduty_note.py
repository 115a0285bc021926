"""A note on an incident at PagerDuty, over real HTTP: what is posted, and what no answer gives away."""

from __future__ import annotations

import pytest

from alerts.notify import Accepted, InDoubt, Refused, Retry
from alerts.notify.pagerduty_note import add_note
from alerts.review import telling
from alerts.settings_routes import PagerDuty
from streams.settings import Secret
from tests.alerts.notify.server import Server, answers, resets, says_what_it_heard
from tests.alerts.review.reviews import whole

TOKEN = "y_NbAkKc66ryYTWUXYEu"


def settings(url: str) -> PagerDuty:
    return PagerDuty(api_url=url, api_token=Secret(TOKEN), api_from="ann@example.org")


async def test_the_review_is_a_note_in_the_name_of_a_user() -> None:
    async with Server(behave=answers(201, "{}")) as server:
        assert await add_note(settings(server.url + "/"), "P/1 ?", telling.note(whole())) == Accepted()
    (request,) = server.requests
    assert request.path == "/incidents/P%2F1%20%3F/notes"
    assert request.headers["authorization"] == f"Token token={TOKEN}"
    assert request.headers["from"] == "ann@example.org"
    assert request.headers["accept"] == "application/vnd.pagerduty+json;version=2"
    content = request.json["note"]["content"]
    assert content.startswith("From 2023-11-14 22:43:20 UTC to 23:03:20 UTC (20 min), 29.7 % of the messages")
    assert "Time to detect: 40 s (onset to first flag)" in content
    assert "Runbook: https://example.org/runbook" in content


@pytest.mark.parametrize(
    ("status", "result"), [(404, Refused), (401, Refused), (429, Retry), (500, Retry), (200, InDoubt)]
)
async def test_what_is_no_note_is_no_success(status: int, result: type) -> None:
    async with Server(behave=answers(status)) as server:
        assert isinstance(await add_note(settings(server.url), "P1", "x"), result)


async def test_no_answer_gives_the_token_away() -> None:
    async with Server(behave=says_what_it_heard) as server:
        answer = await add_note(settings(server.url), "P1", "x")
    assert isinstance(answer, Refused) and TOKEN not in answer.text and "****" in answer.text


async def test_a_connection_that_breaks_leaves_it_in_doubt_and_sends_no_second() -> None:
    async with Server(behave=resets) as server:
        assert isinstance(await add_note(settings(server.url), "P1", "x"), InDoubt)
    assert len(server.requests) == 1
