"""Delivery reports as JSON or as a form: what the formats share that need no path of their own for speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from datetime import tzinfo
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from streams.decode.decoder import convert, read_object
from streams.decode.form import read_fields
from streams.decode.record import Record
from streams.decode.times import zoned_ms
from streams.privacy import RecipientHasher
from streams.records import Malformed, Reading

S = TypeVar("S", bound=msgspec.Struct)
Text = Annotated[str, Meta(min_length=1)]
Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Number = str | Whole
"""A phone number, a code or an id: some write it as text, some as a number."""

INBOUND = "INBOUND"
"""The status word of a message that came in; no provider here has it as a status of its own."""


class Labels(msgspec.Struct, gc=False, kw_only=True):
    """The user's own labels, as parameters of the callback URL are kept with a record."""

    carrier: str | None = None
    region: str | None = None
    traffic_class: str | None = None


def came_in(message_id: object, status: str = INBOUND) -> Record:
    """What is left of a message that somebody sent: nothing of who."""
    return Record(message_id=message_id if isinstance(message_id, str) else "", status=status)


def read_each(
    values: Sequence[bytes],
    read: Callable[[dict[str, Any]], Record | Malformed],
    of_form: Set[str] = frozenset(),
) -> list[Reading | Malformed]:
    """`read` over the JSON objects in `values`, and over forms of which those fields are read."""
    raws = [_fields(value, of_form) for value in values]
    return [raw if isinstance(raw, Malformed) else read(raw) for raw in raws]


def typed(raw: dict[str, Any], kind: type[S]) -> S | Malformed:
    """`raw` as a record of that kind, or which field is wrong. An empty text is none."""
    return convert({name: value for name, value in raw.items() if value != ""}, kind)


def names_of(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The names of a record's fields, as the provider writes them."""
    return frozenset(f.encode_name for f in msgspec.structs.fields(kind))


def _fields(value: bytes, of_form: Set[str]) -> dict[str, Any] | Malformed:
    if of_form and value and value.lstrip()[:1] not in (b"{", b"[", b'"', b""):
        fields = read_fields(value, of_form)
        return fields if isinstance(fields, Malformed) else {**fields}
    return read_object(value)


def e164(number: Number | None) -> str | None:
    """A number that its provider always writes in full and without the `+`; else as it is."""
    text = "" if number is None else str(number)
    return "+" + text if text.isdecimal() and text.isascii() else text or None


def network(mcc: object, mnc: object) -> str | None:
    """MCC-MNC. Both must be text: 26 as a number could be 26 or 026, which are two networks."""
    return f"{mcc}-{mnc}" if isinstance(mcc, str) and isinstance(mnc, str) and mcc and mnc else None


def as_text(value: Number | None) -> str | None:
    """A code or a network as text, None for none."""
    return None if value in (None, "") else str(value)


def time_ms(moment: str | None, zone: tzinfo | None) -> int | None:
    """ISO 8601 text as epoch milliseconds. What is no such time, or has no zone, is left out: the
    outcome counts by its receipt, and only its latency stays unknown."""
    return zoned_ms(moment, zone) if moment else None


def id_of_one(batch_id: str, number: str | None, hasher: RecipientHasher) -> str:
    """The identity of one message of a batch whose messages share an id."""
    return f"{batch_id}:{hasher.hex(number)}" if number else batch_id
