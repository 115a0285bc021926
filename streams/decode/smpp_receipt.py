"""The format `smpp-receipt`: a delivery receipt as text, with TLVs, or as a JSON object around both.

The text form is that of SMPP v3.4 Appendix B, which calls itself vendor specific, and vendors vary:
fields are missing, come in any order and case, and err has one to four characters. So it is read
field by field; the usual order has a fast path. Its dates have no zone: they are used as times where
the source names one.
In JSON: short_message, source_addr (the recipient), destination_addr (the sender), esm_class, tlvs,
and the labels carrier, region, traffic_class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo

import msgspec

from streams import privacy
from streams.decode import smpp_tlv
from streams.decode.decoder import PLAIN, Options, convert, missing, read_object
from streams.decode.record import Record
from streams.decode.times import receipt_ms
from streams.records import Malformed, Reading, Reason, Status

INTERMEDIATE, INBOUND = "INTERMEDIATE", "INBOUND"
IN_FLIGHT = ("ENROUTE", "ACCEPTD", "BUFFRED", "BUFFERD", "ACKED", "SCHEDULED", INTERMEDIATE)
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "DELIVRD": Status.DELIVERED,
    "UNDELIV": Status.UNDELIVERED,
    "REJECTD": Status.UNDELIVERED,
    "FAILED": Status.UNDELIVERED,
    "EXPIRED": Status.EXPIRED,
    "DELETED": Status.CANCELLED,
    "SKIPPED": Status.CANCELLED,
    "UNKNOWN": Status.UNKNOWN,
    INBOUND: Status.INBOUND,
}
RECEIPT_BIT, INTERMEDIATE_BIT = 0x04, 0x20  # of esm_class, section 5.2.12
_PLAIN_RECEIPT = frozenset({None, RECEIPT_BIT})
_BRACE = ord("{")
INTERNATIONAL = 1  # type of number, section 5.2.5


class JsonReceipt(msgspec.Struct, gc=False):
    """The JSON object around a receipt."""

    short_message: str | None = None
    source_addr: str | None = None
    source_addr_ton: int | None = None
    destination_addr: str | None = None
    esm_class: int | None = None
    tlvs: dict[str, str | int] | None = None
    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None


class SmppReceiptDecoder:
    """Reads SMPP receipts."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._json = msgspec.json.Decoder(JsonReceipt).decode
        self._zone = options.zone

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        if self._zone is None:
            return [self._decode(value) for value in values]
        return [_timed(self._decode(value), value, self._zone) for value in values]

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.upper())

    def _decode(self, value: bytes) -> Reading | Malformed:
        if not value or value.isspace():
            return Malformed(Reason.EMPTY, "the record has no value")
        if value[0] == _BRACE:
            return self._decode_json(value)
        # Latin-1 can not fail, and the fields that are read are ASCII; the text may be anything.
        text = value.decode("latin-1")
        usual = _USUAL(text)
        if usual is not None:
            message_id, status, code = usual.groups()
            return Record(message_id, status, code)
        if text.lstrip()[:1] == "{":
            return self._decode_json(value)
        return _read(*smpp_tlv.split_lines(text)) if "\n" in text else _read(text, {})

    def _decode_json(self, value: bytes) -> Reading | Malformed:
        try:
            record = self._json(value)
        except Exception:
            raw = read_object(value)
            if isinstance(raw, Malformed):
                return raw
            converted = convert(raw, JsonReceipt)
            if isinstance(converted, Malformed):
                return converted
            record = converted
        return _of_json(record)


_USUAL = re.compile(
    r"id:([^\s:]++) (?:sub:\d+ )?(?:dlvrd:\d+ )?submit date:[\d+-]++ done date:[\d+-]++ stat:([A-Za-z]++)"
    r" err:([0-9A-Za-z]{1,4})(?: [Tt]ext:[^\n]*+)?",
).fullmatch

_DATES = re.compile(rb"(?<![^\s,;\"])(submit|done)[ _]?date\s*:\s*([\d+-]++)", re.I)


def _timed(result: Reading | Malformed, value: bytes, zone: tzinfo) -> Reading | Malformed:
    """The receipt with its dates, the first of each: they read the same in text and inside JSON."""
    if isinstance(result, Record):
        dates: dict[bytes, bytes] = {}
        for name, date in _DATES.findall(value):
            dates.setdefault(name.lower(), date)
        result.sent_time_ms = receipt_ms(dates.get(b"submit", b"").decode(), zone)
        result.provider_time_ms = receipt_ms(dates.get(b"done", b"").decode(), zone)
    return result


