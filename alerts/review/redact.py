"""A review for customers: what happened to them, and nothing of others or of the house. Pure.

Left out: people, notes, pages, links, senders, sources, other carriers and all that is counted over them,
other incidents, policy, versions and the words of the detector. Kept: when, where, how many, which codes.
"""

from __future__ import annotations

import msgspec

from alerts.records import ALL
from alerts.review.evidence import Evidence
from alerts.review.impact import Impact, OfCode
from alerts.review.report import Head, Review
from alerts.review.series import OWN
from alerts.review.timeline import Milestone, Name, Timeline

SHOWN = (Name.ONSET, Name.FIRST_FLAG, Name.WIDENED, Name.MITIGATED, Name.RECOVERED, Name.RESOLVED)


def redacted(review: Review) -> Review:
    """The same for customers. Done twice it changes nothing more."""
    return msgspec.structs.replace(
        review,
        head=_head(review.head),
        timeline=_timeline(review.timeline),
        impact=_impact(review.impact),
        evidence=tuple(_evidence(e, review.head.carrier) for e in review.evidence[:1]),
        similar=(),
        recurrence=(),
        notes=(),
        links={},
        redacted=True,
    )


def _head(head: Head) -> Head:
    return msgspec.structs.replace(
        head, explanation="", team="", verdict="", verdict_by="", reopened=0, opened_as="", reason=""
    )


def _timeline(timeline: Timeline) -> Timeline:
    shown = tuple(_milestone(m) for m in timeline.milestones if m.name in SHOWN)
    durations = msgspec.structs.replace(timeline.durations, to_page_ms=None, to_acknowledge_ms=None)
    return Timeline(shown, durations, ())


def _milestone(milestone: Milestone) -> Milestone:
    return msgspec.structs.replace(milestone, author="", evidence="", replaces_ms=None, moved_from_ms=None)


def _impact(impact: Impact) -> Impact:
    return msgspec.structs.replace(
        impact, share_of_traffic=0.0, by_sender=(), by_code=_joined(impact.by_code), incomplete=()
    )


def _joined(codes: tuple[OfCode, ...]) -> tuple[OfCode, ...]:
    """One line a code, whatever source it came from."""
    sums: dict[tuple[str, str, bool], int] = {}
    for c in codes:
        name = c.code, c.outcome_class, c.counts
        sums[name] = sums.get(name, 0) + c.failed
    return tuple(OfCode("", *name, n) for name, n in sums.items())


def _evidence(evidence: Evidence, carrier: str) -> Evidence:
    leaves = tuple(leaf for leaf in evidence.leaves if leaf.carrier == carrier and carrier != ALL)
    return msgspec.structs.replace(
        evidence,
        series={OWN: evidence.series[OWN]} if OWN in evidence.series else {},
        impact=_impact(evidence.impact),
        before=_joined(evidence.before),
        leaves=leaves,
        explanation="",
        lag_ms=0,
        policy={},
        code_version="",
        status_notes=(),
        silence=None,
        samples=(),
        retries=None,
    )
