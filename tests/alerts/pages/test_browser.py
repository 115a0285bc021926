"""The pages in a real browser: they open, one acts on them, by keyboard and on a phone, and nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser

from alerts.records import Note, People, Silenced
from alerts.settings import Pages
from tests.alerts.pages.desk import OPEN_TO_ACT, TOKEN, Site, opened, resolved, served
from tests.chromium import DESKTOP, PHONE, Tab, chromium

pytestmark = pytest.mark.needs_chromium

OPEN, OVER = opened(), resolved()
PATH = f"/incidents/{OPEN.key}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture
def site() -> Iterator[Site]:
    with served(Site(OPEN, OVER)) as made:
        yield made


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_every_page_is_whole_and_accessible(
    browser: Browser, site: Site, size: Any, scheme: Literal["light", "dark"]
) -> None:
    tab = Tab(browser, site.url, size, scheme)
    tab.open("/sign-in?next=/incidents")
    assert tab.violations() == []
    tab.sign_in(TOKEN)
    for path in ("/incidents", f"{PATH}?told=note&taken=1", f"/incidents/{OVER.key}/review"):
        assert tab.open(path) == 200
        for summary in tab.page.locator("summary").all():
            summary.click()
        assert not tab.overflows, path
        assert (path, tab.violations()) == (path, [])
    assert tab.wrong == []
    assert tab.open("/incidents/none") == 404 and tab.violations() == []
    tab.close()


def test_a_page_that_refreshes_itself_is_asked_for(browser: Browser, site: Site) -> None:
    """The one rule that is left out: who asks for a refresh each 15 s is not surprised by it."""
    tab = Tab(browser, site.url)
    tab.sign_in(TOKEN, path=PATH)
    assert tab.page.locator("form.act").count() > 0
    tab.page.get_by_role("link", name="Refresh each 15 s").click()
    assert tab.page.locator("form.act").count() == 0, "what is half written would be lost"
    assert tab.violations(without=["meta-refresh"]) == [] and len(tab.violations()) == 1
    tab.page.get_by_role("link", name="stop it").click()
    assert tab.page.url == site.url + PATH
    tab.close()


def test_the_list_is_searched_and_leads_to_an_incident_with_its_plots(browser: Browser, site: Site) -> None:
    tab = Tab(browser, site.url)
    tab.open("/")
    assert "2 of 2 incidents" in tab.text
    tab.page.get_by_label("State").select_option("open")
    tab.page.get_by_label("Carrier, region or rule").fill("t-mobile")
    tab.page.get_by_role("button", name="Show").click()
    assert "1 of 2 incidents" in tab.text and "state=open" in tab.page.url
    tab.page.get_by_role("link", name="T-Mobile US").click()
    names = [image.get_attribute("aria-labelledby") for image in tab.page.get_by_role("img").all()]
    assert names == [f"{n}-title {n}-says" for n in ("ratio", "volume", "codes", "heat", "timeline")]
    for told in (
        "of the messages failed at T-Mobile US",
        "Time to page",
        "Onset",
        "First flag",
        "What to do",
    ):
        assert told in tab.text
    assert tab.page.locator("svg.chart").first.bounding_box()["height"] > 50  # type: ignore[index]
    assert tab.wrong == []
    tab.close()


def test_one_acts_without_script_on_a_phone(browser: Browser, site: Site) -> None:
    tab = Tab(browser, site.url, PHONE, script=False)
    page = tab.page
    tab.open(PATH)
    page.get_by_role("link", name="Sign in to act").click()
    page.get_by_label("Your name").fill("ann")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    assert "The token is wrong" in tab.text and "wrong" not in page.url
    page.get_by_label("Your name").fill("ann")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == site.url + PATH

    page.get_by_label("What you are about to do").fill("calling +12025550123")
    page.get_by_role("button", name="Acknowledge").click()
    assert "acknowledged by ann" in tab.text and "2025550123" not in tab.text
    page.get_by_label("Note").fill("ticket 4711\nsecond line")
    page.get_by_role("button", name="Write the note").click()
    assert "The note is on the incident." in tab.text and "ticket 4711\nsecond line" in tab.text
    page.get_by_label("too late").check()
    page.get_by_role("button", name="Give the verdict").click()
    assert "Verdict: too late, by ann" in tab.text

    page.get_by_text("Correct a time").click()
    page.get_by_label("Which time").select_option("mitigated")
    page.get_by_label("When it really was").fill("2023-11-14T23:01:40")
    page.get_by_label("How you know").fill("rerouted")
    page.get_by_role("button", name="Set the time").click()
    assert "The timeline is changed." in tab.text and "by ann; rerouted" in tab.text
    page.get_by_text("Correct a time").click()
    page.get_by_role("button", name="Take mitigated back").click()
    assert "by ann; rerouted" not in tab.text
    page.get_by_role("button", name="Take the acknowledgement back").click()
    page.get_by_role("button", name="Sign out").click()
    tab.open(PATH)
    assert page.locator("form.act").count() == 0
    assert [c.what.value for c in site.asked] == [
        *("acknowledge", "note", "verdict", "set_time", "set_time", "unacknowledge"),
    ]
    assert {c.author for c in site.asked} == {"ann"} and not tab.overflows
    tab.close()


FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    return [[...document.querySelectorAll('*')].indexOf(one), shown, one.outerHTML.slice(0, 100)];
}"""
CONTROLS = """() => {
    const all = [...document.querySelectorAll('*')];
    const stops = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const first = e => e.type !== 'radio' || e === document.querySelector(`input[name=${e.name}]`);
    return all.filter(e => e.matches(stops) && e.checkVisibility() && first(e)).map(e => all.indexOf(e));
}"""


