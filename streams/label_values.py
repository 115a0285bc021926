"""The values that labels of metrics take: what became of what."""

from __future__ import annotations

from enum import StrEnum


class Blind(StrEnum):
    """Why the monitor can not see: the label values of `blind`."""

    PARTIALS_SILENT = "partials_silent"
    CLOCK_HELD = "clock_held"
    WINDOWS_SILENT = "windows_silent"
    NO_OUTCOMES = "no_outcomes"


BLIND_OF_ALERTS = (Blind.WINDOWS_SILENT, Blind.NO_OUTCOMES)
"""What the alerts role can tell; the other reasons are for windows. None tells another's."""


class Sent(StrEnum):
    """What became of one attempt to page: the label `result` of `pager_attempts_total`."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


class Ignored(StrEnum):
    """Why a record says nothing about a recipient: the label `reason` of `recipients_ignored_total`."""

    MALFORMED = "malformed"
    OTHER_KEY = "other_key"


class Heard(StrEnum):
    """What became of a command of people: the label `result` of `incident_commands_total`."""

    TAKEN = "taken"
    REPEATED = "repeated"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"


class Beat(StrEnum):
    """What became of a heartbeat: the label `result` of `heartbeats_total`."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    HELD_BACK = "held_back"


class Answer(StrEnum):
    """How the gateway answered: the label `result` of `gateway_requests_total`."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    IGNORED = "ignored"
    MALFORMED = "malformed"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD = "method"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    ENCODED = "encoded"
    UNAVAILABLE = "unavailable"


class Asked(StrEnum):
    """What became of a number that Lookup might know: the label `result` of `lookup_requests_total`."""

    OK = "ok"
    CACHED = "cached"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    RATE_LIMITED = "rate_limited"
    OVER_BUDGET = "over_budget"
    ERROR = "error"


class CarrierCheck(StrEnum):
    """Whether Lookup agrees with the carrier told: the label `result` of `carrier_checks_total`."""

    SAME = "same"
    PORTED = "ported"
