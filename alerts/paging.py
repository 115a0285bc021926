"""The pages that an incident wants: a function of the incident alone, one per pager key.

A second trigger on an open key wakes nobody, so an escalation has its own key (contract section
7). The reconciler sends the difference to what was delivered, and orders the warning's resolve
after the trigger of `{key}:critical`. Whoever is only told (Slack, webhook) has one key an incident.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from alerts.measure import scope_of
from alerts.records import ALL, Decision, Form, Incident, Page, Scope, ScopeKind, Severity, State
from alerts.verification import CAUSES, Kind, words
from streams.records import BUCKET_S, UNKNOWN

CRITICAL_SUFFIX = ":critical"
SUMMARY_MAX = 1024
MANY_HANDSETS = 50
LATE_MS = 60_000
"""A page that is sent so long after its decision says so."""
Links = Sequence[tuple[str, str]]
Details = dict[str, str | int | float]
Display = Callable[[str], str]
"""What people call a carrier's id."""


def pages(
    incident: Incident, links: Links = (), display: Display = str, form: Form = Form.KEYED
) -> tuple[Page, ...]:
    """Desired state of each key that the incident ever used. INFO pages nobody.

    Opened critical: the plain key, severity critical. Escalated: `{key}:critical`, and the plain
    key resolved. Ended, or closed by a person: all resolved. Silenced: no key is opened.
    """
    opened = open_keys(incident)
    used = []
    if incident.critical_key_used:
        used.append(incident.key + CRITICAL_SUFFIX)
    if incident.plain_key_used:
        used.append(incident.key)
    wanted = (
        _page(incident, key, key in opened, links, display)
        for key in used
        if key in opened or not _never_opened(incident, key)
    )
    return tuple(_formed(page, incident, form) for page in wanted)


def notices(incident: Incident, links: Links = (), display: Display = str) -> tuple[Page, ...]:
    """The one page of an incident for those who are told and updated, under its plain key."""
    opened = bool(open_keys(incident))
    if not incident.plain_key_used or (not opened and _never_opened(incident, incident.key)):
        return ()
    page = _page(incident, incident.key, opened, links, display)
    return (msgspec.structs.replace(page, form=Form.NOTICE, severity=incident.severity),)


def open_keys(incident: Incident) -> tuple[str, ...]:
    """The pager keys that should be open: one, or none."""
    due = incident.state is State.OPEN and incident.last_bucket_s >= incident.page_from_s
    if not due or incident.people.closed or not (incident.warned or incident.was_critical):
        return ()
    escalated = incident.warned and incident.was_critical
    key = incident.key + CRITICAL_SUFFIX if escalated else incident.key
    silence = incident.people.silence
    if silence is None or key in silence.kept:
        return (key,)
    # Held back. The warning that somebody has stays: else nothing would be open of it.
    return (incident.key,) if incident.key in silence.kept else ()


def _never_opened(incident: Incident, key: str) -> bool:
    """Whether a silence has held this key back all along: then there is nothing to resolve."""
    silence = incident.people.silence
    if silence is None or key in silence.kept:
        return False
    return all(d.dedup_key != key for d in incident.deliveries)


def _formed(page: Page, incident: Incident, form: Form) -> Page:
    """Labels say the scope at opening and the severity that the key stands for."""
    if form is not Form.ALERT:
        return page
    critical = page.dedup_key.endswith(CRITICAL_SUFFIX) or not incident.warned
    severity = Severity.CRITICAL if critical else Severity.WARNING
    labels = {
        "rule": incident.rule,
        "scope": incident.scope,
        "carrier": incident.carrier,
        "region": incident.region,
        "severity": severity.value,
        "incident": incident.key,
    }
    return msgspec.structs.replace(page, form=form, severity=severity, labels=labels)


def summary(incident: Incident, display: Display = str) -> str:
    """One line for a phone: what, where, how bad, since when. Never more than SUMMARY_MAX."""
    where = in_words(scope_of(incident), display)
    normal = f"normal is {normal_words(incident)}"
    people = f"{incident.distinct_recipients} recipients"
    counts = f"{incident.failed} of {incident.outcomes} failed, {people}"
    if incident.reason is Decision.TIME_CRITICAL:
        counts += f", {incident.time_critical} time-critical"
    if incident.reason is Decision.OVERDUE:
        return _cut(f"Receipts overdue: {incident.rule}, {where}: {incident.explanation}")
    out = ruled_out(incident) if incident.severity is Severity.CRITICAL else ""
    return _cut(
        f"{_what(incident)}: {incident.rule}, {where}: {incident.ratio:.1%} failing ({normal}); "
        f"{counts} since {_clock(incident.onset_ms)} UTC" + (f". Ruled out: {out}" if out else "")
    )


