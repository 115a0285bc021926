"""What the pages show of people: who looks after it, what is silenced and until when, what was said."""

from __future__ import annotations

from alerts.records import Delivery, Incident, Note, People, Severity, Silenced, State, Transition
from streams.commands import Matcher, Silence, SilenceKind
from tests.alerts.pages.test_pages import EVIL, NOW_MS, OPEN, OPENED_S, Site, incident, site, words

__all__ = ["site"]

UNTIL_MS = NOW_MS + 3_600_000
SILENCED = Silenced("5b1c0e2a", UNTIL_MS, "bob", f"known {EVIL}")
SILENCE = Silence(
    "5b1c0e2a",
    (Matcher("carrier", "=~", "310-.*"), Matcher("severity", "=", "warning")),
    "bob",
    f"announced {EVIL}",
    NOW_MS,
    UNTIL_MS,
    SilenceKind.MAINTENANCE,
)


def of(people: People, **more: object) -> Incident:
    return incident(people=people, **more)


def shown(site: Site, one: Incident) -> tuple[str, str]:
    """The list and the incident's own page."""
    site.data = site.data._replace(incidents=(one,))
    return words(site.get("/incidents")[2]), words(site.get(f"/incidents/{one.key}")[2])


def test_who_looks_after_it_is_on_both_pages(site: Site) -> None:
    for page in shown(site, of(People(acknowledged_ms=NOW_MS, acknowledged_by="ann"))):
        assert "acknowledged by ann" in page


def test_a_silenced_incident_says_until_when_by_whom_and_why(site: Site) -> None:
    listed, own = shown(site, of(People(silence=SILENCED)))
    assert "silenced until 2023-11-14 23:23:20 UTC by bob" in listed
    assert "silenced until 2023-11-14 23:23:20 UTC by bob : known" in own.replace("bob:", "bob :")


def test_what_is_over_is_neither_silenced_nor_closed_by_a_person(site: Site) -> None:
    people = People(silence=SILENCED, closed_ms=NOW_MS, closed_by="ann", closed_severity=Severity.WARNING)
    assert "closed by ann" in shown(site, of(people))[0]
    over = shown(site, of(people, state=State.RESOLVED, resolved_bucket_s=OPENED_S + 60))[0]
    assert "closed by" not in over and "silenced until" not in over


def test_notes_and_the_verdict_are_shown_and_escaped(site: Site) -> None:
    people = People(
        notes=(Note(NOW_MS, "ann", f"ticket 4711 {EVIL}", "cli"),),
        verdict="too_late",
        verdict_by="bob",
        pager_url="https://acme.pagerduty.com/incidents/PGR0VU2",
    )
    site.data = site.data._replace(incidents=(of(people),))
    html = site.get(f"/incidents/{OPEN.key}")[2]
    assert "Notes ann, 2023-11-14 22:23:20 UTC ticket 4711" in words(html)
    assert "Verdict: too late, by bob" in words(html)
    assert 'href="https://acme.pagerduty.com/incidents/PGR0VU2"' in html
    assert EVIL not in html


def test_what_is_silenced_is_listed_with_its_end(site: Site) -> None:
    assert "Silenced" not in site.get("/incidents")[2]
    site.data = site.data._replace(silences=(SILENCE,))
    html = site.get("/incidents")[2]
    assert "carrier=~310-.* severity=warning maintenance 5b1c0e2a" in words(html)
    assert "2023-11-14 23:23:20 UTC bob announced" in words(html)
    assert EVIL not in html


def test_the_api_tells_the_same(site: Site) -> None:
    site.data = site.data._replace(silences=(SILENCE,))
    told = site.json("/api/v1/silences")
    assert told["now_ms"] == NOW_MS
    (one,) = told["silences"]
    assert (one["id"], one["end_ms"], one["kind"]) == ("5b1c0e2a", UNTIL_MS, "maintenance")
    assert site.json("/api/v1/incidents")["silences"] == told["silences"]


def test_the_timeline_says_who_and_whose_time_it_is(site: Site) -> None:
    by_ann = Delivery("pagerduty", OPEN.key, "resolve", 3, NOW_MS - 100_000, by="ann")
    entry = Transition(OPEN.key, 3, NOW_MS - 100_000, "closed", "closed_by_person", "known", "ann")
    one = incident(deliveries=(*OPEN.deliveries, by_ann))
    site.data = site.data._replace(incidents=(one,), transitions={one.key: (entry,)})
    page = words(site.get(f"/incidents/{one.key}")[2])
    assert "2023-11-14 22:21:40 UTC wall time closed ann · closed by person · known" in page
    assert f"ann at pagerduty: resolve {OPEN.key}" in page
    assert "Pages sent 2" in page, "what a person does at the pager wakes nobody"
