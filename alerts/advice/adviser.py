"""From failed messages and what is known of their recipients to records of `retry-advice`.

    rows, seen, held -> decision table -> (message id, advice)

The same rows give the same records, however often they are read: an advice rests on the order in which
failures were first seen, and on what was open when the message failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alerts.advice.held import Held
from alerts.advice.records import Advice, series_of
from alerts.advice.rules import Facts, Policy, decide, not_before_ms
from alerts.recipients.entry import Seen
from streams.label_values import Advised
from streams.privacy import shown_sender
from streams.records import TIME_CRITICAL, FailedRecipient, encode

PermanenceOf = Callable[[str, str], str]
"""(source, code) to `permanent`, `temporary` or `unknown`."""


class Adviser:
    """What the recipients' stage calls for each of its batches, before it commits."""

    def __init__(self, policy: Policy, permanence: PermanenceOf, metrics: Any) -> None:
        self._policy, self._permanence, self._metrics = policy, permanence, metrics

    def __call__(
        self, rows: Sequence[FailedRecipient], seen: Sequence[Seen], held: Held
    ) -> list[tuple[bytes, bytes]]:
        """(key, value) of the records to write."""
        records = []
        for row, known in zip(rows, seen, strict=True):
            if told_before(row, known):
                continue
            advice = self.advise(row, known, held)
            records.append((row.message_id.encode(), encode(advice)))
            if not known.repeated:
                self._count(advice)
        return records

    def advise(self, row: FailedRecipient, seen: Seen, held: Held) -> Advice:
        """The advice about one message. Pure."""
        policy, failed_ms = self._policy, seen.first_s * 1000
        sender = shown_sender(row.sender or "")
        incident = held.by(series_of(row), sender, failed_ms)
        facts = Facts(
            row.outcome_class,
            self._permanence(row.source, row.code),
            row.traffic_class == TIME_CRITICAL,
            seen.listed,
            seen.attempt,
            incident is not None,
        )
        decided = decide(facts, policy)
        return Advice(
            message_id=row.message_id,
            source=row.source,
            recipient=row.recipient,
            key_id=row.key_id,
            decision=decided.decision,
            reason=decided.reason,
            attempt=seen.attempt,
            max_attempts=policy.max_attempts,
            not_before_ms=not_before_ms(decided.decision, failed_ms, row.outcome_class, policy),
            incident=incident if decided.decision is Advised.HOLD else None,
            failed_ms=failed_ms,
            outcome_class=row.outcome_class,
            code=row.code,
            carrier=row.carrier,
            region=row.region,
            sender=sender,
            too_soon=too_soon(seen, policy),
            too_often=seen.attempt > policy.max_attempts + 1,
        )

    def _count(self, advice: Advice) -> None:
        self._metrics.retry_advice_total.labels(advice.source, advice.decision).inc()
        if advice.too_soon:
            self._metrics.retry_too_soon_total.labels(advice.source).inc()
        if advice.too_often:
            self._metrics.retry_too_often_total.labels(advice.source).inc()


def told_before(row: FailedRecipient, seen: Seen) -> bool:
    """Whether another receipt of the message came first: there is one decision a message, and what is
    read again, as after a crash, is the first one again."""
    return seen.repeated and row.received_ms // 1000 != seen.first_s


def too_soon(seen: Seen, policy: Policy) -> bool:
    """Whether it failed, so was sent, before the failure before it was old enough."""
    return seen.previous_s is not None and seen.first_s - seen.previous_s < policy.min_wait_s
