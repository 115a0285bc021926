"""A source: how its records are read, and what one of them counts as.

`Source.kind` is a pure function of five short values, so ingest keeps its results; `outcome` is the
whole of one record, and what `decode` prints. Both go by `Source.judge`, so they can not disagree.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from streams import settings
from streams.carrier import CarrierOf, Checked, Told
from streams.codes import BUILT_IN, MAX_CODE_LENGTH, NO_FAULT_CLASS, SUBMIT, CodeBook, CodeTable, table
from streams.decode import Decoder, Options, format_of
from streams.decode.decoder import PLAIN
from streams.decode.envelope import opener
from streams.decode.times import zone_of
from streams.errors import ConfigError
from streams.networks import Networks, built_in
from streams.networks.names import LIKE_A_NUMBER
from streams.prefix import PrefixOf
from streams.privacy import RecipientHasher
from streams.records import (
    UNKNOWN,
    Malformed,
    Outcome,
    Reading,
    Reason,
    Result,
    SeriesKey,
    Status,
)
from streams.region import RegionOf

UNKNOWN_BIT = 1 << 7
"""Of the 16-bit mask of what was seen of a message: bits 0 to 6 are the format's in-flight words."""

FINAL_STAGES = {
    Status.DELIVERED: 1 << 8,
    Status.UNDELIVERED: 1 << 9,
    Status.FAILED: 1 << 10,
    Status.EXPIRED: 1 << 11,
    Status.CANCELLED: 1 << 12,
}
FINAL_BITS = sum(FINAL_STAGES.values())
"""The bits of all finals. Two different ones on one message are a conflict."""

NEVER_SENT_BITS = FINAL_STAGES[Status.FAILED] | FINAL_STAGES[Status.CANCELLED]
"""Of ends that mostly come before anything was sent, so that no send of theirs is waited for."""
EXPIRED_BIT = FINAL_STAGES[Status.EXPIRED]

SIGNAL_BIT = 1 << 13
"""Of an intermediate receipt that says the subscriber is absent: a signal, no final."""

SUBMISSIONS = table(SUBMIT)
IN_FLIGHT_CLASS = "in_flight"
ABSENT_CLASS = "absent_subscriber"
MAX_LABEL_LENGTH = 64
MAX_AHEAD_MS = 300_000
"""A provider's time may be this much ahead of the receipt, no more (design section 4)."""

BAD_STATUS = Malformed(Reason.BAD_STATUS, "the status is not one of this format")
FUTURE_PROVIDER_TIME = Malformed(
    Reason.FUTURE_PROVIDER_TIME, "the provider's time is more than 5 min ahead of the receipt"
)

_RESULT = {
    Status.IN_FLIGHT: Result.IN_FLIGHT,
    Status.UNKNOWN: Result.IN_FLIGHT,
    Status.INBOUND: Result.INBOUND,
    Status.CANCELLED: Result.OWN_SIDE,
}
_UNTELLING = frozenset({NO_FAULT_CLASS, UNKNOWN})
_MEANS = '"\\{}$`<>'
_MEANING = re.compile(f"[{re.escape(_MEANS)}]")
_ISO_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]{1,3})?", re.I | re.ASCII)


class Kind(NamedTuple):
    """What a record counts as. `result` is MALFORMED, INBOUND, OWN_SIDE, IN_FLIGHT or COUNTED; only
    what was seen before can make it a duplicate or a conflict, only the clocks late."""

    result: Result
    status: Status
    stage: int
    """Its bit of what was seen of the message; 0 for what is malformed or inbound."""
    key: SeriesKey
    failed: bool
    """A counted final that is not delivered."""
    side: str
    carrier_source: str
    checked: Checked = Checked.NOT
    """What Lookup says beside the record."""

    @property
    def signals(self) -> bool:
        return self.stage == SIGNAL_BIT


class Verdict(NamedTuple):
    """What a status and a code say together."""

    status: Status
    outcome_class: str
    side: str
    code: str
    """As the table spells it (`021` for `21`), so that one code is one series; '' when delivered."""


