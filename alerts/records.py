"""The records of the deciding and paging stations, in flow order."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from alerts.spells import Spell
from streams.commands import ToldTime

VERSION = 1
ALL = "all"
"""The carrier or region of a scope that spans all of them."""


class Severity(StrEnum):
    """How bad. INFO is a spike over baseline below the warning line: shown, never paged."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class ScopeKind(StrEnum):
    GLOBAL = "global"
    CARRIER = "carrier"
    REGION = "region"
    PAIR = "pair"


class Scope(NamedTuple):
    """What an alarm is about; `carrier` or `region` is ALL where the scope spans them."""

    kind: ScopeKind
    carrier: str
    region: str

    def covers(self, carrier: str, region: str) -> bool:
        return self.carrier in (ALL, carrier) and self.region in (ALL, region)


EVERYTHING = Scope(ScopeKind.GLOBAL, ALL, ALL)


class Decision(StrEnum):
    """Why something was done: the same words in logs, metrics, pages and reviews."""

    SPIKE = "spike_over_baseline"
    ABOVE_WARNING = "ratio_above_warning"
    ABOVE_CRITICAL = "ratio_above_critical"
    TIME_CRITICAL = "time_critical_traffic"
    """Above the warning line, and a notable share of what failed was time-critical."""
    STEPPED_DOWN = "ratio_stepped_down"
    SCOPE_CHANGED = "scope_changed"
    RECOVERED = "recovered_mirror_test"
    REOPENED = "reopened_within_30_min"
    PAGED_AGAIN = "page_due_after_reopen"
    OVERDUE = "receipts_overdue"
    PERSISTENT = "persistent_list_quality"
    ACCEPTED = "accepted_as_normal"
    ATTACHED = "explained_by_open_incident"
    ACKNOWLEDGED = "acknowledged_by_person"
    UNACKNOWLEDGED = "acknowledgement_withdrawn"
    NOTED = "note_by_person"
    JUDGED = "verdict_by_person"
    TIMED = "time_by_person"
    CLOSED = "closed_by_person"
    REOPENED_BY_PERSON = "reopened_by_person"
    WORSE_AFTER_CLOSE = "severity_rose_after_close"
    LONG_AFTER_CLOSE = "still_failing_4_h_after_close"
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    KNOWN_AT_PAGER = "known_at_pager"
    CLOSED_AT_PAGER = "closed_at_pager"
    NOTHING_TO_CLOSE = "nothing_to_close"
    OUTDATED = "older_than_the_last_page"