@pytest.mark.parametrize("path", ["/incidents", PATH, f"{PATH}/review"])
def test_every_control_is_reached_by_tab_and_shows_it(browser: Browser, site: Site, path: str) -> None:
    tab = Tab(browser, site.url)
    tab.sign_in(TOKEN)
    tab.open(path)
    for summary in tab.page.locator("summary").all():
        summary.press("Enter")
    tab.page.evaluate("document.activeElement.blur()")
    left = set(tab.page.evaluate(CONTROLS))
    assert len(left) >= 3
    for _ in range(3 * len(left)):  # a field of a time has several stops
        tab.page.keyboard.press("Tab")
        at, shown, html = tab.page.evaluate(FOCUSED)
        assert shown or html.startswith("<body"), html
        left.discard(at)
    assert left == set()
    tab.close()


EVIL = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "</style></title><script>alert(1)</script>",
    "javascript:alert(1) [x](javascript:alert(1)) ![x](http://evil.example/x.png)",
    '=HYPERLINK("http://evil.example","x")',
    "<!channel> <http://evil.example|x> @everyone",
    "{{ 7 * 7 }} ${alert(1)}",
)


def test_what_others_write_is_harmless(browser: Browser, site: Site) -> None:
    evil = " ".join(EVIL)
    one = opened(
        key=f"ch:{evil}",
        carrier=evil,
        region=evil,
        rule=evil,
        explanation=evil,
        people=People(
            notes=(Note(1, evil, evil, "cli"),),
            acknowledged_ms=1,
            acknowledged_by=evil,
            silence=Silenced("s", 2, evil, evil),
        ),
    )
    site.incidents = {one.key: one}
    tab = Tab(browser, site.url)
    tab.sign_in(TOKEN, name=EVIL[0])
    tab.open("/incidents")
    tab.page.locator("main table a").first.click()
    tab.page.get_by_label("Note").fill(evil)
    tab.page.get_by_role("button", name="Write the note").click()
    injected = tab.page.locator("script, img, iframe, object, embed, link")
    assert tab.text.count(evil) >= 5 and injected.count() == 0
    tab.page.get_by_role("link", name="Review: impact").click()
    assert EVIL[1] in tab.text and injected.count() == 0
    assert site.asked[0].text == evil and site.asked[0].author == EVIL[0]
    assert tab.wrong == []
    tab.close()


def test_another_site_can_lead_here_and_do_nothing(browser: Browser) -> None:
    """`localhost` and 127.0.0.1 are two sites; the session is not sent with what comes from the other one."""
    closed = Pages(token=OPEN_TO_ACT.token, sign_in_to_read=True)
    with served(Site(OPEN), closed) as site:
        tab = Tab(browser, site.url)
        tab.sign_in(TOKEN)
        foreign = site.url.replace("127.0.0.1", "localhost")
        forged = (
            f'<a href="{site.url}{PATH}">page</a><form method="post" action="{site.url}{PATH}">'
            '<input name="what" value="note"><input name="text" value="forged"><button>send</button></form>'
        )
        tab.page.route(f"{foreign}/x", lambda route: route.fulfill(body=forged, content_type="text/html"))
        tab.page.goto(f"{foreign}/x")
        tab.page.get_by_role("link", name="page").click()
        tab.page.get_by_role("heading", name="T-Mobile US").wait_for()
        tab.page.goto(f"{foreign}/x")
        tab.page.get_by_role("button", name="send").click()
        assert "of another site" in tab.text and "forged" not in tab.text and site.asked == []
        tab.close()
