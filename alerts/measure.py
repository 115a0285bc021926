"""What an incident is measured by: its scope, its ratio of late, its counts since onset."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np

from alerts import blame, detect
from alerts import charts as bank
from alerts.causes import Senders
from alerts.counts import Tally
from alerts.detect import RuleState, Step
from alerts.explain import Numbers, interval, missing_words, why_isolated
from alerts.policy import Policy
from alerts.records import EVERYTHING, Decision, Incident, Scope, ScopeKind
from streams.records import BUCKET_S

FEW = 50
"""With fewer outcomes than this after it, the first bucket of a segment is not left out."""


class Now(NamedTuple):
    """One bucket of one rule, as transitions see it."""

    state: RuleState
    step: Step
    policy: Policy
    bucket_s: int

    @property
    def end_ms(self) -> int:
        """End of the bucket: when a decision can be made, in event time."""
        return (self.bucket_s + BUCKET_S) * 1000


def scope_of(incident: Incident) -> Scope:
    """Where it is now, whoever is to blame: the scope of the detector, never that of a sender."""
    carrier = incident.current_carrier or incident.carrier
    return Scope.of(carrier, incident.current_region or incident.region)


def of_late(now: Now, scope: Scope, onset_s: int) -> Tally:
    """Counts from onset, at most the last 5 min. The bucket of the onset was only partly ill:
    it is left out once there is enough after it."""
    capped = now.bucket_s - now.policy.segment_cap_s + 1
    later = detect.tally(now.state, now.step.pi, scope, max(onset_s + 1, capped))
    return later if later.n >= FEW else detect.tally(now.state, now.step.pi, scope, max(onset_s, capped))


def counted(incident: Incident, now: Now, ratio: float) -> Incident:
    """The incident with its counts since onset, as far back as they are kept."""
    whole = detect.tally(now.state, now.step.pi, scope_of(incident), incident.onset_ms // 1000)
    return msgspec.structs.replace(
        incident,
        ratio=ratio,
        peak_ratio=max(ratio, incident.peak_ratio),
        failed=whole.failed,
        outcomes=whole.finals,
        distinct_recipients=whole.k,
        time_critical=whole.urgent,
        expected_ratio=whole.m / whole.n if whole.n else incident.expected_ratio,
    )


def why_no_outage(now: Now, scope: Scope, onset_s: int) -> str:
    """Why the failures of a scope are no outage, '' where they are one. An onset before the kept hour
    is known to the charts alone.

    An outage reaches new recipients in every bucket, a loop none after its first: both spans count."""
    recent = detect.tally(now.state, now.step.pi, scope, onset_s)
    later = detect.tally(now.state, now.step.pi, scope, onset_s + 1)
    charts, number = now.state.charts, now.state.index.number(scope)
    people = max(recent.k, float(charts.k[charts.w[:, number].argmax(), number]))
    repeats = max(one.failed / max(one.k, 1) for one in (recent, later))
    return why_isolated(now.policy, people, repeats)


def still_overdue(now: Now, scope: Scope) -> bool:
    """Whether successes are missing in a scope."""
    return bool(now.state.receipts.charts.flagged_s[now.state.index.number(scope)])


def explained(incident: Incident, now: Now) -> Incident:
    """The incident with the numbers of this bucket in words: of late, as far as its ratio looks."""
    scope = scope_of(incident)
    from_s = max(incident.onset_ms // 1000, now.bucket_s - now.policy.segment_cap_s + BUCKET_S)
    own = detect.tally(now.state, now.step.pi, scope, from_s)
    whole = detect.tally(now.state, now.step.pi, EVERYTHING, from_s)
    number = now.state.index.number(scope)
    at = np.array([number])
    expected = np.array([own.m / own.n if own.n else incident.expected_ratio])
    low, high = interval(expected, now.step.norms.doubt[at])
    known = bool(expected[0])
    incident = msgspec.structs.replace(
        incident,
        expected_low=float(low[0]) if known else 0.0,
        expected_high=float(high[0]) if known else 0.0,
    )
    if incident.reason is Decision.OVERDUE:
        words = missing_words(now.state.receipts.charts, number)
        return msgspec.structs.replace(incident, explanation=words)
    evidence = bank.evidence(now.state.charts, now.policy, now.step.norms, at, now.bucket_s)
    numbers = Numbers(
        failed=own.failed,
        outcomes=own.finals,
        people=own.k,
        expected=float(expected[0]),
        low=float(low[0]),
        high=float(high[0]),
        evidence=float(evidence.max()),
        threshold=float(now.step.norms.threshold[number]),
        from_s=from_s,
        to_s=now.bucket_s + BUCKET_S,
        elsewhere_failed=whole.failed - own.failed,
        elsewhere=whole.finals - own.finals,
        time_critical=own.urgent if now.policy.urgent(own.urgent, own.failed) else 0,
    )
    said = (numbers.words(), blame.words(incident.senders) if incident.senders else "")
    return msgspec.structs.replace(incident, explanation=" ".join(filter(None, said)))


def added(incident: Incident, now: Now) -> Incident:
    """The incident with this bucket's counts added."""
    new = detect.tally(now.state, now.step.pi, scope_of(incident), now.bucket_s)
    return msgspec.structs.replace(
        incident,
        failed=incident.failed + new.failed,
        outcomes=incident.outcomes + new.finals,
        distinct_recipients=incident.distinct_recipients + new.k,
        time_critical=incident.time_critical + new.urgent,
    )


def in_scope(incident: Incident, scope: Scope, senders: Senders | None) -> Incident:
    """The incident as one of `scope`, or of some senders in it."""
    kind = ScopeKind.SENDER if senders and senders.bad else scope.kind
    return msgspec.structs.replace(
        incident,
        senders=senders,
        current_scope=kind.value,
        current_carrier=scope.carrier,
        current_region=scope.region,
    )


def standard_error(recent: Tally, policy: Policy) -> float:
    ratio = recent.ratio(policy)
    return math.sqrt(ratio * (1 - ratio) / (recent.n + policy.prior_events))


def odds(ratio: float) -> float:
    safe = min(max(ratio, 1e-9), 1 - 1e-9)
    return safe / (1 - safe)


def ratio_words(recent: Tally, ratio: float) -> str:
    return f"{ratio:.1%}, {recent.k} of {recent.n}"
