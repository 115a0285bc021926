"""What `retry-advice` carries: docs/retry-advice.schema.json is made of these records.

Times are epoch milliseconds of receipt or of deciding buckets, never of a wall clock, so that a record
that is written again is the same. No field holds a recipient's number.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from streams.label_values import Advised
from streams.records import FailedRecipient, SeriesKey

ADVICE_VERSION = 1


class Reason(StrEnum):
    """Which row of the table has decided (docs/retry-advice.md)."""

    TIME_CRITICAL = "time_critical"
    PERMANENT = "permanent"
    CLASS_NOT_RETRIED = "class_not_retried"
    LISTED = "on_the_list"
    TRIES_USED_UP = "tries_used_up"
    INCIDENT = "incident_open"
    ISOLATED = "isolated"


class Advice(msgspec.Struct, frozen=True, tag_field="kind", tag="advice"):
    """About one failed message; the key of its Kafka record is the message id."""

    message_id: str
    source: str
    recipient: str
    """Keyed hash, and `key_id` which key."""
    key_id: str
    decision: Advised
    reason: Reason
    attempt: int
    """How many messages in a row this is that did not reach the recipient: with `retry` and `hold` the
    number of the next try."""
    max_attempts: int
    not_before_ms: int | None
    """When it may be sent again, by another channel with `other_channel`; null for never. With `hold` not
    before the incident is released either."""
    incident: str | None
    """Key of the incident that holds it."""
    failed_ms: int
    outcome_class: str
    code: str
    carrier: str
    region: str
    sender: str
    """Masked where it may be a phone number; '' where the record does not say."""
    too_soon: bool
    """Whether it was sent before the recipient's failure before was `advice.min_wait_s` old."""
    too_often: bool
    """Whether it was sent although `max_attempts` tries had failed."""
    v: int = ADVICE_VERSION


class Hold(msgspec.Struct, frozen=True, tag_field="kind", tag="hold"):
    """From `from_ms` on nothing is sent again that fits, whatever was advised before; the key of its Kafka
    record is the incident's. The newest record of a key holds, so that a hold replaces the one before."""

    incident: str
    rule: str
    scope: str
    carrier: str
    """`all` where the scope spans all of them; `region` likewise."""
    region: str
    senders: tuple[str, ...]
    """Of these senders alone, masked as in advice; of all where there are none."""
    sources: tuple[str, ...]
    """Of these sources, failures with one of `codes` or of `classes`."""
    codes: tuple[str, ...]
    classes: tuple[str, ...]
    from_ms: int
    v: int = ADVICE_VERSION


class Release(msgspec.Struct, frozen=True, tag_field="kind", tag="release"):
    """The incident holds nothing any more since `until_ms`; `from_ms` is that of its hold."""

    incident: str
    from_ms: int
    until_ms: int
    v: int = ADVICE_VERSION


Record = Advice | Hold | Release
decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
"""Raises msgspec.MsgspecError for what is none of them."""


def schema() -> dict[str, Any]:
    """JSON Schema of the topic's values."""
    return msgspec.json.schema(Record)


def series_of(one: FailedRecipient | Advice) -> SeriesKey:
    """What a failed message was counted under."""
    return SeriesKey(one.source, one.carrier, one.region, one.outcome_class, one.code)
