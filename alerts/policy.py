"""What the deciding stations are told: thresholds, evidence and times, frozen and versioned.

Figures and their measurements: docs/detection.md. Times are seconds of event time,
never buckets, so another bucket length changes none of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.records import Severity
from alerts.settings import Settings


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Policy of charts, scopes and incidents. `version` names it in snapshots."""

    version: int = 1
    prior: float = 0.02
    """Failure probability of a series of which nothing is known."""
    prior_failures: float = 10.0
    """What is expected of a series before it is known (its mean, carrier, region) is worth so many, and so
    is that it fails like its kin. Nothing is suspected before so many failures of its own are known."""
    memory_s: int = 14 * 86_400
    """Half-life of what is learned by hour of day, and of the wobble."""
    level_memory_s: int = 12 * 3600
    level_events: float = 30.0
    level_most: float = 0.7
    """The level follows within half a day, by at most so much in log-odds."""
    quarantine_s: int = 3600
    quarantine_most_s: int = 86_400
    suspect_evidence: float = 3.0
    """Counts are learned when so old, and older than the start of any chart with more evidence (nats)
    than this; after a day in any case."""

    thetas: tuple[float, ...] = tuple(2 * 1.6**j for j in range(8))
    """Odds ratios of the bank of charts, rising (detection, 2). The least is the zone of indifference."""
    threshold: float = 16.4
    """Evidence (nats) at which a chart alarms: at most one false alarm in 1,000 series-weeks, by the upper
    bound of what was measured (docs/detection-benchmark.md)."""
    sigma: float = 0.15
    sigma_events: float = 296.0
    sigma_least: float = 0.05
    sigma_most: float = 0.35
    """Wobble of a series' log-odds that is not an incident (detection, 3): what it is until it is
    learned, the weight of that (20 blocks with 4 expected failures), and its bounds."""
    wobble_least: float = 4.0
    """Variance (sum of n pi (1 - pi)) from which on counts say something about the wobble."""
    blast: float = 3.0
    blast_sigma: float = 0.25
    blast_odds_ratio: float = 3.0
    """So many times the typical volume is a blast: more wobble, and odds that must rise further."""
    series_allowed: float = 1000.0
    false_pages_per_week: float = 1.0
    """`threshold` holds one false alarm a week in 1,000 series; other fleets and budgets move it."""
    min_odds_ratio: float = 2.0
    min_excess: float = 0.005
    """Floors: odds at least doubled, and the ratio at least this far above the expected one."""
    alone_s: int = 60
    alone_odds_ratio: float = 4.0
    alone_jumps: float = 1.5
    """In segments so short, one bucket decides alone only with odds at least so many times the expected
    ones, and so much farther from normal than any jump of one bucket of late; else two in a row do."""

    warning: float = 0.05
    critical: float = 0.10
    prior_events: float = 20.0
    """Weight of the baseline, in events, in the estimate of the ratio (detection, 5)."""
    segment_cap_s: int = 300
    """The ratio looks at the last so many seconds once an incident is older."""
    escalate_z: float = 1.0
    """Once open, a ratio must pass a line by so many standard errors to escalate."""
    step_down_share: float = 0.8
    step_down_z: float = 1.645
    step_down_s: int = 120
    """Severity falls when P(ratio < share * line) >= .95 (z one-sided) for so long."""

    resolve_evidence: float = 7.0
    resolve_min_s: int = 120
    """Mirror test: evidence (nats) of recovery, and the least age of an incident (detection, 5)."""
    resolve_quiet_s: int = 30
    """The recovery must have lasted so long: one good bucket at high volume ends nothing."""
    reopen_s: int = 1800
    """An alarm so soon after the end is the same incident; it pages at most once in this time."""

    sigma_scope: float = 0.35
    further_evidence: float = 10.0
    """A further scope beside one already found: series of one incident differ by sigma_scope."""
    better_explanation: float = 1.05
    """Another set of scopes must explain so much more than the first to be preferred."""
    look_s: int = 60
    """Scopes are sought again in every bucket so long after an alarm, then each so many seconds."""
    ring_s: int = 3600
    """How far back scopes are sought."""
    clear_lead: float = 3.0
    lead_wait_s: int = 30
    """A scope with a lead of fewer nats waits so long after its onset for the name to settle."""
    named_s: int = 120
    """An incident open for so long is not split any more into parts that began with it."""
    confirm_events: int = 100
    """An alarm of a single bucket waits for the next one unless critical on so many outcomes."""

    missing: tuple[float, ...] = (0.9, 0.75, 0.5, 0.25, 0.05)
    missing_least: float = 0.8
    """Shares of the successes that are due for which the charts of overdue receipts look, and the share
    above which none are missed."""
    missing_sigma_least: float = 0.02
    """Lower bound of the wobble of successes, which hardly feel that of failures."""
    overdue_after_s: int = 3600
    """Nothing is overdue of a series that is younger: how its receipts come is not known yet."""
    missing_doubt: float = 0.5
    """What is due is right to within this share of what slow receipts would be otherwise at the rate of
    now: after a blast it rests on them alone."""
    returned_least: float = 100.0
    """Receipts to be expected from sends are judged once so many sends are known to have been answered."""
    delay_events: float = 200.0
    offset_most: float = 3.0
    offset_doubt: float = 0.5
    """Delays are a carrier's own after so many receipts; they move the log-odds by at most so much,
    and that is right to within this share of it."""
    crowd_memory_s: int = 3600
    echo_doubt: float = 0.3
    """Half-life of the busiest 10 min, whose late failures may come at once; the log-odds are right to
    within this share of what they would add."""
    old_memory_s: int = 86_400
    backlog_least: float = 5.0
    """More old receipts in a bucket than this, and than `blast` times the usual, are a backlog."""

    time_critical_share: float = 0.2
    time_critical_least: int = 5
    """Where so many of the failed, and such a share of them, were time-critical, its own lines hold."""
    time_critical_warning: float = 0.0
    time_critical_critical: float = 0.0
    """0: that of `warning`, for both: what would be a warning is critical."""

    sender_rest_odds: float = 4.0
    sender_wait_s: int = 60
    """The others must be proved (as a recovery is) not to fail with odds raised so much, for some senders to
    be the cause; so long after its onset an incident may wait for that."""
    senders_most: int = 5

    isolated_people: float = 5.0
    isolated_repeating_people: float = 50.0
    isolated_share: float = 0.3
    """No outage: fewer recipients than this, or fewer than that of which each fails more than 1 / share
    times."""
    ticket_thetas: tuple[float, ...] = (1.25, 1.5)
    ticket_threshold: float = 12.0
    ticket_memory_s: int = 28 * 86_400
    ticket_least_s: int = 86_400
    ticket_share: float = 0.75
    """List quality: odds ratios and evidence (nats) of its hourly charts, the half-life of what is normal
    to them, how long a ticket lasts at least, and how much of a scope must have risen to name it."""
    persistent_sure: float = 0.99
    persistent_over: float = 0.95
    """How sure it must be that a ratio lies above the warning line, and below it for the end."""
    persistent_s: int = 86_400
    accepted_s: int = 7 * 86_400
    """An incident open for so long is a matter of list quality; after a week it is the new normal."""

    def evidence(self, scopes: int) -> float:
        """h (nats) for `scopes` charts with half of the budget: 16.4 + ln(N / 1000 / allowed), never less."""
        allowed = self.false_pages_per_week / 2
        return self.threshold + max(0.0, math.log(max(scopes, 1) / self.series_allowed / allowed))

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """The policy in force; every rule has an equal share of the budget."""
        alerting = settings.alerting
        return cls(
            warning=alerting.warning_ratio,
            critical=alerting.critical_ratio,
            false_pages_per_week=alerting.false_pages_per_week / max(len(settings.rules), 1),
            time_critical_share=settings.time_critical.share,
            time_critical_least=settings.time_critical.least_failed,
            time_critical_warning=settings.time_critical.warning_ratio,
            time_critical_critical=settings.time_critical.critical_ratio,
        )

    def urgent(self, time_critical: float, failed: float) -> bool:
        """Whether a notable share of what failed was time-critical."""
        return time_critical >= max(self.time_critical_least, self.time_critical_share * failed)

    @classmethod
    def written(cls, fields: Mapping[str, Any]) -> Policy:
        """That of a snapshot; what this version knows no more is left out."""
        return msgspec.convert({n: v for n, v in fields.items() if n in cls.__struct_fields__}, cls)

    def level(self, ratio: float, *, urgent: bool = False) -> Severity:
        """Severity of a failure ratio; where it is `urgent`, by the lines of time-critical traffic."""
        if ratio > self.line(Severity.CRITICAL, urgent=urgent):
            return Severity.CRITICAL
        return Severity.WARNING if ratio > self.line(Severity.WARNING, urgent=urgent) else Severity.INFO

    def line(self, severity: Severity, *, urgent: bool = False) -> float:
        """The ratio above which `severity` begins; 0 for INFO."""
        warning, critical = self.warning, self.critical
        if urgent:
            warning = self.time_critical_warning or self.warning
            critical = self.time_critical_critical or self.warning
        return {Severity.WARNING: warning, Severity.CRITICAL: critical}.get(severity, 0.0)

    def mirror_chart(self, theta: float) -> int:
        """Index of the chart that tests recovery from odds ratio `theta`: max(2, sqrt(theta)) (detection, 5).

        The next lower odds ratio of the grid, so that the scopes' sums serve both tests.
        """
        root = math.sqrt(theta) * (1 + 1e-9)
        return max((j for j, t in enumerate(self.thetas) if t <= root), default=0)
