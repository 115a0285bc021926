"""The records that travel between stations, in flow order, each named and versioned.

Intervals are half-open: `[from, to)` of offsets, `[bucket_s, bucket_s + BUCKET_S)` of epoch
seconds. Topics carry JSON; wide tables are columnar: one list a column, all of equal length.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

VERSION = 1
BUCKET_S = 10
UNKNOWN = "unknown"
TIME_CRITICAL = "time_critical"
"""The traffic class that raises severity (contract: normalised outcome)."""
CANARY = "__canary__"
"""Source, carrier and region of what the monitor sends itself; no source of a user has this name."""

LATENCY_BOUNDS_S = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400)
"""Upper bounds (inclusive, seconds) of the receipt-latency histogram; one more column is +Inf."""


class Status(StrEnum):
    """What became of a message, the same for every provider (contract: normalised outcome)."""

    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    INBOUND = "inbound"


class Result(StrEnum):
    """What the monitor did with a record. In order: the first that fits is the one."""

    MALFORMED = "malformed"
    INBOUND = "inbound"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    OWN_SIDE = "own_side"
    IN_FLIGHT = "in_flight"
    CANARY = "canary"
    LATE = "late"
    COUNTED = "counted"


class Reason(StrEnum):
    """Why a record is malformed; the header `reason` of its dead letter."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    MISSING_TIME = "missing_time"
    BAD_TIME = "bad_time"
    BAD_STATUS = "bad_status"
    BAD_RECEIPT = "bad_receipt"
    FUTURE_RECEIPT = "future_receipt"
    FUTURE_PROVIDER_TIME = "future_provider_time"
    TOO_LARGE = "too_large"
    UNKNOWN_SOURCE = "unknown_source"
    EMPTY = "empty"


class Malformed(NamedTuple):
    """A record that can not be read: why (a label) and the words for a person.

    `detail` never quotes the record, which may hold a phone number.
    """

    reason: Reason
    detail: str


CONNECTOR = "connector:"
"""Begins a reading's `carrier` that is the id of a connection, which only the configuration can name."""
LABEL = "label:"
"""Begins a reading's `carrier` that is the user's own word where others of the format are the provider's."""


