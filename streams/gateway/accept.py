"""What a request holds: records to write, and what can not be read, each with its reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from streams.decode.envelope import MOST_PIECES, with_parameters
from streams.decode.several import items
from streams.gateway.doors import Endpoint
from streams.gateway.text import without_text
from streams.records import Malformed, Reason
from streams.source import Source

NO_TOPIC_BEFORE = "-1"
"""Header `source_partition` of what the gateway buries: it was in no topic before."""
PARAMETERS_HEADER = "parameters"
"""Header with the URL's parameters that belong to a record: what is buried stays as it came."""
NOT_TAKEN_APART = Malformed(
    Reason.NOT_JSON, "the JSON can not be taken apart to leave out the message's text"
)


class Record(NamedTuple):
    """One record for `outcomes`."""

    key: bytes | None
    """The message id; None where an inbound message told none."""
    value: bytes


class Unreadable(NamedTuple):
    """One for `dead-letters`, as it came."""

    value: bytes
    why: Malformed


class Taken(NamedTuple):
    """What one request becomes. One of the two is never empty."""

    records: list[Record]
    unreadable: list[Unreadable]


def take(source: Source, endpoint: Endpoint, body: bytes, given: Mapping[str, str]) -> Taken:
    """The records in `body`: out of arrays, lines and envelopes, without texts, keyed by message id.

    `given` are the parameters of the URL; those that belong to a record go with each that lacks
    them: what the body says itself stands.
    """
    records, unreadable = [], []
    pieces = _pieces(source, endpoint, body)
    bare = [without_text(piece) for piece in pieces]
    values = [with_parameters(value or b"", given) for value in bare]
    readings = source.decoder.decode_batch(values)
    for piece, kept, value, reading in zip(pieces, bare, values, readings, strict=True):
        if kept is None:
            unreadable.append(Unreadable(piece, NOT_TAKEN_APART))
        elif isinstance(reading, Malformed):
            unreadable.append(Unreadable(piece, reading))
        else:
            records.append(Record(reading.message_id.encode("utf-8", "replace") or None, value))
    return Taken(records, unreadable)


def _pieces(source: Source, endpoint: Endpoint, body: bytes) -> list[bytes]:
    found = source.open(body) if source.open else [body]
    if endpoint is not Endpoint.OUTCOMES or len(found) > 1:
        return found
    several = items(found[0]) or _lines(found[0])
    return several if len(several) <= MOST_PIECES else [body]  # as of envelopes: refused whole


def _lines(body: bytes) -> list[bytes]:
    """JSON lines, or one object over many lines."""
    lines = [line for line in body.splitlines() if not line.isspace() and line]
    if len(lines) < 2 or _is_json(body):
        return [body]
    return lines


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
