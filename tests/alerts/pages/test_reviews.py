"""The review as a page, over real HTTP: every format, nobody's number, and a Kafka that does not answer."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest

from alerts.pages import PageData, pages
from alerts.pages.reviews import Reviews
from alerts.records import Incident
from alerts.review import render
from alerts.review.report import Review
from streams.errors import MonitorError
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from tests.alerts.review.journal import incident
from tests.alerts.review.reviews import told, whole

INCIDENT = told()
PATH = f"/incidents/{INCIDENT.key}/review"
SENDER = "2025550100"


class Site:
    """Reviews that a test may make slow, or impossible."""

    def __init__(self) -> None:
        self.made = 0
        self.error: Exception | None = None

    async def make(self, one: Incident, known: Sequence[Incident]) -> Review:
        self.made += 1
        if self.error is not None:
            raise self.error
        return whole(one)

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, dict(e.headers), e.read().decode()

    url = ""


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    data = PageData((INCIDENT,), {}, None, 0)
    with HttpServer(Metrics(Role.ALERTS), Readiness(), plugs=[pages(lambda: data, "", one.make)]) as server:
        one.url = server.url
        yield one


def test_the_page_holds_the_plots_and_lets_a_browser_do_nothing_else(site: Site) -> None:
    status, headers, body = site.get(PATH)
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert body.count("<svg") == 5 and "<script" not in body
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("kind", "words"), [("md", "# Incident review"), ("json", '"v": 1'), ("csv", "time_utc")]
)
def test_the_other_formats_are_files_to_save(site: Site, kind: str, words: str) -> None:
    status, headers, body = site.get(f"{PATH}.{kind}")
    assert status == 200 and words in body and SENDER not in body
    assert headers["Content-Disposition"] == f'attachment; filename="incident-review.{kind}"'
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_sender_is_shown_as_nobody_is_asked_who_he_is(site: Site) -> None:
    assert SENDER in render.json(whole(INCIDENT))
    assert SENDER not in site.get(PATH)[2]


def test_the_one_for_customers_names_nobody(site: Site) -> None:
    body = site.get(f"{PATH}?redact=1")[2]
    assert "bob" not in body and "bob" in site.get(PATH)[2]


def test_the_incident_page_leads_to_it(site: Site) -> None:
    assert f'href="{PATH}"' in site.get(f"/incidents/{INCIDENT.key}")[2]
    data = PageData((INCIDENT,), {}, None, 0)
    with HttpServer(Metrics(Role.ALERTS), Readiness(), plugs=[pages(lambda: data)]) as server:
        site.url = server.url
        assert "/review" not in site.get(f"/incidents/{INCIDENT.key}")[2]
        assert site.get(PATH)[0] == 404


@pytest.mark.parametrize("path", ["/incidents/nothing/review", f"{PATH}.exe", "/incidents/<script>/review"])
def test_what_does_not_exist_is_not_found(site: Site, path: str) -> None:
    status, _, body = site.get(quote(path))
    assert status == 404 and "<script" not in body
    assert site.made == 0


def test_a_kafka_that_can_not_be_read_is_told_and_tried_again(site: Site) -> None:
    site.error = MonitorError("Kafka at <b> is not reached")
    status, _, body = site.get(PATH)
    assert status == 503 and "Kafka at &lt;b&gt; is not reached" in body
    site.error = None
    assert site.get(PATH)[0] == 200


def test_many_who_ask_at_once_cost_one_reading(site: Site) -> None:
    for path in (PATH, f"{PATH}.md", f"{PATH}?redact=1"):
        assert site.get(path)[0] == 200
    assert site.made == 1


async def test_a_reading_that_takes_too_long_is_given_up() -> None:
    async def never(one: Incident, known: Sequence[Incident]) -> Review:
        await asyncio.Event().wait()
        raise AssertionError

    reviews, began = Reviews(never, timeout_s=0.05), time.monotonic()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await reviews.of(incident(), ())
    assert time.monotonic() - began < 5
