"""The life of an incident: open, escalate, step down, change scope, resolve, open again.

Pure transitions over event time. An incident holds the last bucket applied to it; earlier
buckets change nothing, so a replay opens and pages nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from alerts.ageing import aged
from alerts.assign import assign
from alerts.case import RANK, Case, Watch, key_of, level_of, paging
from alerts.localise import Finding
from alerts.measure import Now, counted, explained, in_scope, of_late, ratio_words, scope_of, why_no_outage
from alerts.records import Decision, Incident, Scope, Severity, State
from alerts.spells import Where, followed
from streams.records import BUCKET_S


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
    older = (_holding(_explained(aged(case, now), now), now) for case in held.values())
    return tuple(case for case in older if not _forgotten(case.incident, now))


def _holding(case: Case, now: Now) -> Case:
    """Retries are held while it is open: not for ever, as what fails for a day is no outage."""
    incident = case.incident
    if incident.last_bucket_s > now.bucket_s:
        return case
    holds = incident.state is State.OPEN and incident.reason is not Decision.PERSISTENT
    scope = scope_of(incident)
    where = Where(scope.kind.value, scope.carrier, scope.region) if holds else None
    spells = followed(incident.spells, where, now.end_ms)
    if spells == incident.spells:
        return case
    return replace(case, incident=msgspec.structs.replace(incident, spells=spells))


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
    severity, reason = level_of(recent, ratio, now.policy)
    sure = now.policy.level(ratio) is Severity.CRITICAL and recent.n >= now.policy.confirm_events
    thin = (finding.start_s >= now.bucket_s and not sure) or _may_be_renamed(finding, now)
    if not finding.overdue and (thin or why_no_outage(now, finding.scope, finding.start_s)):
        return None
    scope = finding.scope
    severity, reason = _judged(finding, severity, reason)
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
    watch = Watch(now.bucket_s, now.policy.mirror_chart(finding.theta), overdue=finding.overdue)
    case = Case(incident, watch).moved(now, "opened", reason, ratio_words(recent, ratio))
    return replace(case, incident=paging(case.incident, now.bucket_s))


def _judged(finding: Finding, severity: Severity, reason: Decision) -> tuple[Severity, Decision]:
    """Missing successes are a warning whatever the few outcomes say."""
    if finding.overdue:
        return max(severity, Severity.WARNING, key=RANK.__getitem__), Decision.OVERDUE
    return severity, reason


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
    recent = of_late(now, finding.scope, finding.start_s)
    severity, _ = _judged(finding, *level_of(recent, recent.ratio(now.policy), now.policy))
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
    watch = Watch(now.bucket_s, now.policy.mirror_chart(finding.theta), overdue=finding.overdue)
    onset = msgspec.structs.replace(moved.incident, onset_ms=finding.start_s * 1000)
    return replace(moved, incident=paging(onset, now.bucket_s), watch=watch)


def _forgotten(incident: Incident, now: Now) -> bool:
    ended = incident.resolved_bucket_s
    return ended is not None and now.bucket_s - ended > now.policy.reopen_s


def _plain(scope: Scope) -> str:
    return f"{scope.kind.value} {scope.carrier}/{scope.region}"
