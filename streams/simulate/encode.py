"""Truth into the bytes that a provider would have sent: one record of the `outcomes` topic each.

Field names and shapes are those of the providers' documentation: Twilio's status callback as a
form or JSON, SMPP v3.4 Appendix B receipts, and the monitor's own canonical format.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from streams.simulate.truth import CANONICAL, SMPP, TWILIO, Kind, Truth

Headers = list[tuple[str, bytes]]

ACCOUNT = "AC" + "0" * 31 + "1"
STRANGER = b"nobody"
"""The source header of garbage that belongs to no configured source."""

TWILIO_WORDS = {"in_flight": "sent", "cancelled": "canceled"}
SMPP_WORDS = {
    "in_flight": "ENROUTE",
    "delivered": "DELIVRD",
    "undelivered": "UNDELIV",
    "failed": "UNDELIV",
    "expired": "EXPIRED",
    "cancelled": "DELETED",
    "unknown": "UNKNOWN",
}
_HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
_WRONG_TYPE = {
    CANONICAL: b'{"message_id":17,"status":["delivered"],"provider_time_ms":"soon"}',
    TWILIO: b'{"MessageSid":{"sid":1},"MessageStatus":["sent"]}',
    SMPP: b'{"short_message":17,"esm_class":"receipt"}',
}
_ID_FIELDS = {CANONICAL: ("message_id",), TWILIO: ("MessageSid", "SmsSid")}


def headers(truth: Truth) -> Headers:
    """The Kafka headers that the gateway would have set."""
    source = STRANGER if truth.kind is Kind.UNKNOWN_SOURCE else truth.leaf.source.encode()
    return [("source", source), ("received_ms", b"%d" % truth.received_ms)]


def value(truth: Truth, large_bytes: int = 200_000) -> bytes:
    """The record's body. `large_bytes` sizes the garbage of kind `large`."""
    spoil = _SPOIL.get(truth.kind)
    if spoil is not None:
        return spoil(truth)
    if truth.kind is Kind.LARGE:
        return b"x" * large_bytes
    return body(truth).encode()


def body(truth: Truth) -> str:
    """The record as its provider writes it, when nothing is wrong with it."""
    return _FORMATS[truth.leaf.format](truth)


def _canonical(t: Truth) -> str:
    leaf = t.leaf
    code = f'"code":"{t.verdict.code}",' if t.verdict.code else ""
    status = "frobbed" if t.kind is Kind.BAD_STATUS else t.verdict.status
    text = f'{{"message_id":"{t.message_id}","status":"{status}",{code}"to":"+{t.recipient}",'
    text += f'"sender":"+{t.sender}",'
    if leaf.carrier_label:
        text += f'"carrier":"{leaf.carrier}",'
    if leaf.region_label:
        text += f'"region":"{leaf.region}",'
    return f'{text}"sent_time_ms":{t.sent_ms},"provider_time_ms":{t.provider_ms}}}'


def _twilio(t: Truth) -> str:
    if t.kind is Kind.INBOUND:
        status = "received"
    elif t.kind is Kind.BAD_STATUS:
        status = "frobbed"
    else:
        status = TWILIO_WORDS.get(t.verdict.status, t.verdict.status)
    return _twilio_form(t, status) if t.as_text else _twilio_json(t, status)


def _twilio_form(t: Truth, status: str) -> str:
    error = f"&ErrorCode={t.verdict.code}" if t.verdict.code else ""
    done = f"&RawDlrDoneDate={_minute(t.provider_ms // 60_000)}" if _has_done_date(status) else ""
    text = (
        f"AccountSid={ACCOUNT}&ApiVersion=2010-04-01{error}&From=%2B{t.sender}&MessageSid={t.message_id}"
        f"&SmsSid={t.message_id}&MessageStatus={status}&SmsStatus={status}{done}&To=%2B{t.recipient}"
    )
    if t.leaf.carrier_label:
        text += f"&carrier={t.leaf.carrier}"
    return f"{text}&region={t.leaf.region}" if t.leaf.region_label else text


