"""The format `jasmin-log`: lines of Jasmin's messages.log and dlrlookupd-messages.log.

`DLR [...]` lines are receipts, `SMS-MT [...]` lines are submissions and what the SMSC said to them:
ESME_ROK is in flight, anything else never left, or is tried again. They meet in the SMSC's message
id, which Jasmin writes in a DLR line in upper case and without leading zeros; a submission that got
none goes by Jasmin's own id. `SMS-MO [...]` lines are inbound messages, unless what came in is a
receipt that Jasmin did not know for one (its stat has not seven letters: jookies/jasmin#447).

Any other line of the log tells no outcome and is dropped as inbound traffic is, not kept as a dead
letter; text that is no line of such a log is malformed. A line may come as the `message` of a JSON
object, as log shippers wrap it. The logger's own time names no zone and is not used.
Source: github.com/jookies/jasmin, managers/listeners.py and managers/dlr.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from streams import privacy
from streams.decode.decoder import PLAIN, Options, missing
from streams.decode.form import read_fields
from streams.decode.jasmin_http import ACCEPTED, code_of, status_of
from streams.decode.record import Record
from streams.decode.smpp_receipt import INBOUND, SmppReceiptDecoder
from streams.decode.times import receipt_ms
from streams.records import CONNECTOR, Malformed, Reading, Reason, Status

TRIED_AGAIN = "TRIED_AGAIN"
IN_FLIGHT = ("ENROUTE", "ACCEPTD", "BUFFRED", "BUFFERD", ACCEPTED, TRIED_AGAIN)

_KIND = re.compile(r"(?<!\S)(DLR|SMS-MT|SMS-MO) (?=\[)")
_FIELD = re.compile(r"\[([a-z][a-z/ -]*+):([^\[\]]*+)\]")
_CONTENT = "[content:"
_LOGGED = re.compile(r"(?<!\S)(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) +\d+ ")
_OTHER_LINE = Record("", INBOUND)


class JasminLogDecoder:
    """Reads lines of Jasmin's log. The dates of receipts are used where the source names a zone."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone
        self._receipts = SmppReceiptDecoder(options)

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return [self._decode(value) for value in values]

    def status(self, word: str, code: str = "") -> Status | None:
        return Status.IN_FLIGHT if word.upper() == TRIED_AGAIN else status_of(word)

    def _decode(self, value: bytes) -> Reading | Malformed:
        line = _line(value)
        if isinstance(line, Malformed):
            return line
        kind = _KIND.search(line)
        if kind is None:
            return _OTHER_LINE if _LOGGED.search(line) else NO_LINE
        head, _, content = line[kind.end() :].partition(_CONTENT)
        fields = {name: _bare(text) for name, text in reversed(_FIELD.findall(head))}
        if kind[1] == "SMS-MO":
            return self._inbound(fields, content)
        return self._receipt(fields) if kind[1] == "DLR" else _submission(fields)

    def _receipt(self, fields: Mapping[str, str]) -> Record | Malformed:
        message_id, status = _smsc_id(fields.get("smpp-msgid", "")), fields.get("status")
        if not message_id or not status:
            return missing("status" if message_id else "smpp-msgid")
        return Record(
            message_id,
            status,
            code_of(status, fields.get("err") or None),
            carrier=_connector(fields),
            sent_time_ms=receipt_ms(fields.get("submit date", ""), self._zone),
            provider_time_ms=receipt_ms(fields.get("done date", ""), self._zone),
        )

    def _inbound(self, fields: Mapping[str, str], content: str) -> Record:
        text = _bare(content.partition("] [tlvs:")[0].rstrip().removesuffix("]"))
        if "stat:" not in text:
            return _OTHER_LINE
        (receipt,) = self._receipts.decode_batch([text.encode("latin-1")])
        if isinstance(receipt, Malformed):
            return _OTHER_LINE
        return Record(
            _smsc_id(receipt.message_id),
            receipt.status,
            receipt.code,
            _number(fields.get("from")),
            fields.get("to") or None,
            _connector(fields),
            sent_time_ms=receipt.sent_time_ms,
            provider_time_ms=receipt.provider_time_ms,
        )


NO_LINE = Malformed(Reason.BAD_RECEIPT, "neither a DLR, SMS-MT or SMS-MO line nor any line of a Jasmin log")


def _line(value: bytes) -> str | Malformed:
    if not value or value.isspace():
        return Malformed(Reason.EMPTY, "the record has no value")
    if value.lstrip()[:1] != b"{":
        # Latin-1 can not fail, and the fields that are read are ASCII; the content may be anything.
        return value.decode("latin-1")
    fields = read_fields(value, {"message"})
    if isinstance(fields, Malformed):
        return fields
    # As if it had come bare.
    return fields["message"].encode("utf-8", "replace").decode("latin-1") if fields else missing("message")


def _submission(fields: Mapping[str, str]) -> Record | Malformed:
    """An SMS-MT line: `status:ESME_ROK` with both ids, or `status:ERROR/ESME_R...` and whether it is
    tried again. Without a status it is the HTTP API's note that a message was accepted."""
    status = fields.get("status", "").rpartition("/")[2].rpartition(".")[2]
    if not status:
        return _OTHER_LINE
    message_id = _smsc_id(fields.get("smpp-msgid", "")) or fields.get("queue-msgid")
    if not message_id:
        return missing("smpp-msgid (and queue-msgid)")
    code = code_of(status, None)
    return Record(
        message_id,
        TRIED_AGAIN if fields.get("retry") == "True" else status,
        code,
        _number(fields.get("to")),
        fields.get("from") or None,
        _connector(fields),
    )


def _bare(text: str) -> str:
    """A value without the `b'...'` that newer versions print around it."""
    marked = text[:2] in ("b'", 'b"') and len(text) > 2 and text[-1] == text[1]
    if marked:
        return text[2:-1]
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def _smsc_id(message_id: str) -> str:
    """As DLR lines have it, so that both lines of a message meet (managers/listeners.py)."""
    return message_id.upper().lstrip("0") or message_id


def _number(text: str | None) -> str | None:
    return privacy.canonical(text) if text else None


def _connector(fields: Mapping[str, str]) -> str | None:
    cid = fields.get("cid")
    return CONNECTOR + cid if cid else None
