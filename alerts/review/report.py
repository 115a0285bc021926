"""The review of one incident as one record: what a report in any format is made of. Pure.

incident, events, evidence, what is known of others -> Review -> Markdown, HTML, JSON, CSV
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from alerts.measure import scope_of
from alerts.records import Incident, Note, State
from alerts.review import similar
from alerts.review.evidence import Evidence, Frozen, Moment, first_onset_s
from alerts.review.impact import Impact, figures, healthy
from alerts.review.series import Series
from alerts.review.similar import Alike, Mix, Recurrence
from alerts.review.timeline import Timeline, timeline
from alerts.verification import words
from alerts.wording import where
from streams.records import BUCKET_S

REVIEW_VERSION = 1
"""Of the JSON; a field that goes or changes its meaning raises it (docs/review.schema.json)."""
BEST = (Moment.CLOSE, Moment.PEAK, Moment.OPEN)


class Head(msgspec.Struct, frozen=True):
    """Which incident it is. Carrier and region as they are now; `opened_as` as they were."""

    key: str
    rule: str
    scope: str
    carrier: str
    carrier_name: str
    region: str
    opened_as: str
    where: str
    """Carrier and region in words."""
    state: str
    severity: str
    reason: str
    peak_ratio: float
    explanation: str
    reopened: int
    team: str
    verdict: str
    verdict_by: str
    looked_up: str = ""
    """What Lookup said of the failed numbers; '' where none was asked for."""


class Review(msgspec.Struct, frozen=True):
    """Everything that a report says. Times are epoch milliseconds, those of buckets epoch seconds."""

    made_ms: int
    head: Head
    timeline: Timeline
    impact: Impact
    evidence: tuple[Evidence, ...]
    """The one that the report is made of, then those that were frozen."""
    similar: tuple[Alike, ...]
    recurrence: tuple[Recurrence, ...]
    notes: tuple[Note, ...]
    links: dict[str, str]
    """Words and https addresses."""
    redacted: bool = False
    v: int = REVIEW_VERSION

    @property
    def best(self) -> Evidence | None:
        return self.evidence[0] if self.evidence else None


class Known(NamedTuple):
    """What else a review is made of."""

    incidents: Sequence[Incident] = ()
    mixes: Mapping[str, Mix] = {}
    """Code mixes of incidents by key."""
    display: Callable[[str], str] = str
    links: Mapping[str, str] = {}


def review(
    incident: Incident, events: Sequence[Frozen], fresh: Evidence | None, known: Known, made_ms: int
) -> Review:
    """`events` are the incident's own of `incident-events`; `fresh` is made of the journal now, None where
    it holds nothing of the incident any more."""
    frozen = [e.evidence for e in events if e.evidence is not None]
    evidence = ordered(fresh, frozen)
    best = evidence[0] if evidence else None
    return Review(
        made_ms=made_ms,
        head=_head(incident, known.display, _explanation(incident, frozen)),
        timeline=told(incident, events, best),
        impact=best.impact if best else of_record(incident, made_ms),
        evidence=evidence,
        similar=similar.similar(incident, known.incidents, known.mixes),
        recurrence=similar.recurrence(incident, known.incidents),
        notes=incident.people.notes,
        links={words: url for words, url in known.links.items() if url.startswith("https://")},
    )


def told(incident: Incident, events: Sequence[Frozen], best: Evidence | None) -> Timeline:
    """The timeline of what was written down, with onset and recovery as the `best` evidence has them."""
    plain = [e for e in events if e.evidence is None]
    return timeline(incident, plain, best.begun if best else None, best.ended if best else None)


def ordered(fresh: Evidence | None, frozen: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The best first: what was just made, unless the journal is short of buckets that a frozen one had;
    of each moment the newest."""
    newest = {e.moment: e for e in frozen}
    kept = [newest[moment] for moment in BEST if moment in newest]
    if fresh is None:
        return tuple(kept)
    whole = kept and kept[0].impact.missing_buckets < fresh.impact.missing_buckets
    return (kept[0], fresh, *kept[1:]) if whole else (fresh, *kept)


def of_record(incident: Incident, made_ms: int) -> Impact:
    """What the incident itself has counted, where no bucket of it is left."""
    from_s = first_onset_s(incident)
    ended = incident.resolved_bucket_s
    to_s = made_ms // 1000 if ended is None or incident.state is not State.RESOLVED else ended + BUCKET_S
    normal = healthy(incident, Series(from_s, BUCKET_S, (), ()))
    own = figures(incident.outcomes, incident.failed, normal)
    return Impact(
        from_s=from_s,
        to_s=max(from_s, to_s),
        first=own,
        final=own,
        healthy_ratio=normal.estimate(),
        distinct_recipients=incident.distinct_recipients,
        time_critical=incident.time_critical,
        share_of_traffic=0.0,
        by_code=(),
        by_sender=(),
        missing_buckets=max(0, to_s - from_s) // BUCKET_S,
    )


def mixes(events: Iterable[Frozen]) -> dict[str, Mix]:
    """The newest frozen code mix of each incident."""
    return {
        e.key: similar.mix_of([(c.code, c.failed) for c in e.evidence.impact.by_code])
        for e in events
        if e.evidence is not None
    }


def _explanation(incident: Incident, frozen: Sequence[Evidence]) -> str:
    """The words of the opening: those of the end only say that it is over."""
    opened = (e.explanation for e in frozen if e.moment is Moment.OPEN)
    return next(opened, "") or incident.explanation


def _head(incident: Incident, display: Callable[[str], str], explanation: str) -> Head:
    scope = scope_of(incident)
    return Head(
        key=incident.key,
        rule=incident.rule,
        scope=scope.kind.value,
        carrier=scope.carrier,
        carrier_name=display(scope.carrier),
        region=scope.region,
        opened_as=f"{incident.scope}: {incident.carrier} / {incident.region}",
        where=where(scope.carrier, scope.region, display),
        state=incident.state.value,
        severity=incident.severity.value,
        reason=incident.reason.value,
        peak_ratio=incident.peak_ratio,
        explanation=explanation,
        reopened=incident.reopened,
        team=incident.team or "",
        verdict=incident.people.verdict,
        verdict_by=incident.people.verdict_by,
        looked_up=words(incident.verified) if incident.verified else "",
    )
