"""A review in sentences: what a person would say first about an incident. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.records import State
from alerts.review.impact import Estimate, Figures, Impact
from alerts.review.report import Review
from alerts.review.timeline import By, Milestone, Name
from alerts.wording import clock, number, percent, span, words

PROMPTS: dict[str, str] = {
    "owner": "who owns this review",
    "trigger": "what set it off: an outage at the carrier, a change of route, a campaign?",
    "causes": "what made it possible, and what made it worse",
    "resolution": "what ended it, and whether that lasts",
    "responders": "who took part, and who led",
    "well": "what helped",
    "wrong": "what slowed us down",
    "lucky": "what could have made it worse, and did not",
    "actions": "what will be done, by whom, until when, where it is tracked",
    "internal": "for those who ask inside",
    "external": "for customers; the report with --redact may be shown to them",
}
"""What only people know."""


MACHINES = ("linked", "resolved_at_pager")
"""What the pager says by itself."""


def summary(review: Review) -> str:
    """Where, when, how bad, how many; three sentences at most."""
    head, impact = review.head, review.impact
    first, lasted = impact.first, span((impact.to_s - impact.from_s) * 1000)
    when = f"Since {clock(impact.from_s * 1000)} ({lasted} so far)"
    if head.state != State.OPEN:
        until = _time(review, impact.to_s * 1000)
        when = f"From {clock(impact.from_s * 1000)} to {until} ({lasted})"
    share = first.failed / first.attempted if first.attempted else 0.0
    return (
        f"{when}, {percent(share)} of the messages failed at {head.where} ({head.rule}); "
        f"{percent(impact.healthy_ratio.value)} is normal. {excess_words(first)} {people_words(impact)}"
    )


def note(review: Review) -> str:
    """The review in a few plain lines, for a pager."""
    lines = [summary(review), *(f"{name}: {length} ({meant})" for name, length, meant in durations(review))]
    return "\n".join([*lines, *(f"{text}: {url}" for text, url in review.links.items())])


def _time(review: Review, at_ms: int) -> str:
    """Without the date where it is that of the beginning."""
    whole = clock(at_ms)
    return whole[11:] if whole[:10] == clock(review.impact.from_s * 1000)[:10] else whole


def excess_words(figures: Figures) -> str:
    return (
        f"Of {number(figures.attempted)} messages {number(figures.failed)} failed, "
        f"{amount(figures.excess)} more than would have anyway."
    )


def people_words(impact: Impact) -> str:
    text = f"{number(impact.distinct_recipients)} recipients were concerned"
    if not impact.time_critical:
        return f"{text}."
    share = percent(impact.time_critical_share)
    return f"{text}; {number(impact.time_critical)} of the failures ({share}) were time-critical."


def amount(estimate: Estimate) -> str:
    """`about 13 400 (13 100 to 13 700)`."""
    value, low, high = (number(round(x)) for x in (estimate.value, estimate.low, estimate.high))
    return f"about {value} ({low} to {high})"


def to_do(review: Review) -> str:
    """What to do with the failed messages, '' where nothing is known of them."""
    retries = review.best.retries if review.best else None
    if retries is None or not retries.messages:
        return ""
    still = review.head.state == State.OPEN
    until = "not before the incident is over" if still else "as the incident is over"
    parts = [
        (retries.retry, f"to be sent again from {clock(retries.from_ms)} on, {until}"),
        (retries.hold, "held until it resolves" if still else "were held and may be sent again now"),
        (retries.stop, "to be dropped"),
        (retries.other_channel, "by another channel at once"),
    ]
    said = ", ".join(f"{number(n)} {words}" for n, words in parts if n)
    more = "" if retries.whole else " There are more of them than were read."
    return f"What to do with the failed messages: {said}.{more}"


def ratio_range(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def milestone_time(one: Milestone) -> str:
    """The time, and how sure it is."""
    text = clock(one.at_ms)
    if one.early_ms is not None and one.late_ms is not None:
        reach_s = max(one.at_ms - one.early_ms, one.late_ms - one.at_ms) / 1000
        text += f" ± {reach_s:.0f} s"
    return text


def milestone_words(one: Milestone) -> str:
    """What is known of it beside its time."""
    said = [one.author and f"by {one.author}", one.evidence]
    if one.moved_from_ms is not None:
        said.append(f"recorded as {clock(one.moved_from_ms)}, which would run backwards")
    if one.replaces_ms is not None:
        said.append(f"in place of {clock(one.replaces_ms)}")
    return "; ".join(filter(None, said))


def durations(review: Review) -> Iterator[tuple[str, str, str]]:
    """(name, length, how it is meant) of each time that is known."""
    d = review.timeline.durations
    for name, ms, meant in (
        ("Time to detect", d.to_detect_ms, "onset to first flag"),
        ("Time to page", d.to_page_ms, "onset to the pager's acceptance"),
        ("Time to acknowledge", d.to_acknowledge_ms, "page to acknowledgement"),
        ("Time to mitigate", d.to_mitigate_ms, "onset to mitigation, as a person set it"),
        ("Time to resolve", d.to_resolve_ms, "onset to resolution"),
    ):
        if ms is not None:
            yield name, precise(ms), meant


def precise(ms: int) -> str:
    """As `span`, with seconds below an hour: who was paged after 59 s wants to know."""
    seconds = ms // 1000
    return f"{seconds // 60} min {seconds % 60} s" if 60 <= seconds < 3600 else span(ms)


def detection(review: Review) -> str:
    """How it was found."""
    held = {m.name: m for m in review.timeline.milestones}
    flag, page = held.get(Name.FIRST_FLAG), held.get(Name.PAGE_SENT)
    text = f"Found by the monitor at {clock(flag.at_ms)}" if flag else "Found by the monitor"
    if page is not None:
        text += f", paged at {clock(page.at_ms)[11:]}"
    elif not review.redacted:
        text += "; nobody was paged"
    return f"{text}."


def resolution(review: Review) -> str:
    """How it ended, as far as the monitor knows."""
    held = {m.name: m for m in review.timeline.milestones}
    if Name.RESOLVED not in held:
        return "It is open still."
    ended = held.get(Name.RECOVERED)
    back = f"The ratio was back to normal at {milestone_time(ended)}; " if ended else ""
    return f"{back}resolved at {clock(held[Name.RESOLVED].at_ms)}."


def responders(review: Review) -> list[str]:
    """Everybody who has left a word on it."""
    log = (e for e in review.timeline.log if e.by is not By.AUTOMATIC and e.what not in MACHINES)
    named = [e.author for e in log if e.author]
    return list(dict.fromkeys([*named, *(n.author for n in review.notes)]))


def doubts(impact: Impact) -> list[str]:
    """Why the figures may be short."""
    said = [f"The monitor was short of counts: {w}." for w in impact.incomplete]
    if impact.missing_buckets:
        said.append(f"{impact.missing_buckets} buckets of 10 s are not in the journal.")
    return said


def late_words(impact: Impact) -> str:
    """What came after the buckets had closed, '' where nothing did."""
    more = impact.final.attempted - impact.first.attempted
    if not more:
        return ""
    failed, final = impact.final.failed - impact.first.failed, impact.final
    return (
        f"{number(more)} outcomes came late, {number(failed)} of them failed. In the end "
        f"{number(final.failed)} of {number(final.attempted)} failed, {amount(final.excess)} more than would "
        "have anyway."
    )


def name(text: str) -> str:
    """`First flag`."""
    return words(text).capitalize()
