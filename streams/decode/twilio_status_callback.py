"""The format `twilio-status-callback`: the form that Twilio posts, or the same fields as flat JSON.

The callback has no timestamp: RawDlrDoneDate carries no zone and its offset differs between
carriers, so it is never used as a time. `carrier`, `region` and `traffic_class` are the parameters
that a user put on the callback URL. Unknown fields are ignored: Twilio adds some unannounced.
Source: twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote_plus

import msgspec
from msgspec import Meta

from streams.decode.decoder import PLAIN, Options, convert, decode_all, missing, read_object
from streams.decode.form import plain
from streams.decode.record import Record
from streams.records import Malformed, Reading, Reason, Status

IN_FLIGHT = ("accepted", "scheduled", "queued", "sending", "sent")
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,  # a read message has been delivered: the same final, again
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.CANCELLED,
    "delivery_unknown": Status.UNKNOWN,
    "receiving": Status.INBOUND,
    "received": Status.INBOUND,
}
INBOUND_CODES = frozenset({"30009", "30038", "30039"})
NEVER_SENT_CODE = "30036"  # waited in Twilio's queue beyond the validity period
_FAILURES = frozenset({Status.FAILED, Status.UNDELIVERED})

Text = Annotated[str, Meta(min_length=1)]


class JsonCallback(
    msgspec.Struct,
    gc=False,
    rename={
        "message_id": "MessageSid",
        "status": "MessageStatus",
        "code": "ErrorCode",
        "to": "To",
        "sender": "From",
    },
):
    """What the JSON form says."""

    message_id: Text
    status: Text
    code: str | int | None = None
    to: str | None = None
    sender: str | None = None
    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None
    received_ms: ClassVar[None] = None
    sent_time_ms: ClassVar[None] = None
    provider_time_ms: ClassVar[None] = None
    recipient: ClassVar[None] = None


class TwilioStatusCallbackDecoder:
    """Reads status callbacks. Keeps the layouts of forms it has met, which changes no result."""

    in_flight = IN_FLIGHT
    carrier_is = "parameter"

    def __init__(self, options: Options = PLAIN) -> None:
        self._json = msgspec.json.Decoder(JsonCallback).decode
        self._forms = FormReader()

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        if values and (values[0] or b"")[:1] == b"{":
            return decode_all(values, self._json, partial(self._of_other_kind, self._forms.read))
        return decode_all(values, self._forms.read, partial(self._of_other_kind, self._json))

    def status(self, word: str, code: str = "") -> Status | None:
        return status_of(word, code)

    def _of_other_kind(self, fast: Callable[[bytes], Reading], value: bytes) -> Reading | Malformed:
        """A form among JSON, or JSON among forms: a topic may hold both."""
        try:
            return fast(value)
        except Exception:  # for the slow path, which never raises
            return self._decode_one(value)

    def _decode_one(self, value: bytes) -> Reading | Malformed:
        start = value.lstrip()[:1] if value else b""
        if not start:
            return Malformed(Reason.EMPTY, "the record has no value")
        if start in b'{["':
            return _decode_json(value)
        return _decode_form(value)


def status_of(word: str, code: str) -> Status | None:
    """Twilio's status word; a failure that never left Twilio's queue has expired there, and
    some codes only occur on inbound messages."""
    status = STATUSES.get(word.lower())
    if status in _FAILURES:
        if code in INBOUND_CODES:
            return Status.INBOUND
        if code == NEVER_SENT_CODE:
            return Status.EXPIRED
    return status


class NotSeenBefore(Exception):
    """The form is laid out as none before it."""


_NEEDED = ("MessageSid", "MessageStatus", "ErrorCode", "To", "From", "carrier", "region", "traffic_class")
_REQUIRED = frozenset(_NEEDED[:2])
_MAX_LAYOUTS = 16
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Layout = tuple[Callable[[str], re.Match[str] | None], tuple[int, ...]]
"""Matches a form with certain fields in a certain order; the groups of the needed ones, in the order
of `_NEEDED`, without those at its end that are not there."""


class FormReader:
    """Reads forms whose fields come in an order met before: one regular expression a layout.

    A callback's fields come in a handful of orders, and matching a known one takes a third of the
    time of splitting into pairs. Whatever does not match is left to the slow path, which agrees.
    """

    def __init__(self) -> None:
        self._layouts: list[Layout] = []

    def read(self, value: bytes) -> Record:
        """Raises for everything that is not a plain form in a known layout."""
        text = value.decode().strip()
        # Nearly always the only encoded characters are the `+` of the numbers, and the `:` of their
        # channel: then replacing decodes the whole form. Else each needed field is decoded by itself.
        decoded = text.replace("%2B", "+")
        if "%" in decoded:
            decoded = decoded.replace("%3A", ":")
        if "%" in decoded or "+" in text:
            told: list[Any] = [f and plain(f) for f in self._fields(text)]
            return Record(*told)
        return Record(*self._fields(decoded))

    def _fields(self, text: str) -> tuple[Any, ...]:
        for match, groups in self._layouts:
            found = match(text)
            if found is not None:
                return found.group(*groups)
        self._learn(text)
        raise NotSeenBefore

    def _learn(self, text: str) -> None:
        names = [pair.partition("=")[0] for pair in text.split("&")]
        usable = all(_NAME.fullmatch(n) for n in names) and text.count("=") >= len(names)
        if usable and set(names) >= _REQUIRED and len(self._layouts) < _MAX_LAYOUTS:
            layout = _layout(names)
            if layout[0](text):
                self._layouts.append(layout)


def _layout(names: Sequence[str]) -> Layout:
    groups: dict[str, int] = {}
    parts = []
    for name in names:
        if name in _NEEDED and name not in groups:
            groups[name] = len(groups) + 1
            parts.append(f"{name}=([^&]++)" + ("" if name in _REQUIRED else "?"))
        else:
            parts.append(f"{name}=[^&]*+")
    # Possessive repeats: a form in another layout fails at once and is not tried again shorter.
    # The last group never takes part: it stands for the fields that are not there.
    nothing = len(groups) + 1
    indices = [groups.get(n, nothing) for n in _NEEDED]
    while indices[-1] == nothing:
        indices.pop()
    return re.compile("&".join(parts) + "(?:((?!)))?").fullmatch, tuple(indices)


def _decode_form(value: bytes) -> Record | Malformed:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as e:
        return Malformed(Reason.NOT_UTF8, f"byte {e.start} of {len(value)} is not UTF-8")
    fields: dict[str, str] = {}
    for pair in text.strip().split("&"):
        name, _, content = pair.partition("=")
        fields.setdefault(unquote_plus(name), plain(content))
    sid = fields.get("MessageSid") or fields.get("SmsSid")
    status = fields.get("MessageStatus") or fields.get("SmsStatus")
    if not sid or not status:
        return missing("MessageStatus" if sid else "MessageSid")
    told: list[Any] = [fields.get(name) or None for name in _NEEDED[2:]]
    return Record(sid, status, *told)


def _decode_json(value: bytes) -> JsonCallback | Malformed:
    raw = read_object(value)
    if isinstance(raw, Malformed):
        return raw
    for name, other in (("MessageSid", "SmsSid"), ("MessageStatus", "SmsStatus")):
        if not raw.get(name):
            raw[name] = raw.get(other)
    return convert(raw, JsonCallback)
