"""The format `infobip`: delivery reports, several in one body (`results`), or one of them alone.

A body with several is taken apart before (`pieces`). The outcome is the status group, with one
exception: DELIVERED_TO_OPERATOR is in the group DELIVERED and not final. The code is the name of the
error, else its id, else why the status says that the message failed; the same id means other things
in other products of Infobip.
Source: infobip.com/docs/developer-resources/api-fundamentals/message-status-codes; the models of
github.com/infobip/infobip-api-python-client (sms_delivery_report.py)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.decode.decoder import PLAIN, Options, missing
from streams.decode.record import Record, network_or_label
from streams.decode.report import (
    INBOUND,
    Labels,
    Number,
    Text,
    as_text,
    came_in,
    e164,
    read_each,
    time_ms,
    typed,
)
from streams.records import Malformed, Reading, Reason, Status

TO_OPERATOR = "DELIVERED_TO_OPERATOR"
IN_FLIGHT = ("ACCEPTED", "PENDING", TO_OPERATOR)
STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(IN_FLIGHT, Status.IN_FLIGHT),
    "DELIVERED": Status.DELIVERED,
    "UNDELIVERABLE": Status.UNDELIVERED,
    "EXPIRED": Status.EXPIRED,
    "REJECTED": Status.FAILED,  # before it was sent
    INBOUND: Status.INBOUND,
}
_FAILURES = frozenset({"UNDELIVERABLE", "EXPIRED", "REJECTED"})
_NO_ERROR = frozenset({"NO_ERROR", "0"})
_OF_INBOUND = frozenset({"receivedAt", "text", "cleanText"})
_MOST_LABEL_BYTES = 300


class Group(msgspec.Struct, gc=False, rename={"group": "groupName"}):
    """A status or an error of Infobip's registries."""

    name: str | None = None
    group: str | None = None
    id: Number | None = None


NONE = Group()


class Result(
    Labels,
    gc=False,
    rename={"message_id": "messageId", "network": "mccMnc", "done_at": "doneAt", "sent_at": "sentAt"},
):
    """One delivery report."""

    message_id: Text
    status: Group
    error: Group | None = None
    to: Number | None = None
    sender: str | None = None
    network: Number | None = None
    done_at: str | None = None
    sent_at: str | None = None


class InfobipDecoder:
    """Reads delivery reports."""

    in_flight = IN_FLIGHT

    def __init__(self, options: Options = PLAIN) -> None:
        self._zone = options.zone
        self._body = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._results = msgspec.json.Decoder(list[msgspec.Raw]).decode

    def pieces(self, value: bytes) -> list[bytes] | None:
        """A body for each of several results, its bytes untouched, with the user's labels; None for
        anything else."""
        try:
            body = self._body(value)
            results = self._results(body["results"]) if "results" in body else []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        rest = b"".join(b',"%b":%b' % (name.encode(), body[name]) for name in _labels(body))
        return [b'{"results":[%b]%b}' % (r, rest) for r in results] if len(results) > 1 else None

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        return read_each(values, self._read)

    def status(self, word: str, code: str = "") -> Status | None:
        return STATUSES.get(word.upper())

    def _read(self, raw: dict[str, Any]) -> Record | Malformed:
        one = _only(raw)
        if isinstance(one, Malformed):
            return one
        if "status" not in one and one.get("messageId") and _OF_INBOUND & one.keys():
            return came_in(one["messageId"])
        # Older bodies name the sender `from`.
        r = typed({"sender": one.get("from"), **one}, Result)
        return r if isinstance(r, Malformed) else self._report(r)

    def _report(self, r: Result) -> Record | Malformed:
        word = _word(r.status)
        if not word:
            return missing("status.groupName (and status.name)")
        return Record(
            message_id=r.message_id,
            status=word,
            code=_code(r.error or NONE, r.status, word),
            to=e164(r.to),
            sender=r.sender,
            carrier=network_or_label(as_text(r.network), r.carrier),
            region=r.region,
            traffic_class=r.traffic_class,
            sent_time_ms=time_ms(r.sent_at, self._zone),
            provider_time_ms=time_ms(r.done_at, self._zone),
        )


def _labels(body: Mapping[str, msgspec.Raw]) -> list[str]:
    """The user's labels in a body. Each piece repeats them, so they must be short."""
    names = Labels.__struct_fields__
    return [n for n in names if n in body and len(memoryview(body[n])) <= _MOST_LABEL_BYTES]


def _only(raw: dict[str, Any]) -> dict[str, Any] | Malformed:
    """The single result of a body, with the labels beside it; a bare result as it is."""
    if "results" not in raw:
        return raw
    results = raw["results"]
    if not isinstance(results, list) or len(results) != 1 or not isinstance(results[0], dict):
        return Malformed(Reason.WRONG_TYPE, "results: expected an array of one object")
    return {**{n: raw[n] for n in Labels.__struct_fields__ if n in raw}, **results[0]}


def _word(status: Group) -> str:
    """The status group; a name begins with its group."""
    if (status.name or "").upper() == TO_OPERATOR:
        return TO_OPERATOR
    return status.group or (status.name or "").partition("_")[0]


def _code(error: Group, status: Group, word: str) -> str | None:
    said = error.name or as_text(error.id)
    if said and said not in _NO_ERROR:
        return said
    return status.name if word.upper() in _FAILURES else None
