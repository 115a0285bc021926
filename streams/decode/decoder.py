"""What every format does: the protocol, and what the JSON formats share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import Malformed, Reading, Reason, Status

S = TypeVar("S", bound=msgspec.Struct)


class Options(NamedTuple):
    """What a source's configuration says about reading its records."""

    zone: tzinfo | None = None
    """Zone of times that name none; None: such times are not used."""
    sender_network: bool = False
    """Whether a network that is the sender's may label the carrier."""
    hasher: RecipientHasher = RecipientHasher(DEMO_KEY)
    """For message ids that only a recipient makes unique: an id travels on, a number must not."""


PLAIN = Options()


class Decoder(Protocol):
    """Reads one format of provider records. Has no state that changes a result.

    A decoder whose readings' `carrier` always is the parameter of a callback URL, the user's word and
    not the provider's, has a `carrier_is = "parameter"`: Lookup is then trusted more. One whose
    `carrier` may be either begins the user's word with LABEL.
    """

    @property
    def in_flight(self) -> tuple[str, ...]:
        """The provider's in-flight words, at most seven: each has its own bit of what was seen."""
        ...

    def decode_batch(self, values: Sequence[bytes]) -> list[Reading | Malformed]:
        """One result per value, in the same order. Never raises."""
        ...

    def status(self, word: str, code: str = "") -> Status | None:
        """What a status word of the provider means, whatever its case; None when it is not one.

        The code only refines a failure (never sent, inbound traffic), it never undoes a delivery.
        """
        ...


def decode_all(
    values: Sequence[bytes],
    fast: Callable[[bytes], Reading],
    slow: Callable[[bytes], Reading | Malformed],
) -> list[Reading | Malformed]:
    """`fast` over all values in one C loop; `slow`, which must not raise, where `fast` does.

    What `list.extend` has appended before an exception stays in the list, and a `map` goes on
    after one, so a poison record costs itself and not its batch.
    """
    out: list[Reading | Malformed] = []
    results = map(fast, values)
    while True:
        try:
            out.extend(results)
            return out
        except Exception:
            out.append(slow(values[len(out)]))


def read_object(value: bytes) -> dict[str, Any] | Malformed:
    """The JSON object in `value`, or why there is none. Never raises."""
    if not value or value.isspace():
        return Malformed(Reason.EMPTY, "the record has no value")
    try:
        raw = msgspec.json.decode(value)
    except RecursionError:
        return Malformed(Reason.NOT_JSON, "the JSON is nested too deep")
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        return _not_json(value, e)
    if isinstance(raw, dict):
        return raw
    return Malformed(Reason.WRONG_TYPE, f"expected a JSON object, got {_json_type(raw)}")


def convert(raw: dict[str, Any], kind: type[S], times: frozenset[str] = frozenset()) -> S | Malformed:
    """`raw` as a typed record, or which field is wrong. Never raises; never quotes a value."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as e:
        return _classify(str(e), times)


def missing(field: str) -> Malformed:
    return Malformed(Reason.MISSING_FIELD, f"the field {field} is missing or empty")


def _not_json(value: bytes, error: Exception) -> Malformed:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as e:
        return Malformed(Reason.NOT_UTF8, f"byte {e.start} of {len(value)} is not UTF-8")
    # msgspec names the position of the fault, never the text there.
    detail = str(error) if isinstance(error, msgspec.DecodeError) else "the JSON is malformed"
    return Malformed(Reason.NOT_JSON, detail)


def _classify(words: str, times: frozenset[str]) -> Malformed:
    field = words.partition("`$.")[2].rstrip("`")
    if words.startswith("Object missing required field"):
        return missing(words.split("`")[1])
    if "got `null`" in words or "of length >= 1" in words:
        return missing(field)
    if field in times:
        return Malformed(Reason.BAD_TIME, f"{field}: expected epoch milliseconds or ISO 8601 text")
    return Malformed(Reason.WRONG_TYPE, words)


def _json_type(raw: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(raw), "a number")