class Source:
    """One feed of provider records, resolved from its configuration."""

    def __init__(
        self, config: settings.Source, decoder: Decoder, codes: CodeTable, networks: Networks
    ) -> None:
        self.config = config
        self.name = config.name
        self.account = config.account or config.name
        """Messages are told apart by account and message id: two sources may share an account."""
        self.decoder = decoder
        self.open = opener(config.envelope, decoder)
        """Takes a value apart into single records; None where each value is one."""
        self.table = codes
        self.carrier_is_parameter = getattr(decoder, "carrier_is", "record") == "parameter"
        """Whether what readings call the carrier is the callback URL's parameter."""
        self._carrier_of = CarrierOf(
            networks, config.carrier, config.connectors, parameter=self.carrier_is_parameter
        )
        self._region = _label(config.region)
        self._stages = {word.lower(): 1 << i for i, word in enumerate(decoder.in_flight)}

    @classmethod
    def of(
        cls,
        config: settings.Source,
        codes: CodeBook = BUILT_IN,
        networks: Networks | None = None,
        *,
        hasher: RecipientHasher = PLAIN.hasher,
    ) -> Source:
        """`networks`: the table of carriers, without it the shipped one. Raises ConfigError for an unknown
        format or code profile."""
        try:
            form = format_of(config.format)
            options = Options(zone_of(config.zone), config.sender_network, hasher)
            table_of_source = codes.table(profile_of(config))
            return cls(config, form.decoder(options), table_of_source, networks or built_in())
        except ConfigError as e:
            raise ConfigError(f"source '{config.name}': {e}") from None

    def traffic_class(self, reading: Reading) -> str | None:
        """The record's label, by the name that the configuration has for it."""
        label = reading.traffic_class
        return self.config.traffic_classes.get(label, label) if label else None

    def kind(
        self, status: str, code: str | int | None, carrier: str | Told | None, region: str | None
    ) -> Kind:
        """What a record with these values counts as. Pure; the values may be anything."""
        text = clean_code(code)
        verdict = self.judge(status, text)
        known = verdict.status if verdict else Status.UNKNOWN
        region_id = self._region_of(region)
        carrier_id, told_by, checked = self._carrier_of(carrier, _country(region_id))
        if verdict is None or known not in FINAL_STAGES:
            result = Result.MALFORMED if verdict is None else _RESULT[known]
            key = SeriesKey(self.name, carrier_id, region_id, IN_FLIGHT_CLASS, "")
            stage = self._stage(status, verdict) if verdict and result is Result.IN_FLIGHT else 0
            return Kind(result, known, stage, key, False, UNKNOWN, told_by, checked)
        result = _RESULT.get(known) or (Result.OWN_SIDE if verdict.side == "own" else Result.COUNTED)
        key = SeriesKey(self.name, carrier_id, region_id, verdict.outcome_class, verdict.code)
        failed = result is Result.COUNTED and known is not Status.DELIVERED
        return Kind(result, known, FINAL_STAGES[known], key, failed, verdict.side, told_by, checked)

    def judge(self, word: str, code: str) -> Verdict | None:
        """The status first, then the code: a code never undoes a delivery. None: no status word.

        The status word takes part in what the code says, where the table has pairs of both. Names of
        SMPP command statuses mean the same in every profile.
        """
        word = word.strip()
        status = self.decoder.status(word, code)
        if status is None:
            return None
        if status is Status.DELIVERED:
            return Verdict(status, "delivered", UNKNOWN, "")
        row = self.table.lookup(code, word) or SUBMISSIONS.lookup(code) if code else None
        outcome_class = UNKNOWN if row is None or row.outcome_class in _UNTELLING else row.outcome_class
        never_sent = status is Status.CANCELLED or (row is not None and row.refused)
        side = "own" if never_sent else row.side if row else UNKNOWN
        return Verdict(status, outcome_class, side, row.code if row else code)

    def _stage(self, word: str, verdict: Verdict) -> int:
        if verdict.status is Status.UNKNOWN:
            return UNKNOWN_BIT
        absent = verdict.outcome_class == ABSENT_CLASS
        return SIGNAL_BIT if absent else self._stages.get(word.strip().lower(), 1)

    def _region_of(self, region: str | None) -> str:
        given = _label(region)
        return given if given != UNKNOWN else self._region


def profile_of(config: settings.Source) -> str:
    """The code profile of a source: its own, else its format's."""
    return config.codes or format_of(config.format).codes


def clean_code(code: str | int | None) -> str:
    """A code as text, '' for none: at most 48 characters, all fit for a label, never a phone number."""
    if code is None:
        return ""
    text = _fit(str(code).strip()[:MAX_CODE_LENGTH])
    return "invalid" if LIKE_A_NUMBER.search(text) else text


def _country(region: str) -> str:
    """The country of a region label, '' when it is the user's own."""
    return region[:2] if _ISO_REGION.fullmatch(region) else ""


def _label(region: str | None) -> str:
    """A region label: ISO codes in upper case, other text printable and short, else `unknown`."""
    text = (region or "").strip()[:MAX_LABEL_LENGTH]
    if _ISO_REGION.fullmatch(text):
        return text.upper()
    if not text or text.lower() == UNKNOWN or LIKE_A_NUMBER.search(text):
        return UNKNOWN
    return _fit(text)


def _fit(text: str) -> str:
    """With `?` for what is not printable, or means something in a query, a template or a page."""
    if text.isprintable() and not _MEANING.search(text):
        return text
    return "".join("?" if not c.isprintable() or c in _MEANS else c for c in text)


def outcome(
    source: Source,
    reading: Reading,
    received_ms: int,
    region_of: RegionOf,
    hasher: RecipientHasher,
    prefix_of: PrefixOf | None = None,
) -> Outcome | Malformed:
    """The whole normalised outcome of one record, received at `received_ms`. Nothing is looked up."""
    verdict = source.judge(reading.status, clean_code(reading.code))
    if verdict is None:
        return BAD_STATUS
    provider_ms = reading.provider_time_ms
    if provider_ms is not None and provider_ms > received_ms + MAX_AHEAD_MS:
        return FUTURE_PROVIDER_TIME
    told = Told(reading.carrier, prefix=prefix_of(reading.to) if prefix_of else "")
    kind = source.kind(reading.status, reading.code, told, reading.region or region_of(reading.to))
    inbound = kind.result is Result.INBOUND  # its sender is a person
    return Outcome(
        message_id=reading.message_id,
        source=source.name,
        status=verdict.status,
        code=clean_code(reading.code) or None,
        outcome_class=verdict.outcome_class,
        side=verdict.side,
        carrier=kind.key.carrier,
        carrier_source=kind.carrier_source,
        region=kind.key.region,
        recipient=_recipient(reading, hasher),
        sender=None if inbound else reading.sender or None,
        traffic_class=source.traffic_class(reading) or None,
        received_ms=received_ms,
        event_time_ms=received_ms,
        sent_time_ms=reading.sent_time_ms,
        provider_time_ms=provider_ms,
        final=kind.result is Result.COUNTED,
    )


def _recipient(reading: Reading, hasher: RecipientHasher) -> str | None:
    if reading.to:
        return hasher.hex(reading.to)
    given: str | None = getattr(reading, "recipient", None)
    return given.lower() if given else None