_NAMES = r"(?:id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:"
_SEPARATORS, _NAME_STARTS = frozenset(":,;"), frozenset({"submit", "done"})
_FIELD = re.compile(rf"(?<![^\s,;])(id|stat|err)\s*:\s*((?!{_NAMES})[^\s,;]*)", re.I)
_TEXT = re.compile(r"(?<![^\s,;])text\s*:", re.I)


def _of_json(record: JsonReceipt) -> Reading | Malformed:
    usual = _USUAL(record.short_message) if record.short_message else None
    if usual is not None and record.tlvs is None and record.esm_class in _PLAIN_RECEIPT:
        to = _address(record.source_addr, record.source_addr_ton)
        sender = record.destination_addr or None
        message_id, status, code = usual.groups()
        labels = (record.carrier, record.region, record.traffic_class)
        return Record(message_id, status, code, to, sender, *labels)
    return _of_unusual_json(record)


def _of_unusual_json(record: JsonReceipt) -> Reading | Malformed:
    tlvs = smpp_tlv.named(record.tlvs) if record.tlvs else {}
    if isinstance(tlvs, Malformed):
        return tlvs
    text = record.short_message or smpp_tlv.payload(tlvs)
    receipt = _read(text, tlvs, record.esm_class)
    if isinstance(receipt, Record):
        receipt.to = _address(record.source_addr, record.source_addr_ton)
        receipt.sender = record.destination_addr or None
        receipt.carrier = record.carrier
        receipt.region = record.region
        receipt.traffic_class = record.traffic_class
    return receipt


def _read(text: str, tlvs: smpp_tlv.Tlvs, esm_class: int | None = None) -> Record | Malformed:
    """One receipt. The TLV wins for the id, which the text may write in another base; the text
    wins for the state and the error, unless its error says nothing."""
    if esm_class is not None and not esm_class & (RECEIPT_BIT | INTERMEDIATE_BIT):
        return Record("", INBOUND, None)
    fields = _fields(text, tlvs)
    status = fields.get("stat") or smpp_tlv.state(tlvs)
    if not status:
        return Malformed(Reason.BAD_RECEIPT, "there is neither stat: nor a known message_state")
    if esm_class is not None and esm_class & INTERMEDIATE_BIT and status.upper() not in IN_FLIGHT:
        status = INTERMEDIATE
    message_id, code = fields.get("id", ""), fields.get("err", "")
    if tlvs:
        message_id = smpp_tlv.message_id(tlvs) or message_id
        code = _telling(code, smpp_tlv.error_code(tlvs))
    if not message_id:
        return missing("id (and receipted_message_id)")
    return Record(message_id, status, code or None)


def _telling(text_code: str, tlv_code: str) -> str:
    """The text's code, or the TLV's where the text has none or zeros."""
    if text_code and (text_code.strip("0") or not tlv_code.strip("0")):
        return text_code
    return tlv_code


def _fields(text: str, tlvs: smpp_tlv.Tlvs) -> dict[str, str]:
    """The fields of a receipt's text, the first of each. What the message itself says after `text:`
    can look like fields and counts only where nothing before it tells the state."""
    usual = _USUAL(text)
    if usual is not None:
        return dict(zip(("id", "stat", "err"), usual.groups(), strict=True))
    text = text.replace("\0", " ")
    start = _TEXT.search(text) if "text" in text.lower() else None
    fields = _first(text[: start.start()] if start else text)
    if start and "stat" not in fields and smpp_tlv.MESSAGE_STATE not in tlvs:
        return {**_first(text[start.end() :]), **fields}
    return fields


def _first(text: str) -> dict[str, str]:
    """The first id, stat and err. Most receipts tell them plainly; the pattern reads the others."""
    if text.isascii():
        small = text.lower()
        found = [_plainly(text, small, name) for name in ("id:", "stat:", "err:")]
        if all(found):
            return dict(zip(("id", "stat", "err"), found, strict=True))
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(text):
        fields.setdefault(name.lower(), value)
    return fields


def _plainly(text: str, small: str, name: str) -> str:
    """The word right after the first `name`; '' where there is more to it."""
    at = small.find(name)
    if at < 0 or (at and not small[at - 1].isspace()):
        return ""
    start = at + len(name)
    start += text[start : start + 1] == " "
    end = small.find(" ", start)
    word = text[start:] if end < 0 else text[start:end]
    clear = word.isprintable() and _SEPARATORS.isdisjoint(word)
    return word if clear and word.lower() not in _NAME_STARTS else ""


def _address(number: str | None, ton: int | None) -> str | None:
    """An address in the E.164 form: message centres leave the `+` to the type of number."""
    if not number:
        return None
    if number[0] == "+" and number[1:].isdecimal() and number.isascii():
        return number
    if ton in (None, 0, INTERNATIONAL):
        return "+" + number if ton == INTERNATIONAL and number.isdecimal() else privacy.canonical(number)
    return number
