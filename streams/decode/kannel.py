"""The format `kannel`: what Kannel sends to a dlr-url, whose parameters the user names.

A query string, a form, or a flat JSON object with these names, each for one escape of Kannel:

    id=%F&uuid=%I&type=%d&smsc=%i&time=%T&to=%p&from=%P&reply=%A&meta=%D

`id` is best an id of the user's own, written into the URL of each message: %F, the SMSC's id, is
empty in reports of the submission, and %I is another one in every report. `type` says which report
it is, and decides; the receipt in `reply` tells a failure apart and has the code, whole. `meta` has
the code where the receipt has none: three octets, of a code cut to three digits. `carrier`,
`region` and `traffic_class` are read where the user put them.
Source: github.com/pruiz/kannel, gw/dlr.h, gw/urltrans.c, gw/smsc/smsc_smpp.c, gw/bb_smscconn.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from streams import privacy
from streams.codes import SUBMIT, table
from streams.decode import smpp_receipt, smpp_tlv
from streams.decode.decoder import PLAIN, Options, missing
from streams.decode.form import read_fields
from streams.decode.record import Record
from streams.decode.smpp_receipt import INTERMEDIATE, SmppReceiptDecoder
from streams.records import CONNECTOR, Malformed, Reading, Reason, Status

DELIVERED, FAILED, BUFFERED, SUBMITTED, REFUSED, NOTICE = 1, 2, 4, 8, 16, 32
"""Bits of `type`: the dlr-mask of gw/dlr.h. The last is of an intermediate notification."""

ACK, NACK = "ACK", "NACK"
IN_FLIGHT = ("ENROUTE", "ACCEPTD", "BUFFRED", "BUFFERD", "ACKED", INTERMEDIATE, ACK)
STATUSES: Mapping[str, Status] = {
    **smpp_receipt.STATUSES,
    ACK: Status.IN_FLIGHT,
    NACK: Status.FAILED,
}
_NOT_DELIVERED = frozenset({Status.UNDELIVERED, Status.EXPIRED, Status.CANCELLED, Status.UNKNOWN})

_NAMES = frozenset(
    [
        "id",
        "uuid",
        "type",
        "smsc",
        "time",
        "to",
        "from",
        "reply",
        "meta",
        "carrier",
        "region",
        "traffic_class",
    ]  # as documented
)
_COMMAND_STATUS = {row.name: row.code for row in table(SUBMIT).rows}
_REFUSAL = re.compile(r"NACK/(0x[0-9a-f]{1,8})\b", re.I)
_META_ERROR = re.compile(r"\bdlr_err=([^&?]*+)")
_EPOCH_S = re.compile(r"\d{1,11}", re.ASCII)
_TYPE = re.compile(r"\d{1,2}", re.ASCII)


class KannelDecoder:
    """Reads Kannel's delivery reports."""

    in_flight = IN_FLIGHT
    carrier_is = "parameter"

    def __init__(self, options: Options = PLAIN) -> None:
        self._receipts = SmppReceiptDecoder(options)

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return [self._decode(value) for value in values]

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.upper())

    def _decode(self, value: bytes) -> Record | Malformed:
        fields = read_fields(value, _NAMES)
        if isinstance(fields, Malformed):
            return fields
        message_id, kind = fields.get("id") or fields.get("uuid"), fields.get("type")
        if not message_id or not kind:
            return missing("type" if message_id else "id (and uuid)")
        receipt = self._receipt(fields.get("reply", ""))
        status = _status(int(kind), receipt.status if receipt else "") if _TYPE.fullmatch(kind) else None
        if status is None:
            return Malformed(Reason.BAD_STATUS, "type: not one of Kannel's report types (1 to 32)")
        return Record(
            message_id,
            status,
            _code(status, receipt, fields),
            privacy.canonical(fields["to"]) if "to" in fields else None,
            fields.get("from"),
            fields.get("carrier") or (CONNECTOR + fields["smsc"] if "smsc" in fields else None),
            fields.get("region"),
            fields.get("traffic_class"),
            receipt.sent_time_ms if receipt else None,
            (receipt.provider_time_ms if receipt else None) or _reported_ms(fields.get("time", "")),
        )

    def _receipt(self, reply: str) -> Reading | None:
        if "stat:" not in reply.lower():
            return None
        # Without an id it will do as well: Kannel has found the message.
        for text in (reply, f"id:- {reply}"):
            (receipt,) = self._receipts.decode_batch([text.encode("utf-8", "replace")])
            if not isinstance(receipt, Malformed):
                return receipt
        return None


def _status(kind: int, stat: str) -> str | None:
    """The word for a report type, and for what the receipt makes of it. Types contradict receipts
    where the message_state of the PDU does; then Kannel has gone by that."""
    told = STATUSES.get(stat.upper())
    if kind & NOTICE:
        return INTERMEDIATE
    if kind & DELIVERED:
        return "DELIVRD"
    if kind & FAILED:
        return stat if told in _NOT_DELIVERED else "UNDELIV"
    if kind & REFUSED:
        return NACK
    if kind & BUFFERED:
        return stat if told is Status.IN_FLIGHT else "BUFFRED"
    return ACK if kind & SUBMITTED else None


def _code(status: str, receipt: Reading | None, fields: Mapping[str, str]) -> str | None:
    """The command status of a refusal, by name where it has one; else the receipt's code, or the one
    of the meta-data where the receipt has none or zeros."""
    if status == NACK:
        refusal = _REFUSAL.match(fields.get("reply", ""))
        number = f"0x{int(refusal[1], 16):02X}" if refusal else None
        return _COMMAND_STATUS.get(number, number) if number else None
    told = str(receipt.code) if receipt and receipt.code else ""
    return told if told.strip("0") else _meta_error(fields.get("meta", "")) or told or None


def _meta_error(meta: str) -> str:
    """`dlr_err` of `?smpp?dlr_err=%03%00%01&`: the octets of an SMPP network_error_code."""
    found = _META_ERROR.search(meta)
    octets = unquote_to_bytes(found[1].encode("latin-1", "replace")) if found else b""
    return smpp_tlv.error_code({smpp_tlv.NETWORK_ERROR_CODE: octets.hex()})


def _reported_ms(seconds: str) -> int | None:
    return int(seconds) * 1000 if _EPOCH_S.fullmatch(seconds) else None
