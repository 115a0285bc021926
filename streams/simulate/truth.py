"""What a simulated record really is: the records that the simulator's stations hand on.

Imports nothing of the product, so that the ledger can judge the product.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

ALL = "all"
UNKNOWN = "unknown"

CANONICAL, TWILIO, SMPP = "canonical", "twilio-status-callback", "smpp-receipt"


class Kind(StrEnum):
    """What a record was made to be. Everything after INBOUND is garbage."""

    MESSAGE = "message"
    LATE = "late"
    CONFLICT = "conflict"
    INBOUND = "inbound"
    NOT_JSON = "not_json"
    TRUNCATED = "truncated"
    NOT_UTF8 = "not_utf8"
    WRONG_TYPE = "wrong_type"
    MISSING_ID = "missing_id"
    MISSING_TIME = "missing_time"
    UNKNOWN_SOURCE = "unknown_source"
    EMPTY = "empty"
    FUTURE = "future"
    BAD_STATUS = "bad_status"
    LARGE = "large"


KINDS = tuple(Kind)
GARBAGE = KINDS[KINDS.index(Kind.NOT_JSON) :]

_SMPP_UNSURE = {Kind.NOT_JSON, Kind.NOT_UTF8, Kind.MISSING_TIME, Kind.BAD_STATUS, Kind.LARGE}
"""A bare text without a receipt's fields may be an inbound message: not clearly garbage."""

GARBAGE_OF: dict[str, tuple[Kind, ...]] = {
    CANONICAL: GARBAGE,
    TWILIO: tuple(k for k in GARBAGE if k is not Kind.MISSING_TIME),
    SMPP: tuple(k for k in GARBAGE if k not in _SMPP_UNSURE),
}
"""The garbage that each format can hold and that nobody could read otherwise."""


class Verdict(msgspec.Struct, frozen=True):
    """Status and code of one outcome, in the words of the contract. `code` is '' for none."""

    status: str
    code: str = ""


class Leaf(msgspec.Struct, frozen=True):
    """One strand of traffic: a feed's messages to one carrier in one region."""

    source: str
    format: str
    profile: str
    carrier: str
    region: str
    country: str
    carrier_label: bool
    """Whether the record names the carrier."""
    region_label: bool


class Truth(msgspec.Struct, frozen=True, gc=False):
    """One record as it was meant, before it is encoded. Times are UTC milliseconds.

    `at_ms` is when it is written, `received_ms` when the gateway is said to have got it.
    """

    at_ms: int
    received_ms: int
    message_id: str
    leaf: Leaf
    verdict: Verdict
    kind: Kind
    repeat: bool
    """An exact repeat of an earlier record, received again."""
    as_text: bool
    """A form body (Twilio) or a bare receipt (SMPP) instead of JSON."""
    recipient: int
    """E.164 digits."""
    sender: int
    sent_ms: int
    provider_ms: int


class Label(msgspec.Struct, frozen=True):
    """A labelled incident, as one rule should find it: `[onset_ms, end_ms)` of receipt time.

    `carrier` and `region` are ALL where the scope spans them.
    """

    rule: str
    scope: str
    carrier: str
    region: str
    onset_ms: int
    end_ms: int
    ratio: float
