"""An incident with the tests that run along with it, and how one transition changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from alerts.counts import Tally
from alerts.measure import Now
from alerts.policy import Policy
from alerts.records import Decision, Incident, Scope, ScopeKind, Severity, Transition, Wake

RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Watch(msgspec.Struct, frozen=True):
    """What is counted along with an open incident: its mirror test and its way down."""

    since_s: int
    """Bucket of the last (re-)opening."""
    mirror_chart: int = 0
    mirror: float = 0.0
    quiet_s: int = 0
    """First bucket of the recovery that is under way; 0 while none is."""
    overdue: bool = False
    """Whether it was opened by receipts that did not come."""
    below_s: int = 0
    """First bucket since which the ratio is surely below its severity's line; 0 for none."""


@dataclass(frozen=True)
class Case:
    """An incident, its running tests and what happened to it in this bucket."""

    incident: Incident
    watch: Watch
    transitions: tuple[Transition, ...] = ()

    def moved(self, now: Now, what: str, reason: Decision, detail: str = "", **changes: object) -> Case:
        """The case after one transition: the sequence number grows with it."""
        incident = msgspec.structs.replace(self.incident, seq=self.incident.seq + 1, reason=reason, **changes)
        entry = Transition(incident.key, incident.seq, now.end_ms, what, reason.value, detail)
        return replace(self, incident=incident, transitions=(*self.transitions, entry))


def key_of(rule: str, scope: Scope, bucket_s: int) -> str:
    """The incident key (contract section 7): event time alone."""
    return f"ch:{rule}:{scope.kind.value}:{scope.carrier}:{scope.region}:{bucket_s}"


def level_of(recent: Tally, ratio: float, policy: Policy) -> tuple[Severity, Decision]:
    """Severity of `ratio`, and what decides it; `recent` says how much of it is time-critical."""
    plain = policy.level(ratio)
    severity = policy.level(ratio, urgent=policy.urgent(recent.urgent, recent.failed))
    return severity, reason_of(severity) if severity is plain else Decision.TIME_CRITICAL


def reason_of(severity: Severity) -> Decision:
    above = {Severity.WARNING: Decision.ABOVE_WARNING, Severity.CRITICAL: Decision.ABOVE_CRITICAL}
    return above.get(severity, Decision.SPIKE)


def paging(incident: Incident, bucket_s: int) -> Incident:
    """Notes which pages the severity asks for; what was asked for once is to be resolved once."""
    before = incident.warned, incident.was_critical
    warned = incident.warned or incident.severity is Severity.WARNING
    critical = incident.was_critical or incident.severity is Severity.CRITICAL
    asked = msgspec.structs.replace(
        incident,
        warned=warned,
        was_critical=critical,
        plain_key_used=incident.plain_key_used or warned or critical,
        critical_key_used=incident.critical_key_used or (warned and critical),
    )
    due = incident.page_from_s <= bucket_s
    return woken(asked, bucket_s) if due and (warned, critical) != before else asked


def woken(incident: Incident, bucket_s: int) -> Incident:
    """Notes that a page of this bucket is to wake somebody."""
    if not (incident.warned or incident.was_critical):
        return incident
    severity = Severity.CRITICAL if incident.was_critical else Severity.WARNING
    wake = Wake(bucket_s, severity, ScopeKind(incident.current_scope or incident.scope))
    return msgspec.structs.replace(incident, wakes=(*incident.wakes, wake))
