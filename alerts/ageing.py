"""One bucket on for an open incident: counts, severity, the way out (docs/detection.md, 5)."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from alerts import detect
from alerts.case import RANK, Case, Watch, level_of, paging, woken
from alerts.counts import Tally
from alerts.measure import Now, added, odds, of_late, ratio_words, scope_of, standard_error, still_overdue
from alerts.records import Decision, Severity, State
from streams.records import BUCKET_S


def aged(case: Case, now: Now) -> Case:
    """One bucket on for an open incident: counts, severity, the mirror test."""
    incident = case.incident
    if incident.last_bucket_s >= now.bucket_s or incident.state is State.RESOLVED:
        return case
    if not now.state.index.members(scope_of(incident)).any():
        return case  # taken over without its charts, and no outcome of it since
    recent = of_late(now, scope_of(incident), incident.onset_ms // 1000)
    if not recent.finals:
        return _unseen(case, now)
    if incident.opened_bucket_s < now.bucket_s:
        case = replace(case, incident=added(incident, now))
    ratio = recent.ratio(now.policy)
    case = _measured(case, now, ratio)
    case = _persistent(_page_due(_severity(case, recent, now), now), now)
    watch = _mirrored(case, recent, now)
    return _accepted(_resolved(replace(case, watch=watch), now), now)


def _unseen(case: Case, now: Now) -> Case:
    """No outcome of the scope for so long that nothing can be said of it: it stays as it was last known,
    neither better nor over, however long that lasts. Only people may end it."""
    return _page_due(
        replace(case, incident=msgspec.structs.replace(case.incident, last_bucket_s=now.bucket_s)), now
    )


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
    level, reason = level_of(recent, ratio - now.policy.escalate_z * error, now.policy)
    severity = case.incident.severity
    if RANK[level] > RANK[severity]:
        risen = case.moved(now, "escalated", reason, ratio_words(recent, ratio), severity=level)
        return replace(risen, incident=paging(risen.incident, now.bucket_s))
    if _is_overdue(case, now):
        return case
    urgent = now.policy.urgent(recent.urgent, recent.failed)
    bound = now.policy.step_down_share * now.policy.line(severity, urgent=urgent)
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
    if _is_overdue(case, now):
        return msgspec.structs.replace(watch, mirror=0.0, quiet_s=0)
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
    if not detect.tally(now.state, now.step.pi, scope_of(case.incident), now.bucket_s).finals:
        return case  # sure of what was; of now nothing is known
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
    again = case.moved(now, "paged_again", Decision.PAGED_AGAIN, repaged_s=now.bucket_s)
    return replace(again, incident=woken(again.incident, now.bucket_s))


def _is_overdue(case: Case, now: Now) -> bool:
    """Whether the successes that opened the incident are still missing: few failures are no recovery."""
    return case.watch.overdue and still_overdue(now, scope_of(case.incident))
