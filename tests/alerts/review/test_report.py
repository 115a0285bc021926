"""What a report says, in every format; what it leaves out for customers; what it does with hostile words."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.records import Note, People, State, Transition
from alerts.review import render, telling
from alerts.review.escape import code, csv_cell, markdown
from alerts.review.evidence import Moment
from alerts.review.redact import redacted
from alerts.review.report import Known, Review, review
from streams.commands import ToldTime
from tests.alerts.review.journal import incident
from tests.alerts.review.reviews import MADE_MS, events, frozen, told, whole
from tests.alerts.review.test_timeline import at

SCHEMA = Path(__file__).parents[3] / "docs" / "review.schema.json"
WHOLE = whole()

HEADINGS = [
    "Summary",
    "What Happened",
    "Impact",
    "Root Causes and Contributing Factors",
    "Trigger",
    "Detection",
    "Resolution",
    "Responders",
    "Timeline",
    "Lessons Learned: How'd We Do?",
    "Action Items",
    "Messaging",
    "Supporting Information",
]
"""Those of PagerDuty's template and of Google's (Site Reliability Engineering, 2016, appendix D)."""


def test_markdown_has_the_headings_of_both_templates_and_prompts_for_people() -> None:
    text = render.markdown(WHOLE)
    assert re.findall(r"^## (.*)", text, re.M) == HEADINGS
    assert re.findall(r"^### (.*)", text, re.M)[:3] == [
        "What Went Well?",
        "What Didn't Go So Well?",
        "Where We Got Lucky",
    ]
    assert text.count("*To fill in: ") == 12
    assert "\n\n\n" not in text and text.endswith(".\n")


@pytest.mark.parametrize(
    "words",
    [
        "| Failed | 14\u202f287 |",
        "29.7 % of the messages failed at T-Mobile US (310-260), all regions",
        "| Time to detect | 40 s | onset to first flag |",
        "| 2023-11-14 22:43:20 UTC ± 10 s | Onset | automatic |",
        "| Mitigated | person | by bob; route changed |",
        "- 2023-11-14 22:48:20 UTC, bob: the carrier has a ticket",
        "| Verdict on the page | useful, by ann |",
        "Carrier: major, Outage in the west",
        "same carrier (310-260)",
        "1 in 7 days, 1 in 30 days, 1 in 90 days",
        "Evidence (close)",
        "Evidence (open)",
        "sample messages ab12",
        "What to do with the failed messages: 120 to be sent again from 2023-11-14 22:46:40 UTC on, as the "
        "incident is over, 85 were held and may be sent again now, 5 to be dropped, 2 by another channel",
    ],
)
def test_markdown_holds_what_the_machine_knows(words: str) -> None:
    assert words in render.markdown(WHOLE)


def test_html_is_one_file_that_asks_nothing_of_the_network() -> None:
    page = render.html(WHOLE)
    assert page.count("<svg") == 5 and page.startswith("\n<!doctype html>".strip())
    assert not re.search(r"<script|<img|<link|<iframe|@import|url\(|\bstyle=|\bon\w+=", page)
    addresses = set(re.findall(r"https?://[^\"'<\s]+", page))
    assert addresses == {"http://www.w3.org/2000/svg", "https://example.org/runbook"}
    assert "javascript:" not in page
    assert "default-src &#39;none&#39;" in page
    for words in ("Failure ratio.", "14\u202f287", "who owns this review", "Highest: "):
        assert words in page


def test_every_chart_says_what_it_shows() -> None:
    page = render.html(WHOLE)
    assert page.count('role="img" aria-labelledby=') == 5
    assert "normal is 2.1 %" in page and re.search(r"At most \d\d\.\d % of outcomes failed in 10 s", page)


class Tags(html.parser.HTMLParser):
    """Checks that tags are closed in order."""

    VOID = ("meta", "line", "path", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("one", [WHOLE, redacted(WHOLE)])
def test_html_is_well_formed(one: Review) -> None:
    tags = Tags()
    tags.feed(render.html(one))
    assert tags.open == []


def test_the_published_schema_is_that_of_the_code() -> None:
    text = json.dumps(render.schema(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        SCHEMA.write_text(text)
    assert SCHEMA.read_text() == text, "run the tests once with UPDATE_DOCS=1"


def test_json_is_the_whole_record_and_fits_its_schema() -> None:
    text = render.json(WHOLE)
    assert msgspec.json.decode(text, type=Review) == WHOLE
    fields = set(json.loads(text))
    published = json.loads(SCHEMA.read_text())
    assert fields == set(published["$defs"]["Review"]["properties"])


def test_csv_holds_the_series_of_every_group() -> None:
    rows = list(csv.DictReader(io.StringIO(render.csv_table(WHOLE))))
    assert {row["group"] for row in rows} == {"own", "neighbours", "region", "everything"}
    own = [row for row in rows if row["group"] == "own"]
    assert own[0]["time_utc"] == "2023-11-14T22:13:30+00:00" and own[0]["step_s"] == "10"
    best = WHOLE.best
    assert best is not None
    assert sum(int(row["failed"]) for row in own) == sum(best.series["own"].failed)
    assert 0 <= float(own[0]["failure_ratio"]) <= 1


def test_an_incident_without_evidence_still_makes_a_report() -> None:
    bare = review(incident(), [], None, Known(), MADE_MS)
    assert bare.impact.first.failed == incident().failed and bare.best is None
    assert "buckets of 10 s are not in the journal" in render.markdown(bare)
    assert "<svg" not in render.html(bare)
    assert render.csv_table(bare).count("\n") == 1
    assert "14\u202f000" in render.markdown(bare)


def test_frozen_evidence_says_in_one_line_what_was_advised() -> None:
    assert events(told())[-1].detail.endswith("failed; advised: 120 retry, 85 hold, 5 stop, 2 other channel")


def test_what_was_just_made_is_used_unless_the_journal_is_shorter() -> None:
    one = told()
    close = frozen(Moment.CLOSE, one)
    fresh = msgspec.structs.replace(close, moment=Moment.NOW)
    short = msgspec.structs.replace(fresh, impact=msgspec.structs.replace(fresh.impact, missing_buckets=9))
    assert review(one, events(one), fresh, Known(), MADE_MS).evidence[0].moment is Moment.NOW
    order = [e.moment.value for e in review(one, events(one), short, Known(), MADE_MS).evidence]
    assert order == ["close", "now", "peak", "open"]


# -- for customers -------------------------------------------------------------------------------

SECRETS = (
    *("ann", "bob", "ticket", "route changed", "311-480", "neighbours", "everything", "+12025550100"),
    *(
        "pagerduty",
        "PD1",
        "runbook",
        "ch:before",
        "0.1.0",
        "ab12",
        "Outage in the west",
        "14 of 48",
        "What to do",
    ),
    *("To fill in", "warning", "Verdict", "verdict on", "useful"),
)


@pytest.mark.parametrize("name", ["md", "html", "csv", "json"])
def test_a_redacted_report_tells_customers_nothing_of_others_or_of_the_house(name: str) -> None:
    text = render.FORMATS[name](redacted(WHOLE))
    body = re.sub(r"<style>.*?</style>", "", text, flags=re.S)
    fields = r'"(evidence|explanation|by_sender|verdict|verdict_by|links)"' if name == "json" else "$^"
    body = re.sub(fields, "", body)
    assert [secret for secret in SECRETS if re.search(rf"\b{re.escape(secret)}", body)] == []
    if name != "csv":
        assert "2.1 %" in body or '"failed": 14287' in body


def test_redacting_twice_is_redacting_once() -> None:
    assert redacted(redacted(WHOLE)) == redacted(WHOLE)


# -- hostile words -------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>|`x`[a](javascript:b) ![i](https://evil.example/x) @all =1+1 $x$ # h"
FORMULA = '=HYPERLINK("https://evil.example","x")'


def hostile(words: str) -> Review:
    people = People(
        notes=(Note(at(2100), words, words, "cli"),),
        verdict="useful",
        verdict_by=words,
        times=(ToldTime("mitigated", at(2900), words, words, at(4000)),),
    )
    one = told(people=people, explanation=words, carrier=words, current_carrier=words, team=words)
    more = Transition(one.key, 9, at(2200), "note", words, words, words, "cli")
    return whole(one, Known((), {}, lambda c: f"{words} ({c})", {words: "https://example.org"}), more)


@pytest.mark.parametrize("redact", [False, True])
def test_hostile_words_are_text_in_html(redact: bool) -> None:
    one = redacted(hostile(HOSTILE)) if redact else hostile(HOSTILE)
    page = render.html(one)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.search(r'href="(?!https://example\.org)', page)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []


@pytest.mark.parametrize("redact", [False, True])
def test_hostile_words_are_text_in_markdown(redact: bool) -> None:
    one = redacted(hostile(HOSTILE)) if redact else hostile(HOSTILE)
    text = render.markdown(one)
    outside = re.sub(r"`[^`\n]*`", "", re.sub(r"\\.", "", text))
    assert "<script" not in outside and "](" not in outside and "@all" not in text
    assert not re.search(r"https?://evil", outside) and "`" not in outside
    tables = [line for line in outside.splitlines() if line.startswith("| ") and "Onset" in line]
    assert [line.count("|") for line in tables] == [5]


@given(st.text(max_size=60))
def test_a_cell_stays_one_cell_and_one_line_whatever_is_written(text: str) -> None:
    shown = markdown(text)
    assert len(shown.splitlines()) <= 1
    assert re.sub(r"\\.", "", shown).count("|") == 0
    assert not re.search(r"[<>`*\[\]]", re.sub(r"\\.", "", shown))
    assert not re.match(r"(#|[-+] |\d+[.)] |=+$)", shown)
    assert code(text).count("`") == 2 and "|" not in code(text)
    assert markdown(shown) == shown


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", " =", "\t=", "\r=", "＝"])
def test_no_cell_is_a_formula(sign: str) -> None:
    assert csv_cell(f"{sign}1+1") == f"'{sign.strip()}1+1"
    table = render.csv_table(hostile(f"{sign}{FORMULA}"))
    cells = {cell for row in csv.reader(io.StringIO(table)) for cell in row}
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(cell.strip().startswith(("=", "+", "@", "＝")) for cell in cells)


def test_numbers_stay_numbers_in_csv() -> None:
    assert (csv_cell(-1), csv_cell(0.5), csv_cell("310-260")) == (-1, 0.5, "310-260")


# -- the sentences -------------------------------------------------------------------------------


def test_an_open_incident_goes_on() -> None:
    one = told(resolved_bucket_s=None, state=State.OPEN)
    text = telling.summary(whole(one))
    assert text.startswith("Since 2023-11-14 22:43:20 UTC (") and "so far), " in text
    assert telling.resolution(whole(one)) == "It is open still."
    assert "on, not before the incident is over, 85 held until it resolves, 5 to" in telling.to_do(whole(one))


def test_who_took_part_is_everybody_who_said_something_and_no_machine() -> None:
    assert telling.responders(WHOLE) == ["ann", "bob"]
