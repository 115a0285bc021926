"""The life of an incident: open, escalate, step down, change scope, resolve, open again.

Pure transitions over event time. An incident holds the last bucket applied to it; earlier
buckets change nothing, so a replay opens and pages nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from alerts.assign import assign
from alerts.detect import Tally
from alerts.localise import Finding
from alerts.measure import (
    Now,
    added,
    counted,
    explained,
    in_scope,
    odds,
    of_late,
    ratio_words,
    scope_of,
    standard_error,
    why_no_outage,
)
from alerts.records import Decision, Incident, Scope, Severity, State, Transition
from streams.records import BUCKET_S

RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Watch(msgspec.Struct, frozen=True):
    """What is counted along with an open incident: its mirror test and its way down."""

    since_s: int
    """Bucket of the last (re-)opening."""
    mirror_chart: int = 0
    mirror: float = 0.0
    quiet_s: int = 0
    """First bucket of the recovery that is under way; 0 while none is."""
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


def apply(cases: Sequence[Case], findings: Iterable[Finding], now: Now) -> tuple[Case, ...]:
    """The rule's cases after bucket `now`: what was found is attached or opened, then all age.

    `cases` are those open or closed less than `reopen_s` ago; transitions of former buckets are
    not carried on.
    """
    held = {case.incident.key: replace(case, transitions=()) for case in cases}
    for finding, key in assign(findings, [c.incident for c in held.values()]):
        case = _attached(held[key], finding, now) if key else _opened(finding, now)
        if case is not None and (key or case.incident.key not in held):
            held[case.incident.key] = case
    aged = (_explained(_aged(case, now), now) for case in held.values())
    return tuple(case for case in aged if not _forgotten(case.incident, now))


def _explained(case: Case, now: Now) -> Case:
    """What has changed says why."""
    if not case.transitions:
        return case
    return replace(case, incident=explained(case.incident, now))


def _opened(finding: Finding, now: Now) -> Case | None:
    """A new incident, or None while its evidence is too thin to say how bad it is, or where, and where
    it is no outage."""
    recent = of_late(now, finding.scope, finding.start_s)
    ratio = recent.ratio(now.policy)
    severity = now.policy.level(ratio)
    sure = severity is Severity.CRITICAL and recent.n >= now.policy.confirm_events
    if (finding.start_s >= now.bucket_s and not sure) or _may_be_renamed(finding, now):
        return None
    if why_no_outage(now, finding.scope, finding.start_s):
        return None
    scope = finding.scope
    reason = _reason(severity)
    incident = Incident(
        key=key_of(now.state.rule, scope, now.bucket_s),
        seq=0,
        rule=now.state.rule,
        scope=scope.kind.value,
        carrier=scope.carrier,
        region=scope.region,
        state=State.OPEN,
        severity=severity,
        opened_bucket_s=now.bucket_s,
        detected_ms=now.end_ms,
        last_bucket_s=now.bucket_s - 1,
        reason=reason,
        onset_ms=finding.start_s * 1000,
    )
    incident = counted(in_scope(incident, scope), now, ratio)
    watch = Watch(now.bucket_s, now.policy.mirror_chart(finding.theta))
    case = Case(incident, watch).moved(now, "opened", reason, ratio_words(recent, ratio))
    return replace(case, incident=_paging(case.incident))


def _may_be_renamed(finding: Finding, now: Now) -> bool:
    """The key is frozen at opening, so a scope that hardly leads waits a little."""
    young = now.bucket_s + BUCKET_S - finding.start_s < now.policy.lead_wait_s
    return young and finding.lead < now.policy.clear_lead


def _attached(case: Case, finding: Finding, now: Now) -> Case:
    """The finding taken into an incident that is known: its scope changes, or it opens again."""
    if case.incident.last_bucket_s >= now.bucket_s:
        return case
    if case.incident.state is State.RESOLVED:
        return _reopened(case, finding, now)
    was = scope_of(case.incident)
    if was == finding.scope or _well(case, now):
        return case
    changed = in_scope(case.incident, finding.scope)
    changed = counted(changed, now, changed.ratio)
    detail = f"{_plain(was)} -> {_plain(finding.scope)}"
    moved = replace(case, incident=changed).moved(now, "scope_changed", Decision.SCOPE_CHANGED, detail)
    return replace(moved, watch=msgspec.structs.replace(case.watch, mirror=0.0, quiet_s=0, below_s=0))


def _well(case: Case, now: Now) -> bool:
    """A recovering incident keeps its name: what is left over is the tail of it."""
    return case.watch.mirror >= now.policy.resolve_evidence / 2


def _reopened(case: Case, finding: Finding, now: Now) -> Case:
    """The same incident again; its page is due at once, or when 30 min have passed since the last."""
    ratio = of_late(now, finding.scope, finding.start_s).ratio(now.policy)
    severity = now.policy.level(ratio)
    last = case.incident.repaged_s
    due = max(now.bucket_s, last + now.policy.reopen_s) if last else now.bucket_s
    moved = replace(case, incident=in_scope(case.incident, finding.scope)).moved(
        now,
        "reopened",
        Decision.REOPENED,
        state=State.OPEN,
        severity=severity,
        resolved_bucket_s=None,
        reopened=case.incident.reopened + 1,
        warned=False,
        was_critical=False,
        page_from_s=due,
        repaged_s=due if due == now.bucket_s else last,
    )
    watch = Watch(now.bucket_s, now.policy.mirror_chart(finding.theta))
    onset = msgspec.structs.replace(moved.incident, onset_ms=finding.start_s * 1000)
    return replace(moved, incident=_paging(onset), watch=watch)


def _aged(case: Case, now: Now) -> Case:
    """One bucket on for an open incident: counts, severity, the mirror test."""
    incident = case.incident
    if incident.last_bucket_s >= now.bucket_s or incident.state is State.RESOLVED:
        return case
    recent = of_late(now, scope_of(incident), incident.onset_ms // 1000)
    if incident.opened_bucket_s < now.bucket_s:
        case = replace(case, incident=added(incident, now))
    ratio = recent.ratio(now.policy)
    case = _measured(case, now, ratio)
    case = _persistent(_page_due(_severity(case, recent, now), now), now)
    watch = _mirrored(case, recent, now)
    return _accepted(_resolved(replace(case, watch=watch), now), now)


def _measured(case: Case, now: Now, ratio: float) -> Case:
    incident = msgspec.structs.replace(
        case.incident,
        last_bucket_s=now.bucket_s,
        ratio=ratio,
        peak_ratio=max(ratio, case.incident.peak_ratio),
    )
    return replace(case, incident=incident)


def _severity(case: Case, recent: Tally, now: Now) -> Case:
    """Up when the ratio is clearly above a line, down when it is surely below for long (detection, 5).
    What is persistent stays a matter of list quality."""
    if case.incident.reason is Decision.PERSISTENT:
        return case
    ratio, error = case.incident.ratio, standard_error(recent, now.policy)
    level, severity = now.policy.level(ratio - now.policy.escalate_z * error), case.incident.severity
    if RANK[level] > RANK[severity]:
        risen = case.moved(now, "escalated", _reason(level), ratio_words(recent, ratio), severity=level)
        return replace(risen, incident=_paging(risen.incident))
    bound = now.policy.step_down_share * now.policy.line(severity)
    below = ratio + now.policy.step_down_z * error < bound
    below_s = (case.watch.below_s or now.bucket_s) if below else 0
    case = replace(case, watch=msgspec.structs.replace(case.watch, below_s=below_s))
    if not below_s or now.bucket_s - below_s < now.policy.step_down_s:
        return case
    lower = Severity.WARNING if severity is Severity.CRITICAL else Severity.INFO
    words = ratio_words(recent, ratio)
    fallen = case.moved(now, "stepped_down", Decision.STEPPED_DOWN, words, severity=lower)
    return replace(fallen, watch=msgspec.structs.replace(fallen.watch, below_s=0))


def _mirrored(case: Case, recent: Tally, now: Now) -> Watch:
    """R <- max(0, R - l at max(2, sqrt(theta))) over the current scope (detection, 5).

    While nothing speaks for recovery the odds ratio follows the incident; then it stands, lest
    the test chase the very ratio that it waits for.
    """
    watch, chart = case.watch, case.watch.mirror_chart
    if not watch.mirror and recent.n:
        chart = now.policy.mirror_chart(odds(case.incident.ratio) / odds(recent.m / recent.n))
    number = now.state.index.number(scope_of(case.incident))
    mirror = max(0.0, watch.mirror - float(now.step.llr[chart, number]))
    quiet_s = (watch.quiet_s or now.bucket_s) if mirror else 0
    return msgspec.structs.replace(watch, mirror_chart=chart, mirror=mirror, quiet_s=quiet_s)


def _resolved(case: Case, now: Now) -> Case:
    watch, policy, end_s = case.watch, now.policy, now.bucket_s + BUCKET_S
    sure = watch.mirror >= policy.resolve_evidence and end_s - watch.quiet_s >= policy.resolve_quiet_s
    if not sure or end_s - watch.since_s < policy.resolve_min_s:
        return case
    detail = f"{watch.mirror:.1f} nats of recovery"
    return case.moved(
        now, "resolved", Decision.RECOVERED, detail, state=State.RESOLVED, resolved_bucket_s=now.bucket_s
    )


def _persistent(case: Case, now: Now) -> Case:
    """After a day nobody is to be woken by it any more: its pages are resolved, it stays listed."""
    young = now.bucket_s - case.watch.since_s < now.policy.persistent_s
    if young or case.incident.reason is Decision.PERSISTENT:
        return case
    quiet = {"severity": Severity.INFO, "warned": False, "was_critical": False}
    return case.moved(now, "persistent", Decision.PERSISTENT, "open for a day", **quiet)


def _accepted(case: Case, now: Now) -> Case:
    """After a week it is the new normal: the baseline is moved there (`decide`)."""
    is_open = case.incident.state is State.OPEN
    if not is_open or now.bucket_s - case.watch.since_s < now.policy.accepted_s:
        return case
    ended = {"state": State.RESOLVED, "resolved_bucket_s": now.bucket_s}
    return case.moved(now, "accepted", Decision.ACCEPTED, "open for a week", **ended)


def _page_due(case: Case, now: Now) -> Case:
    """The page of a re-open that had to wait."""
    incident = case.incident
    if not incident.repaged_s < incident.page_from_s <= now.bucket_s:
        return case
    return case.moved(now, "paged_again", Decision.PAGED_AGAIN, repaged_s=now.bucket_s)


def _forgotten(incident: Incident, now: Now) -> bool:
    ended = incident.resolved_bucket_s
    return ended is not None and now.bucket_s - ended > now.policy.reopen_s


def _reason(severity: Severity) -> Decision:
    above = {Severity.WARNING: Decision.ABOVE_WARNING, Severity.CRITICAL: Decision.ABOVE_CRITICAL}
    return above.get(severity, Decision.SPIKE)


def _plain(scope: Scope) -> str:
    return f"{scope.kind.value} {scope.carrier}/{scope.region}"


def _paging(incident: Incident) -> Incident:
    """Notes which pages the severity asks for; what was asked for once is to be resolved once."""
    warned = incident.warned or incident.severity is Severity.WARNING
    critical = incident.was_critical or incident.severity is Severity.CRITICAL
    return msgspec.structs.replace(
        incident,
        warned=warned,
        was_critical=critical,
        plain_key_used=incident.plain_key_used or warned or critical,
        critical_key_used=incident.critical_key_used or (warned and critical),
    )
