"""The numbers that decided, and the same in words that a person on call understands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.charts import Charts
from alerts.odds import expit, logit
from alerts.policy import Policy

Floats = NDArray[np.float64]

NORMAL_RANGE_Z = 1.96
"""A healthy ratio lies within so many standard deviations in 95 of 100 cases."""


class Numbers(NamedTuple):
    """Why something is flagged. Ratios are shares of 1, evidence and threshold are nats."""

    failed: int
    outcomes: int
    people: int
    """Distinct recipients among the failed."""
    expected: float
    low: float
    high: float
    """The ratio that is normal, and the range in which it lies in 95 of 100 cases."""
    evidence: float
    threshold: float
    from_s: int
    to_s: int
    """The window [from_s, to_s)."""
    elsewhere_failed: int = 0
    elsewhere: int = 0
    """Failures and outcomes of all other series in the same window, of a flag in the last 5 min."""
    time_critical: int = 0
    """How many of `failed` were time-critical, where that is a notable share; else 0."""

    def words(self) -> str:
        ratio = self.failed / self.outcomes if self.outcomes else 0.0
        text = (
            f"{self.failed} of {self.outcomes} outcomes ({ratio:.1%}) failed from {self._from()} to "
            f"{clock(self.to_s)} UTC, {self.people} recipients; normal here and now is {self.expected:.1%} "
            f"({self.low:.1%} to {self.high:.1%})."
        )
        if self.threshold:
            text += f" Evidence {self.evidence:.0f} nats, {self.threshold:.0f} decide."
        if self.time_critical:
            text += f" {self.time_critical} of the failed are time-critical: lines of their own hold."
        if self.elsewhere:
            share = self.elsewhere_failed / self.elsewhere
            text += f" Elsewhere {share:.1%} of {self.elsewhere} failed."
        return text

    def _from(self) -> str:
        """With the date where the window is longer than a day."""
        if self.to_s - self.from_s <= 86_400:
            return clock(self.from_s)
        return f"{datetime.fromtimestamp(self.from_s, UTC):%Y-%m-%d} {clock(self.from_s)}"


def interval(expected: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Bounds of the normal ratio: `variance` is that of its log-odds."""
    middle, reach = logit(expected), NORMAL_RANGE_Z * np.sqrt(variance)
    return expit(middle - reach), expit(middle + reach)


def why_isolated(policy: Policy, people: float, repeats: float) -> str:
    """Why this is no outage, '' where it is one. `repeats` are failures for each distinct recipient.

    An outage reaches many recipients; with many of them, repeats are only the retries of an outage.
    """
    if people < policy.isolated_people:
        return f"Isolated: {people:.0f} recipients alone fail."
    if people < policy.isolated_repeating_people and repeats * policy.isolated_share > 1:
        return f"Isolated: {people:.0f} recipients fail {repeats:.1f} times each, as in a retry loop."
    return ""


def missing_words(charts: Charts, scope: int) -> str:
    """What of the receipts that are due has come, by the chart that knows most of it."""
    best = int(charts.w[:, scope].argmax())
    came, due = charts.k[best, scope], charts.m[best, scope]
    return (
        f"{came:.0f} of {due:.0f} successes that are due have come since "
        f"{clock(int(charts.start_s[best, scope]))} UTC: people are not reached and the failures are "
        "still to come, or receipts are late."
    )


def clock(at_s: int) -> str:
    """HH:MM:SS of epoch seconds."""
    second = at_s % 86_400
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