def _twilio_json(t: Truth, status: str) -> str:
    error = f'"ErrorCode":"{t.verdict.code}",' if t.verdict.code else ""
    done = f'"RawDlrDoneDate":"{_minute(t.provider_ms // 60_000)}",' if _has_done_date(status) else ""
    text = (
        f'{{"AccountSid":"{ACCOUNT}","ApiVersion":"2010-04-01",{error}"From":"+{t.sender}",'
        f'"MessageSid":"{t.message_id}","SmsSid":"{t.message_id}","MessageStatus":"{status}",'
        f'"SmsStatus":"{status}",{done}"To":"+{t.recipient}"{_json_labels(t)}}}'
    )
    return text


def _has_done_date(status: str) -> bool:
    return status in ("delivered", "undelivered")


def _smpp(t: Truth) -> str:
    if t.kind is Kind.INBOUND:
        return _envelope(t, "STOP", 0)
    receipt = _receipt(t)
    return receipt if t.as_text else _envelope(t, receipt, 4)


def _receipt(t: Truth) -> str:
    done = "001" if t.verdict.status == "delivered" else "000"
    name = "" if t.kind is Kind.MISSING_ID else f"id:{t.message_id} "
    return (
        f"{name}sub:001 dlvrd:{done} submit date:{_minute(t.sent_ms // 60_000)} "
        f"done date:{_minute(t.provider_ms // 60_000)} stat:{SMPP_WORDS[t.verdict.status]} "
        f"err:{t.verdict.code} text:"
    )


def _envelope(t: Truth, text: str, esm_class: int) -> str:
    """The PDU's fields as JSON. A receipt's source address is the recipient of the message."""
    return (
        f'{{"short_message":"{text}","source_addr":"+{t.recipient}","destination_addr":"+{t.sender}",'
        f'"esm_class":{esm_class}{_json_labels(t)}}}'
    )


def _json_labels(t: Truth) -> str:
    carrier = f',"carrier":"{t.leaf.carrier}"' if t.leaf.carrier_label else ""
    return f'{carrier},"region":"{t.leaf.region}"' if t.leaf.region_label else carrier


@lru_cache(maxsize=4096)
def _minute(minute: int) -> str:
    """Minutes since the epoch as YYMMDDhhmm, UTC; receipts say no zone."""
    return time.strftime("%y%m%d%H%M", time.gmtime(minute * 60))


_FORMATS: Mapping[str, Callable[[Truth], str]] = {CANONICAL: _canonical, TWILIO: _twilio, SMPP: _smpp}


def _as_json(t: Truth) -> str:
    """The JSON form, whatever was drawn: a form body that is cut still reads."""
    return _twilio_json(t, t.verdict.status) if t.leaf.format == TWILIO else _envelope_or_canonical(t)


def _envelope_or_canonical(t: Truth) -> str:
    return _canonical(t) if t.leaf.format == CANONICAL else _envelope(t, _receipt(t), 4)


def _not_utf8(t: Truth) -> bytes:
    return _as_json(t).encode().replace(t.message_id.encode(), b"\xff\xfe" + t.message_id.encode())


def _missing_id(t: Truth) -> bytes:
    if t.leaf.format == SMPP:
        return _smpp(t).encode()
    text = _as_json(t)
    for field in _ID_FIELDS[t.leaf.format]:
        text = text.replace(f'"{field}":"{t.message_id}",', "")
    return text.encode()


def _missing_time(t: Truth) -> bytes:
    text = _canonical(t)
    return (text[: text.index(',"sent_time_ms"')] + "}").encode()


_SPOIL: Mapping[Kind, Callable[[Truth], bytes]] = {
    Kind.NOT_JSON: lambda t: _HTML,
    Kind.TRUNCATED: lambda t: _as_json(t).encode()[:-20],
    Kind.NOT_UTF8: _not_utf8,
    Kind.WRONG_TYPE: lambda t: _WRONG_TYPE[t.leaf.format],
    Kind.MISSING_ID: _missing_id,
    Kind.MISSING_TIME: _missing_time,
    Kind.EMPTY: lambda t: b"",
}
