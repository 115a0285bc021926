"""The incident pages over real HTTP: what they say, and what they never say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from alerts.pages import PageData, pages, view
from alerts.records import Decision, Delivery, Incident, Severity, State, Transition
from alerts.spells import Where, followed
from alerts.wording import span
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from streams.networks import built_in
from streams.unknown_share import Share

OPENED_S = 1_700_000_000
NOW_MS = (OPENED_S + 600) * 1000
EVIL = "<script>alert(1)</script>"


def incident(key: str = "ch:twilio_30003:carrier:310-260:all:1700000000", **more: Any) -> Incident:
    values: dict[str, Any] = {
        "key": key,
        "seq": 2,
        "rule": "twilio_30003",
        "scope": "carrier",
        "carrier": "310-260",
        "region": "all",
        "state": State.OPEN,
        "severity": Severity.CRITICAL,
        "opened_bucket_s": OPENED_S,
        "detected_ms": (OPENED_S + 10) * 1000,
        "last_bucket_s": OPENED_S + 590,
        "reason": Decision.ABOVE_CRITICAL,
        "onset_ms": (OPENED_S - 20) * 1000,
        "ratio": 0.123,
        "peak_ratio": 0.25,
        "failed": 1234,
        "outcomes": 10_000,
        "distinct_recipients": 1200,
        "deliveries": (
            Delivery("pagerduty", key, "trigger", 1, NOW_MS - 500_000),
            Delivery("pagerduty", f"{key}:critical", "trigger", 2, NOW_MS - 400_000),
            Delivery("pagerduty", key, "resolve", 2, NOW_MS - 399_000),
        ),
    }
    return Incident(**(values | more))


OPEN = incident()
OLD = incident(
    "ch:old", state=State.RESOLVED, opened_bucket_s=OPENED_S - 7200, resolved_bucket_s=OPENED_S - 3600
)
NEWER = incident(
    "ch:newer", state=State.RESOLVED, opened_bucket_s=OPENED_S + 60, resolved_bucket_s=OPENED_S + 90
)
OPENING = Transition(OPEN.key, 1, OPEN.detected_ms, "opened", "spike_over_baseline", "k=12 of n=40")


class Site:
    """A server whose snapshot a test may replace."""

    def __init__(self) -> None:
        self.data = PageData((OLD, OPEN, NEWER), {OPEN.key: (OPENING,)}, None, NOW_MS)

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, dict(e.headers), e.read().decode()

    def json(self, path: str) -> Any:
        return json.loads(self.get(path)[2])

    url = ""


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    plug = pages(lambda: made.data, "https://wiki.example.org/sms")
    with HttpServer(Metrics(Role.ALERTS), Readiness(), plugs=[plug]) as server:
        made.url = server.url
        yield made


def words(html: str) -> str:
    """The text of the page as a reader sees it, spaces as one."""
    body = re.sub(r"<(style|title)>.*?</\1>", "", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def blind(site: Site, why: str = "no counts for 60 s") -> None:
    site.data = site.data._replace(blind=why)


def test_the_list_shows_open_ones_first_then_the_newest(site: Site) -> None:
    status, _, html = site.get("/incidents")
    links = re.findall(r'href="/incidents/([^"]+)"', html)
    assert (status, links) == (200, [OPEN.key, "ch:newer", "ch:old"])
    assert "1 incident is open." in words(html)


def test_a_row_tells_state_severity_what_since_ratio_counts_and_pages(site: Site) -> None:
    row = words(site.get("/incidents")[2].split("<tbody>")[1].split("</tr>")[0])
    assert row == (
        "open critical twilio_30003 at 310-260, all regions 2023-11-14 22:13:20 UTC for 10 min "
        "12.3 % peak 25.0 % 1 234 10 000 2"
    )


def test_one_incident_shows_its_times_and_timeline_in_order(site: Site) -> None:
    status, _, html = site.get(f"/incidents/{OPEN.key}")
    text = words(html)
    assert status == 200
    places = [
        text.index(part)
        for part in (
            "Began, best estimate",
            "spike over baseline · k=12 of n=40",
            f"pagerduty accepted the trigger {OPEN.key}",
            f"{OPEN.key}:critical",
            "pagerduty accepted the resolve",
        )
    ]
    assert places == sorted(places)
    assert "https://wiki.example.org/sms" in html


def test_the_api_gives_the_record_itself(site: Site) -> None:
    listed = site.json("/api/v1/incidents")
    assert (listed["status"], listed["blind"]) == ("incident", None)
    assert [i["key"] for i in listed["incidents"]] == [OPEN.key, "ch:newer", "ch:old"]
    one = site.json(f"/api/v1/incidents/{OPEN.key}")
    assert one["transitions"] == [msgspec.to_builtins(OPENING)]
    known = one["incident"].pop("known")
    assert known and msgspec.convert(one["incident"], Incident) == OPEN


def test_an_unknown_incident_is_a_404_in_both(site: Site) -> None:
    status, _, html = site.get("/incidents/ch:nothing")
    assert status == 404 and "Nothing is known of ch:nothing" in words(html)
    assert site.get("/api/v1/incidents/ch:nothing")[0] == 404
    assert site.json("/api/v1/incidents/ch:nothing") == {"error": "no incident 'ch:nothing'"}


def test_the_list_says_of_which_source_most_outcomes_have_no_carrier(site: Site) -> None:
    shares = (Share("twilio", 900, 1_000), Share("smpp", 10, 1_000), Share("new", 0, 0))
    site.data = PageData((), {}, None, NOW_MS, shares)
    text = words(site.get("/incidents")[2])
    assert "twilio: the carrier is unknown for 90.0 % of the last hour's outcomes (900 of 1 000)" in text
    assert "smpp:" not in text and "new:" not in text
    ratios = site.json("/api/v1/incidents")["carrier_unknown_ratio"]
    assert ratios == {"twilio": 0.9, "smpp": 0.01, "new": 0.0}


def test_carriers_go_by_their_names(site: Site) -> None:
    site.data = site.data._replace(display=built_in().display)
    assert "twilio_30003 at T-Mobile US (310-260), all regions" in words(site.get("/incidents")[2])
    assert "twilio_30003 at T-Mobile US (310-260)" in words(site.get(f"/incidents/{OPEN.key}")[2])


def test_a_quiet_network_is_said_to_be_quiet_by_a_monitor_that_sees(site: Site) -> None:
    site.data = PageData((), {}, None, NOW_MS)
    assert "No incident is open." in words(site.get("/incidents")[2])
    assert site.json("/api/v1/incidents")["status"] == "fine"


def test_a_blind_monitor_says_unknown_and_never_that_all_is_well(site: Site) -> None:
    site.data = PageData((OLD,), {}, "no counts for 60 s", NOW_MS)
    text = words(site.get("/incidents")[2])
    assert "Unknown: the monitor is blind (no counts for 60 s); what carriers do now can not be told" in text
    assert "No incident is open" not in text and "fine" not in text
    assert site.json("/api/v1/incidents")["status"] == "unknown"


def test_an_open_incident_is_unknown_while_the_monitor_is_blind(site: Site) -> None:
    blind(site)
    row = words(site.get("/incidents")[2].split("<tbody>")[1].split("</tr>")[0])
    assert row.startswith("unknown critical")
    assert "the last that were known" in words(site.get(f"/incidents/{OPEN.key}")[2])
    assert site.json(f"/api/v1/incidents/{OPEN.key}")["incident"]["known"] is False


def test_labels_from_outside_can_not_become_html(site: Site) -> None:
    evil = incident(f"ch:r:pair:{EVIL}:a/b c:1", carrier=EVIL, region=EVIL, rule=EVIL)
    site.data = PageData(
        (evil,), {evil.key: (Transition(evil.key, 1, NOW_MS, EVIL, EVIL, EVIL),)}, EVIL, NOW_MS
    )
    listed = site.get("/incidents")[2]
    (path,) = re.findall(r'href="(/incidents/[^"]+)"', listed)
    status, _, shown = site.get(path)
    assert status == 200
    assert EVIL not in listed + shown + site.get("/incidents/" + "%3Cscript%3E")[2]


@pytest.mark.parametrize("path", ["/incidents", f"/incidents/{OPEN.key}", "/incidents/none"])
def test_no_script_runs_and_only_our_style_applies(site: Site, path: str) -> None:
    _, headers, html = site.get(path)
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "<script" not in html and " style=" not in html and " onclick" not in html


@pytest.mark.parametrize("path", ["/incidents", f"/incidents/{OPEN.key}", "/incidents/none"])
def test_the_html_is_whole(site: Site, path: str) -> None:
    """Every tag is closed, tables have headers, and it fits a phone and the dark."""
    html = site.get(path)[2]
    Balanced().feed(html)
    assert '<meta name="viewport" content="width=device-width' in html and '<html lang="en">' in html
    assert "prefers-color-scheme: dark" in html
    assert html.count("<table") == html.count("<thead") and (
        "<table" not in html or html.count('scope="col"') >= 2
    )


class Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (-5, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (3_599_000, "59 min"),
        (3_900_000, "1 h 5 min"),
        (187_200_000, "2 d 4 h"),
    ],
)
def test_a_span_is_told_in_its_largest_units(ms: int, text: str) -> None:
    assert span(ms) == text


def test_an_incident_says_from_when_to_when_it_holds_retries(site: Site) -> None:
    where, t0 = Where("carrier", "310-260", "all"), OPENED_S * 1000
    spells = followed(followed((), where, t0), Where("global", "all", "all"), t0 + 60_000)
    site.data = PageData((incident(spells=spells),), {}, None, NOW_MS)
    assert (
        "are held since 2023-11-14 22:13:20 UTC, until it resolves" in site.get(f"/incidents/{OPEN.key}")[2]
    )
    spells = followed(spells, None, t0 + 120_000)
    assert "from 2023-11-14 22:13:20 UTC to 2023-11-14 22:15:20 UTC" in view.retries(incident(spells=spells))
    assert "since 2023-11-14 22:16:20" in view.retries(incident(spells=followed(spells, where, t0 + 180_000)))
    assert view.retries(incident()) == ""
