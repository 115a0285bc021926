"""Envelopes: what carries a provider's record on its way, taken off step by step, outermost first.

    sqs+sns+path:detail
    └── a batch of queue messages ─ each a notification ─ each with the record under `detail`

A value that is not in the envelope passes as it is: the decoder judges it, and a record that is
driven again may come without. Several records in one value come out as several.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from streams.decode.decoder import Decoder
from streams.errors import ConfigError

Step = Callable[[bytes], "list[bytes] | None"]
"""The values inside one value; None when it is not wrapped so."""

PARAMETERS = ("carrier", "region", "traffic_class")
"""Parameters of the callback URL that belong to the record."""
MOST_PIECES = 10_000
"""More records in one value are not taken apart: the value is refused whole."""
_PATH = "path:"
_EVERY = "*"


def _api_gateway(value: bytes) -> list[bytes] | None:
    """An API Gateway proxy event, version 1 or 2. The URL's parameters go with the body."""
    event = _json(value)
    body = event.get("body") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(body, str):
        return None
    plain = _from_base64(body.encode()) if event.get("isBase64Encoded") else body.encode()
    given = event.get("queryStringParameters")
    return None if plain is None else [with_parameters(plain, given if isinstance(given, dict) else {})]


def _base64(value: bytes) -> list[bytes] | None:
    plain = _from_base64(value)
    return None if plain is None else [plain]


def at(path: str) -> Step:
    """The step for a path such as `Records.*.body`: names of fields, indices, `*` for every item."""
    names = path.split(".")

    def step(value: bytes) -> list[bytes] | None:
        found = list(_walk(_json(value), names))
        return [_bytes(inner) for inner in found] or None

    return step


def _first_of(*steps: Step) -> Step:
    return lambda value: next((found for s in steps if (found := s(value)) is not None), None)


def _chain(first: Step, then: Step) -> Step:
    def both(value: bytes) -> list[bytes] | None:
        found = first(value)
        return None if found is None else [inner for one in found for inner in then(one) or [one]]

    return both


STEPS: Mapping[str, Step] = {
    "api-gateway": _api_gateway,
    "base64": _base64,
    "kinesis": _chain(_first_of(at("Records.*.kinesis.data"), at("kinesis.data"), at("Data")), _base64),
    "sns": _first_of(at("Records.*.Sns.Message"), at("Message")),
    "sqs": _first_of(at("Records.*.body"), at("Messages.*.Body"), at("Body"), at("body")),
}


def steps_of(envelope: str) -> tuple[Step, ...]:
    """The steps that an `envelope` setting names. Raises ConfigError that names the known ones."""
    return tuple(_step(name) for name in envelope.split("+")) if envelope else ()


def _step(name: str) -> Step:
    if name.startswith(_PATH) and all(name[len(_PATH) :].split(".")):
        return at(name[len(_PATH) :])
    if name not in STEPS:
        known = ", ".join(STEPS)
        raise ConfigError(f"envelope: '{name}' is none; there are {known}, path:a.b, joined by '+'")
    return STEPS[name]


def opener(envelope: str, decoder: Decoder) -> Callable[[bytes], list[bytes]] | None:
    """Takes a value apart into single records, never none; None where values always are single.

    Raises ConfigError for an unknown envelope.
    """
    pieces: Step | None = getattr(decoder, "pieces", None)
    steps = (*steps_of(envelope), *([pieces] if pieces else ()))
    return (lambda value: _opened(value, steps)) if steps else None


def _opened(value: bytes, steps: Iterable[Step]) -> list[bytes]:
    values = [value]
    for step in steps:
        values = [inner for one in values for inner in step(one) or [one]]
        if len(values) > MOST_PIECES:
            return [value]
    return values


def with_parameters(body: bytes, given: Mapping[str, Any]) -> bytes:
    """A form or a JSON object, with those of PARAMETERS that are given and that it lacks."""
    wanted = {k: v for k, v in given.items() if k in PARAMETERS and isinstance(v, str) and v}
    if not wanted:
        return body
    record = _json(body)
    if isinstance(record, dict):
        return msgspec.json.encode(wanted | record)
    # A form's first field of a name counts.
    return b"&".join(part for part in (body.strip(), urlencode(wanted).encode()) if part)


def _walk(value: Any, names: list[str]) -> Iterator[Any]:
    if not names:
        if value is not None:
            yield value
        return
    name, rest = names[0], names[1:]
    if isinstance(value, dict) and name in value:
        yield from _walk(value[name], rest)
    elif isinstance(value, list):
        items = value if name == _EVERY else value[int(name) : int(name) + 1] if name.isdecimal() else []
        for item in items:
            yield from _walk(item, rest)


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else msgspec.json.encode(value)


def _json(value: bytes) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _from_base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text.strip(), validate=True) or None
    except (binascii.Error, ValueError):
        return None
