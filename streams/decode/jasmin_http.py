"""The format `jasmin-http`: what Jasmin posts to a dlr-url, or the headers of its AMQP messages.

A query string, a form, or a flat JSON object. Level 1 tells what the SMSC said to the submission:
`message_status` is an SMPP command status, ESME_ROK is in flight, and any other is a message that
never left, with that status as its code. Levels 2 and 3 carry the receipt: `message_status` is its
stat. There is no number of the recipient in either; `to`, `from`, `carrier`, `region` and
`traffic_class` are read where the user put them on the dlr-url.

As JSON also the AMQP headers of `dlr.deliver_sm` (dlr_id, dlr_stat, dlr_err, cid, ...), of
`dlr_thrower.http` and of `dlr_thrower.smpps`, the last two with the property `message-id` added.
Source: github.com/jookies/jasmin, routing/throwers.py, managers/content.py, managers/dlr.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from streams import privacy
from streams.decode import smpp_receipt
from streams.decode.decoder import PLAIN, Options, missing
from streams.decode.form import read_fields
from streams.decode.record import Record
from streams.decode.times import receipt_ms, zoned_ms
from streams.records import CONNECTOR, Malformed, Reading, Status

ACCEPTED, REFUSED = "ESME_ROK", "ESME_R"
IN_FLIGHT = ("ENROUTE", "ACCEPTD", "BUFFRED", "BUFFERD", "ACKED", "SCHEDULED", ACCEPTED)
STATUSES: Mapping[str, Status] = {**smpp_receipt.STATUSES, ACCEPTED: Status.IN_FLIGHT}

NOT_DEFINED = "ND"
"""What Jasmin writes for a field that the receipt has not."""

_ID = ("id", "message-id", "dlr_id")
_STATUS = ("message_status", "dlr_stat")
_CODE = ("err", "dlr_err")
_SMSC_ID = ("id_smsc", "dlr_id")
_CONNECTOR = ("connector", "cid")
_SUBMITTED = ("subdate", "dlr_sdate")
_DONE = ("donedate", "dlr_ddate")
_TO = ("to", "destination_addr")
_FROM = ("from", "source_addr")
_HERE_SUBMITTED = ("sub_date",)
_LABELS = ("carrier", "region", "traffic_class")
_ALL = (_ID, _STATUS, _CODE, _SMSC_ID, _CONNECTOR, _SUBMITTED, _HERE_SUBMITTED, _DONE, _TO, _FROM, _LABELS)
_NAMES = frozenset(name for names in _ALL for name in names)


class JasminHttpDecoder:
    """Reads Jasmin's HTTP DLRs. Its dates are used where the source names a zone."""

    in_flight = IN_FLIGHT
    carrier_is = "parameter"

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return [_decode(value, self._zone) for value in values]

    def status(self, word: str, code: str = "") -> Status | None:
        return status_of(word)


def status_of(word: str) -> Status | None:
    """A receipt's stat, or an SMPP command status: refused at submission means never sent."""
    upper = word.upper()
    status = STATUSES.get(upper)
    return Status.FAILED if status is None and upper.startswith(REFUSED) else status


def code_of(status: str, err: str | None) -> str | None:
    """The code beside a status: the command status itself where there is no receipt yet."""
    if status.upper().startswith(REFUSED):
        return None if status.upper() == ACCEPTED else status.upper()
    return None if err == NOT_DEFINED else err


def _decode(value: bytes, zone: tzinfo | None) -> Record | Malformed:
    fields = read_fields(value, _NAMES)
    if isinstance(fields, Malformed):
        return fields
    message_id, status = _first(fields, _ID), _first(fields, _STATUS)
    if not message_id or not status:
        return missing("message_status" if message_id else "id")
    to = _first(fields, _TO)
    return Record(
        message_id,
        status,
        code_of(status, _first(fields, _CODE)),
        to and privacy.canonical(to),
        _first(fields, _FROM),
        fields.get("carrier") or _connector(fields),
        fields.get("region"),
        fields.get("traffic_class"),
        _submitted_ms(fields, zone),
        receipt_ms(_first(fields, _DONE) or "", zone),
    )


def _first(fields: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in fields:
            return fields[name]
    return None


def _connector(fields: Mapping[str, str]) -> str | None:
    """The connector; in receipts of level 2 and 3 Jasmin (managers/dlr.py) puts the SMSC's message
    id in its place, as the SMSC wrote it: one label a message, which names no connector."""
    connector, smsc_id = _first(fields, _CONNECTOR), _first(fields, _SMSC_ID)
    if not connector or (smsc_id and _spellings(connector) & _spellings(smsc_id)):
        return None
    return CONNECTOR + connector


def _spellings(message_id: str) -> set[str]:
    """An SMSC's id and what Jasmin makes of it: upper case, no leading zeros, other base."""
    bare = message_id.upper().lstrip("0")
    spellings = {bare}
    if bare.isascii() and bare.isalnum() and len(bare) <= 32:
        if bare.isdecimal():
            spellings.add(f"{int(bare):X}")
        elif not set(bare) - set("0123456789ABCDEF"):
            spellings.add(str(int(bare, 16)))
    return spellings


def _submitted_ms(fields: Mapping[str, str], zone: tzinfo | None) -> int | None:
    """When the message was submitted: the receipt's date, or Jasmin's own clock in ISO 8601."""
    here = _first(fields, _HERE_SUBMITTED)
    return zoned_ms(here, zone) if here else receipt_ms(_first(fields, _SUBMITTED) or "", zone)