class Reading(Protocol):
    """What a decoder takes out of one provider record, in the provider's own words.

    Times are epoch milliseconds. `code` may be a number where the provider sends one. `carrier` is
    MCC-MNC, a name, `CONNECTOR` and the id of the connection that the record came over, or `LABEL` and
    the user's own word.
    """

    @property
    def message_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def code(self) -> str | int | None: ...
    @property
    def to(self) -> str | None: ...
    @property
    def sender(self) -> str | None: ...
    @property
    def carrier(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def traffic_class(self) -> str | None: ...
    @property
    def received_ms(self) -> int | None: ...
    @property
    def sent_time_ms(self) -> int | None: ...
    @property
    def provider_time_ms(self) -> int | None: ...


class Outcome(msgspec.Struct, frozen=True):
    """One normalised outcome: what `decode` prints (contract section 4)."""

    message_id: str
    source: str
    status: str
    code: str | None
    outcome_class: str
    side: str
    carrier: str
    carrier_source: str
    region: str
    recipient: str | None
    sender: str | None
    traffic_class: str | None
    received_ms: int
    event_time_ms: int
    sent_time_ms: int | None
    provider_time_ms: int | None
    final: bool


class SeriesKey(NamedTuple):
    """What a cell is counted under, besides its bucket."""

    source: str
    carrier: str
    region: str
    outcome_class: str
    code: str  # '' where the provider gave none


class Cells(msgspec.Struct, omit_defaults=True):
    """Counts, columnar: cell i is `keys[key[i]]` in `[bucket_s[i], bucket_s[i] + BUCKET_S)`."""

    keys: list[SeriesKey] = []
    key: list[int] = []
    bucket_s: list[int] = []
    finals: list[int] = []
    sends: list[int] = []
    signals: list[int] = []
    """Messages of which an intermediate receipt said that the subscriber is absent; none is final."""
    latency_cell: list[int] = []
    """Receipt latency, sparse: `latency_n[j]` outcomes of cell `latency_cell[j]` fell into column
    `latency_bin[j]` of LATENCY_BOUNDS_S (the last is +Inf); outcomes without one are left out."""
    latency_bin: list[int] = []
    latency_n: list[int] = []
    senders: dict[int, dict[str, int]] = {}
    """By cell index, failed outcomes only: the top 20 senders and '' for the rest."""
    time_critical: dict[int, int] = {}
    """By cell index: failed outcomes whose traffic class is TIME_CRITICAL; cells without any left out."""
    recipients_n: list[int] = []
    """Failed recipients in `recipients`, per cell, repeats within the cell left out."""
    recipients: str = ""
    """Base64 of little-endian 64-bit keyed hashes, cell after cell."""
    distinct: list[int] = []
    """In `windows` only: failed recipients not seen failing in that series for an hour."""
    repeats: list[int] = []
    """In `windows` only: failed outcomes of a recipient already counted (n' = finals - repeats)."""


class Range(msgspec.Struct, frozen=True):
    """What one partial covers of one source partition, and how far that partition's clock is."""

    topic: str
    topic_id: str
    partition: int
    start: int = msgspec.field(name="from")
    end: int = msgspec.field(name="to")
    clock_ms: int | None = None
    """Receipt time up to which the partition was read; None until it is known."""
    tally: dict[str, dict[str, int]] = {}
    """source -> result -> records; adds up to the records read in [from, to), and `split`."""
    split: int = 0
    """How many outcomes more than records there were: some records held several."""


class Partial(msgspec.Struct, frozen=True):
    """One flush of one ingest: all parts lie in one Kafka transaction with the offsets."""

    writer: str
    made_ms: int
    sources: dict[str, int]
    """The source set: topic -> partitions. Readers hold for the union of all they have seen."""
    ranges: list[Range] = []
    cells: Cells = msgspec.field(default_factory=Cells)
    part: int = 1
    parts: int = 1
    retired: list[str] = []
    """Topics that `topics --apply` took out of the source set."""
    v: int = VERSION


class Position(msgspec.Struct, frozen=True):
    """Where windows stands in one source partition after `through`."""

    topic: str
    topic_id: str
    partition: int
    end: int = msgspec.field(name="to")
    clock_ms: int | None = None


class ClosedBucket(msgspec.Struct, frozen=True):
    """Part `part` of `parts` of one closed bucket; the first complete attempt wins."""

    bucket_s: int
    attempt: str
    part: int
    parts: int
    through: int
    """Offset of the last partial that is counted in this record."""
    low_water: int
    """Offset of the oldest partial that a restart needs to build the open buckets again."""
    sources: dict[str, int]
    positions: list[Position]
    cells: Cells = msgspec.field(default_factory=Cells)
    late: Cells = msgspec.field(default_factory=Cells)
    """Late in the partials after the previous record's `through` up to this one's."""
    incomplete: list[str] = []
    """Why the counts may be short, such as 'lost outcomes-3 [10,20)'; empty when they are whole."""
    gaps: dict[str, int] = {}
    """What later buckets are short of: its words, and the second before which such buckets start."""
    v: int = VERSION


class FailedRecipient(msgspec.Struct, frozen=True):
    """One failed outcome by keyed hash; the key of its Kafka record is the recipient hash."""

    recipient: str
    message_id: str
    fingerprint: str
    source: str
    carrier: str
    region: str
    outcome_class: str
    code: str
    sender: str | None
    received_ms: int
    key_id: str = ""
    """Which key hashed the recipient; '' in records that are older than key ids."""
    traffic_class: str | None = None
    v: int = VERSION


class DeliveredRecipients(msgspec.Struct, frozen=True, omit_defaults=True):
    """To whom something was delivered, in one flush of one ingest, or whom to forget."""

    key_id: str
    """Which key hashed the recipients."""
    recipients: str
    """Base64 of little-endian 64-bit keyed hashes."""
    received_s: str
    """Base64 of little-endian 32-bit receipt times, epoch seconds, one each."""
    forget: bool = False
    """People asked to erase these recipients: what failed up to then is to be forgotten."""
    v: int = VERSION


encode = msgspec.json.Encoder().encode