class State(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


QUIET_ROUTES = ("slack", "webhook")
"""Routes that tell, and wake nobody."""


class Delivery(msgspec.Struct, frozen=True):
    """One page accepted by a pager (a 202). `at_ms` is wall time."""

    route: str
    dedup_key: str
    action: str  # trigger | resolve
    seq: int
    at_ms: int
    routing_key_id: str = ""
    """First characters of the routing key's SHA-256: which key opened it, never the key."""
    ref: str = ""
    """What the pager calls it: Slack's `channel:timestamp`, by which the message is edited."""
    by: str = ""
    """Who did it at the pager; '' for what we sent."""


class Note(msgspec.Struct, frozen=True):
    """What somebody wrote. `at_ms` is wall time."""

    at_ms: int
    author: str
    text: str
    via: str


class Silenced(msgspec.Struct, frozen=True):
    """Why an open incident pages nobody now: one of the `silences`."""

    id: str
    until_ms: int
    author: str
    reason: str
    kept: tuple[str, ...] = ()
    """Pager keys that were open when it began: they stay open, and are resolved in the end."""


class People(msgspec.Struct, frozen=True):
    """What people have said about an incident. It lies over what the detector says, which never
    reads it: whatever people do, the same buckets decide the same. Times are wall milliseconds."""

    changes: int = 0
    """How much of the incident's `seq` is theirs."""
    acknowledged_ms: int = 0
    acknowledged_by: str = ""
    closed_ms: int = 0
    """When a person closed it while it was failing still; 0 for not closed."""
    closed_by: str = ""
    closed_bucket_s: int = 0
    """The last bucket applied at that time."""
    closed_severity: Severity = Severity.INFO
    verdict: str = ""
    verdict_by: str = ""
    notes: tuple[Note, ...] = ()
    silence: Silenced | None = None
    pager_ids: tuple[str, ...] = ()
    """The pager's own ids of its incidents for this one."""
    pager_url: str = ""
    asked: tuple[str, ...] = ()
    """Ids of the newest commands, so that none counts twice."""
    times: tuple[ToldTime, ...] = ()

    @property
    def closed(self) -> bool:
        return self.closed_ms > 0


class Wake(NamedTuple):
    """A page that is to wake somebody: in which bucket (epoch s), for how bad a failure, where."""

    bucket_s: int
    severity: Severity
    scope: ScopeKind


class StatusNote(msgspec.Struct, frozen=True):
    """What a status page said when the incident opened. `at_ms` is wall time; `words` are its own."""

    name: str
    at_ms: int
    indicator: str
    words: str


class Incident(msgspec.Struct, frozen=True):
    """The newest whole state of an incident: what the compacted `incidents` topic holds.

    Buckets are epoch seconds (start of the 10 s bucket). `key` is frozen at opening:
    `ch:{rule}:{scope}:{carrier}:{region}:{first flagged bucket}`.
    """

    key: str
    seq: int
    """Grows by one with every change of desired state, severity or scope."""
    rule: str
    scope: str
    """ScopeKind, carrier and region as they were at opening: labels that never change."""
    carrier: str
    region: str
    state: State
    severity: Severity
    opened_bucket_s: int
    detected_ms: int
    """End of the deciding bucket, epoch ms: event time."""
    last_bucket_s: int
    """The last bucket applied to this incident; earlier ones change nothing."""
    reason: Decision
    current_scope: str = ""
    current_carrier: str = ""
    current_region: str = ""
    onset_ms: int = 0
    """Start of the winning segment: the best estimate of when it began, event time."""
    resolved_bucket_s: int | None = None
    ratio: float = 0.0
    peak_ratio: float = 0.0
    failed: int = 0
    outcomes: int = 0
    distinct_recipients: int = 0
    time_critical: int = 0
    """How many of `failed` were time-critical."""
    warned: bool = False
    """The warning's page was wanted at some time, so it must be resolved once critical or over."""
    was_critical: bool = False
    """Both speak of the time since the last (re-)opening, the next two of the whole life."""
    plain_key_used: bool = False
    critical_key_used: bool = False
    """Pager keys `{key}` and `{key}:critical` that must be resolved in the end."""
    expected_ratio: float = 0.0
    """Failure ratio if nothing were wrong."""
    expected_low: float = 0.0
    expected_high: float = 0.0
    """The range in which a healthy ratio lies in 95 of 100 cases, as of the last transition; 0 for not
    known."""
    explanation: str = ""
    """The numbers behind the last transition, in words."""
    reopened: int = 0
    page_from_s: int = 0
    """No page is wanted before this bucket: a re-open pages at most once in 30 min."""
    repaged_s: int = 0
    """Bucket of the last page after a re-open; 0 for none."""
    wakes: tuple[Wake, ...] = ()
    """The pages that were to wake somebody, sent or not."""
    deliveries: tuple[Delivery, ...] = ()
    status_notes: tuple[StatusNote, ...] = ()
    spells: tuple[Spell, ...] = ()
    """When it held retries back, the newest last."""
    team: str | None = None
    """Who is paged, frozen when the first page is wanted; '' the default, None not decided yet."""
    storm: str | None = None
    """The summary page that speaks for it, frozen with `team`; '' none: it has its own page."""
    people: People = People()
    v: int = VERSION


def is_live(incident: Incident) -> bool:
    """Whether it is open for people too: failing, and not closed by one of them."""
    return incident.state is State.OPEN and not incident.people.closed


class Transition(msgspec.Struct, frozen=True):
    """One entry of `incident-events`: what changed, when in event time, and why."""

    key: str
    seq: int
    at_ms: int
    what: str
    reason: str
    detail: str = ""
    by: str = ""
    """Who asked for it, and `via` which way; `at_ms` is wall time then."""
    via: str = ""
    v: int = VERSION


class Form(StrEnum):
    """Which routes a page is for."""

    KEYED = "keyed"
    """One a pager key: PagerDuty, where each severity that wakes somebody has its own."""
    ALERT = "alert"
    """As KEYED, never summed up, its labels frozen: Alertmanager."""
    NOTICE = "notice"
    """One an incident, updated as it changes: Slack and the webhook."""


class Page(msgspec.Struct, frozen=True):
    """The desired state of one pager key: the reconciler's input and unit of work."""

    dedup_key: str
    incident_key: str
    action: str  # trigger | resolve | tell
    seq: int
    severity: Severity
    summary: str
    source: str
    timestamp_ms: int
    component: str = ""
    group: str = ""
    event_class: str = ""
    details: dict[str, str | int | float] = {}
    links: tuple[tuple[str, str], ...] = ()
    """(href, text) pairs."""
    form: Form = Form.KEYED
    team: str = ""
    labels: dict[str, str] = {}
    """What never changes while the page is open: the identity of an alert at Alertmanager."""
    decided_ms: int = 0
    """End of the bucket that decided it, event time; 0 for a page that no bucket has decided."""
    routing_key_id: str = ""
    """The key that opened it, '' the one in force. The desk fills it in, and `ref`, when it hands out."""
    ref: str = ""
    """What the pager called it when it took it before."""
