"""The leaf series that are out of their normal now, what that is a sign of, and the numbers that say so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts import charts as bank
from alerts.baseline import HOUR_S
from alerts.blame import pointing, since, words
from alerts.detect import Recent, RuleState, Step, everything, recent
from alerts.explain import Numbers, interval, missing_words, why_isolated
from alerts.list_quality import tickets
from alerts.measure import scope_of
from alerts.persistent import LONG_S, above
from alerts.policy import Policy
from alerts.records import Incident, Scope, Severity, State
from streams.records import BUCKET_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Nature(StrEnum):
    """What a flag is a sign of."""

    SYSTEMIC = "systemic"
    ISOLATED = "isolated"
    """Few recipients, or few that fail again and again: no outage."""
    SENDER = "sender"
    """One or few senders fail and the others do not: the carrier is well."""
    OVERDUE = "overdue"
    """Successes do not come: an outage whose failures are still to come, or late receipts."""
    PERSISTENT = "persistent"
    """Always above the warning line: a matter of list quality."""
    LIST_QUALITY = "list_quality"
    """Risen slowly over days, of a pair or a wider scope."""


TICKETS = frozenset({Nature.PERSISTENT, Nature.LIST_QUALITY})
"""What is to be looked at in office hours: shown, never paged."""


Labels = tuple[str, str, str, str]
"""Rule, carrier, region, severity."""
POINTED_S, MOST_POINTED = 1800, 50
"""What of late tells where a ticket points to, and of how many tickets it is said."""
SHOWN_AFTER_END_S = 600
"""What has ended is exported as 0 for so long, so that rules see it end."""


class Flag(NamedTuple):
    """A leaf series that is out of its normal, or whose normal is bad."""

    rule: str
    carrier: str
    region: str
    severity: Severity
    ratio: float
    since_s: int
    nature: Nature
    why: str
    """Why it is no outage; '' where it may be one."""
    numbers: Numbers

    @property
    def explanation(self) -> str:
        return " ".join(filter(None, (self.why, self.numbers.words())))


def last_flagged(before: Mapping[Labels, int], now: Iterable[Flag], bucket_s: int) -> dict[Labels, int]:
    """The last bucket in which each was flagged, while it is shown; a series may be flagged twice: its
    last hour and its last weeks."""
    kept = {labels: at_s for labels, at_s in before.items() if bucket_s - at_s <= SHOWN_AFTER_END_S}
    return kept | {(f.rule, f.carrier, f.region, f.severity.value): bucket_s for f in now}


def _pointed(state: RuleState, tickets_now: tuple[Flag, ...], bucket_s: int) -> tuple[Flag, ...]:
    """Tickets with the list or route that they point to, of the last half hour."""
    kept = since(state, bucket_s - POINTED_S) if tickets_now else None
    if kept is None:
        return tickets_now
    first = tickets_now[:MOST_POINTED]
    words_of = [pointing(state, kept, Scope.of(f.carrier, f.region)) for f in first]
    pointed = (f._replace(why=f"{f.why} {said}".rstrip()) for f, said in zip(first, words_of, strict=True))
    return (*pointed, *tickets_now[MOST_POINTED:])


def by_cause(flags: Iterable[Flag], incidents: Iterable[Incident]) -> Iterator[Flag]:
    """The flags of a rule; those within an open incident of some senders say that it is them."""
    of_senders = [i for i in incidents if i.state is State.OPEN and i.senders and i.senders.bad]
    for flag in flags:
        inside = (i for i in of_senders if scope_of(i).covers(flag.carrier, flag.region))
        one = next(inside, None) if flag.nature is Nature.SYSTEMIC else None
        why = words(one.senders) if one and one.senders else ""
        yield flag._replace(nature=Nature.SENDER, why=why) if why else flag


class Figures(NamedTuple):
    """By flagged leaf: the winning segment, or the last 5 min once it is older."""

    from_s: Ints
    n: Floats
    k: Floats
    people: Floats
    repeats: Floats
    evidence: Floats
    late: Recent
    """The last 5 min."""


def flags(state: RuleState, policy: Policy, said: Step, bucket_s: int) -> tuple[Flag, ...]:
    """The leaf series that are flagged after bucket `bucket_s`, then tickets of list quality."""
    leaves = np.flatnonzero(state.charts.flagged_s[state.index.first_leaf :])
    spikes = _spikes(state, policy, said, leaves, bucket_s) if len(leaves) else ()
    tickets_now = _persistent(state, policy, said, bucket_s) + _risen(state, policy, bucket_s)
    tickets_now = _pointed(state, tickets_now, bucket_s)
    return spikes + _overdue(state, policy, said, bucket_s) + tickets_now


def _spikes(state: RuleState, policy: Policy, said: Step, leaves: Ints, bucket_s: int) -> tuple[Flag, ...]:
    f = _figures(state, policy, said, leaves, bucket_s)
    pi, at = said.pi[leaves], state.index.first_leaf + leaves
    low, high = interval(pi, said.norms.doubt[at])
    ratios = (f.k + policy.prior_events * pi) / (f.n + policy.prior_events)
    late, (every_n, every_k) = f.late, everything(state, bucket_s - policy.segment_cap_s + 1)
    found = []
    for i, leaf in enumerate(leaves.tolist()):
        urgent = policy.urgent(float(late.urgent[i]), float(late.failed[i]))
        numbers = Numbers(
            *(int(f.k[i]), int(f.n[i]), int(f.k[i])),
            *(float(pi[i]), float(low[i]), float(high[i])),
            *(float(f.evidence[i]), float(said.norms.threshold[at[i]])),
            *(int(f.from_s[i]), bucket_s + BUCKET_S),
            elsewhere_failed=every_k - int(late.k[i]),
            elsewhere=every_n - int(late.n[i]),
            time_critical=int(late.urgent[i]) if urgent else 0,
        )
        why = why_isolated(policy, f.people[i], f.repeats[i])
        severity = Severity.INFO if why else policy.level(float(ratios[i]), urgent=urgent)
        since_s = int(state.charts.flagged_s[at[i]])
        nature = Nature.ISOLATED if why else Nature.SYSTEMIC
        carrier, region = state.index.leaves[leaf]
        found.append(
            Flag(state.rule, carrier, region, severity, float(ratios[i]), since_s, nature, why, numbers)
        )
    return tuple(found)


def _figures(state: RuleState, policy: Policy, said: Step, leaves: Ints, bucket_s: int) -> Figures:
    charts, at = state.charts, state.index.first_leaf + leaves
    best = charts.w[:, at].argmax(axis=0)
    start_s, k, n = (a[best, at] for a in (charts.start_s, charts.k, charts.n))
    capped_s = bucket_s - policy.segment_cap_s + 1
    late = recent(state, capped_s, leaves)
    old = (start_s < capped_s) | (n == 0)
    return Figures(
        from_s=np.where(old, capped_s - 1 + BUCKET_S, start_s),
        n=np.where(old, late.n, n),
        k=np.where(old, late.k, k),
        people=np.maximum(k, late.k),
        repeats=late.failed / np.maximum(late.k, 1),
        evidence=bank.evidence(charts, policy, said.norms, at, bucket_s).max(axis=0),
        late=late,
    )


def _overdue(state: RuleState, policy: Policy, said: Step, bucket_s: int) -> tuple[Flag, ...]:
    """Leaves in which successes are missing; the ratio is the share of them."""
    charts, first = state.receipts.charts, state.index.first_leaf
    missing = (charts.flagged_s[first:] > 0) & (state.charts.flagged_s[first:] == 0)
    found = []
    for leaf in np.flatnonzero(missing).tolist():
        at = first + leaf
        best = int(charts.w[:, at].argmax())
        came, due, pi = float(charts.k[best, at]), float(charts.m[best, at]), float(said.pi[leaf])
        numbers = Numbers(
            *(0, round(came), 0, pi, pi, pi, float(charts.w[best, at]), float(said.norms.threshold[at])),
            *(int(charts.start_s[best, at]), bucket_s + BUCKET_S),
        )
        carrier, region = state.index.leaves[leaf]
        ratio = max(0.0, 1 - came / due) if due else 0.0
        named = (state.rule, carrier, region, Severity.WARNING, ratio, int(charts.flagged_s[at]))
        found.append(Flag(*named, Nature.OVERDUE, missing_words(charts, at), numbers))
    return tuple(found)


def _persistent(state: RuleState, policy: Policy, said: Step, bucket_s: int) -> tuple[Flag, ...]:
    """Leaves whose normal is above the warning line, as the last hour still shows."""
    first, base = state.index.first_leaf, state.learned.baseline
    since_s = state.persistent.since_s
    leaves = np.flatnonzero((since_s > 0) & (state.charts.flagged_s[first:] == 0))
    if not len(leaves):
        return ()
    from_s = bucket_s + BUCKET_S - LONG_S
    late = recent(state, from_s, leaves)
    low, high = interval(base.mean[leaves], said.norms.doubt[first + leaves])
    sure = above(late.k, late.n, policy.warning, policy)
    found = []
    for i, leaf in enumerate(leaves.tolist()):
        mean = float(base.mean[leaf])
        numbers = Numbers(
            *(int(late.k[i]), int(late.n[i]), int(late.k[i]), mean, float(low[i]), float(high[i])),
            *(0.0, 0.0, from_s, bucket_s + BUCKET_S),
        )
        why = (
            f"Persistent: {mean:.1%} is normal here, and the last hour is above the warning line of "
            f"{policy.warning:.1%} with {sure[i]:.1%} certainty: a matter of list quality."
        )
        named = (state.rule, *state.index.leaves[leaf], Severity.INFO, mean, int(since_s[leaf]))
        found.append(Flag(*named, Nature.PERSISTENT, why, numbers))
    return tuple(found)


def _risen(state: RuleState, policy: Policy, bucket_s: int) -> tuple[Flag, ...]:
    """Scopes whose ratio has risen slowly; carrier or region is `all` where the scope spans them."""
    found = []
    for ticket in tickets(state.quality, state.index, policy):
        scope = state.index.scope(ticket.scope)
        low, high = interval(np.array([ticket.expected]), np.array([ticket.variance]))
        ratio = ticket.failed / ticket.outcomes if ticket.outcomes else 0.0
        numbers = Numbers(
            failed=round(ticket.failed),
            outcomes=round(ticket.outcomes),
            people=round(ticket.failed),
            expected=ticket.expected,
            low=float(low[0]),
            high=float(high[0]),
            evidence=ticket.evidence,
            threshold=policy.ticket_threshold,
            from_s=ticket.since_s,
            to_s=(bucket_s + BUCKET_S) // HOUR_S * HOUR_S,
        )
        why = f"List quality: {ratio:.1%} of late, where {ticket.expected:.1%} was normal for weeks."
        named = (state.rule, scope.carrier, scope.region, Severity.INFO, ratio, ticket.flagged_s)
        found.append(Flag(*named, Nature.LIST_QUALITY, why, numbers))
    return tuple(found)