def ruled_out(incident: Incident) -> str:
    """What is known not to be the cause, for whoever is to escalate it to the carrier."""
    out = ["a few handsets"] if incident.distinct_recipients >= MANY_HANDSETS else []
    if incident.senders is not None and incident.senders.shared:
        out.append("one sender")
    if incident.verified is not None:
        out += [CAUSES[Kind(kind)] for kind in incident.verified.ruled_out]
    return ", ".join(out)


def _what(incident: Incident) -> str:
    """What it is: of a carrier, or of a sender and then of no carrier."""
    if incident.senders is None or not incident.senders.bad:
        return "Reachability anomaly"
    names = ", ".join(one.name for one in incident.senders.bad)
    several = "s" if len(incident.senders.bad) > 1 else ""
    return f"Sender{several} {names} failing, not the carrier"


def normal_words(incident: Incident) -> str:
    """What a healthy ratio would be, as a range: `1.2% to 3.4%`."""
    if not incident.expected_high:
        return f"{incident.expected_ratio:.1%}"
    return f"{incident.expected_low:.1%} to {incident.expected_high:.1%}"


def _cut(text: str) -> str:
    return text if len(text) <= SUMMARY_MAX else text[: SUMMARY_MAX - 1] + "…"


def delayed(page: Page, delay_ms: int) -> Page:
    """The page with its delay before its summary, where it is worth a word; its timestamp is true."""
    if delay_ms < LATE_MS:
        return page
    hours, minutes = divmod(delay_ms // 60_000, 60)
    words = f"{hours}h{minutes:02}m" if hours else f"{minutes}m"
    return msgspec.structs.replace(page, summary=_cut(f"[delayed {words}] {page.summary}"))


def in_words(scope: Scope, display: Display = str) -> str:
    """A scope as a person would say it."""
    if scope.kind is ScopeKind.GLOBAL:
        return "all carriers and regions"
    carrier = carrier_in_words(scope.carrier, display)
    region = "region not known" if scope.region == UNKNOWN else f"region {scope.region}"
    if scope.carrier == ALL:
        return f"{region}, all carriers"
    return f"{carrier}, all regions" if scope.region == ALL else f"{carrier} in {region}"


def carrier_in_words(carrier: str, display: Display = str) -> str:
    """`carrier T-Mobile US (310-260)`."""
    if carrier == ALL:
        return "all carriers"
    return "carrier not known" if carrier == UNKNOWN else f"carrier {display(carrier)}"


def _page(incident: Incident, dedup_key: str, wanted: bool, links: Links, display: Display) -> Page:
    scope = scope_of(incident)
    return Page(
        dedup_key=dedup_key,
        incident_key=incident.key,
        action="trigger" if wanted else "resolve",
        seq=incident.seq,
        severity=_paged_as(incident),
        summary=summary(incident, display),
        source="carrier-health-monitor",
        timestamp_ms=incident.detected_ms,
        component=scope.carrier,
        group=scope.region,
        event_class=incident.rule,
        details=_details(incident, scope),
        links=tuple(links),
        team=incident.team or "",
        decided_ms=(incident.last_bucket_s + BUCKET_S) * 1000,
    )


def _paged_as(incident: Incident) -> Severity:
    """The severity that the page was made for; stepping down re-pages nobody."""
    return Severity.CRITICAL if incident.was_critical else Severity.WARNING


def _details(incident: Incident, scope: Scope) -> Details:
    notes: Details = {f"status_page_{n.name}": f"{n.indicator}: {n.words}" for n in incident.status_notes}
    senders = incident.senders.bad if incident.senders else ()
    return notes | {
        "rule": incident.rule,
        "scope": incident.current_scope or incident.scope,
        "carrier": scope.carrier,
        "region": scope.region,
        "scope_at_opening": f"{incident.scope} {incident.carrier}/{incident.region}",
        "failure_ratio": round(incident.ratio, 4),
        "peak_failure_ratio": round(incident.peak_ratio, 4),
        "expected_failure_ratio": round(incident.expected_ratio, 4),
        "normal_failure_ratio": normal_words(incident),
        "failed": incident.failed,
        "time_critical": incident.time_critical,
        "outcomes": incident.outcomes,
        "distinct_recipients": incident.distinct_recipients,
        "onset_ms": incident.onset_ms,
        "detected_ms": incident.detected_ms,
        "reopened": incident.reopened,
        "reason": incident.reason.value,
        "explanation": incident.explanation,
        "senders": ", ".join(one.name for one in senders),
        "ruled_out": ruled_out(incident),
        "verification": words(incident.verified) if incident.verified else "",
    }


def _clock(at_ms: int) -> str:
    """HH:MM:SS of epoch milliseconds; the page's timestamp has the date."""
    second = at_ms // 1000 % 86_400
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
