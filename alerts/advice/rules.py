"""The decision table: what to do about one failed message. Pure; the first row that fits decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from alerts.advice.records import Reason
from alerts.settings_advice import Advice as AdviceSettings
from streams.label_values import Advised

PERMANENT = "permanent"


@dataclass(frozen=True)
class Policy:
    """What the user allows, resolved from `[advice]`."""

    min_wait_s: float
    max_attempts: int
    retried: frozenset[str]
    """Outcome classes worth trying again."""
    waits_s: Mapping[str, float]
    """By class, where one has its own."""

    @classmethod
    def of(cls, advice: AdviceSettings) -> Policy:
        return cls(advice.min_wait_s, advice.max_attempts, advice.retried, advice.waits())

    def wait_ms(self, outcome_class: str) -> int:
        return int(1000 * max(self.min_wait_s, self.waits_s.get(outcome_class, 0.0)))


class Facts(NamedTuple):
    """All that takes part in the decision, besides the policy."""

    outcome_class: str
    permanence: str
    """As the code table of the message's source says: `permanent`, `temporary`, `unknown`."""
    time_critical: bool
    listed: bool
    """Whether the recipient is on the list, this failure counted."""
    attempt: int
    """The recipient's failures in a row, this one counted."""
    held: bool
    """Whether an incident holds retries of it."""


class Row(NamedTuple):
    """One row of the table; `when` and `then` are its words in the documentation."""

    reason: Reason
    decision: Advised
    when: str
    then: str
    fits: Callable[[Facts, Policy], bool]


TABLE = (
    Row(
        Reason.TIME_CRITICAL,
        Advised.OTHER_CHANNEL,
        "its traffic class is `time_critical`",
        "at once, by voice, app or e-mail: the code is worth nothing in half an hour",
        lambda f, p: f.time_critical,
    ),
    Row(
        Reason.PERMANENT,
        Advised.STOP,
        "the code table calls its code permanent",
        "never: it fails again until somebody changes something",
        lambda f, p: f.permanence == PERMANENT,
    ),
    Row(
        Reason.CLASS_NOT_RETRIED,
        Advised.STOP,
        "its class is not in `advice.classes`",
        "never",
        lambda f, p: f.outcome_class not in p.retried,
    ),
    Row(
        Reason.LISTED,
        Advised.STOP,
        "its recipient is on the list of numbers that are probably dead",
        "never; a delivery takes the recipient off the list",
        lambda f, p: f.listed,
    ),
    Row(
        Reason.TRIES_USED_UP,
        Advised.STOP,
        "its recipient has failed more than `advice.max_attempts` times in a row",
        "never",
        lambda f, p: f.attempt > p.max_attempts,
    ),
    Row(
        Reason.INCIDENT,
        Advised.HOLD,
        "it failed while an incident was open that covers it",
        "once the incident is released, and the class's wait has passed",
        lambda f, p: f.held,
    ),
    Row(
        Reason.ISOLATED,
        Advised.RETRY,
        "anything else",
        "once the class's wait has passed: `advice.waits_s`, `advice.min_wait_s` at least",
        lambda f, p: True,
    ),
)


def decide(facts: Facts, policy: Policy) -> Row:
    """The row that decides."""
    return next(row for row in TABLE if row.fits(facts, policy))


def not_before_ms(decision: Advised, failed_ms: int, outcome_class: str, policy: Policy) -> int | None:
    """When it may be sent again; None for never. `failed_ms` of whole seconds is rounded up: never early."""
    if decision is Advised.STOP:
        return None
    if decision is Advised.OTHER_CHANNEL:
        return failed_ms
    return failed_ms + 1000 + policy.wait_ms(outcome_class)
