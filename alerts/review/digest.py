"""The week in one page: incidents, how fast, how good the pages were, who was worst. Pure.

Times are shown as median and as the 90th percentile: a mean hides the night on which nobody woke up.
Percentiles are of the nearest rank (no value that nobody has measured).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from alerts.measure import scope_of
from alerts.records import Incident, Severity
from alerts.review.timeline import Durations, Timeline, loud_pages
from streams.commands import Verdict

WEEK_S = 7 * 86_400
MOST_CARRIERS = 10


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds over the incidents of which the time is known."""

    incidents: int
    median_ms: int
    p90_ms: int


class Worst(msgspec.Struct, frozen=True):
    """One carrier, or ALL where incidents spanned several."""

    carrier: str
    incidents: int
    failed: int
    open_s: int


class Digest(msgspec.Struct, frozen=True):
    """Incidents that opened in [from_s, to_s), epoch seconds."""

    from_s: int
    to_s: int
    incidents: int
    by_severity: dict[str, int]
    """As they ended."""
    still_open: int
    reopened: int
    """Openings again within half an hour: flapping."""
    flapping: tuple[str, ...]
    """Keys of the incidents that opened again, the most often first."""
    pages: int
    silenced: int
    verdicts: dict[str, int]
    without_verdict: int
    """Incidents that paged and of which nobody has said what the page was worth."""
    false_share: float | None
    """False pages in those that were judged."""
    times: dict[str, Spread]
    """By duration of `alerts.review.timeline.Durations`, without `to_` and `_ms`."""
    worst: tuple[Worst, ...]
    keys: tuple[str, ...]


class Reviewed(NamedTuple):
    incident: Incident
    timeline: Timeline


def digest(reviewed: Iterable[Reviewed], to_s: int, from_s: int | None = None) -> Digest:
    """Of the incidents that opened in the week before `to_s`, or since `from_s`."""
    from_s = to_s - WEEK_S if from_s is None else from_s
    week = [r for r in reviewed if from_s <= r.incident.opened_bucket_s < to_s]
    week.sort(key=lambda r: (r.incident.opened_bucket_s, r.incident.key))
    incidents = [r.incident for r in week]
    paged = [i for i in incidents if loud_pages(i)]
    verdicts = Counter(i.people.verdict for i in incidents if i.people.verdict)
    judged = sum(verdicts.values())
    return Digest(
        from_s=from_s,
        to_s=to_s,
        incidents=len(incidents),
        by_severity={s.value: sum(i.severity is s for i in incidents) for s in Severity},
        still_open=sum(i.resolved_bucket_s is None for i in incidents),
        reopened=sum(i.reopened for i in incidents),
        flapping=tuple(i.key for i in sorted(incidents, key=lambda i: -i.reopened) if i.reopened),
        pages=sum(len(loud_pages(i)) for i in incidents),
        silenced=sum(i.people.silence is not None for i in incidents),
        verdicts={v.value: verdicts[v.value] for v in Verdict},
        without_verdict=sum(not i.people.verdict for i in paged),
        false_share=verdicts[Verdict.FALSE.value] / judged if judged else None,
        times=spreads([r.timeline.durations for r in week]),
        worst=worst(incidents, to_s),
        keys=tuple(i.key for i in incidents),
    )


TIMES: Mapping[str, Callable[[Durations], int | None]] = {
    "detect": lambda d: d.to_detect_ms,
    "page": lambda d: d.to_page_ms,
    "acknowledge": lambda d: d.to_acknowledge_ms,
    "mitigate": lambda d: d.to_mitigate_ms,
    "resolve": lambda d: d.to_resolve_ms,
}


def spreads(durations: Sequence[Durations]) -> dict[str, Spread]:
    """By kind of time; those that no incident has are left out."""
    known = {name: sorted(ms for d in durations if (ms := of(d)) is not None) for name, of in TIMES.items()}
    return {
        name: Spread(len(times), percentile(times, 0.5), percentile(times, 0.9))
        for name, times in known.items()
        if times
    }


def percentile(ordered: Sequence[int], share: float) -> int:
    """Nearest rank: the smallest value that at least `share` of all do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def worst(incidents: Iterable[Incident], to_s: int) -> tuple[Worst, ...]:
    """Carriers by incidents, then by failures."""
    number, failed, open_s = Counter[str](), Counter[str](), Counter[str]()
    for incident in incidents:
        carrier = scope_of(incident).carrier
        ended_s = to_s if incident.resolved_bucket_s is None else incident.resolved_bucket_s
        number[carrier] += 1
        failed[carrier] += incident.failed
        open_s[carrier] += max(0, ended_s - incident.opened_bucket_s)
    order = sorted(number, key=lambda c: (-number[c], -failed[c], c))
    return tuple(Worst(c, number[c], failed[c], open_s[c]) for c in order[:MOST_CARRIERS])
