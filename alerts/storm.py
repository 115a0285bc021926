"""Many incidents at once: one summary page in place of one each.

Whoever is on call reads one page that says what the incidents have in common; forty that say the
same keep nobody better informed. What was paged before the storm was one stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from alerts.paging import Display, Links, carrier_in_words
from alerts.records import Form, Incident, Page, Severity, State
from streams.records import BUCKET_S

SPAN_S = 60
"""Opens closer together than this are one storm."""
PREFIX = "ch:storm:"
LISTED = 20
NAMED = 3


def storms_of(new: Sequence[Incident], paged: Iterable[Incident], limit: int) -> dict[str, str]:
    """The summary page's key by incident, for those that want their first page now and shall not
    have their own.

    `paged` are those about which that was decided before. From event time alone, so that a replay
    finds the same storm. `limit` opens in SPAN_S may page one by one; 0 switches storms off.
    """
    if not new or not limit:
        return {}
    at_s = max(i.opened_bucket_s for i in new)
    near = [i for i in paged if abs(at_s - i.opened_bucket_s) < SPAN_S]
    together = [i for i in new if at_s - i.opened_bucket_s < SPAN_S]
    if len(near) + len(together) <= limit:
        return {}
    raging = [i.storm for i in near if i.storm]
    key = min(raging) if raging else f"{PREFIX}{min(i.opened_bucket_s for i in together)}"
    return {i.key: key for i in together}


def storm_pages(
    key: str, members: Sequence[Incident], links: Links = (), display: Display = str
) -> tuple[Page, ...]:
    """The summary's desired state, for pagers and for notices: open while any of its incidents is."""
    return tuple(_page(key, members, form, links, display) for form in (Form.KEYED, Form.NOTICE))


def as_incident(key: str, members: Sequence[Incident]) -> Incident:
    """The member that holds the summary's deliveries, with the storm's state: for restoring a desk."""
    ended = [i.resolved_bucket_s for i in members if i.resolved_bucket_s is not None]
    state = State.OPEN if _open(members) else State.RESOLVED
    holder = holder_of(members)
    told = tuple(d for d in holder.deliveries if d.dedup_key == key)
    return msgspec.structs.replace(
        holder, state=state, resolved_bucket_s=max(ended, default=None), reopened=0, deliveries=told
    )


def holder_of(members: Sequence[Incident]) -> Incident:
    """The incident in which deliveries of the summary are written down: always the same one."""
    return min(members, key=lambda i: (i.opened_bucket_s, i.key))


def _open(members: Sequence[Incident]) -> list[Incident]:
    return [i for i in members if i.state is State.OPEN]


def _page(key: str, members: Sequence[Incident], form: Form, links: Links, display: Display) -> Page:
    first = holder_of(members)
    return Page(
        dedup_key=key,
        incident_key=first.key,
        action="trigger" if _open(members) else "resolve",
        # Members only come, and their numbers only grow: so does their sum.
        seq=sum(i.seq + 1 for i in members),
        severity=Severity.CRITICAL,
        summary=summary(members, display),
        source="carrier-health-monitor",
        timestamp_ms=min(i.detected_ms for i in members),
        event_class="storm",
        details=_details(members),
        links=tuple(links),
        form=form,
        decided_ms=(max(i.last_bucket_s for i in members) + BUCKET_S) * 1000,
    )


def summary(members: Sequence[Incident], display: Display = str) -> str:
    """One line: how many, how many of them last, and what they have most in common."""
    causes = [
        _most((i.rule for i in members), "by rule"),
        _most((carrier_in_words(i.carrier, display) for i in members), "at"),
        _most((i.region for i in members), "in regions"),
    ]
    still = len(_open(members))
    return f"{len(members)} incidents opened together, {still} of them open: {'; '.join(causes)}"


def _most(values: Iterable[str], word: str) -> str:
    counted = Counter(values)
    named = ", ".join(f"{value} {n}" for value, n in counted.most_common(NAMED))
    more = len(counted) - NAMED
    return f"{word} {named}" + (f" and {more} more" if more > 0 else "")


def _details(members: Sequence[Incident]) -> dict[str, str | int | float]:
    worst = sorted(members, key=lambda i: (-i.peak_ratio, i.key))
    details: dict[str, str | int | float] = {
        "incidents": len(members),
        "open": len(_open(members)),
        "failed": sum(i.failed for i in members),
        "outcomes": sum(i.outcomes for i in members),
    }
    return details | {i.key: f"{i.ratio:.1%} failing, {i.failed} of {i.outcomes}" for i in worst[:LISTED]}
